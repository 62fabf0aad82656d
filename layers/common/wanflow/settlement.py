"""What a job has cost as far as anyone can know: the provider's figure, or the estimate where it may still bill."""

from decimal import Decimal, InvalidOperation

from wanflow.jobs import Attempt, Job

_STILL_AT_WORK = frozenset({"deadline_exceeded", "canceled", "internal_error"})
"""Reasons for which we stop waiting although the provider may not have stopped."""


_MICRODOLLAR = Decimal("0.000001")
_ABSURD_USD = Decimal(1_000_000)


def booked_usd(job: Job) -> Decimal:
    """US dollars to book for a job that ends: each attempt counts for itself.

    A completed task costs what its usage says; an attempt that certainly failed or never was created costs nothing;
    one of unknown outcome, or one that may still be running, counts as its estimate.
    """
    return sum((_attempt_usd(job, attempt) for attempt in job.attempts), Decimal(0))


def may_still_run(job: Job) -> bool:
    """Whether the provider may still be at work on the job's last task, although the job is over."""
    last = job.last_attempt
    if last is None or job.result is not None:
        return False
    if last.state in {"submitting", "unknown"}:
        return True
    reason = job.error or job.failure
    return last.state == "submitted" and reason is not None and reason.code in _STILL_AT_WORK


def _attempt_usd(job: Job, attempt: Attempt) -> Decimal:
    if attempt.state in {"failed", "not_created"}:
        return Decimal(0)
    if attempt is job.last_attempt and job.result is not None:
        return usage_usd(job)
    return job.estimate_usd


def usage_usd(job: Job) -> Decimal:
    """The provider's `usage.cost`, a decimal string (Wan page, Response Format); the estimate when it is none."""
    usage = (job.result or {}).get("usage")
    try:
        cost = Decimal(str(usage["cost"])) if isinstance(usage, dict) else job.estimate_usd
        # Six places, and a sane size: more than 38 digits would make the record's write fail.
        return cost.quantize(_MICRODOLLAR) if 0 <= cost < _ABSURD_USD else job.estimate_usd
    except (KeyError, InvalidOperation):
        return job.estimate_usd
