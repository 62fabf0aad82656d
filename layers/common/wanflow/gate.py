"""May tasks be submitted now? The operator's switch, and the breaker that trips by itself when the provider is down.

One item, `pk` = `control`, `sk` = `submits`: `paused` (the switch), `failures` (submits that failed in a row),
`blocked_until` (the breaker's), `probe` (the one job that may try while the breaker is half open).
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from wanflow import aws, metrics
from wanflow.clock import Clock, after, to_text
from wanflow.errors import ErrorInfo
from wanflow.items import typed, untyped

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

CONTROL_KEY = {"pk": "control", "sk": "submits"}
FIRST_BLOCK_SECONDS = 60
LONGEST_BLOCK_SECONDS = 900


class GateState(NamedTuple):
    """What the control item says, and the threshold that it is read with (0: no breaker)."""

    paused: bool = False
    failures: int = 0
    blocked_until: str = ""
    probe: str = ""
    threshold: int = 0

    @property
    def is_tripped(self) -> bool:
        return 0 < self.threshold <= self.failures

    def lets_pass(self, job_id: str) -> bool:
        """Whether this job, which holds a slot, may submit now."""
        return not self.paused and (not self.is_tripped or self.probe == job_id)

    def lets_call(self, now: datetime) -> bool:
        """Whether a waiting job may be called; of a tripped breaker, whether it is time to probe."""
        return not self.paused and (not self.is_tripped or to_text(now) >= self.blocked_until)

    def waiting(self) -> ErrorInfo | None:
        """Why no job is submitted now, in the caller's words; None when the gate is open."""
        if self.paused:
            return ErrorInfo("submits_paused", "submits are paused by the operator; the job keeps its place")
        if self.is_tripped:
            message = f"{self.failures} submits in a row failed; a job tries again after {self.blocked_until}"
            return ErrorInfo("provider_unavailable", message)
        return None

    def block_seconds(self, failures: int) -> int:
        """How long the breaker stays shut after that many failures in a row: doubling from a minute."""
        beyond = max(0, failures - self.threshold)
        return min(LONGEST_BLOCK_SECONDS, FIRST_BLOCK_SECONDS << min(beyond, 8))


class SubmitGate:
    """Reads and moves the control item.

    Args:
        threshold: failed submits in a row that trip the breaker; 0 = never.
    """

    def __init__(
        self, client: Callable[[], "DynamoDBClient"], table_name: str, *, threshold: int, clock: Clock
    ) -> None:
        self._client = client
        self._table = table_name
        self._threshold = threshold
        self._clock = clock

    def read(self) -> GateState:
        with aws.naming_faults("read the control item"):
            answer = self._client().get_item(TableName=self._table, Key=typed(CONTROL_KEY), ConsistentRead=True)
        item = untyped(answer.get("Item", {}))
        return GateState(
            paused=bool(item.get("paused", False)),
            failures=int(item.get("failures", 0)),
            blocked_until=item.get("blocked_until", ""),
            probe=item.get("probe", ""),
            threshold=self._threshold,
        )

    def claim_probe(self, state: GateState, job_id: str) -> bool:
        """Make this job the one that probes the provider; False when another one is it already."""
        return self._update(
            "SET probe = :job, blocked_until = :until",
            {":job": job_id, ":until": self._until(state.failures), ":seen": state.blocked_until},
            condition="blocked_until = :seen",
        )

    def submit_succeeded(self, state: GateState) -> None:
        """The provider took a task: the count starts anew. Costs nothing while all is well."""
        if state.failures:
            self._update("REMOVE failures, blocked_until, probe", {})

    def submit_failed(self, state: GateState) -> None:
        """The provider, or the way to it, failed."""
        metrics.record(metrics.SUBMIT_FAILURES_IN_A_ROW, state.failures + 1)
        if self._threshold:
            self._update(
                "SET blocked_until = :until, failures = if_not_exists(failures, :none) + :one REMOVE probe",
                {":until": self._until(state.failures + 1), ":none": 0, ":one": 1},
            )

    def _until(self, failures: int) -> str:
        seconds = GateState(threshold=self._threshold).block_seconds(failures)
        return after(self._clock(), seconds)

    def _update(self, expression: str, values: dict[str, Any], condition: str | None = None) -> bool:
        request: dict[str, Any] = {"ExpressionAttributeValues": typed(values)} if values else {}
        if condition is not None:
            request["ConditionExpression"] = condition
        try:
            with aws.writing("write the control item"):
                self._client().update_item(
                    TableName=self._table, Key=typed(CONTROL_KEY), UpdateExpression=expression, **request
                )
        except aws.ConditionFailed:
            return False
        return True
