"""Take Slot: a job sleeps until a slot is its own; nobody is called twice, nobody is forgotten."""

import pytest

from tests.fakes import FakeClock
from tests.stack import Stack, event_file
from wanflow import aws
from wanflow.errors import AwsUnavailable, NotFound


def fill_slots(stack: Stack) -> list[str]:
    """As many jobs as there are slots, each with its own."""
    return [stack.ready_job() for _ in range(int(stack.template.parameters["MaxConcurrentTasks"]))]


def woken_jobs(stack: Stack) -> list[str]:
    return [output["job_id"] for _, output in stack.woken]


def tickets(stack: Stack) -> list[str]:
    answer = aws.dynamodb().scan(TableName=stack.table)
    return [item["job_id"]["S"] for item in answer["Items"] if item["pk"]["S"].startswith("queue#")]


def test_a_free_slot_is_handed_over_at_once(stack: Stack) -> None:
    job_id = stack.create_job()
    stack.take_slot(job_id, polls=4)
    assert stack.woken == [(f"token of {job_id}", {"job_id": job_id, "polls": 4})]
    assert tickets(stack) == []


def test_without_a_free_slot_the_job_sleeps_with_a_ticket(stack: Stack) -> None:
    holders = fill_slots(stack)
    waiting = stack.create_job()
    stack.take_slot(waiting)
    assert woken_jobs(stack) == holders
    assert tickets(stack) == [waiting]
    assert stack.job(waiting).status == "queued"


def test_whoever_gives_a_slot_back_wakes_the_oldest_ticket(stack: Stack, clock: FakeClock) -> None:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    holder = stack.ready_job()
    older = stack.create_job()
    clock.advance(1)
    newer = stack.create_job()
    stack.take_slot(newer)
    stack.take_slot(older)
    stack.finish(holder)
    assert woken_jobs(stack) == [holder, older]
    stack.finish(older)
    assert woken_jobs(stack) == [holder, older, newer]
    assert tickets(stack) == []


def test_run_again_it_is_one_ticket_with_the_newer_token(stack: Stack) -> None:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    holder = stack.ready_job()
    waiting = stack.create_job()
    stack.take_slot(waiting, token="first")
    stack.take_slot(waiting, token="second")
    assert tickets(stack) == [waiting]
    stack.finish(holder)
    assert stack.woken[1:] == [("second", {"job_id": waiting, "polls": 0})]


def test_dying_between_lease_and_call_the_second_run_calls(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = stack.create_job()
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.slots.Slots._deliver", _die)
        with pytest.raises(AwsUnavailable):
            stack.take_slot(job_id, token="first")
    stack.take_slot(job_id, token="second")
    assert [token for token, _ in stack.woken] == ["second"]
    assert tickets(stack) == []


def _die(*_: object) -> None:
    raise AwsUnavailable("the workflow does not answer")


def test_a_job_that_is_over_is_woken_without_a_slot(stack: Stack) -> None:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    canceled = stack.create_job()
    assert stack.call("DELETE", f"/videos/{canceled}").status == 202
    stack.take_slot(canceled)
    assert woken_jobs(stack) == [canceled]
    assert stack.ready_job() != canceled


def test_a_job_that_does_not_exist_is_an_error_of_the_workflow(stack: Stack) -> None:
    with pytest.raises(NotFound):
        stack.take_slot("vid_00000000000000000000000000")


@pytest.mark.parametrize("variant", ["first", "again"])
def test_the_example_events_are_taken(stack: Stack, variant: str) -> None:
    event = event_file("take_slot", variant)
    event["state"]["job_id"] = stack.create_job()
    stack.invoke("take_slot", event)
    assert stack.woken == [
        (event["task_token"], {"job_id": event["state"]["job_id"], "polls": event["state"].get("polls", 0)})
    ]
