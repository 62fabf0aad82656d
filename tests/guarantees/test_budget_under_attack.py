"""Two hundred callers at once: the budget is never overshot, and one idempotency key is one job."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier, Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fakes import wan_request
from tests.stack import Stack
from wanflow import aws
from wanflow.accept import Accepted, Intake
from wanflow.budget import Budget, Limits
from wanflow.callbacks import PUBLIC_ONLY
from wanflow.errors import AwsUnavailable, BudgetExceeded
from wanflow.files import Files
from wanflow.jobs import Source
from wanflow.pricing import Prices
from wanflow.records import JobRecords

CALLERS = 200
COST = Decimal("0.75")
"""Of the default request: five seconds of 1080P."""

ROOM = 40
LIMIT = COST * ROOM
_NONE = Decimal(0)
_CONFLICT = {
    "Error": {"Code": "TransactionCanceledException"},
    "CancellationReasons": [{"Code": "TransactionConflict"}],
}


class OneAtATime:
    """moto's table, made as strict as DynamoDB: calls never overlap, and transactions that would are refused."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = Lock()
        self.conflicts = 0

    def transact_write_items(self, **request: Any) -> Any:
        if not self._lock.acquire(blocking=False):
            self.conflicts += 1
            raise ClientError(_CONFLICT, "TransactWriteItems")  # type: ignore[arg-type]
        try:
            return self._client.transact_write_items(**request)
        finally:
            self._lock.release()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(**request)

        return call


class Attack:
    """Callers that all begin at the same moment, each a Lambda of its own."""

    def __init__(self, stack: Stack, limits: Limits) -> None:
        self._stack = stack
        self._limits = limits
        self.table = OneAtATime(aws.dynamodb())

    def intake(self, number: int) -> Intake:
        records = JobRecords(lambda: self.table, self._stack.table, self._stack.clock, lambda s: time.sleep(s / 20))  # type: ignore[arg-type, return-value]
        return Intake(
            records,
            Files(aws.s3, self._stack.bucket),
            Budget(lambda: self.table, self._stack.table, limits=self._limits, clock=self._stack.clock),  # type: ignore[arg-type, return-value]
            prices=Prices(Decimal("0.10"), Decimal("0.15")),
            callbacks=PUBLIC_ONLY,
            clock=self._stack.clock,
            randbits=lambda _bits: number,
        )

    def all_at_once(self, accept: Callable[[int], Any]) -> list[Any]:
        barrier = Barrier(CALLERS)

        def one(number: int) -> Any:
            barrier.wait()
            try:
                return accept(number)
            except (BudgetExceeded, AwsUnavailable) as error:
                return error

        with ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(one, range(CALLERS)))

    def committed(self, scope: str = "all") -> Decimal:
        return Budget(aws.dynamodb, self._stack.table, limits=self._limits, clock=self._stack.clock).committed(
            self._stack.clock().date().isoformat(), scope
        )


@pytest.mark.parametrize("limits", [Limits(per_day=LIMIT), Limits(per_day_and_owner=LIMIT)], ids=["day", "owner"])
def test_two_hundred_reservations_at_once_fill_the_budget_and_never_pass_it(stack: Stack, limits: Limits) -> None:
    attack = Attack(stack, limits)
    scope = "all" if limits.per_day else "owner#alice"

    def accept(number: int) -> Accepted:
        return attack.intake(number).register(wan_request(), "alice", Source("api"))

    answers = attack.all_at_once(accept)
    kinds = Counter(type(answer) for answer in answers)
    assert attack.table.conflicts > 0
    assert set(kinds) <= {Accepted, BudgetExceeded, AwsUnavailable}
    assert kinds[Accepted] <= ROOM
    assert attack.committed(scope) == COST * kinds[Accepted]
    # Whoever was turned away by the crowd comes again: the budget fills up to the last cent, and no further.
    for number in range(CALLERS, CALLERS + ROOM - kinds[Accepted]):
        accept(number)
    assert attack.committed(scope) == LIMIT
    with pytest.raises(BudgetExceeded):
        accept(2 * CALLERS)


def test_two_hundred_twins_with_one_key_are_one_job_and_one_reservation(stack: Stack) -> None:
    attack = Attack(stack, Limits(per_day=LIMIT))
    answers = attack.all_at_once(
        lambda number: attack.intake(number).register(wan_request(), "alice", Source("api"), key="the-key")
    )
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len({answer.job.id for answer in accepted}) == 1
    assert sum(answer.is_new for answer in accepted) <= 1
    assert all(isinstance(answer, Accepted | AwsUnavailable) for answer in answers)
    assert attack.committed() == COST
