"""What each state of the workflow does with its job. One method = one state = one Lambda.

Every method may be run again at any time: it reads the record first and goes on from what it finds there. The record
is written before and after each side effect, never only after it.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from wanflow import metrics
from wanflow.clock import Clock, from_text
from wanflow.delivery import ReferenceDelivery, ReferenceLost
from wanflow.errors import AwsUnavailable, DownloadFailed, ErrorInfo, RecordChanged
from wanflow.files import Files, video_key
from wanflow.gate import GateState, SubmitGate
from wanflow.jobs import Attempt, AttemptState, EndSeen, Job, StoredVideo
from wanflow.polling import full_jitter, phase_of
from wanflow.records import JobRecords
from wanflow.render_statistics import RenderStatistics
from wanflow.results import video_urls
from wanflow.slots import Slots, ticket_of
from wanflow.wan_client import (
    GENERATION_FAILED_CODES,
    PollUnclear,
    ResultRefused,
    SubmitError,
    SubmitFailed,
    SubmitOutcomeUnknown,
    SubmitRejected,
    SubmitThrottled,
    TaskGone,
    TaskNotCreated,
    WanClient,
    WanTask,
)

logger = logging.getLogger("wanflow")

NextStep = Literal["queue", "submit", "poll", "store", "finish"]

MAX_SUBMIT_TRIES = 6
"""POSTs for one attempt when each certainly created nothing: about two minutes of backoff in all."""

_THROTTLE_CAP_SECONDS = 300
# A fresh task after a failed one: not at once, the cause may still be there.
_RESUBMIT_BASE_SECONDS = 5


class Step(NamedTuple):
    """A state's answer: what comes next and after how many seconds. It is all the state data there is."""

    job_id: str
    next_step: NextStep
    wait_seconds: int = 0
    polls: int = 0

    def as_state(self) -> dict[str, Any]:
        return {
            "job_id": self.job_id,
            "next_step": self.next_step,
            "wait_seconds": self.wait_seconds,
            "polls": self.polls,
        }


class Rules(NamedTuple):
    """The template's parameters of the same names."""

    job_deadline_seconds: int
    max_queue_seconds: int
    max_generation_attempts: int
    on_unknown_submit: Literal["fail", "resubmit"]


class Workflow:
    """The steps of a job between its acceptance and its end."""

    def __init__(
        self,
        records: JobRecords,
        files: Files,
        wan: WanClient,
        delivery: ReferenceDelivery,
        slots: Slots,
        gate: SubmitGate,
        *,
        render_statistics: RenderStatistics,
        rules: Rules,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._records = records
        self._files = files
        self._wan = wan
        self._delivery = delivery
        self._slots = slots
        self._gate = gate
        self._render_statistics = render_statistics
        self._rules = rules
        self._clock = clock
        self._random = random

    # --- Take Slot -----------------------------------------------------------------------------------------------

    def take_slot(self, job_id: str, task_token: str, polls: int = 0) -> None:
        """Let the job sleep until it is called: at once when a slot is free and nobody is before it."""
        job = self._records.get(job_id)
        ticket = ticket_of(job, task_token, polls)
        if job.is_final or job.failure:
            self._slots.wake(ticket)
            return
        self._records.look_again(job_id, self._rules.max_queue_seconds - self._seconds_since(job.created_at))
        self._slots.queue(ticket)

    # --- Submit Task ---------------------------------------------------------------------------------------------

    def submit_task(self, job_id: str, polls: int = 0) -> Step:
        """Submit one task, at most once for each attempt.

        An attempt found `submitting` on entry was interrupted: whether its POST went out is unknown.
        """
        job = self._records.get(job_id)
        last = job.last_attempt
        if job.is_final or job.failure or job.result:
            return Step(job_id, "finish", polls=polls)
        if last is not None and last.state == "submitting":
            message = "the submit was interrupted before its answer was noted"
            return self._outcome_unknown(job, last, ErrorInfo("interrupted", message), polls)
        if last is not None and last.state == "submitted":
            return self._poll_after(job, polls)
        gate = self._gate.read()
        if not (gate.lets_pass(job_id) and self._slots.renew(job_id)):
            # Paused, or the lease ran out: back into the queue, to the place that the job had.
            self._slots.give_back(ticket_of(job))
            return Step(job_id, "queue", polls=polls)
        try:
            request = self._delivery.for_provider(job.request)
        except ReferenceLost as error:
            return self._fail(job_id, ErrorInfo("invalid_request", str(error)), polls)
        return self._post(job, request, gate, polls)

    def _post(self, job: Job, request: dict[str, Any], gate: GateState, polls: int) -> Step:
        # What can fail before the POST fails before it is announced: afterwards its outcome would count as unknown.
        self._wan.prepare()
        attempt = self._records.begin_attempt(job)
        if attempt.number == 1 and not attempt.tries:
            metrics.record(metrics.QUEUE_WAIT, self._seconds_since(job.created_at), job.lane)
        try:
            return self._post_once(job, attempt, request, gate, polls)
        except RecordChanged:
            # Cancelled or ended while the POST was under way: its outcome was noted for the reconciler.
            logger.warning("job ended during its submit", extra={"job_id": job.id, "attempt": attempt.number})
            return Step(job.id, "finish", polls=polls)

    def _post_once(self, job: Job, attempt: Attempt, request: dict[str, Any], gate: GateState, polls: int) -> Step:
        try:
            task = self._wan.submit(request)
        except TaskNotCreated as error:
            step = self._not_created(job, attempt, error, polls)
            self._note_provider_fault(error)
            return step
        except SubmitOutcomeUnknown as error:
            step = self._outcome_unknown(job, attempt, error.info, polls)
            self._note_provider_fault(error)
            return step
        # Logged before it is written: should the write be lost, this line still tells the paid task's id.
        logger.info("task submitted", extra={"job_id": job.id, "task_id": task.task_id, "attempt": attempt.number})
        deadline = self._rules.job_deadline_seconds
        submitted = attempt._replace(state="submitted", task_id=task.task_id)
        with self._noting_late(job, submitted):
            self._records.task_submitted(job.id, attempt, task.task_id, deadline)
        self._note_provider_is_well(gate)
        return Step(job.id, "poll", self._wait_seconds(job, 0, deadline), polls)

    @contextmanager
    def _noting_late(self, job: Job, attempt: Attempt) -> Iterator[None]:
        """Should the job have ended meanwhile, keep what became of the attempt all the same: money hangs on it."""
        try:
            yield
        except RecordChanged:
            self._records.late_outcome(job.id, attempt)
            raise

    def _note_provider_fault(self, error: SubmitError) -> None:
        """Count towards the breaker what looks like the provider being down, or our key being wrong."""
        is_fault = isinstance(error, SubmitFailed | SubmitOutcomeUnknown) or error.info.code == "provider_unauthorized"
        if not is_fault:
            return
        try:
            self._gate.submit_failed(self._gate.read())
        except AwsUnavailable:
            # The attempt's outcome is noted, and counts for more than the count.
            logger.exception("breaker not moved")

    def _note_provider_is_well(self, gate: GateState) -> None:
        if gate.failures:
            self._gate.submit_succeeded(gate)
            self._slots.dispatch()

    def _not_created(self, job: Job, attempt: Attempt, error: TaskNotCreated, polls: int) -> Step:
        """Certainly unpaid: try again after a while, or end the job when that is pointless."""
        metrics.record(metrics.SUBMIT_ERRORS, label=error.info.code)
        logger.warning("task not created", extra=_facts(job, error.info, attempt=attempt.number, tries=attempt.tries))
        if error.info.code in GENERATION_FAILED_CODES:
            return self._generation_failed(job, attempt._replace(state="failed", error=error.info), polls)
        ended = attempt._replace(state="not_created", tries=attempt.tries + 1, error=error.info)
        failure = self._reason_to_give_up(job, ended, error)
        with self._noting_late(job, ended):
            self._records.attempt_ended(job.id, ended, failure)
        if failure is not None:
            return Step(job.id, "finish", polls=polls)
        cap = _THROTTLE_CAP_SECONDS if isinstance(error, SubmitThrottled) else 60
        wait = max(full_jitter(ended.tries, self._random, cap_seconds=cap), error.retry_after_seconds or 0)
        return Step(job.id, "submit", wait, polls)

    def _reason_to_give_up(self, job: Job, ended: Attempt, error: TaskNotCreated) -> ErrorInfo | None:
        if isinstance(error, SubmitThrottled):
            waited = self._seconds_since(job.created_at)
            message = f"the provider took no new task for {round(waited)} seconds (HTTP 429)"
            return ErrorInfo("queue_timeout", message) if waited > self._rules.max_queue_seconds else None
        if isinstance(error, SubmitRejected) or ended.tries >= MAX_SUBMIT_TRIES:
            return error.info
        return None

    def _outcome_unknown(self, job: Job, attempt: Attempt, cause: ErrorInfo, polls: int) -> Step:
        """A task may exist and be billed. Only the user's explicit choice sends the request again."""
        metrics.record(metrics.SUBMIT_ERRORS, label=cause.code)
        metrics.record(metrics.UNKNOWN_OUTCOMES)
        logger.error("submit outcome unknown", extra=_facts(job, cause, attempt=attempt.number))
        ended = attempt._replace(state="unknown", error=cause)
        message = (
            f"attempt {attempt.number} was sent at {attempt.started_at} and nobody can know whether it created a task: "
            f"{cause.message}. It was not sent again, because that may pay twice"
        )
        allowed = self._rules.on_unknown_submit == "resubmit" and self._may_submit_again(attempt)
        failure = None if allowed else ErrorInfo("submit_outcome_unknown", message)
        self._records.attempt_ended(job.id, ended, failure)
        return self._submit_after(job, attempt, polls) if allowed else Step(job.id, "finish", polls=polls)

    # --- Poll Task -----------------------------------------------------------------------------------------------

    def poll_task(self, job_id: str, polls: int = 0, waited_seconds: int = 0) -> Step:
        """Ask once how the task is. The deadline is decided here; a poll that fails never abandons a task before it.

        Args:
            waited_seconds: since the poll or submit before, 0 when that is not known.
        """
        job = self._records.get(job_id)
        attempt = job.last_attempt
        if job.is_final or job.failure or attempt is None or attempt.task_id is None:
            return Step(job_id, "finish", polls=polls)
        if job.result is not None:
            return Step(job_id, "store", polls=polls)
        if attempt.state == "failed":
            # An earlier try of this state noted it and died before it could say so.
            return self._submit_after(job, attempt, polls)
        polls += 1
        try:
            task = self._wan.get_task(attempt.task_id)
        except TaskGone as error:
            metrics.record(metrics.POLL_ERRORS, label=error.info.code)
            return self._fail(job_id, error.info, polls)
        except PollUnclear as error:
            return self._ask_again(job, polls, error)
        logger.info("task polled", extra={"job_id": job_id, "status": task.status, "polls": polls})
        return self._after_poll(job, attempt, task, polls, waited_seconds)

    def _after_poll(self, job: Job, attempt: Attempt, task: WanTask, polls: int, waited_seconds: int) -> Step:
        if task.state == "completed" and task.result is not None:
            self._records.task_completed(job.id, task.result, self._end_seen(job, waited_seconds))
            metrics.record(metrics.RENDER_TIME, self._elapsed_seconds(job))
            return Step(job.id, "store", polls=polls)
        if task.state == "failed" and task.error is not None:
            if task.error.code in GENERATION_FAILED_CODES:
                failed = attempt._replace(state="failed", error=task.error)
                end_seen = self._end_seen(job, waited_seconds)
                return self._generation_failed(job, failed, polls, was="submitted", end_seen=end_seen)
            failed = attempt._replace(state="failed", error=task.error)
            end_seen = self._end_seen(job, waited_seconds)
            self._records.attempt_ended(job.id, failed, task.error, was="submitted", end_seen=end_seen)
            return Step(job.id, "finish", polls=polls)
        if task.status not in {"queued", "processing"}:
            logger.warning("unknown task status", extra={"job_id": job.id, "status": task.status[:40]})
        return self._ask_again(job, polls)

    def _generation_failed(
        self,
        job: Job,
        failed: Attempt,
        polls: int,
        *,
        was: AttemptState = "submitting",
        end_seen: EndSeen | None = None,
    ) -> Step:
        """The task is over and unpaid: a fresh one, as long as the parameter allows."""
        allowed = self._may_submit_again(failed)
        failure = None if allowed else failed.error
        self._records.attempt_ended(job.id, failed, failure, was=was, end_seen=end_seen)
        return self._submit_after(job, failed, polls) if allowed else Step(job.id, "finish", polls=polls)

    def _ask_again(self, job: Job, polls: int, unclear: PollUnclear | None = None) -> Step:
        error = unclear.info if unclear else job.last_poll_error
        if unclear is not None:
            metrics.record(metrics.POLL_ERRORS, label=unclear.info.code)
            logger.warning("poll unclear", extra=_facts(job, unclear.info, polls=polls))
            if unclear.info != job.last_poll_error:
                self._records.poll_unclear(job.id, unclear.info)
        if self._remaining_seconds(job) <= 0:
            return self._fail(job.id, self._deadline_exceeded(error), polls)
        return self._poll_after(job, polls, unclear.retry_after_seconds if unclear else None)

    def _deadline_exceeded(self, last: ErrorInfo | None) -> ErrorInfo:
        message = f"no result within {self._rules.job_deadline_seconds} seconds after the submit"
        if last is not None:
            message += f"; the last provider error was {last.code}: {last.message}"
        return ErrorInfo("deadline_exceeded", message)

    # --- Store Result --------------------------------------------------------------------------------------------

    def store_result(self, job_id: str, polls: int = 0) -> Step:
        """Copy every video of the result into the bucket.

        Raises:
            DownloadFailed: the CDN failed; run it again.
        """
        job = self._records.get(job_id)
        if job.is_final or job.failure or job.stored or job.result is None:
            return Step(job_id, "finish", polls=polls)
        try:
            videos = self._store_all(job, job.result)
        except DownloadFailed:
            metrics.record(metrics.STORE_ERRORS, label="download_failed")
            raise
        except ResultRefused as error:
            metrics.record(metrics.STORE_ERRORS, label=error.info.code)
            return self._fail(job_id, error.info, polls)
        self._records.videos_stored(job_id, videos)
        return Step(job_id, "finish", polls=polls)

    def store_late(self, job: Job) -> None:
        """Copy the videos of a job that has ended as `deadline_exceeded`.

        Raises:
            DownloadFailed, ResultRefused: the CDN failed, or serves the links no more.
        """
        if not job.stored and job.result is not None:
            self._records.videos_stored(job.id, self._store_all(job, job.result))

    def _store_all(self, job: Job, result: dict[str, Any]) -> list[StoredVideo]:
        try:
            return self._store_each(job.id, video_urls(result))
        except ResultRefused:
            # The links are over, the task may not be: a fresh answer has fresh links. Once, then it is the truth.
            return self._store_each(job.id, video_urls(self._fresh_result(job)))

    def _fresh_result(self, job: Job) -> dict[str, Any]:
        gone = ErrorInfo("result_unavailable", "the provider does not serve the video any more")
        try:
            task = self._wan.get_task(job.task_id or "")
        except TaskGone as error:
            raise ResultRefused(error.info) from error
        except PollUnclear as error:
            raise DownloadFailed(f"no fresh links: {error.info.message}") from error
        if task.result is None:
            raise ResultRefused(gone)
        self._records.task_completed(job.id, task.result)
        return task.result

    def _store_each(self, job_id: str, urls: list[str]) -> list[StoredVideo]:
        return [self._store_one(video_key(job_id, number), url) for number, url in enumerate(urls, start=1)]

    def _store_one(self, key: str, url: str) -> StoredVideo:
        with self._wan.open_result(url) as body:
            video = self._files.store_video(key, body.chunks, body.announced_bytes)
        logger.info("video stored", extra={"key": key, "bytes": video.bytes})
        return video

    # --- Shared --------------------------------------------------------------------------------------------------

    def _poll_after(self, job: Job, polls: int, retry_after_seconds: int | None = None) -> Step:
        wait = self._wait_seconds(job, self._elapsed_seconds(job), self._remaining_seconds(job), retry_after_seconds)
        return Step(job.id, "poll", wait, polls)

    def _wait_seconds(
        self, job: Job, elapsed_seconds: float, remaining_seconds: float, retry_after_seconds: int | None = None
    ) -> int:
        schedule = self._render_statistics.schedule(job)
        return schedule.wait_seconds(elapsed_seconds, remaining_seconds, retry_after_seconds, phase=phase_of(job.id))

    def _elapsed_seconds(self, job: Job) -> float:
        return self._seconds_since(job.submitted_at or job.created_at)

    def _end_seen(self, job: Job, waited_seconds: int) -> EndSeen | None:
        """When the task ended, as far as polls can tell; None when one of them had no answer."""
        if job.last_poll_error is not None:
            return None
        elapsed = max(0.0, self._elapsed_seconds(job))
        return EndSeen(max(0.0, elapsed - waited_seconds) if waited_seconds else 0.0, elapsed)

    def _submit_after(self, job: Job, attempt: Attempt, polls: int) -> Step:
        wait = full_jitter(attempt.number, self._random, base_seconds=_RESUBMIT_BASE_SECONDS)
        return Step(job.id, "submit", wait, polls)

    def _seconds_since(self, moment: str) -> float:
        return (self._clock() - from_text(moment)).total_seconds()

    def _may_submit_again(self, attempt: Attempt) -> bool:
        return attempt.number < self._rules.max_generation_attempts

    def _remaining_seconds(self, job: Job) -> float:
        if job.deadline_at is None:
            return 0
        return (from_text(job.deadline_at) - self._clock()).total_seconds()

    def _fail(self, job_id: str, failure: ErrorInfo, polls: int) -> Step:
        logger.warning("job fails", extra={"job_id": job_id, "code": failure.code})
        try:
            self._records.fail(job_id, failure)
        except RecordChanged:
            # Somebody else found a reason first; finish_job reads which.
            logger.info("job already ends", extra={"job_id": job_id})
        return Step(job_id, "finish", polls=polls)


def _facts(job: Job, info: ErrorInfo, **facts: object) -> dict[str, object]:
    return {"job_id": job.id, "code": info.code, "provider_message": info.message, **facts}
