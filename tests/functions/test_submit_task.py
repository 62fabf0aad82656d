"""Submit Task: one task for each attempt, whatever dies in between, and never two."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from mock_server.responses_door import InProcessMock
from tests.conftest import LogLines, WanMock
from tests.fakes import FakeClock, png, wan_request, wav
from tests.stack import OWNER, Stack, event_file
from wanflow import aws, workflow
from wanflow.errors import AwsUnavailable, NotFound


def submits(wan: InProcessMock) -> list[Any]:
    return list(wan.simulator.state.journal.matching({"stage": "submit"}))


def created(wan: InProcessMock) -> int:
    return len(wan.simulator.state.tasks)


def sent(wan: InProcessMock) -> dict[str, Any]:
    """The body of the last submit, as the provider got it."""
    body: dict[str, Any] = json.loads(submits(wan)[-1].body)
    return body


def test_a_queued_job_becomes_one_running_task(stack: Stack, wan: InProcessMock, log: LogLines) -> None:
    job_id = stack.ready_job()
    step = stack.submit(job_id)
    job = stack.job(job_id)
    assert step["next_step"] == "poll"
    assert step["wait_seconds"] >= 1
    assert job.status == "processing"
    assert created(wan) == 1
    assert job.task_id == submits(wan)[0].task_id
    assert job.deadline_at == "2026-01-31T13:00:00.000Z"
    assert [line["task_id"] for line in log.lines if line["message"] == "task submitted"] == [job.task_id]


def test_the_provider_gets_the_request_with_every_default_filled_in(stack: Stack, wan: InProcessMock) -> None:
    stack.submit(stack.ready_job(wan_request(audio_url="https://example.com/voice.mp3", metadata={"order": "1"})))
    assert sent(wan) == {
        "model": "wan26_r2v",
        "input": {
            "prompt": "character1 walks in the park",
            "reference_urls": ["https://example.com/character.jpg"],
            "audio_url": "https://example.com/voice.mp3",
        },
        "parameters": {
            "size": "1920*1080",
            "duration": 5,
            "prompt_extend": True,
            "watermark": False,
            "audio": True,
            "shot_type": "single",
        },
    }


def test_run_again_after_the_task_id_was_noted_it_does_not_submit_again(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    first = stack.submit(job_id)
    again = stack.submit(job_id)
    assert again == first
    assert created(wan) == 1


def test_an_attempt_found_submitting_is_of_unknown_outcome_and_not_sent_again(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    stack.records.begin_attempt(stack.job(job_id))
    step = stack.submit(job_id)
    assert step["next_step"] == "finish"
    assert created(wan) == 0
    job = stack.job(job_id)
    assert job.failure is not None
    assert job.failure.code == "submit_outcome_unknown"
    assert "nobody can know whether it created a task" in job.failure.message
    assert stack.submit(job_id)["next_step"] == "finish"
    assert created(wan) == 0


def test_dying_between_the_answer_and_its_note_never_pays_twice(
    stack: Stack, wan: InProcessMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stack.ready_job()
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.records.JobRecords.task_submitted", _die)
        with pytest.raises(AwsUnavailable):
            stack.submit(job_id)
    assert created(wan) == 1
    assert stack.submit(job_id)["next_step"] == "finish"
    assert created(wan) == 1
    assert stack.finish(job_id)["status"] == "failed"
    error = stack.job(job_id).error
    assert error is not None
    assert error.code == "submit_outcome_unknown"


def _die(*_: Any, **__: Any) -> None:
    raise AwsUnavailable("the table does not answer")


@pytest.mark.parametrize(
    "fault",
    ["submit:lost-answer", "submit:malformed", "submit:no-id", "submit:empty", "submit:http-503", "submit:001028097"],
)
def test_an_unknown_outcome_ends_the_job_without_a_second_submit(stack: Stack, wan: InProcessMock, fault: str) -> None:
    job_id = stack.ready_job(wan_request(prompt=f"character1 [[mock:{fault}]]"))
    step = stack.submit(job_id)
    job = stack.job(job_id)
    assert step["next_step"] == "finish"
    assert len(submits(wan)) == 1
    assert job.failure is not None
    assert job.failure.code == "submit_outcome_unknown"
    assert "sent at 2026-01-31T12:00:00.000Z" in job.failure.message
    assert job.last_attempt is not None
    assert job.last_attempt.state == "unknown"


def test_resubmit_is_the_users_explicit_choice_and_bounded_by_the_attempts(stack: Stack, wan: InProcessMock) -> None:
    stack.template.parameters["OnUnknownSubmit"] = "resubmit"
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:submit:lost-answer*9]]"))
    first = stack.submit(job_id)
    assert first["next_step"] == "submit"
    assert first["wait_seconds"] >= 1
    second = stack.submit(job_id)
    assert second["next_step"] == "finish"
    assert len(submits(wan)) == int(stack.template.parameters["MaxGenerationAttempts"]) == 2
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "submit_outcome_unknown"


def test_resubmit_also_holds_for_an_attempt_that_was_interrupted(stack: Stack, wan: InProcessMock) -> None:
    stack.template.parameters["OnUnknownSubmit"] = "resubmit"
    job_id = stack.ready_job()
    stack.records.begin_attempt(stack.job(job_id))
    assert stack.submit(job_id)["next_step"] == "submit"
    assert stack.submit(job_id)["next_step"] == "poll"
    assert [attempt.state for attempt in stack.job(job_id).attempts] == ["unknown", "submitted"]
    assert created(wan) == 1


def test_099_creates_nothing_and_is_tried_again_in_the_same_attempt(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:submit:001028099*2]]"))
    for tries in (1, 2):
        step = stack.submit(job_id)
        assert step["next_step"] == "submit"
        assert 1 <= step["wait_seconds"] <= 2 ** (tries + 1)
    assert stack.submit(job_id)["next_step"] == "poll"
    (attempt,) = stack.job(job_id).attempts
    assert attempt.tries == 2
    assert created(wan) == 1


def test_099_that_stays_fails_the_job_with_this_code(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:001028099*99]]"))
    steps = [stack.submit(job_id)["next_step"] for _ in range(workflow.MAX_SUBMIT_TRIES)]
    assert steps == ["submit"] * (workflow.MAX_SUBMIT_TRIES - 1) + ["finish"]
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "001028099"
    assert created(wan) == 0


@pytest.mark.parametrize("code", ["001028001", "001028002", "001028003", "001028004"])
def test_a_request_code_of_the_provider_fails_the_job_and_is_never_retried(
    stack: Stack, wan: InProcessMock, code: str
) -> None:
    job_id = stack.ready_job(wan_request(prompt=f"character1 [[mock:{code}*9]]"))
    assert stack.submit(job_id)["next_step"] == "finish"
    assert len(submits(wan)) == 1
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == code


def test_095_at_submit_is_an_attempt_of_its_own_and_then_the_end(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:submit:001028095*9]]"))
    assert stack.submit(job_id)["next_step"] == "submit"
    assert stack.submit(job_id)["next_step"] == "finish"
    assert len(submits(wan)) == 2
    assert [attempt.state for attempt in stack.job(job_id).attempts] == ["failed", "failed"]
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "001028095"


def test_429_waits_at_least_as_long_as_retry_after_says(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:submit:http-429@77]]"))
    step = stack.submit(job_id)
    assert step["next_step"] == "submit"
    assert step["wait_seconds"] >= 77
    assert stack.submit(job_id)["next_step"] == "poll"


def test_429_is_borne_far_longer_than_a_failure_and_then_is_a_queue_timeout(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1 [[mock:submit:http-429*99]]"))
    for _ in range(workflow.MAX_SUBMIT_TRIES + 3):
        assert stack.submit(job_id)["next_step"] == "submit"
    clock.advance(int(stack.template.parameters["MaxQueueSeconds"]) + 1)
    assert stack.submit(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "queue_timeout"
    assert created(wan) == 0


def test_401_has_the_key_read_anew_once_and_goes_on_with_it(stack: Stack, make_wan: WanMock) -> None:
    make_wan(api_keys=("new-key",))
    stack.set_wan_key("old-key")
    stack.submit(stack.ready_job(), polls=0)
    first = stack.ready_job()
    stack.set_wan_key("new-key")
    assert stack.submit(first)["next_step"] == "poll"


def test_401_with_the_fresh_key_too_ends_the_job_and_says_what_to_do(stack: Stack, make_wan: WanMock) -> None:
    wan = make_wan(api_keys=("another-key",))
    job_id = stack.ready_job()
    assert stack.submit(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "provider_unauthorized"
    assert "secret" in failure.message
    assert [entry.status for entry in submits(wan)] == [401, 401]


def test_an_inline_reference_lies_in_the_bucket_and_is_lent_by_a_link(stack: Stack, wan: InProcessMock) -> None:
    content = png()
    inline = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    job_id = stack.ready_job(wan_request(reference_urls=[inline, "https://example.com/b.jpg"]))
    kept = stack.job(job_id).request["input"]["reference_urls"][0]
    key = kept.removeprefix(f"s3://{stack.bucket}/")
    assert key.startswith(f"uploads/{OWNER}/{job_id}/")
    assert stack.read(key) == content
    stack.submit(job_id)
    link, other = sent(wan)["input"]["reference_urls"]
    assert other == "https://example.com/b.jpg"
    parts = urlsplit(link)
    assert parts.path.endswith(key)
    assert parse_qs(parts.query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert "data:" not in json.dumps(stack.item(job_id))


def test_data_uri_delivery_sends_the_bytes_themselves(stack: Stack, wan: InProcessMock) -> None:
    stack.template.parameters["ReferenceDelivery"] = "data_uri"
    stack.put(f"uploads/{OWNER}/face.png", png())
    job_id = stack.ready_job(wan_request(reference_urls=[f"s3://{stack.bucket}/uploads/{OWNER}/face.png"]))
    stack.submit(job_id)
    expected = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    assert sent(wan)["input"]["reference_urls"] == [expected]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "gone from the bucket"), (b"x" * (10 * 1024 * 1024 + 1), "too large to be sent inline")],
)
def test_a_reference_that_cannot_be_sent_any_more_fails_the_job_before_any_submit(
    stack: Stack, wan: InProcessMock, content: bytes | None, words: str
) -> None:
    stack.template.parameters["ReferenceDelivery"] = "data_uri"
    stack.put(f"uploads/{OWNER}/face.png", png())
    job_id = stack.ready_job(wan_request(reference_urls=[f"s3://{stack.bucket}/uploads/{OWNER}/face.png"]))
    if content is None:
        aws.s3().delete_object(Bucket=stack.bucket, Key=f"uploads/{OWNER}/face.png")
    else:
        stack.put(f"uploads/{OWNER}/face.png", content)
    assert stack.submit(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "invalid_request"
    assert words in failure.message
    assert submits(wan) == []


def test_audio_in_the_bucket_is_lent_by_a_link_even_where_references_travel_inline(
    stack: Stack, wan: InProcessMock
) -> None:
    stack.template.parameters["ReferenceDelivery"] = "data_uri"
    stack.put(f"uploads/{OWNER}/voice.wav", wav(5))
    job_id = stack.ready_job(wan_request(audio_url=f"s3://{stack.bucket}/uploads/{OWNER}/voice.wav"))
    stack.submit(job_id)
    assert urlsplit(sent(wan)["input"]["audio_url"]).path.endswith(f"uploads/{OWNER}/voice.wav")


def test_a_finished_job_is_left_alone(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    stack.finish(job_id, execution_status="ABORTED")
    assert stack.submit(job_id)["next_step"] == "finish"
    assert submits(wan) == []


def test_a_throttled_table_is_named_for_the_workflows_retry(
    stack: Stack, wan: InProcessMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = stack.ready_job()
    refusal = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}

    def throttled(**_: Any) -> None:
        raise ClientError(refusal, "GetItem")  # type: ignore[arg-type]

    monkeypatch.setattr(aws.dynamodb(), "get_item", throttled)
    with pytest.raises(AwsUnavailable, match="ThrottlingException"):
        stack.submit(job_id)
    assert submits(wan) == []


def test_a_job_that_does_not_exist_is_an_error_of_the_workflow(stack: Stack, wan: InProcessMock) -> None:
    with pytest.raises(NotFound):
        stack.submit("vid_00000000000000000000000000")


# --- The gate ------------------------------------------------------------------------------------------------------


def pause(stack: Stack, *, paused: bool) -> None:
    """What `make pause` and `make resume` write."""
    item = {"pk": {"S": "control"}, "sk": {"S": "submits"}, "paused": {"BOOL": paused}}
    aws.dynamodb().put_item(TableName=stack.table, Item=item)


def test_a_paused_stack_submits_nothing_and_the_job_queues_again(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    pause(stack, paused=True)
    assert stack.submit(job_id, polls=3) == {"job_id": job_id, "next_step": "queue", "wait_seconds": 0, "polls": 3}
    woken = len(stack.woken)
    stack.take_slot(job_id, token="again", polls=3)
    assert len(stack.woken) == woken
    assert submits(wan) == []
    pause(stack, paused=False)
    stack.take_slot(job_id, token="and again", polls=3)
    assert stack.woken[-1] == ("and again", {"job_id": job_id, "polls": 3})
    assert stack.submit(job_id)["next_step"] == "poll"


def test_a_job_that_lost_its_slot_queues_again(stack: Stack, wan: InProcessMock, clock: FakeClock) -> None:
    stack.template.parameters["MaxConcurrentTasks"] = "1"
    late = stack.ready_job()
    clock.advance(3600 + 3601)
    other = stack.create_job()
    stack.take_slot(other)
    stack.invoke("reconcile_jobs", event_file("reconcile_jobs", "schedule"))
    assert stack.woken[-1][1]["job_id"] == other
    assert stack.submit(late)["next_step"] == "queue"
    assert submits(wan) == []


def test_a_provider_that_fails_again_and_again_is_left_alone_and_probed_by_one_job(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    stack.template.parameters["PauseAfterFailures"] = "2"
    jobs = [stack.ready_job(wan_request(prompt=f"character1 {number}")) for number in range(3)]
    scenario = wan.simulator.state.faults.arm({"action": "submit:001028099", "times": None})
    assert [stack.submit(job_id)["next_step"] for job_id in jobs] == ["submit", "submit", "queue"]
    assert len(submits(wan)) == 2
    assert [stack.submit(job_id)["next_step"] for job_id in jobs[:2]] == ["queue", "queue"]
    for job_id in jobs:
        stack.take_slot(job_id, token=f"again {job_id}")
    asleep = len(stack.woken)
    clock.advance(61)
    wan.simulator.state.faults.disarm(scenario.id)
    stack.invoke("reconcile_jobs", event_file("reconcile_jobs", "schedule"))
    (probe,) = [output["job_id"] for _, output in stack.woken[asleep:]]
    assert stack.submit(probe)["next_step"] == "poll"
    # It went well, so the others are called.
    assert {output["job_id"] for _, output in stack.woken[asleep:]} == set(jobs)


def test_a_caller_s_own_fault_is_no_failure_of_the_provider(stack: Stack, wan: InProcessMock) -> None:
    stack.template.parameters["PauseAfterFailures"] = "1"
    stack.submit(stack.ready_job(wan_request(prompt="character1 [[mock:001028004]]")))
    assert stack.submit(stack.ready_job())["next_step"] == "poll"


@pytest.mark.parametrize("variant", ["first", "again"])
def test_the_example_events_are_taken(stack: Stack, wan: InProcessMock, variant: str) -> None:
    job_id = stack.ready_job()
    answer = stack.invoke("submit_task", event_file("submit_task", variant) | {"job_id": job_id})
    assert answer["next_step"] == "poll"
    assert answer["polls"] == event_file("submit_task", variant).get("polls", 0)
