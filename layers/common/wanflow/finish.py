"""The one way out of a job: success, failure, deadline, a broken execution. Run twice, it does the same."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wanflow import aws
from wanflow.documents import job_document
from wanflow.errors import AwsUnavailable, ErrorInfo, RecordChanged
from wanflow.files import Files, document_key
from wanflow.jobs import Job, Status, to_json
from wanflow.records import JobRecords

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient

logger = logging.getLogger("wanflow")

EVENT_SOURCE = "wanflow"
EVENT_TYPE = "Wanflow Video Job Finished v1"

# Class names of our errors that leave a state, and what the caller is told.
_TOLD_AS = {
    "DownloadFailed": ("result_unavailable", "the video is paid for, but the provider's CDN did not deliver it")
}


class Finisher:
    """Ends jobs."""

    def __init__(
        self,
        records: JobRecords,
        files: Files,
        events: Callable[[], "EventBridgeClient"],
    ) -> None:
        self._records = records
        self._files = files
        self._events = events

    def finish_job(
        self, job_id: str, polls: int = 0, error: dict[str, str] | None = None, execution_status: str | None = None
    ) -> dict[str, Any]:
        """End a job: final state, document, event, and last of all out of the index of open jobs.

        Args:
            error: {`Error`, `Cause`} of the state that broke, as the workflow's Catch gives it.
            execution_status: FAILED, TIMED_OUT or ABORTED when the execution itself broke.

        Returns:
            The execution's output: {`job_id`, `status`}.
        """
        job = self._records.get(job_id)
        if not job.is_final:
            job = self._end(job, polls, _reason(error, execution_status))
        if job.is_open:
            self._tell(job)
            self._records.close(job_id)
        return {"job_id": job_id, "status": job.status}

    def _end(self, job: Job, polls: int, broken: ErrorInfo) -> Job:
        status, error = _outcome(job, broken)
        try:
            self._records.end(job.id, status, error, max(polls, job.polls))
        except RecordChanged:
            logger.info("job was ended by somebody else", extra={"job_id": job.id})
        job = self._records.get(job.id)
        logger.info("job ended", extra={"job_id": job.id, "status": job.status, "polls": job.polls})
        return job

    def _tell(self, job: Job) -> None:
        lasting = job_document(job, self._files.url_of)
        self._files.put_json(document_key(job.id), lasting)
        if job.source.verdict_key is not None:
            linked = job_document(job, self._files.link)
            self._files.put_json(job.source.verdict_key, linked)
        self._send_event(job, lasting)

    def _send_event(self, job: Job, document: dict[str, Any]) -> None:
        """One event for each final state; the fixed id lets a receiver drop a repetition."""
        detail = {"id": f"{job.id}.{job.status}", "owner": job.owner, "job": document}
        entry = {"Source": EVENT_SOURCE, "DetailType": EVENT_TYPE, "Detail": to_json(detail)}
        with aws.naming_faults("put the job's event"):
            answer = self._events().put_events(Entries=[entry])  # type: ignore[list-item]
        if answer["FailedEntryCount"]:
            # PutEvents answers 200 for entries that it refused.
            raise AwsUnavailable(f"could not put the job's event: {answer['Entries'][0].get('ErrorCode')}")


def _outcome(job: Job, broken: ErrorInfo) -> tuple[Status, ErrorInfo | None]:
    """Bytes in the bucket are a success whatever else happened; then the noted reason counts, then what broke."""
    if job.stored:
        return "completed", None
    return "failed", job.failure or broken


def _reason(error: dict[str, str] | None, execution_status: str | None) -> ErrorInfo:
    if error is not None:
        name = error.get("Error", "an unnamed error")
        code, message = _TOLD_AS.get(name, ("internal_error", f"a step of the workflow broke with {name}"))
        return ErrorInfo(code, message)
    if execution_status is not None:
        return ErrorInfo("internal_error", f"the workflow's execution ended {execution_status}")
    return ErrorInfo("internal_error", "the workflow ended the job without a reason")
