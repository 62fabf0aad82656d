"""What the whole run has logged: read last of all, when every other end-to-end test has left its lines."""

import re

from tests.e2e.wanflow import Wanflow

SECRETS = {
    "a presigned URL": re.compile(r"X-Amz-Signature=|X-Amz-Credential=|[?&]Signature="),
    "a data URI": re.compile(r";base64,[A-Za-z0-9+/]{8}"),
    "a bearer token": re.compile(r"Bearer (?!\[redacted\])\S"),
}


def test_no_function_has_logged_a_secret_a_data_uri_or_a_presigned_url(wanflow: Wanflow) -> None:
    logs = {
        path.name: path.read_text(errors="replace") for path in wanflow.stack.settings.log_dir.glob("*Function*.log")
    }
    endpoints = wanflow.stack.endpoints
    known = {"the callers' API key": endpoints.api_key, "the webhooks' secret": endpoints.webhook_secret}

    assert any("job ended" in text for text in logs.values())
    found = [f"{name}: {what}" for name, text in logs.items() for what, shape in SECRETS.items() if shape.search(text)]
    found += [f"{name}: {what}" for name, text in logs.items() for what, secret in known.items() if secret in text]
    assert found == []
