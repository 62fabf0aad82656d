"""How the stack stands, measured by each run of the reconciler: open jobs, slots, the breaker, the day's budget.

What is zero is not written: a stack without jobs costs nothing, and alarms and dashboard take a gap for zero.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from wanflow import metrics
from wanflow.budget import Budget
from wanflow.clock import Clock, from_text, to_text
from wanflow.gate import SubmitGate
from wanflow.jobs import FINAL
from wanflow.records import OpenJob
from wanflow.slots import Slots


class Gauges:
    """Measures one stack.

    Args:
        daily_budget_usd: US dollars; 0 = no limit.
    """

    def __init__(self, slots: Slots, gate: SubmitGate, budget: Budget, *, daily_budget_usd: Decimal, clock: Clock):
        self._slots = slots
        self._gate = gate
        self._budget = budget
        self._daily_budget_usd = daily_budget_usd
        self._clock = clock

    def measure(self, open_jobs: Iterable[OpenJob]) -> None:
        """Write every gauge that is not zero.

        Raises:
            AwsUnavailable: DynamoDB failed in a way that passes.
        """
        now = self._clock()
        _measure_jobs([job for job in open_jobs if job.status not in FINAL], now)
        _write(metrics.SLOTS_TAKEN, self._slots.taken())
        _write(metrics.SUBMIT_FAILURES_IN_A_ROW, self._gate.read().failures)
        if self._daily_budget_usd:
            committed = self._budget.committed(to_text(now)[:10])
            _write(metrics.BUDGET_USED, 100 * committed / self._daily_budget_usd)


def _measure_jobs(jobs: list[OpenJob], now: datetime) -> None:
    for status, count in Counter(job.status for job in jobs).items():
        _write(metrics.OPEN_JOBS, count, status)
    for lane, count in Counter(job.lane for job in jobs if job.status == "queued").items():
        _write(metrics.WAITING_JOBS, count, lane)
    if jobs:
        oldest = min(job.created_at for job in jobs)
        _write(metrics.OLDEST_OPEN_JOB_AGE, (now - from_text(oldest)).total_seconds())


def _write(metric: metrics.Metric, value: float | Decimal, label: str | None = None) -> None:
    if value:
        metrics.record(metric, value, label)
