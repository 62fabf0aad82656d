"""The spending limits: reserved when a job is accepted, settled when it ends, in the same transaction as the record.

One item a day and scope: `pk` = `budget#2026-11-23`, `sk` = `all` or `owner#{owner}`; `committed` is what is spent and
reserved together, in US dollars. DynamoDB conditions cannot add, so the limit is checked as
`committed <= limit - cost`.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from wanflow import aws
from wanflow.clock import Clock, to_text
from wanflow.errors import BudgetExceeded
from wanflow.items import typed, untyped
from wanflow.jobs import Reservation
from wanflow.pricing import usd_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


class Limits(NamedTuple):
    """US dollars; 0 = no limit. A day is a day of UTC."""

    per_job: Decimal = Decimal(0)
    per_day: Decimal = Decimal(0)
    per_day_and_owner: Decimal = Decimal(0)


class Budget:
    """Makes the parts of a transaction that keep spending within the limits."""

    def __init__(
        self, client: Callable[[], "DynamoDBClient"], table_name: str, *, limits: Limits, clock: Clock
    ) -> None:
        self._client = client
        self._table = table_name
        self._limits = limits
        self._clock = clock

    def check_job(self, cost_usd: Decimal) -> None:
        """Raises: BudgetExceeded when one job alone is too dear."""
        limit = self._limits.per_job
        if limit and cost_usd > limit:
            raise BudgetExceeded(
                f"the job is estimated at ${usd_text(cost_usd)}, more than the ${usd_text(limit)} that one job may cost"
            )

    def reservation(self, owner: str, cost_usd: Decimal) -> Reservation | None:
        """What a job of this cost has to reserve; None when no daily limit is set."""
        scopes = tuple(scope for scope, limit in self._scopes(owner).items() if limit)
        return Reservation(_day(self._clock()), scopes, cost_usd) if scopes else None

    def reserve(self, reservation: Reservation, owner: str) -> list[dict[str, Any]]:
        """The transaction's writes that reserve; each fails when its limit would be passed."""
        limits = self._scopes(owner)
        return [
            self._write(
                reservation.day,
                scope,
                reservation.usd,
                "attribute_not_exists(committed) OR committed <= :room",
                {":room": limits[scope] - reservation.usd},
            )
            for scope in reservation.scopes
        ]

    def check_possible(self, reservation: Reservation, owner: str) -> None:
        """Raises: BudgetExceeded when the job alone is over a whole day's limit (a fresh day has no item to check)."""
        for scope in reservation.scopes:
            if reservation.usd > self._scopes(owner)[scope]:
                raise self.exceeded(reservation, owner)

    def exceeded(self, reservation: Reservation, owner: str) -> BudgetExceeded:
        """The error that tells the numbers of the scope that is full."""
        limits = self._scopes(owner)
        spent = {scope: self.committed(reservation.day, scope) for scope in reservation.scopes}
        scope = max(reservation.scopes, key=lambda name: spent[name] + reservation.usd - limits[name])
        whose = "this owner's" if scope.startswith("owner#") else "the"
        return BudgetExceeded(
            f"{whose} daily budget is ${usd_text(limits[scope])}; ${usd_text(spent[scope])} are spent or reserved "
            f"on {reservation.day} (UTC) and this job is estimated at ${usd_text(reservation.usd)}"
        )

    def committed(self, day: str, scope: str = "all") -> Decimal:
        """What is spent and reserved on a day, in US dollars."""
        with aws.naming_faults("read the budget"):
            answer = self._client().get_item(TableName=self._table, Key=typed(_key(day, scope)), ConsistentRead=True)
        committed: Decimal = untyped(answer.get("Item", {})).get("committed", Decimal(0))
        return committed

    def _scopes(self, owner: str) -> dict[str, Decimal]:
        return {"all": self._limits.per_day, f"owner#{owner}": self._limits.per_day_and_owner}

    def _write(self, day: str, scope: str, usd: Decimal, condition: str, values: dict[str, Any]) -> dict[str, Any]:
        return {**settlement(self._table, day, scope, usd, values), "ConditionExpression": condition}


def settlement(
    table_name: str, day: str, scope: str, usd: Decimal, values: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The transaction's write that adds `usd` (negative: gives back) to what a scope has committed."""
    return {
        "TableName": table_name,
        "Key": typed(_key(day, scope)),
        "UpdateExpression": "SET committed = if_not_exists(committed, :zero) + :usd",
        "ExpressionAttributeValues": typed({":zero": Decimal(0), ":usd": usd, **(values or {})}),
    }


def _key(day: str, scope: str) -> dict[str, str]:
    return {"pk": f"budget#{day}", "sk": scope}


def _day(now: datetime) -> str:
    return to_text(now)[:10]
