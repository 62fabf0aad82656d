"""Accepting a job: validate, price, keep the references, write the record. `Executions.start_job` does the rest."""

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from wanflow import metrics
from wanflow.budget import Budget
from wanflow.callbacks import CallbackRule
from wanflow.clock import Clock, after, to_text
from wanflow.delivery import check_inline_size, keep_inline_references
from wanflow.errors import Conflict, InvalidRequest, NotFound, Violation
from wanflow.files import Files
from wanflow.ids import derived_job_id, new_job_id
from wanflow.inspection import content_violations, inspect_references, names_objects
from wanflow.jobs import Job, Lane, Source
from wanflow.observability import correlate
from wanflow.owners import Owner, name_of
from wanflow.pricing import TIER_OF_SIZE, Prices, usd_text
from wanflow.records import FINISH_GRACE_SECONDS, BudgetFull, JobRecords
from wanflow.references import OwnFiles
from wanflow.validation import RequestWarning, ValidRequest, billed_parameters, check_text

logger = logging.getLogger("wanflow")


class Accepted(NamedTuple):
    """A job, and whether this call made it (else it is the original one of a repeated key)."""

    job: Job
    is_new: bool


class Intake:
    """Takes requests in, from the API and from S3."""

    def __init__(
        self,
        records: JobRecords,
        files: Files,
        budget: Budget,
        *,
        prices: Prices,
        callbacks: CallbackRule,
        clock: Clock,
        randbits: Callable[[int], int],
    ) -> None:
        self._records = records
        self._files = files
        self._budget = budget
        self._prices = prices
        self._callbacks = callbacks
        self._clock = clock
        self._randbits = randbits

    def register(
        self,
        body: object,
        owner: Owner,
        source: Source,
        key: str | None = None,
        *,
        own_key: str | None = None,
        lane: Lane = "interactive",
    ) -> Accepted:
        """Turn a request into a job that is still to be started, or give the original job for a key that came before.

        Args:
            body: the request as parsed from JSON.
            key: the idempotency key; the same key of the same owner always leads to the same job.
            own_key: an object that is known to be the owner's, wherever it lies.

        Raises:
            InvalidRequest, TooLarge: nothing was written.
            Conflict: the key came before with another body.
            BudgetExceeded: a spending limit would be passed; nothing was written but inline references.
            AwsUnavailable: nothing that will be paid for was started.
        """
        request = self._validate(body, self._files.of_owner(owner, own_key))
        check_inline_size(request)
        now = self._clock()
        cost = self._prices.estimate(request.size, request.duration_seconds)
        self._budget.check_job(cost)
        owner = name_of(owner)
        job_id = keyed_job_id(owner, source, key) if key is not None else new_job_id(now, self._randbits)
        found = self._inspect(request, job_id if key is not None else None)
        job = Job(
            id=job_id,
            owner=owner,
            status="queued",
            created_at=to_text(now),
            updated_at=to_text(now),
            fingerprint=fingerprint(body),
            request=keep_inline_references(self._files, owner, job_id, request),
            estimate_usd=cost,
            source=source,
            metadata=request.metadata,
            callback_url=request.callback_url,
            warnings=tuple(warning.as_dict() for warning in (*request.warnings, *found)),
            check_after=after(now, FINISH_GRACE_SECONDS),
            reservation=self._budget.reservation(owner, cost),
            lane=lane,
        )
        return self._write(job)

    def estimate(self, body: object, owner: Owner) -> dict[str, Any]:
        """What a request would cost and what is wrong with it; nothing is written or paid.

        Returns:
            {`cost_usd`: "1.00" or None, `tier`, `seconds`, `warnings`, `violations`}.
        """
        warnings: tuple[RequestWarning, ...] = ()
        violations: list[Violation] = []
        try:
            request = self._validate(body, self._files.of_owner(owner))
            warnings = (*request.warnings, *inspect_references(request, self._files))
        except InvalidRequest as error:
            violations = error.violations
        size, seconds = billed_parameters(body)
        return {
            "cost_usd": usd_text(self._prices.estimate(size, seconds)) if size and seconds else None,
            "tier": TIER_OF_SIZE[size] if size else None,
            "seconds": seconds,
            "warnings": [warning.as_dict() for warning in warnings],
            "violations": [violation.as_dict() for violation in violations],
        }

    def _validate(self, body: object, own: OwnFiles) -> ValidRequest:
        checked = check_text(body, own, self._callbacks)
        if checked.request is None:
            raise InvalidRequest([*checked.violations, *content_violations(checked.references, self._files)])
        return checked.request

    def _inspect(self, request: ValidRequest, repeated_id: str | None) -> tuple[RequestWarning, ...]:
        """Look into the references; `repeated_id` is the id of the job that this request may be a repeat of."""
        try:
            return inspect_references(request, self._files)
        except InvalidRequest:
            # Objects may be gone by now, and a key that came before still leads to its job.
            if repeated_id is None or not names_objects(request) or not self._is_known(repeated_id):
                raise
            return ()

    def _is_known(self, job_id: str) -> bool:
        try:
            self._records.get(job_id)
        except NotFound:
            return False
        return True

    def _write(self, job: Job) -> Accepted:
        correlate(job.id)
        if self._create(job):
            metrics.record(metrics.JOBS_ACCEPTED)
            metrics.record(metrics.COST_RESERVED, job.estimate_usd)
            told = {"owner": job.owner, "source": job.source.kind, "estimate_usd": float(job.estimate_usd)}
            logger.info("job accepted", extra={"job_id": job.id, **told})
            return Accepted(job, is_new=True)
        original = self._records.get(job.id)
        if original.fingerprint != job.fingerprint:
            raise Conflict("this Idempotency-Key came before with another body")
        return Accepted(original, is_new=False)

    def _create(self, job: Job) -> bool:
        held = job.reservation
        if held is None:
            return self._records.create(job, [])
        try:
            self._budget.check_possible(held, job.owner)
            return self._records.create(job, self._budget.reserve(held, job.owner))
        except BudgetFull as error:
            raise self._budget.exceeded(held, job.owner) from error


def keyed_job_id(owner: str, source: Source, key: str) -> str:
    """The id of the job that this key always leads to; keys of the API and of S3 never meet."""
    return derived_job_id(owner, f"{source.kind}:{key}")


def fingerprint(body: object) -> str:
    """SHA-256 of the request, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
