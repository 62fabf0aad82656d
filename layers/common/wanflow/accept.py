"""Accepting a job: validate, price, keep the references, write the record, start the workflow."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wanflow import aws
from wanflow.clock import Clock, after, to_text
from wanflow.delivery import check_inline_size, keep_inline_references
from wanflow.errors import AwsUnavailable, Conflict
from wanflow.files import Files
from wanflow.ids import derived_job_id, new_job_id
from wanflow.jobs import Job, Source, to_json
from wanflow.pricing import Prices
from wanflow.records import FINISH_GRACE_SECONDS, JobRecords
from wanflow.validation import validate

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

logger = logging.getLogger("wanflow")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job, and whether this call made it (else it is the original one of a repeated key)."""

    job: Job
    is_new: bool


class Intake:
    """Takes requests in, from the API and from S3."""

    def __init__(
        self,
        records: JobRecords,
        files: Files,
        workflow: Callable[[], "SFNClient"],
        *,
        state_machine_arn: str,
        prices: Prices,
        clock: Clock,
        randbits: Callable[[int], int],
    ) -> None:
        self._records = records
        self._files = files
        self._workflow = workflow
        self._state_machine_arn = state_machine_arn
        self._prices = prices
        self._clock = clock
        self._randbits = randbits

    def accept(self, body: object, owner: str, source: Source, key: str | None = None) -> Accepted:
        """Turn a request into a job, or give the original job for a key that came before.

        Args:
            body: the request as parsed from JSON.
            key: the idempotency key; the same key of the same owner always leads to the same job.

        Raises:
            InvalidRequest, TooLarge: nothing was written.
            Conflict: the key came before with another body.
            AwsUnavailable: nothing that will be paid for was started.
        """
        request = validate(body, self._files.of_owner(owner))
        check_inline_size(request)
        now = self._clock()
        job_id = derived_job_id(owner, key) if key is not None else new_job_id(now, self._randbits)
        job = Job(
            id=job_id,
            owner=owner,
            status="queued",
            created_at=to_text(now),
            updated_at=to_text(now),
            fingerprint=fingerprint(body),
            request=keep_inline_references(self._files, owner, job_id, request),
            estimate_usd=self._prices.estimate(request.size, request.duration_seconds),
            source=source,
            metadata=request.metadata,
            warnings=tuple(warning.as_dict() for warning in request.warnings),
            check_after=after(now, FINISH_GRACE_SECONDS),
        )
        accepted = self._write(job)
        self._start(accepted.job)
        return accepted

    def _write(self, job: Job) -> Accepted:
        if self._records.create(job):
            logger.info("job accepted", extra={"job_id": job.id, "owner": job.owner, "source": job.source.kind})
            return Accepted(job, is_new=True)
        original = self._records.get(job.id)
        if original.fingerprint != job.fingerprint:
            raise Conflict("this Idempotency-Key came before with another body")
        return Accepted(original, is_new=False)

    def _start(self, job: Job) -> None:
        """Start the workflow under the job's name: a second start of the same job is refused by Step Functions."""
        if job.is_final:
            return
        try:
            with aws.naming_faults("start the workflow"):
                self._workflow().start_execution(
                    stateMachineArn=self._state_machine_arn, name=job.id, input=to_json({"job_id": job.id})
                )
        except AwsUnavailable:
            # The record is written, so the job is ours: reconcile_jobs starts what nobody started.
            logger.exception("workflow not started yet", extra={"job_id": job.id})
        except Exception as error:
            if aws.error_code(error) != "ExecutionAlreadyExists":
                raise


def fingerprint(body: object) -> str:
    """SHA-256 of the request, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
