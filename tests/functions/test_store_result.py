"""Store Result: completed only when the bytes are there, all of them, and an MP4."""

from collections.abc import Callable
from typing import Any

import pytest

from mock_server.responses_door import InProcessMock
from tests.fakes import FakeClock, crc32_text, mp4, wan_request
from tests.stack import Stack, event_file
from wanflow import aws
from wanflow.errors import DownloadFailed

CompletedJob = Callable[..., str]


@pytest.fixture
def completed_job(stack: Stack, wan: InProcessMock, clock: FakeClock) -> CompletedJob:
    def make(prompt: str = "character1") -> str:
        job_id = stack.ready_job(wan_request(prompt=prompt))
        stack.submit(job_id)
        clock.advance(5)
        assert stack.poll(job_id)["next_step"] == "store"
        return job_id

    return make


def unfinished_uploads(stack: Stack) -> list[Any]:
    return list(aws.s3().list_multipart_uploads(Bucket=stack.bucket).get("Uploads", []))


def test_the_video_lies_in_the_bucket_with_length_and_checksum_noted(stack: Stack, completed_job: CompletedJob) -> None:
    job_id = completed_job()
    step = stack.store(job_id, polls=3)
    assert step == {"job_id": job_id, "next_step": "finish", "wait_seconds": 0, "polls": 3}
    assert stack.read(f"videos/{job_id}.mp4") == mp4(5000)
    (video,) = stack.job(job_id).stored
    assert (video.key, video.bytes) == (f"videos/{job_id}.mp4", 5000)
    assert video.crc32 == crc32_text(mp4(5000))


def test_run_again_it_does_not_download_again(stack: Stack, wan: InProcessMock, completed_job: CompletedJob) -> None:
    job_id = completed_job()
    stack.store(job_id)
    assert stack.store(job_id)["next_step"] == "finish"
    assert len(list(wan.simulator.state.journal.matching({"stage": "download"}))) == 1


def test_dying_before_the_note_the_second_run_stores_the_same(
    stack: Stack, completed_job: CompletedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed_job()
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.records.JobRecords.videos_stored", _die)
        with pytest.raises(TimeoutError):
            stack.store(job_id)
    assert stack.store(job_id)["next_step"] == "finish"
    assert stack.keys("videos/") == [f"videos/{job_id}.mp4"]


def _die(*_: Any) -> None:
    raise TimeoutError


@pytest.mark.parametrize(
    "fault", ["reset", "cut", "wrong-length", "not-mp4", "empty", "http-500", "http-429", "timeout"]
)
def test_a_spoiled_download_leaves_nothing_behind_and_is_named_for_the_workflows_retry(
    stack: Stack, completed_job: CompletedJob, fault: str
) -> None:
    job_id = completed_job(f"character1 [[mock:download:{fault}]]")
    with pytest.raises(DownloadFailed):
        stack.store(job_id)
    assert stack.keys("videos/") == []
    assert unfinished_uploads(stack) == []
    assert stack.job(job_id).stored == ()
    # The fault struck once; the retry gets the video.
    assert stack.store(job_id)["next_step"] == "finish"
    assert stack.read(f"videos/{job_id}.mp4") == mp4(5000)


def test_a_long_video_goes_up_in_parts(
    stack: Stack, wan: InProcessMock, completed_job: CompletedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    # S3 takes no part under 5 MiB but the last.
    monkeypatch.setattr("wanflow.video_upload.PART_BYTES", 5 * 1024 * 1024)
    video = mp4(11 * 1024 * 1024 + 7)
    wan.simulator.state.renderer.video = video  # type: ignore[attr-defined]
    job_id = completed_job()
    stack.store(job_id)
    assert stack.read(f"videos/{job_id}.mp4") == video
    assert aws.s3().head_object(Bucket=stack.bucket, Key=f"videos/{job_id}.mp4")["ETag"].endswith('-3"')
    assert stack.job(job_id).stored[0].crc32 == crc32_text(video)


def test_every_output_is_stored_in_order(
    stack: Stack, completed_job: CompletedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed_job()
    result = stack.job(job_id).result
    assert result is not None
    video = result["output"][0]["content"][0]
    preview = {"type": "image", "url": "http://wan.mock/preview.png"}
    result["output"] = [{"content": [video, preview], "jobId": "1"}, {"content": [dict(video)], "jobId": "2"}]
    stack.records.task_completed(job_id, result)
    stack.store(job_id)
    expected = [f"videos/{job_id}.mp4", f"videos/{job_id}-2.mp4"]
    assert [video.key for video in stack.job(job_id).stored] == expected
    assert sorted(stack.keys("videos/")) == sorted(expected)


def test_a_dead_link_is_asked_for_once_more(stack: Stack, wan: InProcessMock, completed_job: CompletedJob) -> None:
    job_id = completed_job("character1 [[mock:download:http-403]]")
    assert stack.store(job_id)["next_step"] == "finish"
    assert stack.read(f"videos/{job_id}.mp4") == mp4(5000)
    statuses = [entry.status for entry in wan.simulator.state.journal.matching({"stage": "download"})]
    assert statuses == [403, 200]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_link_that_stays_dead_ends_the_job_as_result_unavailable(
    stack: Stack, completed_job: CompletedJob, status: int
) -> None:
    job_id = completed_job(f"character1 [[mock:download:http-{status}*9]]")
    assert stack.store(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "result_unavailable"
    assert str(status) in failure.message
    assert stack.finish(job_id)["status"] == "failed"


def test_a_dead_link_of_a_task_that_is_gone_too_ends_the_job(
    stack: Stack, wan: InProcessMock, completed_job: CompletedJob
) -> None:
    job_id = completed_job()
    wan.clock.advance(25 * 3600)
    assert stack.store(job_id)["next_step"] == "finish"
    failure = stack.job(job_id).failure
    assert failure is not None
    assert failure.code == "result_unavailable"


def test_no_answer_to_the_question_for_fresh_links_is_tried_again(
    stack: Stack, wan: InProcessMock, completed_job: CompletedJob
) -> None:
    job_id = completed_job("character1 [[mock:download:http-403]]")
    wan.simulator.state.faults.arm({"action": "poll:http-503"})
    with pytest.raises(DownloadFailed, match="no fresh links"):
        stack.store(job_id)


def test_a_job_that_ended_or_has_no_result_is_left_alone(stack: Stack, wan: InProcessMock) -> None:
    queued = stack.ready_job()
    assert stack.store(queued)["next_step"] == "finish"
    stack.finish(queued)
    assert stack.store(queued)["next_step"] == "finish"
    assert stack.keys("videos/") == [f"videos/{queued}.json"]


def test_the_example_event_is_taken(stack: Stack, completed_job: CompletedJob) -> None:
    event = event_file("store_result", "completed") | {"job_id": completed_job()}
    assert stack.invoke("store_result", event)["next_step"] == "finish"
