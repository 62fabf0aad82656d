"""Looking after what was forgotten: jobs that nobody moved on, slots that nobody gave back, videos that came too late.

Only records whose `check_after` has passed are read, each of them anew and consistently. Every repair is one that may
be repeated, so the reconciler itself may die anywhere.
"""

import logging
from collections import Counter

from wanflow import metrics
from wanflow.clock import Clock, from_text, to_text
from wanflow.errors import DownloadFailed, ErrorInfo, RecordChanged
from wanflow.executions import Executions
from wanflow.finish import WATCH_EVERY_SECONDS, Finisher
from wanflow.gauges import Gauges
from wanflow.jobs import OPEN_SHARDS, Job
from wanflow.observability import correlated
from wanflow.records import FINISH_GRACE_SECONDS, JobRecords, OpenJob
from wanflow.settlement import booked_usd, may_still_run
from wanflow.slots import Slots, ticket_of
from wanflow.wan_client import PollUnclear, ResultRefused, TaskGone, WanClient, WanTask
from wanflow.workflow import Workflow

logger = logging.getLogger("wanflow")

MOST_JOBS = 400
"""Jobs looked after in one run; the rest wait for the next, the oldest first."""


class Reconciler:
    """Repairs, one job after the other; one that breaks does not keep the others waiting."""

    def __init__(
        self,
        records: JobRecords,
        executions: Executions,
        finisher: Finisher,
        slots: Slots,
        workflow: Workflow,
        wan: WanClient,
        gauges: Gauges,
        *,
        max_queue_seconds: int,
        clock: Clock,
    ) -> None:
        self._records = records
        self._executions = executions
        self._finisher = finisher
        self._slots = slots
        self._workflow = workflow
        self._wan = wan
        self._gauges = gauges
        self._max_queue_seconds = max_queue_seconds
        self._clock = clock

    def reconcile(self) -> dict[str, int]:
        """Look after the slots and every due job; counts of what was done, by name.

        Raises:
            AwsUnavailable: the slots could not be repaired, after all else was done; or nothing could be measured.
        """
        # First: many jobs may take longer than a run has, and every waiting job depends on the slots.
        repaired, fault = self._repair_slots()
        done = Counter(repaired)
        open_jobs = self._records.open_jobs()
        for job_id in self._due(open_jobs):
            with correlated(job_id):
                done[self._try_to_look_after(job_id)] += 1
        if fault is not None:
            # Lambda runs it again soon.
            raise fault
        self._gauges.measure(open_jobs)
        logger.info("reconciled", extra={"done": dict(done)})
        return dict(done)

    def _repair_slots(self) -> tuple[dict[str, int], Exception | None]:
        try:
            return self._slots.repair(), None
        except Exception as error:
            logger.exception("slots could not be repaired")
            return {}, error

    def _due(self, open_jobs: list[OpenJob]) -> list[str]:
        """Ids of the jobs that somebody should look after by now, each shard's share of MOST_JOBS."""
        now = to_text(self._clock())
        due = [job for job in open_jobs if job.check_after <= now]
        shards = [[job.job_id for job in due if job.shard == str(shard)] for shard in range(OPEN_SHARDS)]
        return [job_id for shard in shards for job_id in shard[: MOST_JOBS // OPEN_SHARDS]]

    def _try_to_look_after(self, job_id: str) -> str:
        try:
            return self._look_after(job_id)
        except Exception:
            # Counted, logged and alarmed on; the job stays due and comes again.
            metrics.record(metrics.RECONCILE_ERRORS)
            logger.exception("job could not be looked after", extra={"job_id": job_id})
            return "broken"

    def _look_after(self, job_id: str) -> str:
        job = self._records.get(job_id)
        if job.check_after is None or job.check_after > to_text(self._clock()):
            return "well"
        if job.watch_until is not None and job.is_final:
            return self._look_for_the_end(job, job.watch_until)
        if job.is_final:
            self._finisher.finish_job(job_id)
            return "finished"
        return self._look_at_execution(job)

    def _look_at_execution(self, job: Job) -> str:
        status = self._executions.status(job.id)
        if status is None:
            self._executions.start(job.id, {"job_id": job.id})
            self._records.look_again(job.id, FINISH_GRACE_SECONDS)
            return "started"
        if status != "RUNNING":
            self._finisher.finish_job(job.id, execution_status=status)
            return "finished"
        if self._waits_too_long(job):
            return self._end_waiting(job)
        self._records.look_again(job.id, FINISH_GRACE_SECONDS)
        return "running"

    def _waits_too_long(self, job: Job) -> bool:
        waited = (self._clock() - from_text(job.created_at)).total_seconds()
        return job.status == "queued" and not job.attempts and waited >= self._max_queue_seconds

    def _end_waiting(self, job: Job) -> str:
        message = f"no slot came free within {self._max_queue_seconds} seconds; nothing was submitted or paid"
        try:
            self._records.fail(job.id, ErrorInfo("queue_timeout", message))
        except RecordChanged:
            return "well"
        self._executions.stop(job.id, "queue_timeout")
        self._finisher.finish_job(job.id)
        return "queue_timeout"

    # --- Jobs that are over while their task may still run -------------------------------------------------------

    def _look_for_the_end(self, job: Job, watch_until: str) -> str:
        """Ask how the task ended. A video that missed the deadline is rescued; otherwise the cost is corrected."""
        if may_still_run(job) and job.task_id is not None:
            try:
                task = self._wan.get_task(job.task_id)
            except TaskGone:
                return self._release(job, "gone")
            except PollUnclear as error:
                logger.warning("poll unclear", extra={"job_id": job.id, "code": error.info.code})
                return self._keep_watching(job, watch_until)
            if task.state == "running":
                return self._keep_watching(job, watch_until)
            job = self._note_end(job, task)
        if job.rescued or (job.result is not None and job.error is not None and job.error.code == "deadline_exceeded"):
            return self._rescue(job, watch_until)
        self._records.settle(job, booked_usd(job))
        return self._release(job, "settled")

    def _note_end(self, job: Job, task: WanTask) -> Job:
        last = job.last_attempt
        if task.result is not None:
            self._records.task_completed(job.id, task.result)
        elif last is not None:
            self._records.late_outcome(job.id, last._replace(state="failed", error=task.error))
        return self._records.get(job.id)

    def _rescue(self, job: Job, watch_until: str) -> str:
        """The paid video came after the deadline: bring it home, once."""
        if not job.rescued:
            try:
                self._workflow.store_late(job)
            except (DownloadFailed, ResultRefused) as error:
                logger.warning("late video not stored", extra={"job_id": job.id, "error": type(error).__name__})
                return self._keep_watching(job, watch_until)
            job = self._records.get(job.id)
            self._records.rescue(job, booked_usd(job))
            job = self._records.get(job.id)
        self._finisher.tell(job)
        return self._release(job, "rescued")

    def _keep_watching(self, job: Job, watch_until: str) -> str:
        if to_text(self._clock()) >= watch_until:
            return self._release(job, "gave_up")
        self._records.watch(job, watch_until, WATCH_EVERY_SECONDS)
        return "watched"

    def _release(self, job: Job, what: str) -> str:
        """The end is seen, or will never be: the slot is free. What is booked stays booked."""
        self._slots.give_back(ticket_of(job))
        self._records.close(self._records.get(job.id))
        return what
