"""Accept Row: a batch's row becomes a job in the batch lane, once, or its refusal is written down."""

import json
from typing import Any

import pytest

from tests.fakes import wan_request
from tests.stack import Stack, event_file
from wanflow.errors import AwsUnavailable


def row(number: int = 1, request: Any = None) -> dict[str, Any]:
    event = event_file("accept_row", "row")
    event["item"] = {"row": number, "request": wan_request() if request is None else request}
    return event


def test_a_row_becomes_a_job_of_its_owner_in_the_batch_lane(stack: Stack) -> None:
    event = event_file("accept_row", "row")
    answer = stack.invoke("accept_row", event)
    job = stack.job(answer["job_id"])
    assert (job.owner, job.lane, job.status) == (event["owner"], "batch", "queued")
    # The map starts it, so that it can wait for its end.
    assert stack.executions() == []


def test_the_same_row_again_is_the_same_job(stack: Stack) -> None:
    assert stack.invoke("accept_row", row()) == stack.invoke("accept_row", row())
    assert stack.item_count() == 1


def test_equal_rows_of_one_file_are_two_jobs(stack: Stack) -> None:
    assert stack.invoke("accept_row", row(1)) != stack.invoke("accept_row", row(2))


def test_the_job_s_id_is_the_one_that_the_first_verdict_told(stack: Stack) -> None:
    upload = event_file("accept_upload", "batch_jsonl")
    key = upload["detail"]["object"]["key"]
    stack.put(key, json.dumps(wan_request()) + "\n")
    batch_id = stack.invoke("accept_upload", upload)["job_id"]
    (told,) = stack.read_json(f"outbox/{key.removeprefix('inbox/')}.result.json")["rows"]
    started = stack.execution_input(batch_id)
    item = json.loads(stack.read(started["items_key"]))
    event = {"batch_id": batch_id, "owner": started["owner"], "identity": started["identity"], "item": item}
    assert stack.invoke("accept_row", event)["job_id"] == told["job_id"]


def test_a_row_over_the_budget_is_written_down_and_the_batch_goes_on(stack: Stack) -> None:
    stack.template.parameters["DailyBudgetUsd"] = "1.00"
    assert stack.invoke("accept_row", row(1))["job_id"] is not None
    assert stack.invoke("accept_row", row(2)) == {"job_id": None}
    (refused,) = stack.keys(f"batches/{row()['batch_id']}/refused/")
    assert stack.read_json(refused)["error"]["code"] == "budget_exceeded"


def test_a_row_whose_reference_is_gone_is_written_down_with_its_violations(stack: Stack) -> None:
    request = wan_request(reference_urls=[f"s3://{stack.bucket}/uploads/{row()['owner']}/gone.png"])
    assert stack.invoke("accept_row", row(7, request)) == {"job_id": None}
    refusal = stack.read_json(f"batches/{row()['batch_id']}/refused/7.json")
    assert [violation["code"] for violation in refusal["violations"]] == ["001028004"]


def test_a_passing_fault_is_left_to_the_workflow_s_retry(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise AwsUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr("wanflow.records.JobRecords.create", die)
        with pytest.raises(AwsUnavailable):
            stack.invoke("accept_row", row())
    assert stack.invoke("accept_row", row())["job_id"] is not None
