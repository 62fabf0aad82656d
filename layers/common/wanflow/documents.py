"""The job document: the Wan response format plus our fields (design.md, HTTPS API)."""

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from typing import Any

from wanflow.clock import after, from_text, to_text
from wanflow.errors import ErrorInfo
from wanflow.jobs import Attempt, Job
from wanflow.pricing import usd_text
from wanflow.results import video_items


def job_document(
    job: Job,
    link: Callable[[str], str],
    progress: int = 0,
    waiting: ErrorInfo | None = None,
    output_expired_at: str | None = None,
) -> dict[str, Any]:
    """What a caller sees of a job.

    Args:
        link: makes the URL of an object key.
        progress: a guess in per cent for a job that has not ended.
        waiting: why nothing is submitted now.
        output_expired_at: since when the bucket keeps its videos no more, if it does not.
    """
    document: dict[str, Any] = {
        "id": job.id,
        "status": job.status,
        "progress": 100 if job.status == "completed" else progress,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "request": job.request,
        "estimate": {"cost_usd": usd_text(job.estimate_usd)},
        "warnings": list(job.warnings),
        "metadata": job.metadata,
        "attempts": [_attempt(attempt) for attempt in job.attempts],
        "polls": job.polls,
    }
    if job.submitted_at is not None:
        document["submitted_at"] = job.submitted_at
    if job.ended_at is not None:
        document["ended_at"] = job.ended_at
    if job.status == "completed" and job.result is not None:
        if output_expired_at is None:
            document["output"] = _output(job, link)
        else:
            document["output_expired_at"] = output_expired_at
        document["usage"] = job.result["usage"]
        document["provider_metadata"] = job.result["metadata"]
    if job.rescued:
        document["rescued"] = True
    if not job.is_final and job.failure is not None and job.failure.code == "canceled":
        document["cancel_requested"] = True
    if waiting is not None:
        document["waiting"] = waiting.as_dict()
    if job.error is not None:
        document["error"] = job.error.as_dict()
    return document


def output_gone_since(job: Job, retention_days: int, now: datetime) -> str | None:
    """Since when the bucket keeps an ended job's videos no more (ResultRetentionDays); None while it does."""
    if job.ended_at is None:
        return None
    expiry = after(from_text(job.ended_at), retention_days * 86400)
    return expiry if expiry <= to_text(now) else None


def _attempt(attempt: Attempt) -> dict[str, Any]:
    document: dict[str, Any] = {"state": attempt.state, "started_at": attempt.started_at}
    if attempt.task_id is not None:
        document["task_id"] = attempt.task_id
    if attempt.error is not None:
        document["error"] = attempt.error.as_dict()
    return document


def _output(job: Job, link: Callable[[str], str]) -> Any:
    """The provider's output with our links in place of the CDN's."""
    result = deepcopy(job.result or {})
    for item, video in zip(video_items(result), job.stored, strict=True):
        item["url"] = link(video.key)
        item["key"] = video.key
    return result["output"]
