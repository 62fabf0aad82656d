"""The job document: the Wan response format plus our fields, and never a CDN link or a reference's content."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes import wan_request
from wanflow.documents import job_document
from wanflow.errors import ErrorInfo
from wanflow.jobs import Attempt, Job, Source, Status, StoredVideo, from_item, to_item, to_json

JOB = Job(
    id="vid_1",
    owner="alice",
    status="queued",
    created_at="2026-01-31T12:00:00.000Z",
    updated_at="2026-01-31T12:00:00.000Z",
    fingerprint="f",
    request=wan_request(),
    estimate_usd=Decimal("0.750"),
    source=Source("api"),
    metadata={"order": "4711"},
    check_after="2026-01-31T12:05:00.000Z",
)
RESULT: dict[str, Any] = {
    "output": [
        {"content": [{"type": "video", "url": "https://cdn.example/1"}, {"type": "image", "url": "x"}], "jobId": "r1"},
        {"content": [{"type": "video", "url": "https://cdn.example/2"}], "jobId": "r2"},
    ],
    "usage": {"cost": "0.75", "discount": Decimal("0.10")},
    "metadata": {"seed": 5},
}
COMPLETED = JOB._replace(
    status="completed",
    attempts=(Attempt(1, "failed", "t1", task_id="a"), Attempt(2, "submitted", "t2", task_id="b")),
    result=RESULT,
    stored=(StoredVideo("videos/vid_1.mp4", 5, "s"), StoredVideo("videos/vid_1-2.mp4", 6, "s")),
    ended_at="2026-01-31T12:03:00.000Z",
    submitted_at="2026-01-31T12:00:01.000Z",
    polls=7,
    check_after=None,
)


def document(job: Job, progress: int = 0) -> dict[str, Any]:
    return job_document(job, lambda key: f"link:{key}", progress)


def test_a_waiting_job() -> None:
    assert document(JOB) == {
        "id": "vid_1",
        "status": "queued",
        "progress": 0,
        "created_at": JOB.created_at,
        "updated_at": JOB.updated_at,
        "request": wan_request(),
        "estimate": {"cost_usd": "0.75"},
        "warnings": [],
        "metadata": {"order": "4711"},
        "attempts": [],
        "polls": 0,
    }


def test_a_completed_job_has_our_links_in_the_provider_s_shape() -> None:
    told = document(COMPLETED, progress=40)
    assert told["progress"] == 100
    first, second = ("videos/vid_1.mp4", "videos/vid_1-2.mp4")
    assert told["output"] == [
        {
            "content": [{"type": "video", "url": f"link:{first}", "key": first}, {"type": "image", "url": "x"}],
            "jobId": "r1",
        },
        {"content": [{"type": "video", "url": f"link:{second}", "key": second}], "jobId": "r2"},
    ]
    assert told["usage"] == RESULT["usage"]
    assert told["provider_metadata"] == {"seed": 5}
    assert [attempt["task_id"] for attempt in told["attempts"]] == ["a", "b"]
    assert "cdn.example" not in to_json(told)
    assert "error" not in told


def test_the_record_s_result_is_not_changed_by_telling_it() -> None:
    document(COMPLETED)
    assert RESULT["output"][0]["content"][0]["url"] == "https://cdn.example/1"


def test_a_failed_job_has_its_error_and_no_output() -> None:
    told = document(COMPLETED._replace(status="failed", error=ErrorInfo("deadline_exceeded", "no result")))
    assert told["error"] == {"code": "deadline_exceeded", "message": "no result"}
    assert not {"output", "usage"} & set(told)


def test_a_reason_to_end_is_not_told_before_the_end() -> None:
    assert "error" not in document(JOB._replace(failure=ErrorInfo("001028095", "x")))


def test_a_cancel_that_is_under_way_is_told() -> None:
    assert document(JOB._replace(failure=ErrorInfo("canceled", "x")))["cancel_requested"] is True


@pytest.mark.parametrize("status", ["queued", "submitting", "processing"])
def test_progress_is_told_while_it_runs(status: Status) -> None:
    assert document(JOB._replace(status=status), progress=42)["progress"] == 42


# --- Records -------------------------------------------------------------------------------------------------------


def test_a_new_job_is_read_as_it_was_written() -> None:
    assert from_item(to_item(JOB)) == JOB


def test_an_item_holds_no_media_and_fits() -> None:
    item = to_item(JOB._replace(request=wan_request(prompt="人" * 1500), metadata={"k": "v" * 2000}))
    assert len(json.dumps(item, default=str)) < 100_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.25"), "0.25"),
        (Decimal(0), "0"),
        (Decimal("1.00"), "1"),
        (Decimal("1E+2"), "100"),
        ({"a": "Käse"}, '{"a":"Käse"}'),
        ([Decimal("-0.5"), None, True], "[-0.5,null,true]"),
    ],
)
def test_json_keeps_numbers_numbers(value: object, text: str) -> None:
    assert to_json(value) == text


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes"])
def test_what_is_no_json_is_an_error(value: object) -> None:
    with pytest.raises(TypeError):
        to_json(value)


def test_every_attempt_is_told_also_one_whose_outcome_nobody_knows() -> None:
    lost = Attempt(1, "unknown", "2026-01-31T12:00:00.000Z", error=ErrorInfo("no_answer", "the connection broke"))
    told = document(COMPLETED._replace(attempts=(lost,)))
    assert told["attempts"] == [
        {
            "state": "unknown",
            "started_at": "2026-01-31T12:00:00.000Z",
            "error": {"code": "no_answer", "message": "the connection broke"},
        }
    ]
