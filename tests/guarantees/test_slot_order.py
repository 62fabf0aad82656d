"""Slots against the simplest model of them: two lists and a counter."""

from contextlib import ExitStack
from typing import Any

import hypothesis
from hypothesis import HealthCheck, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.fakes import FakeClock
from tests.guarantees.world import a_world
from wanflow import aws
from wanflow.gate import SubmitGate
from wanflow.jobs import Lane
from wanflow.slots import BATCH_TURN, LANES, Slots, Ticket

CAPACITY = 3
LEASE_SECONDS = 1000


class SlotOrder(RuleBasedStateMachine):
    """Jobs queue, give back, lapse; who is called, and in which order, is known beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.world = self._open.enter_context(a_world())
        self.clock: FakeClock = self.world.clock
        table = self.world.template.ref("JobsTable")
        gate = SubmitGate(aws.dynamodb, table, threshold=0, clock=self.clock)
        myself: Any = self
        self.slots = Slots(
            aws.dynamodb, table, lambda: myself, gate, capacity=CAPACITY, lease_seconds=LEASE_SECONDS, clock=self.clock
        )
        self.made = 0
        self.called: list[str] = []
        # The model.
        self.waiting: dict[Lane, list[Ticket]] = {lane: [] for lane in LANES}
        self.holders: list[Ticket] = []
        self.expected: list[str] = []

    def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803 - boto3's own names
        """The client that wakes sleepers."""
        self.called.append(taskToken)

    @rule(lane=strategies.sampled_from(LANES))
    def queue(self, lane: Lane) -> None:
        self.made += 1
        ticket = Ticket(lane, f"{self.made:06}", f"job-{self.made}", f"token-{self.made}")
        self.slots.queue(ticket)
        self.waiting[lane].append(ticket)
        self.call_who_is_next()

    @precondition(lambda self: self.holders)
    @rule(which=strategies.integers(0, CAPACITY), times=strategies.integers(1, 2))
    def give_back(self, which: int, times: int) -> None:
        ticket = self.holders.pop(which % len(self.holders))
        for _ in range(times):
            self.slots.give_back(ticket)
            self.call_who_is_next()

    @rule()
    def lapse(self) -> None:
        self.clock.advance(LEASE_SECONDS + 1)
        assert self.slots.repair()["lapsed"] == len(self.holders)
        self.holders.clear()
        self.call_who_is_next()

    @rule()
    def look(self) -> None:
        assert self.slots.repair() == {"lapsed": 0, "redelivered": 0, "called": 0}

    def call_who_is_next(self) -> None:
        """Oldest first within a lane; interactive before batch, but every fifth call batch first."""
        while len(self.holders) < CAPACITY and any(self.waiting.values()):
            turn = len(self.expected) + 1
            lanes = reversed(LANES) if turn % BATCH_TURN == 0 else LANES
            lane = next(lane for lane in lanes if self.waiting[lane])
            ticket = self.waiting[lane].pop(0)
            self.holders.append(ticket)
            self.expected.append(ticket.token)

    @invariant()
    def everybody_is_called_in_turn_and_once(self) -> None:
        assert self.called == self.expected

    @invariant()
    def as_many_hold_a_slot_as_may(self) -> None:
        assert set(self.world.leases()) == {ticket.job_id for ticket in self.holders}
        assert len(self.world.tickets()) == sum(map(len, self.waiting.values()))

    def teardown(self) -> None:
        self._open.close()


TestSlotOrder = SlotOrder.TestCase
TestSlotOrder.settings = hypothesis.settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
