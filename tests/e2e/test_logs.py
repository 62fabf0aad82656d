"""What the whole run has logged: read last of all, when every other end-to-end test has left its lines."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.e2e.wanflow import Wanflow
from wanflow import metrics

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


def test_the_functions_have_written_metrics_and_only_those_of_the_table(wanflow: Wanflow) -> None:
    lines = [
        line
        for path in wanflow.stack.settings.log_dir.glob("*Function*.log")
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith('{"_aws"')
    ]
    directives = [json.loads(line)["_aws"]["CloudWatchMetrics"][0] for line in lines]
    written = {metric["Name"] for directive in directives for metric in directive["Metrics"]}
    assert written <= {metric.name for metric in metrics.ALL}
    assert {"JobsAccepted", "JobsEnded", "QueueWait", "SubmitLatency", "PollLatency", "CostBooked"} <= written
    assert {json.loads(line)["service"] for line in lines} == {"wanflow"}


def test_the_log_leads_from_the_api_s_answer_to_the_job_s_end(wanflow: Wanflow) -> None:
    accepted = [line for line in _lines(wanflow) if line.get("message") == "job accepted" and "request_id" in line]
    ended = {line["correlation_id"] for line in _lines(wanflow) if line.get("message") == "job ended"}
    assert accepted
    assert {line["correlation_id"] for line in accepted} == {line["job_id"] for line in accepted}
    assert ended & {line["job_id"] for line in accepted}


def _lines(wanflow: Wanflow) -> Iterator[dict[str, Any]]:
    for path in wanflow.stack.settings.log_dir.glob("*Function*.log"):
        for text in path.read_text(errors="replace").splitlines():
            if text.startswith('{"level"'):
                yield json.loads(text)
