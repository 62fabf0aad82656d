"""The one way out of a job: success, failure, cancel, deadline, a broken execution. Run twice, it does the same."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wanflow import aws, metrics
from wanflow.clock import from_text, to_text
from wanflow.documents import job_document
from wanflow.errors import AwsUnavailable, ErrorInfo, RecordChanged
from wanflow.files import Files, document_key
from wanflow.jobs import Job, Status, to_json
from wanflow.records import JobRecords
from wanflow.render_statistics import RenderStatistics
from wanflow.settlement import booked_usd, may_still_run
from wanflow.slots import Slots, ticket_of
from wanflow.webhook_queue import WebhookQueue

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient

logger = logging.getLogger("wanflow")

EVENT_SOURCE = "wanflow"
EVENT_TYPE = "Wanflow Video Job Finished v1"

TASK_LIFE_SECONDS = 24 * 3600
"""How long the provider knows a task (wan_api.md, Facts about the upstream)."""

WATCH_EVERY_SECONDS = 600
_TRIES = 5

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
        slots: Slots,
        events: Callable[[], "EventBridgeClient"],
        webhooks: WebhookQueue,
        render_statistics: RenderStatistics,
    ) -> None:
        self._records = records
        self._files = files
        self._slots = slots
        self._events = events
        self._webhooks = webhooks
        self._render_statistics = render_statistics

    def finish_job(
        self, job_id: str, polls: int = 0, error: dict[str, str] | None = None, execution_status: str | None = None
    ) -> dict[str, Any]:
        """End a job: final state and budget, slot, document, event, and last of all out of the index of open jobs.

        Args:
            error: {`Error`, `Cause`} of the state that broke, as the workflow's Catch gives it.
            execution_status: FAILED, TIMED_OUT or ABORTED when the execution itself broke.

        Returns:
            The execution's output: {`job_id`, `status`}.
        """
        broken = _reason(error, execution_status)
        for _ in range(_TRIES):
            job = self._end(self._records.get(job_id), polls, broken)
            if not job.is_open or job.watch_until is not None or self._finish(job):
                return {"job_id": job_id, "status": job.status}
        raise AwsUnavailable(f"job {job_id} keeps moving while it is finished")

    def _finish(self, job: Job) -> bool:
        """What follows the final state; False when the record moved on meanwhile."""
        self._let_go(job)
        self.tell(job)
        try:
            if job.booked_usd != booked_usd(job):
                # The outcome of a submit was noted after the job had ended.
                self._records.settle(job, booked_usd(job))
                return False
            self._close(job)
        except RecordChanged:
            return False
        # After the end of all that counts: should it take as long as the function has, nothing is missing.
        self._render_statistics.learn(job)
        return True

    def tell(self, job: Job) -> None:
        """Write the final document, the verdict on an upload, the event, and hand over the webhook."""
        lasting = job_document(job, self._files.url_of)
        self._files.put_json(document_key(job.id), lasting)
        if job.source.verdict_key is not None:
            self._files.put_json(job.source.verdict_key, job_document(job, self._files.link))
        # Fixed, so that whoever hears it twice can tell.
        event_id = f"{job.id}.{job.status}"
        self._send_event(event_id, job, lasting)
        self._webhooks.put(event_id, job, lasting)

    def _end(self, job: Job, polls: int, broken: ErrorInfo) -> Job:
        """The job in its final state; whoever moves it meanwhile is heard, because the cost hangs on it."""
        for _ in range(_TRIES):
            if job.is_final:
                return job
            status, error = _outcome(job, broken)
            polls = max(polls, job.polls)
            try:
                self._records.end(job, status, error, polls=polls, booked_usd=booked_usd(job))
                _count_end(status, error, polls)
                logger.info("job ended", extra=_facts(job.id, status, error, polls))
            except RecordChanged:
                logger.info("job moved on while it was ended", extra={"job_id": job.id})
            job = self._records.get(job.id)
        raise AwsUnavailable(f"job {job.id} keeps moving while it is ended")

    def _let_go(self, job: Job) -> None:
        """Give the slot back, unless the provider may still be at work: then it counts until its end is seen."""
        if not may_still_run(job):
            self._slots.give_back(ticket_of(job))

    def _close(self, job: Job) -> None:
        """Nothing is left to do, but to look for the end of a task that may still run and whose id is known."""
        if may_still_run(job) and job.task_id is not None and job.submitted_at is not None:
            until = from_text(job.submitted_at) + timedelta(seconds=TASK_LIFE_SECONDS)
            self._records.watch(job, to_text(until), WATCH_EVERY_SECONDS)
        else:
            self._records.close(job)

    def _send_event(self, event_id: str, job: Job, document: dict[str, Any]) -> None:
        """One event for each final state (docs/events.md)."""
        detail = {"id": event_id, "owner": job.owner, "job": document}
        entry = {"Source": EVENT_SOURCE, "DetailType": EVENT_TYPE, "Detail": to_json(detail)}
        with aws.naming_faults("put the job's event"):
            answer = self._events().put_events(Entries=[entry])  # type: ignore[list-item]
        if answer["FailedEntryCount"]:
            # PutEvents answers 200 for entries that it refused.
            raise AwsUnavailable(f"could not put the job's event: {answer['Entries'][0].get('ErrorCode')}")


def _count_end(status: Status, error: ErrorInfo | None, polls: int) -> None:
    metrics.record(metrics.JOBS_ENDED, label=status)
    if error is not None:
        metrics.record(metrics.JOB_ERRORS, label=error.code)
    if polls:
        metrics.record(metrics.POLLS_PER_JOB, polls)


def _facts(job_id: str, status: Status, error: ErrorInfo | None, polls: int) -> dict[str, object]:
    code = {"code": error.code} if error is not None else {}
    return {"job_id": job_id, "status": status, "polls": polls, **code}


def _outcome(job: Job, broken: ErrorInfo) -> tuple[Status, ErrorInfo | None]:
    """Bytes in the bucket are a success whatever else happened; then the noted reason counts, then what broke."""
    if job.stored:
        return "completed", None
    error = job.failure or broken
    return "canceled" if error.code == "canceled" else "failed", error


def _reason(error: dict[str, str] | None, execution_status: str | None) -> ErrorInfo:
    if error is not None:
        name = error.get("Error", "an unnamed error")
        code, message = _TOLD_AS.get(name, ("internal_error", f"a step of the workflow broke with {name}"))
        return ErrorInfo(code, message)
    if execution_status is not None:
        return ErrorInfo("internal_error", f"the workflow's execution ended {execution_status}")
    return ErrorInfo("internal_error", "the workflow ended the job without a reason")
