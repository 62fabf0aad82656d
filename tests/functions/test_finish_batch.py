"""Finish Batch: the last verdict names every row of the file and how it ended."""

import json
from typing import Any

from tests.fakes import wan_request
from tests.stack import Stack, event_file
from wanflow.errors import ErrorInfo

KEY = "inbox/alice/orders.jsonl"
VERDICT = "outbox/alice/orders.jsonl.result.json"


def upload(stack: Stack, *rows: Any) -> str:
    """A batch file under inbox/, accepted; the batch's id."""
    stack.put(KEY, "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    event = event_file("accept_upload", "batch_jsonl")
    event["detail"]["object"]["key"] = KEY
    answer = stack.invoke("accept_upload", event)
    assert answer["verdict"] == VERDICT
    return str(answer["job_id"])


def run_rows(stack: Stack, batch_id: str) -> list[str | None]:
    """What the map does: one call of accept_row for each valid row."""
    started = stack.execution_input(batch_id)
    shared = {"batch_id": batch_id, "owner": started["owner"], "identity": started["identity"]}
    lines = stack.read(started["items_key"]).decode().splitlines()
    return [stack.invoke("accept_row", {**shared, "item": json.loads(line)})["job_id"] for line in lines]


def finish(stack: Stack, batch_id: str) -> dict[str, Any]:
    totals: dict[str, Any] = stack.invoke("finish_batch", event_file("finish_batch", "batch") | {"batch_id": batch_id})
    return totals


def test_every_row_is_told_with_its_end(stack: Stack) -> None:
    batch_id = upload(
        stack, wan_request(), "{broken", wan_request(reference_urls=[]), "", wan_request(prompt="character1 again")
    )
    first = stack.read_json(VERDICT)
    assert (first["id"], first["status"]) == (batch_id, "running")
    assert first["totals"] == {"rows": 4, "queued": 2, "refused": 2}
    good, bad = run_rows(stack, batch_id)
    assert good is not None
    assert bad is not None
    stack.records.fail(bad, ErrorInfo("001028095", "Internal generation error"))
    stack.finish(bad)
    stack.finish(good, execution_status="ABORTED")
    assert finish(stack, batch_id) == {"rows": 4, "failed": 2, "refused": 2}
    verdict = stack.read_json(VERDICT)
    assert verdict["status"] == "ended"
    rows = {row["row"]: row for row in verdict["rows"]}
    assert sorted(rows) == [1, 2, 3, 5]
    assert rows[1]["job_id"] == good
    assert "column 2" in rows[2]["violations"][0]["message"]
    assert rows[3]["violations"][0]["code"] == "001028001"
    assert rows[5]["error"] == {"code": "001028095", "message": "Internal generation error"}


def test_a_row_that_was_refused_when_its_turn_came_says_why(stack: Stack) -> None:
    stack.template.parameters["DailyBudgetUsd"] = "1.00"
    batch_id = upload(stack, wan_request(), wan_request())
    first, second = run_rows(stack, batch_id)
    assert first is not None
    assert second is None
    finish(stack, batch_id)
    verdict = stack.read_json(VERDICT)
    assert verdict["rows"][1]["status"] == "refused"
    assert verdict["rows"][1]["error"]["code"] == "budget_exceeded"


def test_a_row_that_was_never_taken_up_is_told_too(stack: Stack) -> None:
    batch_id = upload(stack, wan_request())
    assert finish(stack, batch_id) == {"rows": 1, "refused": 1}
    assert stack.read_json(VERDICT)["rows"][0]["error"]["code"] == "internal_error"


def test_run_again_it_writes_the_same(stack: Stack) -> None:
    batch_id = upload(stack, wan_request())
    run_rows(stack, batch_id)
    totals = finish(stack, batch_id)
    before = stack.read(VERDICT)
    assert finish(stack, batch_id) == totals
    assert stack.read(VERDICT) == before


def test_more_rows_than_one_read_may_have(stack: Stack) -> None:
    batch_id = upload(stack, *[wan_request()] * 101)
    started = stack.execution_input(batch_id)
    last = json.loads(stack.read(started["items_key"]).decode().splitlines()[-1])
    row = {"batch_id": batch_id, "owner": started["owner"], "identity": started["identity"], "item": last}
    assert stack.invoke("accept_row", row)["job_id"] is not None
    assert finish(stack, batch_id) == {"rows": 101, "refused": 100, "queued": 1}
