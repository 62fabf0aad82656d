"""Poll Task: a poll that fails, in whatever way, never abandons a task before the deadline."""

from typing import Any

import pytest

from mock_server.responses_door import InProcessMock
from tests.conftest import LogLines, WanMock
from tests.fakes import FakeClock, wan_request
from tests.guarantees.dynamo import refuse
from tests.stack import Stack, clear_wiring, event_file
from wanflow import aws
from wanflow.errors import ErrorInfo
from wanflow.jobs import EndSeen

DEADLINE = 3600


def running_job(stack: Stack, prompt: str = "character1") -> str:
    job_id = stack.ready_job(wan_request(prompt=prompt))
    assert stack.submit(job_id)["next_step"] == "poll"
    return job_id


def poll_to_the_end(stack: Stack, clock: FakeClock, job_id: str) -> list[int]:
    """Polls as the workflow would; the waits in between."""
    waits: list[int] = []
    step: dict[str, Any] = {"next_step": "poll", "wait_seconds": 1, "polls": 0}
    while step["next_step"] == "poll":
        clock.advance(step["wait_seconds"])
        step = stack.poll(job_id, step["polls"])
        waits.append(step["wait_seconds"])
        assert len(waits) < 500
    assert step["next_step"] == "finish"
    return waits


def test_a_running_task_is_asked_for_again(stack: Stack, wan: InProcessMock) -> None:
    job_id = running_job(stack)
    step = stack.poll(job_id, polls=4)
    assert step["next_step"] == "poll"
    assert step["polls"] == 5
    assert step["wait_seconds"] >= 1


def test_a_completed_task_is_kept_with_its_links_and_its_cost(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = running_job(stack)
    clock.advance(5)
    step = stack.poll(job_id)
    assert step == {"job_id": job_id, "next_step": "store", "wait_seconds": 0, "polls": 1}
    result = stack.job(job_id).result
    assert result is not None
    assert result["usage"] == {"cost": "0.75", "discount": 0}
    assert result["output"][0]["jobId"] == stack.job(job_id).task_id


def test_run_again_after_the_result_was_noted_it_does_not_ask_again(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = running_job(stack)
    clock.advance(5)
    stack.poll(job_id)
    asked = wan.simulator.state.journal.matching({"stage": "poll"})
    before = len(list(asked))
    assert stack.poll(job_id, polls=1)["next_step"] == "store"
    assert len(list(wan.simulator.state.journal.matching({"stage": "poll"}))) == before


@pytest.mark.parametrize("code", ["001028095", "001028096"])
def test_a_failed_generation_gets_one_fresh_task_and_then_the_job_fails(
    stack: Stack, wan: InProcessMock, clock: FakeClock, code: str
) -> None:
    job_id = running_job(stack, f"character1 [[mock:{code}]]")
    clock.advance(5)
    step = stack.poll(job_id)
    assert step["next_step"] == "submit"
    assert 1 <= step["wait_seconds"] <= 60
    assert stack.submit(job_id, step["polls"])["next_step"] == "poll"
    clock.advance(5)
    assert stack.poll(job_id, 1)["next_step"] == "finish"
    job = stack.job(job_id)
    assert [attempt.state for attempt in job.attempts] == ["failed", "failed"]
    assert len({attempt.task_id for attempt in job.attempts}) == 2
    assert job.failure is not None
    assert job.failure.code == code


def test_as_many_fresh_tasks_as_the_parameter_says(stack: Stack, wan: InProcessMock, clock: FakeClock) -> None:
    stack.template.parameters["MaxGenerationAttempts"] = "1"
    job_id = running_job(stack, "character1 [[mock:001028095]]")
    clock.advance(5)
    assert stack.poll(job_id)["next_step"] == "finish"
    assert len(stack.job(job_id).attempts) == 1


def test_run_again_after_a_failed_attempt_was_noted_it_changes_nothing(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = running_job(stack, "character1 [[mock:001028095]]")
    clock.advance(5)
    first = stack.poll(job_id)["next_step"]
    attempts = stack.job(job_id).attempts
    again = stack.poll(job_id)["next_step"]
    assert (first, again) == ("submit", "submit")
    assert stack.job(job_id).attempts == attempts


@pytest.mark.parametrize("code", ["001028001", "001028004", "001028099"])
def test_another_code_of_a_failed_task_fails_the_job_at_once(stack: Stack, wan: InProcessMock, code: str) -> None:
    job_id = running_job(stack, f"character1 [[mock:poll:{code}]]")
    assert stack.poll(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == code


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("001028097", "001028097"),
        ("001028098", "001028098"),
        # The code beats the status: 098 never ends a task, even where the body says failed.
        ("poll:001028098@200", "001028098"),
        ("poll:http-503", "service_unavailable"),
        ("poll:http-429@2", "too_many_requests"),
        ("poll:http-403", "forbidden"),
        ("poll:malformed", "001028096"),
        ("poll:empty", "001028096"),
        ("poll:html@200", "001028096"),
        ("poll:html", "provider_error"),
        ("poll:reset", "no_answer"),
        ("poll:timeout", "no_answer"),
        ("poll:no-output", "001028096"),
    ],
)
def test_a_poll_that_fails_is_repeated_until_the_deadline_names_the_last_error(
    stack: Stack, wan: InProcessMock, clock: FakeClock, fault: str, code: str
) -> None:
    job_id = running_job(stack, f"character1 [[mock:{fault}]]")
    for seconds in (5, 600, DEADLINE - 606):
        clock.advance(seconds)
        assert stack.poll(job_id)["next_step"] == "poll"
    assert stack.poll(job_id)["wait_seconds"] == 1
    clock.advance(1)
    assert stack.poll(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "deadline_exceeded"
    assert f"the last provider error was {code}" in failure.message


def test_an_unclear_poll_in_between_does_no_harm(stack: Stack, wan: InProcessMock, clock: FakeClock) -> None:
    job_id = running_job(stack, "character1 [[mock:poll:001028098*2]]")
    for polls in (0, 1):
        assert stack.poll(job_id, polls)["next_step"] == "poll"
        assert stack.job(job_id).last_poll_error == ErrorInfo(
            "001028098", "Status check error (asked for by poll:001028098)"
        )
    clock.advance(5)
    assert stack.poll(job_id, 2)["next_step"] == "store"


def test_retry_after_is_the_least_wait(stack: Stack, wan: InProcessMock) -> None:
    job_id = running_job(stack, "character1 [[mock:poll:http-429@99]]")
    assert stack.poll(job_id)["wait_seconds"] >= 99


@pytest.mark.parametrize("fault", ["poll:unknown-status", "poll:wrong-type"])
def test_an_unknown_status_means_still_running_and_is_logged(
    stack: Stack, wan: InProcessMock, clock: FakeClock, log: LogLines, fault: str
) -> None:
    job_id = running_job(stack, f"character1 [[mock:{fault}]]")
    assert stack.poll(job_id)["next_step"] == "poll"
    assert "unknown task status" in [line["message"] for line in log.lines]
    clock.advance(DEADLINE)
    assert stack.poll(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "deadline_exceeded"


def test_a_task_that_the_provider_forgot_ends_the_job_as_result_unavailable(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = running_job(stack)
    wan.clock.advance(25 * 3600)
    assert stack.poll(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "result_unavailable"


def test_a_task_that_never_ends_ends_at_the_deadline(stack: Stack, make_wan: WanMock, clock: FakeClock) -> None:
    stack.template.parameters["JobDeadlineSeconds"] = "600"
    make_wan(render_seconds=3600)
    job_id = running_job(stack)
    started = clock.now
    assert max(poll_to_the_end(stack, clock, job_id)) <= 60
    assert 600 <= (clock.now - started).total_seconds() <= 601
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "deadline_exceeded"
    assert failure.message == "no result within 600 seconds after the submit"


def test_the_deadline_gets_a_poll_of_its_own_that_still_takes_the_video(
    stack: Stack, make_wan: WanMock, clock: FakeClock
) -> None:
    make_wan(render_seconds=DEADLINE - 1)
    job_id = running_job(stack)
    clock.advance(DEADLINE - 2)
    step = stack.poll(job_id)
    assert step["wait_seconds"] == 2
    clock.advance(2)
    assert stack.poll(job_id)["next_step"] == "store"


def test_401_has_the_key_read_anew_once(stack: Stack, make_wan: WanMock) -> None:
    wan = make_wan(api_keys=("old-key", "new-key"))
    stack.set_wan_key("old-key")
    job_id = running_job(stack)
    assert stack.poll(job_id)["next_step"] == "poll"
    # The key is changed at the provider and in the secret; the function still has the old one in its cache.
    state = wan.simulator.state
    state.accounts["new-key"] = state.accounts.pop("old-key")
    stack.set_wan_key("new-key")
    assert stack.poll(job_id)["next_step"] == "poll"
    assert [entry.status for entry in state.journal.matching({"stage": "poll"})] == [200, 401, 200]
    assert stack.job(job_id).last_poll_error is None


def test_a_key_that_stays_refused_is_polled_on_and_named_at_the_deadline(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = running_job(stack)
    wan.simulator.state.accounts.clear()
    assert stack.poll(job_id)["next_step"] == "poll"
    clock.advance(DEADLINE)
    assert stack.poll(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert "provider_unauthorized" in failure.message


def test_a_job_without_a_task_or_with_an_end_is_left_alone(stack: Stack, wan: InProcessMock) -> None:
    queued = stack.ready_job()
    assert stack.poll(queued)["next_step"] == "finish"
    ended = running_job(stack)
    stack.finish(ended, execution_status="ABORTED")
    assert stack.poll(ended)["next_step"] == "finish"
    assert list(wan.simulator.state.journal.matching({"stage": "poll"})) == []


def poll_after(stack: Stack, clock: FakeClock, job_id: str, waited: int) -> dict[str, Any]:
    """As the workflow does: the wait is the one of the step before."""
    clock.advance(waited)
    answer: dict[str, Any] = stack.invoke("poll_task", {"job_id": job_id, "polls": 1, "wait_seconds": waited})
    return answer


def test_the_end_of_a_task_is_known_to_lie_between_two_polls(stack: Stack, make_wan: WanMock, clock: FakeClock) -> None:
    make_wan(render_seconds=50)
    job_id = running_job(stack)
    assert poll_after(stack, clock, job_id, 40)["next_step"] == "poll"
    assert stack.job(job_id).end_seen is None
    assert poll_after(stack, clock, job_id, 12)["next_step"] == "store"
    assert stack.job(job_id).end_seen == EndSeen(after_seconds=40, by_seconds=52)


@pytest.mark.parametrize("fault", ["001028095", "001028098"])
def test_a_failed_task_s_end_counts_too_for_it_has_to_be_noticed_as_well(
    stack: Stack, wan: InProcessMock, clock: FakeClock, fault: str
) -> None:
    job_id = running_job(stack, f"character1 [[mock:{fault}]]")
    poll_after(stack, clock, job_id, 5)
    seen = stack.job(job_id).end_seen
    # 098 says that nobody knows how the task is: that is no end.
    assert seen == (EndSeen(0, 5) if fault == "001028095" else None)


def test_an_end_after_a_poll_without_an_answer_is_not_counted(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = running_job(stack, "character1 [[mock:poll:http-503*1]]")
    assert poll_after(stack, clock, job_id, 40)["next_step"] == "poll"
    assert poll_after(stack, clock, job_id, 10)["next_step"] == "store"
    assert stack.job(job_id).end_seen is None


def test_statistics_that_cannot_be_read_keep_no_task_from_being_polled(
    stack: Stack, wan: InProcessMock, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    job_id = running_job(stack)
    read = aws.dynamodb().get_item

    def refused(**request: Any) -> Any:
        if request["Key"]["pk"]["S"].startswith("render_times#"):
            refuse("AccessDeniedException", "GetItem")
        return read(**request)

    monkeypatch.setattr(aws.dynamodb(), "get_item", refused)
    clear_wiring()
    assert stack.poll(job_id)["next_step"] == "poll"
    assert [line["message"] for line in log.lines if line["level"] == "ERROR"] == ["render times not read"]


@pytest.mark.parametrize("variant", ["first", "later"])
def test_the_example_events_are_taken(stack: Stack, wan: InProcessMock, variant: str) -> None:
    event = event_file("poll_task", variant) | {"job_id": running_job(stack)}
    answer = stack.invoke("poll_task", event)
    assert answer["next_step"] == "poll"
    assert answer["polls"] == event["polls"] + 1
