"""Serve Console: the page and its files, with headers that let nothing else in, and nothing beside the files."""

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from console import make_rules
from tests.stack import Stack, event_file
from tests.template import ROOT

FOLDER = ROOT / "console"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".css", ".js", ".svg"})


def ask(stack: Stack, version: str | None = None, file: str | None = None, **headers: str) -> dict[str, Any]:
    event = event_file("serve_console", "page")
    event["headers"] |= headers
    if version is not None:
        event["pathParameters"] = {"version": version, "file": file}
    answer: dict[str, Any] = stack.invoke("serve_console", event)
    return answer


def version_of(page: dict[str, Any]) -> str:
    return re.findall(r'src="console/([0-9a-f]{12})/main.js"', page["body"])[0]


def policy(page: dict[str, Any]) -> dict[str, list[str]]:
    rules = [rule.split() for rule in page["headers"]["Content-Security-Policy"].split(";")]
    return {name: values for name, *values in rules}


def test_the_page_is_html_that_is_asked_for_each_time_and_names_its_files_by_their_version(stack: Stack) -> None:
    page = ask(stack)
    assert page["statusCode"] == 200
    assert page["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert page["headers"]["Cache-Control"] == "no-cache"
    assert "VERSION" not in page["body"]
    assert version_of(page) in page["headers"]["ETag"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_under_its_version_for_ever(stack: Stack, name: str) -> None:
    answer = ask(stack, version_of(ask(stack)), name)
    assert answer["statusCode"] == 200
    assert answer["body"] == (FOLDER / name).read_text(encoding="utf-8")
    assert answer["headers"]["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer["headers"]["X-Content-Type-Options"] == "nosniff"
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert answer["headers"]["Content-Type"].startswith(kinds[name.rpartition(".")[2]])


def test_what_the_browser_has_already_is_not_sent_again(stack: Stack) -> None:
    page = ask(stack)
    again = ask(stack, **{"If-None-Match": page["headers"]["ETag"]})
    assert (again["statusCode"], again["body"]) == (304, "")
    assert again["headers"]["ETag"] == page["headers"]["ETag"]
    assert ask(stack, **{"If-None-Match": 'W/"other"'})["statusCode"] == 200


@pytest.mark.parametrize(
    "name",
    ["app.py", "Makefile", "make_rules.py", "index.html", "../app.py", "..", "", "main.js/", "/etc/passwd", "%2e%2e/x"],
)
def test_nothing_but_the_files_is_there(stack: Stack, name: str) -> None:
    answer = ask(stack, version_of(ask(stack)), name)
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["error"]["code"] == "not_found"
    assert answer["headers"]["Cache-Control"] == "no-store"


def test_another_version_is_not_there(stack: Stack) -> None:
    assert ask(stack, "0" * 12, "main.js")["statusCode"] == 404


def test_the_page_may_run_its_own_scripts_and_talk_with_the_api_and_the_bucket_alone(stack: Stack) -> None:
    page = ask(stack)
    rules = policy(page)
    bucket = [stack.template.resolve({"Fn::Sub": f"https://${{VideosBucket.{name}}}"}) for name in _BUCKET_NAMES]
    (script,) = re.findall(r"<script>(.*?)</script>", page["body"], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules == {
        "default-src": ["'none'"],
        "script-src": ["'self'", f"'sha256-{digest}'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "blob:", *bucket],
        "media-src": ["'self'", "blob:", *bucket],
        "connect-src": ["'self'", *bucket],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }
    assert page["headers"]["Referrer-Policy"] == "no-referrer"


_BUCKET_NAMES = ("DomainName", "RegionalDomainName")


def test_on_a_local_stack_the_page_may_talk_with_the_local_bucket(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert policy(ask(stack))["connect-src"][-1] == "http://127.0.0.1:4566"


def test_it_needs_no_key_and_has_no_rights(stack: Stack) -> None:
    properties = stack.template.properties("ServeConsoleFunction")
    assert "Policies" not in properties
    events = [event["Properties"] for event in properties["Events"].values()]
    assert {event["Path"] for event in events} == {"/", "/console/{version}/{file}"}
    assert all(event["Auth"] == {"ApiKeyRequired": False} for event in events)


def test_every_module_is_told_to_the_browser_at_once_and_no_other() -> None:
    """Else it would find them one import after the other."""
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    told = set(re.findall(r'modulepreload" href="console/VERSION/([\w.]+)"', page)) | {"main.js"}
    # What is for JSDoc alone is loaded by nobody.
    assert told == {name for name in FILES if name.endswith(".js")} - {"types.js"}


def test_the_files_name_no_other_host() -> None:
    for path in FOLDER.iterdir():
        if path.suffix in {".css", ".js", ".html", ".svg"}:
            hosts = set(re.findall(r"https?://[\w.-]+", path.read_text(encoding="utf-8")))
            assert hosts <= {"http://www.w3.org"}, path.name  # the namespace of SVG


def test_the_rules_that_the_page_knows_are_those_of_the_layer() -> None:
    assert make_rules.TARGET.read_text(encoding="utf-8") == make_rules.text(), "run `make fmt`"


def test_the_page_has_words_for_every_code_of_the_error_pages() -> None:
    from tests.docs.test_pages import ERRORS, README, _codes, section, text_of

    told = set(re.findall(r'^  "?([a-z_]+|00102\d{4})"?: ', (FOLDER / "errors.js").read_text("utf-8"), re.MULTILINE))
    assert _codes(section(README, "Errors")) | _codes(text_of(ERRORS)) <= told


def test_the_example_events_are_answered(stack: Stack) -> None:
    assert stack.invoke("serve_console", event_file("serve_console", "page"))["statusCode"] == 200
    assert stack.invoke("serve_console", event_file("serve_console", "missing_file"))["statusCode"] == 404
