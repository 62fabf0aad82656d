"""JSON, CSV and Python of the documentation are what the API, the stack and the mock take and give."""

import ast
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
import requests
import responses

from mock_server.running import RunningMock
from mock_server.settings import Settings
from tests.docs.pages import PAGES, README, ROOT, Block, blocks, fences
from tests.fakes import wan_request
from wanflow.batch_file import read_rows
from wanflow.errors import InvalidRequest
from wanflow.finish import EVENT_TYPE
from wanflow.openapi import document
from wanflow.references import OwnFiles
from wanflow.validation import validate

Json = dict[str, Any]

API = document()
CUT = "…"
"""`"…": "…"` in an example: fields were left out."""


def of_language(language: str) -> list[Block]:
    return [block for page in PAGES for block in fences(page) if block.language == language]


def as_schema(name: str) -> Callable[[Json], None]:
    """A check against a schema of the OpenAPI document."""

    def check(example: Json) -> None:
        is_cut = f"'{CUT}': '{CUT}'" in str(example)
        components = _without_required(API["components"]) if is_cut else API["components"]
        whole = {**components["schemas"][name], "components": components}
        jsonschema_rs.Draft202012Validator(whole).validate(_without_cuts(example))

    return check


def as_request(example: Json) -> None:
    as_schema("VideoRequest")(example)
    assert not validate(example, OwnFiles("bucket", ("uploads/owner/",))).warnings


def as_verdict(example: Json) -> None:
    assert example["status"] == "refused"
    as_schema("Error")({"error": example["error"]})


def as_batch_verdict(example: Json) -> None:
    rows, totals = example["rows"], example["totals"]
    assert totals == {"rows": len(rows), **Counter(row["status"] for row in rows)}
    for row in rows:
        assert row.keys() - {"row", "status", "error"} == ({"violations"} if row["status"] == "refused" else {"job_id"})
        for violation in row.get("violations", []):
            as_schema("Violation")(violation)


def as_event(example: Json) -> None:
    assert (example["source"], example["detail-type"]) == ("wanflow", EVENT_TYPE)
    detail = example["detail"]
    assert set(detail) == {"id", "owner", "job"}
    as_schema("Job")(detail["job"])
    assert detail["id"] == f"{detail['job']['id']}.{detail['job']['status']}"


def as_pattern(example: Json) -> None:
    """A rule on the event must match the event of the page before it."""
    (event,) = (json.loads(block.code) for block in of_language("json") if block.key.endswith("the-eventbridge-event"))
    assert _matches(example, event)


SHAPES: list[tuple[set[str], Callable[[Json], None]]] = [
    ({"model", "input"}, as_request),
    ({"status", "created_at"}, as_schema("Job")),
    ({"rows", "totals"}, as_batch_verdict),
    ({"status", "error"}, as_verdict),
    ({"error"}, as_schema("Error")),
    ({"type", "timestamp", "data"}, as_schema("WebhookEvent")),
    ({"content_type", "bytes"}, as_schema("UploadRequest")),
    ({"url", "fields"}, as_schema("Upload")),
    ({"cost_usd", "violations"}, as_schema("Estimate")),
]
"""Fields by which an example is known, and what it must fulfil; the first that fits."""


def check_of(example: Json) -> Callable[[Json], None]:
    if "detail-type" in example:
        return as_pattern if isinstance(example["detail-type"], list) else as_event
    for fields, check in SHAPES:
        if fields <= set(example):
            return check
    raise AssertionError(f"JSON of an unknown kind, with {', '.join(example)}: add it to SHAPES in {__name__}")


@pytest.mark.parametrize("block", of_language("json"), ids=lambda block: block.key)
def test_every_json_example_is_what_the_contract_says(block: Block) -> None:
    example = json.loads(block.code)
    check_of(example)(example)


def test_an_example_of_no_known_kind_is_found() -> None:
    with pytest.raises(AssertionError, match="unknown kind"):
        check_of({"hello": 1})
    with pytest.raises(jsonschema_rs.ValidationError):
        as_schema("Job")({"id": 1, CUT: CUT})


def test_the_webhook_on_the_page_of_events_is_what_the_contract_says() -> None:
    (text,) = (block.code for block in fences(ROOT / "docs" / "events.md") if block.code.startswith("POST "))
    head, body = text.split("\n\n", maxsplit=1)
    event = json.loads(body)
    as_schema("WebhookEvent")(event)
    assert f"webhook-id: {event['data']['id']}.{event['type'].removeprefix('video.')}\n" in head + "\n"


def test_the_readme_s_example_of_an_error_is_the_answer_to_such_a_request() -> None:
    (told,) = (json.loads(text) for text in blocks(README, "json") if '"001028004"' in text)
    request = wan_request(reference_urls=["https://example.com/cat.gif"], parameters={"duration": "5"})
    with pytest.raises(InvalidRequest) as refused:
        validate(request, OwnFiles("bucket", ()))
    violations = [violation.as_dict() for violation in refused.value.violations]
    assert told["error"]["violations"] == violations


@pytest.mark.parametrize("block", of_language("csv"), ids=lambda block: block.key)
def test_every_row_of_every_csv_example_is_a_valid_request(block: Block) -> None:
    rows = read_rows(block.code.encode(), is_csv=True)
    assert rows
    for row in rows:
        validate(row.request, OwnFiles("bucket", ()))


@pytest.mark.parametrize("block", of_language("python"), ids=lambda block: block.key)
def test_every_python_example_is_good_python(block: Block) -> None:
    ast.parse(block.code)


def test_the_mock_s_pytest_example_passes() -> None:
    (source,) = (text for text in blocks(ROOT / "mock_server" / "README.md", "python") if "wan_mock" in text)

    def make_a_video(base_url: str, api_key: str) -> None:
        headers = {"Authorization": f"Bearer {api_key}"}
        task = requests.post(f"{base_url}/v1/videos", json=wan_request(), headers=headers, timeout=10).json()
        mock.advance(60)
        status = requests.get(f"{base_url}/v1/videos/{task['id']}", headers=headers, timeout=10).json()
        assert status["status"] == "completed"

    names: Json = {"make_a_video": make_a_video}
    exec(source, names)  # noqa: S102 - the documentation's own code
    with RunningMock(Settings(speed=0)) as mock:
        names["test_the_video_is_made"](mock)


def test_the_mock_s_example_without_a_socket_works() -> None:
    (source,) = (text for text in blocks(ROOT / "mock_server" / "README.md", "python") if "InProcessMock" in text)
    names: Json = {
        "responses": responses,
        "requests": requests,
        "request": wan_request(),
        "key": {"Authorization": "Bearer test-key"},
    }
    exec(source, names)  # noqa: S102 - the documentation's own code
    assert names["task"]["status"] == "queued"


def _without_required(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _without_required(value) for name, value in schema.items() if name != "required"}
    return [_without_required(each) for each in schema] if isinstance(schema, list) else schema


def _without_cuts(example: Any) -> Any:
    if isinstance(example, dict):
        return {name: _without_cuts(value) for name, value in example.items() if name != CUT}
    return [_without_cuts(each) for each in example] if isinstance(example, list) else example


def _matches(pattern: Any, event: Any) -> bool:
    """EventBridge's rule for plain values: every field of the pattern is there, with one of the values listed."""
    if isinstance(pattern, list):
        return event in pattern
    return all(name in event and _matches(inner, event[name]) for name, inner in pattern.items())


def test_the_words_of_a_pattern_count() -> None:
    assert not _matches({"detail": {"status": ["failed"]}}, {"detail": {"status": "completed"}})
