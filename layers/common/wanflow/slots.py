"""Slots: how many tasks run at the provider at once, and who comes next.

    pk `slots`, sk `slots`                   `leases` {job id: expires at}, `turn` (how many were called)
    pk `queue#{lane}`, sk `{created}#{id}`   a ticket: a job that sleeps in the state "Take Slot", with its task token

Everybody who changes something - a job that queues, a job that gives its slot back, the reconciler - calls `dispatch`
afterwards, which gives free slots to the oldest tickets. So a slot is never free while somebody waits for it, whoever
dies at whatever point, and a waiting job does nothing at all.

The lease is written before the sleeper is woken, and the ticket goes last: a hand-over that dies half-way leaves a
ticket whose job already has a lease, which `repair` delivers again.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from wanflow import aws
from wanflow.clock import Clock, after, to_text
from wanflow.gate import GateState, SubmitGate
from wanflow.items import typed, untyped
from wanflow.jobs import Job, Lane, to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_stepfunctions.client import SFNClient

logger = logging.getLogger("wanflow")

LANES: tuple[Lane, ...] = ("interactive", "batch")
BATCH_TURN = 5
"""Every fifth call goes to the batch lane when both wait; all others go to the interactive lane first."""

LEASE_MARGIN_SECONDS = 3600
"""What a lease lasts beyond the job's deadline: submits that are tried again, and storing the video."""

_SLOTS_KEY = {"pk": "slots", "sk": "slots"}
_TICKETS_READ = 25
_TOKEN_OVER = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class Ticket(NamedTuple):
    """A job that waits for a slot. `place` orders the lane; `polls` travels on with the job."""

    lane: Lane
    place: str
    job_id: str
    token: str
    polls: int = 0

    @property
    def key(self) -> dict[str, str]:
        return {"pk": f"queue#{self.lane}", "sk": self.place}


def ticket_of(job: Job, token: str = "", polls: int = 0) -> Ticket:
    """A job's ticket: its place is the time of the job's acceptance, so it keeps it when it queues again."""
    return Ticket(job.lane, f"{job.created_at}#{job.id}", job.id, token, polls)


class Slots:
    """The slots of one stack.

    Args:
        executions: the client that wakes sleepers.
        capacity: tasks at the provider at once.
        lease_seconds: how long a slot stays taken when nobody gives it back; longer than any job works on.
    """

    def __init__(
        self,
        client: Callable[[], "DynamoDBClient"],
        table_name: str,
        executions: Callable[[], "SFNClient"],
        gate: SubmitGate,
        *,
        capacity: int,
        lease_seconds: int,
        clock: Clock,
    ) -> None:
        self._client = client
        self._table = table_name
        self._executions = executions
        self._gate = gate
        self._capacity = capacity
        self._lease_seconds = lease_seconds
        self._clock = clock

    def queue(self, ticket: Ticket) -> None:
        """Let a job wait for a slot; it is called at once when one is free and nobody is before it."""
        item = {**ticket.key, "job_id": ticket.job_id, "token": ticket.token, "polls": ticket.polls}
        with aws.naming_faults("write a ticket"):
            self._client().put_item(TableName=self._table, Item=typed(item))
        if ticket.job_id in self._leases():
            # An earlier try of this state got the slot and died before it could say so.
            self._deliver(ticket)
        self.dispatch()

    def wake(self, ticket: Ticket) -> None:
        """Wake a job without a slot: it is over, and its execution has only to end."""
        self._deliver(ticket)

    def renew(self, job_id: str) -> bool:
        """Start the lease anew; False when the slot was lost."""
        return self._update(
            "SET leases.#job = :until",
            job_id,
            {":until": after(self._clock(), self._lease_seconds)},
            "attribute_exists(leases.#job)",
        )

    def give_back(self, ticket: Ticket) -> None:
        """Free a job's slot, drop its ticket, and call whoever is next. Twice is harmless."""
        self._free(ticket.job_id)
        self._drop(ticket)
        self.dispatch()

    def dispatch(self) -> int:
        """Give free slots to the oldest tickets; the number of jobs called."""
        called = 0
        while (ticket := self._call_next()) is not None:
            self._deliver(ticket)
            called += 1
        return called

    def taken(self) -> int:
        """How many slots are taken, those of ended jobs whose task may still run included."""
        return len(self._leases())

    def repair(self) -> dict[str, int]:
        """Free slots whose lease ran out and deliver tickets whose hand-over died half-way, then dispatch."""
        now = to_text(self._clock())
        lapsed = [job_id for job_id, until in self._leases().items() if until <= now]
        for job_id in lapsed:
            logger.warning("slot lease ran out", extra={"job_id": job_id})
            self._free(job_id, until=now)
        leases = self._leases()
        undelivered = [
            ticket
            for lane in LANES
            for ticket in islice(self._tickets(lane), _TICKETS_READ + self._capacity)
            if ticket.job_id in leases
        ]
        for ticket in undelivered:
            self._deliver(ticket)
        return {"lapsed": len(lapsed), "redelivered": len(undelivered), "called": self.dispatch()}

    def _call_next(self) -> Ticket | None:
        """Claim a slot for the next ticket, None when there is no slot, no ticket, or no leave to submit."""
        while True:
            leases, turn = self._read()
            if len(leases) >= self._capacity:
                return None
            ticket = self._next_ticket(turn, leases)
            if ticket is None:
                return None
            gate = self._gate.read()
            if not self._may_call(gate, ticket.job_id, self._clock()):
                return None
            if self._claim(ticket.job_id):
                return ticket

    def _may_call(self, gate: GateState, job_id: str, now: datetime) -> bool:
        if not gate.lets_call(now):
            return False
        return not gate.is_tripped or self._gate.claim_probe(gate, job_id)

    def _next_ticket(self, turn: int, leases: dict[str, str]) -> Ticket | None:
        lanes = LANES if (turn + 1) % BATCH_TURN else tuple(reversed(LANES))
        waiting = (ticket for lane in lanes for ticket in self._tickets(lane) if ticket.job_id not in leases)
        return next(waiting, None)

    def _claim(self, job_id: str) -> bool:
        """Write the lease, unless all slots are taken or the job has one: then somebody else was faster."""
        return self._update(
            "SET leases.#job = :until, turn = if_not_exists(turn, :none) + :one",
            job_id,
            {":until": after(self._clock(), self._lease_seconds), ":capacity": self._capacity, ":none": 0, ":one": 1},
            "attribute_not_exists(leases.#job) AND size(leases) < :capacity",
        )

    def _free(self, job_id: str, until: str | None = None) -> bool:
        condition, values = "attribute_exists(leases.#job)", {}
        if until is not None:
            condition, values = "leases.#job <= :until", {":until": until}
        return self._update("REMOVE leases.#job", job_id, values, condition)

    def _deliver(self, ticket: Ticket) -> None:
        """Wake the sleeper, then drop its ticket."""
        output = {"job_id": ticket.job_id, "polls": ticket.polls}
        try:
            with aws.naming_faults("wake a waiting job"):
                self._executions().send_task_success(taskToken=ticket.token, output=to_json(output))
        except Exception as error:
            if aws.error_code(error) not in _TOKEN_OVER:
                raise
            # It was woken before, or its execution is over: then finish_job gives the slot back.
            logger.warning("task token is over", extra={"job_id": ticket.job_id, "error": aws.error_code(error)})
        self._drop(ticket)

    def _drop(self, ticket: Ticket) -> None:
        """Delete a ticket, but not a newer one of the same job, whose token is another."""
        request: dict[str, Any] = {}
        if ticket.token:
            request = {
                "ConditionExpression": "#token = :token",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": typed({":token": ticket.token}),
            }
        with suppress(aws.ConditionFailed), aws.writing("drop a ticket"):
            self._client().delete_item(TableName=self._table, Key=typed(ticket.key), **request)

    def _tickets(self, lane: Lane) -> Iterator[Ticket]:
        """The tickets of a lane, the oldest first, read a page at a time: hardly ever the second."""
        start: dict[str, Any] = {}
        while True:
            with aws.naming_faults("read the tickets"):
                answer = self._client().query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :lane",
                    ExpressionAttributeValues=typed({":lane": f"queue#{lane}"}),
                    ConsistentRead=True,
                    Limit=_TICKETS_READ,
                    **start,
                )
            for item in map(untyped, answer["Items"]):
                yield Ticket(lane, item["sk"], item["job_id"], item["token"], int(item["polls"]))
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _leases(self) -> dict[str, str]:
        return self._read()[0]

    def _read(self) -> tuple[dict[str, str], int]:
        with aws.naming_faults("read the slots"):
            answer = self._client().get_item(TableName=self._table, Key=typed(_SLOTS_KEY), ConsistentRead=True)
        item = untyped(answer.get("Item", {}))
        return item.get("leases", {}), int(item.get("turn", 0))

    def _update(self, expression: str, job_id: str, values: dict[str, Any], condition: str) -> bool:
        """Change the slots item under a condition; False when the condition does not hold."""
        request: dict[str, Any] = {"ExpressionAttributeValues": typed(values)} if values else {}
        try:
            with aws.writing("write the slots"):
                self._client().update_item(
                    TableName=self._table,
                    Key=typed(_SLOTS_KEY),
                    UpdateExpression=expression,
                    ConditionExpression=f"attribute_exists(leases) AND {condition}",
                    ExpressionAttributeNames={"#job": job_id},
                    **request,
                )
        except aws.ConditionFailed:
            return self._made_first_item() and self._update(expression, job_id, values, condition)
        return True

    def _made_first_item(self) -> bool:
        """Make the slots item of a new stack; False when it is there."""
        try:
            with aws.writing("write the slots"):
                self._client().put_item(
                    TableName=self._table,
                    Item=typed({**_SLOTS_KEY, "leases": {}, "turn": 0}),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except aws.ConditionFailed:
            return False
        return True
