"""Each method of the client, and what it does when the network, the API or the bucket does not play along."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client.conftest import Time, Workflow
from tests.fakes import FakeClock, mp4, png
from tests.gateway import Gateway, refusal, response
from tests.stack import Stack
from wanflow import aws
from wanflow.clock import after, from_text
from wanflow_client import (
    BadFile,
    Conflict,
    CreateUnclear,
    Forbidden,
    InvalidRequest,
    JobCanceled,
    JobFailed,
    NotFound,
    StillRunning,
    TooManyRequests,
    TransferFailed,
    Unreachable,
    VideoRequest,
    Wanflow,
)

MakeClient = Callable[..., Wanflow]
REQUEST = VideoRequest(prompt="character1 waves", references=["https://example.com/a.png"], size="1280*720", duration=2)
NO_REQUEST = requests.Request("GET", "https://api.test/").prepare()


def answered(status: int, code: str = "unavailable", **headers: str) -> requests.Response:
    answer = refusal(NO_REQUEST, status, code, "not now")
    answer.headers.update(headers)
    return answer


# --- Making a job ----------------------------------------------------------------------------------------------------


def test_create_gives_the_job_s_document(client: Wanflow, stack: Stack) -> None:
    job = client.create(REQUEST)
    assert job["status"] == "queued"
    assert job["request"]["parameters"]["size"] == "1280*720"
    assert stack.executions() == [job["id"]]


def test_every_option_of_a_request_arrives(client: Wanflow) -> None:
    request = VideoRequest(
        prompt="character1 sings",
        references=["https://example.com/a.png"],
        audio="https://example.com/a.mp3",
        size="960*960",
        duration=3,
        prompt_extend=True,
        watermark=True,
        with_audio=False,
        shot_type="multi",
        seed=7,
        metadata={"order": "1"},
        callback_url="https://example.com/done",
    )
    job = client.create(request)
    assert job["request"] == {
        name: value for name, value in request.body().items() if name in {"model", "input", "parameters"}
    }
    assert job["metadata"] == {"order": "1"}


def test_the_body_of_the_api_itself_is_a_request_too(client: Wanflow) -> None:
    assert client.create(REQUEST.body())["status"] == "queued"


def test_every_broken_rule_is_in_the_error(client: Wanflow) -> None:
    with pytest.raises(InvalidRequest) as refused:
        client.create(VideoRequest(prompt=" ", references=[], duration=99))
    error = refused.value
    assert (error.status, error.code) == (400, "001028001")
    assert [each["field"] for each in error.violations] == [
        "input.prompt",
        "input.reference_urls",
        "parameters.duration",
    ]
    assert "input.prompt: must not be empty (invalid_request)" in str(error)


def test_a_wrong_key_is_forbidden(make_client: MakeClient) -> None:
    with pytest.raises(Forbidden, match="send a valid API key"):
        make_client("wrong").get("vid_00000000000000000000000000")


@pytest.mark.parametrize(
    "fault", [1, requests.ConnectionError("reset"), requests.ReadTimeout(), answered(502), answered(503)]
)
def test_a_create_that_must_be_repeated_is_one_job(
    client: Wanflow, gateway: Gateway, stack: Stack, time: Time, fault: Any
) -> None:
    gateway.faults = [fault, fault]
    job = client.create(REQUEST)
    assert stack.executions() == [job["id"]]
    assert len(time.slept) == 2
    assert len({request.headers["idempotency-key"] for request in gateway.requests}) == 1


def test_two_creates_are_two_jobs_and_the_same_key_is_one(client: Wanflow, stack: Stack) -> None:
    first, second = client.create(REQUEST), client.create(REQUEST)
    assert first["id"] != second["id"]
    keyed = [client.create(REQUEST, idempotency_key="order-4711")["id"] for _ in range(2)]
    assert keyed[0] == keyed[1]
    assert len(stack.executions()) == 3


def test_a_create_without_any_answer_says_how_to_go_on(client: Wanflow, gateway: Gateway, stack: Stack) -> None:
    gateway.faults = [1] * 100
    with pytest.raises(CreateUnclear) as unclear:
        client.create(REQUEST)
    gateway.faults = []
    job = client.create(unclear.value.request, idempotency_key=unclear.value.idempotency_key)
    assert stack.executions() == [job["id"]]


def test_a_throttle_is_waited_for_as_long_as_it_says(client: Wanflow, gateway: Gateway, time: Time) -> None:
    throttled = answered(429, "too_many_requests", **{"Retry-After": "7"})
    gateway.faults = [throttled]
    client.create(REQUEST)
    assert time.slept == [7.0]


def test_a_used_up_quota_is_told_at_once(client: Wanflow, gateway: Gateway, time: Time) -> None:
    gateway.faults = [answered(429, "quota_exceeded")]
    with pytest.raises(TooManyRequests):
        client.create(REQUEST)
    assert time.slept == []


def test_tries_end_after_retry_seconds(make_client: MakeClient, gateway: Gateway, time: Time) -> None:
    gateway.faults = [requests.ConnectionError()] * 1000
    with pytest.raises(Unreachable):
        make_client(retry_seconds=20).get("vid_00000000000000000000000000")
    assert 5 < time.now <= 20


def test_an_untrusted_certificate_is_told_at_once(client: Wanflow, gateway: Gateway, time: Time) -> None:
    gateway.faults = [requests.exceptions.SSLError("self-signed")]
    with pytest.raises(Unreachable, match="no trusted connection"):
        client.get("vid_00000000000000000000000000")
    assert time.slept == []


def test_an_answer_of_somebody_in_between_is_no_job(client: Wanflow, gateway: Gateway) -> None:
    gateway.faults = [response(NO_REQUEST, 200, {}, b"<html>please log in</html>")]
    assert client.create(REQUEST)["status"] == "queued"


# --- Local files -----------------------------------------------------------------------------------------------------


def test_local_files_become_references_by_themselves(client: Wanflow, stack: Stack, tmp_path: Path) -> None:
    picture = tmp_path / "a fox é.PNG"
    picture.write_bytes(png())
    job = client.create(VideoRequest(prompt="character1", references=[picture, str(picture)]))
    for reference in job["request"]["input"]["reference_urls"]:
        assert stack.read(reference.removeprefix(f"s3://{stack.bucket}/")) == png()
        assert reference.endswith(".png")


def test_a_file_that_the_api_does_not_take_is_told_before_anything_is_sent(
    client: Wanflow, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(BadFile, match=r"notes\.txt: the name must end in jpg"):
        client.upload(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        client.upload(tmp_path / "missing.png")
    assert gateway.requests == []


def test_an_empty_file_breaks_the_api_s_rule(client: Wanflow, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(InvalidRequest, match="bytes: must be an integer from 1"):
        client.upload(tmp_path / "empty.png")


# --- Waiting and downloading -----------------------------------------------------------------------------------------


def test_a_job_is_waited_for_and_its_video_downloaded(
    client: Wanflow, workflow: Workflow, time: Time, tmp_path: Path
) -> None:
    job = client.create(REQUEST)
    time.meanwhile = lambda: workflow.complete(job["id"])
    seen: list[str] = []
    done = client.wait(job, progress=lambda job: seen.append(job["status"]))
    assert seen == ["queued", "completed"]
    path = client.download(done, tmp_path / "new" / "video.mp4")
    assert path.read_bytes() == mp4(5000)
    assert [each.name for each in path.parent.iterdir()] == ["video.mp4"]


def test_create_and_wait_is_both(client: Wanflow, workflow: Workflow, stack: Stack, time: Time) -> None:
    time.meanwhile = lambda: workflow.complete(stack.executions()[0])
    assert client.create_and_wait(REQUEST)["status"] == "completed"


def test_the_api_says_how_long_to_wait(client: Wanflow, gateway: Gateway, workflow: Workflow, time: Time) -> None:
    job = client.create(REQUEST)
    advised = gateway.session().get(
        f"https://api.test/v1/videos/{job['id']}", headers={"x-api-key": "the-key-of-alice"}
    )
    time.meanwhile = lambda: workflow.complete(job["id"])
    client.wait(job)
    assert time.slept == [float(advised.headers["Retry-After"])]


def test_a_wait_ends_after_its_timeout_and_the_job_goes_on(client: Wanflow, stack: Stack, time: Time) -> None:
    job = client.create(REQUEST)
    with pytest.raises(StillRunning) as still:
        client.wait(job, timeout_seconds=33)
    assert still.value.job["id"] == job["id"]
    assert time.now == 33
    assert stack.job(job["id"]).failure is None


def test_a_job_that_ends_without_a_video_is_an_error_with_its_document(client: Wanflow, stack: Stack) -> None:
    job = client.create(REQUEST)
    stack.finish(job["id"], execution_status="FAILED")
    with pytest.raises(JobFailed) as failed:
        client.wait(job)
    assert failed.value.job["status"] == "failed"
    with pytest.raises(JobFailed):
        client.download(job, "never.mp4")


def test_a_download_that_comes_too_early_says_so(client: Wanflow, tmp_path: Path) -> None:
    with pytest.raises(StillRunning):
        client.download(client.create(REQUEST), tmp_path / "video.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_is_kept_no_more_is_said_to_be_and_is_no_dead_link(
    client: Wanflow, workflow: Workflow, clock: FakeClock, tmp_path: Path
) -> None:
    job = client.create(REQUEST)
    workflow.complete(job["id"])
    days = 30 * 86400
    clock.advance(days - (clock() - from_text(client.get(job)["ended_at"])).total_seconds() - 1)
    assert "output_expired_at" not in client.get(job)
    clock.advance(1)
    kept = client.get(job)
    assert kept["output_expired_at"] == after(from_text(kept["ended_at"]), days)
    assert "output" not in kept
    assert kept["status"] == "completed"
    assert kept["usage"] is not None
    assert next(client.list())["output_expired_at"] == kept["output_expired_at"]
    with pytest.raises(TransferFailed, match="was kept until 2026-"):
        client.download(job, tmp_path / "video.mp4")


def test_a_download_that_fails_leaves_the_old_file_as_it_was(
    client: Wanflow, workflow: Workflow, stack: Stack, tmp_path: Path
) -> None:
    job = client.create(REQUEST)
    workflow.complete(job["id"])
    target = tmp_path / "video.mp4"
    target.write_bytes(b"old")
    aws.s3().delete_object(Bucket=stack.bucket, Key=f"videos/{job['id']}.mp4")
    with pytest.raises(TransferFailed) as failed:
        client.download(job, target)
    assert failed.value.status == 404
    assert [each.name for each in tmp_path.iterdir()] == ["video.mp4"]
    assert target.read_bytes() == b"old"


def test_a_video_that_is_not_there_is_named_by_its_number(client: Wanflow, workflow: Workflow, tmp_path: Path) -> None:
    job = client.create(REQUEST)
    workflow.complete(job["id"])
    with pytest.raises(ValueError, match="has 1 videos, there is no number 2"):
        client.download(job, tmp_path / "video.mp4", number=2)


# --- The other calls -------------------------------------------------------------------------------------------------


def test_list_goes_through_every_page(client: Wanflow, stack: Stack) -> None:
    made = []
    for _ in range(5):
        stack.clock.advance(1)
        made.append(client.create(REQUEST)["id"])
    assert [job["id"] for job in client.list(page_size=2)] == made[::-1]
    assert list(client.list(status="completed")) == []


def test_a_job_is_canceled_and_again_harmlessly(client: Wanflow, stack: Stack) -> None:
    job = client.create(REQUEST)
    assert client.cancel(job)["cancel_requested"]
    stack.finish(job["id"], execution_status="ABORTED")
    assert client.cancel(job)["status"] == "canceled"
    with pytest.raises(JobCanceled):
        client.wait(job)


def test_a_job_that_has_its_video_cannot_be_canceled(client: Wanflow, workflow: Workflow) -> None:
    job = client.create(REQUEST)
    workflow.complete(job["id"])
    with pytest.raises(Conflict):
        client.cancel(job)


@pytest.mark.parametrize("lost", [[], [1]])
def test_a_purge_deletes_the_job_also_when_its_answer_is_lost(
    client: Wanflow, workflow: Workflow, gateway: Gateway, lost: list[Any]
) -> None:
    job = client.create(REQUEST)
    workflow.complete(job["id"])
    gateway.faults = lost
    client.purge(job)
    with pytest.raises(NotFound):
        client.get(job)
    with pytest.raises(NotFound):
        client.purge(job)


def test_a_job_that_is_still_being_put_away_is_purged_a_moment_later(
    client: Wanflow, workflow: Workflow, gateway: Gateway, time: Time
) -> None:
    job = client.create(REQUEST)
    workflow.complete(job["id"])
    gateway.faults = [answered(409, "conflict")]
    client.purge(job)
    assert time.slept == [1]


def test_a_job_that_runs_is_not_purged(client: Wanflow, time: Time) -> None:
    with pytest.raises(Conflict):
        client.purge(client.create(REQUEST))
    assert time.slept == []


def test_an_estimate_tells_the_cost_and_the_broken_rules(client: Wanflow, stack: Stack) -> None:
    estimate = client.estimate(VideoRequest(prompt="", references=["https://example.com/a.png"], size="1280*720"))
    assert estimate["cost_usd"] == "0.50"
    assert [each["field"] for each in estimate["violations"]] == ["input.prompt"]
    assert stack.executions() == []


def test_ids_cannot_lead_to_another_path(client: Wanflow) -> None:
    with pytest.raises(NotFound):
        client.get("../uploads")


@pytest.mark.parametrize(("url", "key"), [("api.test", "key"), ("https://api.test", ""), ("https://api.test", "a\nb")])
def test_a_url_or_key_that_is_none_is_told_at_once(url: str, key: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Wanflow(url, key)


def test_the_key_never_goes_to_the_bucket(
    client: Wanflow, workflow: Workflow, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png())
    job = client.create(VideoRequest(prompt="character1", references=[tmp_path / "a.png"]))
    workflow.complete(job["id"])
    client.download(job, tmp_path / "video.mp4")
    upload, download = gateway.bucket.requests
    for request in (upload, download):
        assert not {"x-api-key", "authorization"} & {name.lower() for name in request.headers}


def test_a_bucket_that_fails_for_a_moment_is_asked_again(
    client: Wanflow, workflow: Workflow, gateway: Gateway, tmp_path: Path
) -> None:
    job = client.create(REQUEST)
    workflow.complete(job["id"])
    cut = response(NO_REQUEST, 200, {"Content-Length": "5000"}, mp4(5000)[:70])
    gateway.bucket.faults = [requests.ConnectionError(), answered(503), cut]
    assert client.download(job, tmp_path / "video.mp4").read_bytes() == mp4(5000)
    assert [each.name for each in tmp_path.iterdir()] == ["video.mp4"]
