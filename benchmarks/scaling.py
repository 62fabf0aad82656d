"""Ten thousand waiting jobs, in virtual time: `.venv/bin/python -m benchmarks.scaling`.

A discrete-event simulation of slots, lanes and polls. The real `wanflow.slots.Slots` and `wanflow.polling.PollSchedule`
run over a DynamoDB table in memory; what AWS does between them (waking an execution, calling a function) takes the
seconds of `Delays`. A killed function dies before or after any of its calls and is tried again as the workflow file
says; the reconciler repairs every five minutes. Deterministic: the same options give the same numbers.
"""

from __future__ import annotations

import argparse
import heapq
import math
import statistics
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

from benchmarks import results
from benchmarks.results import Row
from tests.guarantees.dynamo import FastTable
from wanflow.gate import SubmitGate
from wanflow.jobs import Lane
from wanflow.polling import PollSchedule
from wanflow.slots import LANES, Slots, Ticket

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPICAL_SECONDS, SIGMA = 150.0, 0.5
"""Render times: lognormal, as in the main case of performance.md."""

LEASE_SECONDS = 7200
RECONCILE_SECONDS = 300
SLOTS_WRITES = 3
"""Writes of the slots item for a job: its lease is claimed, renewed at the submit, and freed."""
_COMMAND = results.command("scaling")


@dataclass(frozen=True)
class Delays:
    """Seconds that AWS and our functions take (local seconds of benchmarks/job_cost.py, rounded up)."""

    start: float = 0.5
    submit: float = 1.0
    poll: float = 0.5
    store: float = 3.0
    finish: float = 0.5


DELAYS = Delays()


class Killed(BaseException):
    """The process of a function is gone. No `Exception`: nothing in the layer may catch it."""


class SortedTable(FastTable):
    """The same table, whose queries by partition do not look at every item."""

    def __init__(self) -> None:
        keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
        super().__init__({"KeySchema": keys, "GlobalSecondaryIndexes": []})
        self._sorts: defaultdict[str, list[str]] = defaultdict(list)

    def put_item(self, **request: Any) -> dict[str, Any]:
        key = self._key(request["Item"])
        is_new = key not in self.items
        answer = super().put_item(**request)
        if is_new:
            insort(self._sorts[key[0]], key[1])
        return answer

    def delete_item(self, **request: Any) -> dict[str, Any]:
        key = self._key(request["Key"])
        was_there = key in self.items
        answer = super().delete_item(**request)
        if was_there:
            self._sorts[key[0]].remove(key[1])
        return answer

    def query(self, **request: Any) -> dict[str, Any]:
        """`pk = :value`, in the order of `sk`, a page at a time."""
        (value,) = request["ExpressionAttributeValues"].values()
        partition = value["S"]
        after = request.get("ExclusiveStartKey", {}).get("sk", {}).get("S", "")
        found: list[str] = []
        for sort in self._sorts[partition]:
            if sort > after:
                found.append(sort)
            if len(found) == request["Limit"]:
                break
        items = [dict(self.items[partition, sort]) for sort in found]
        answer: dict[str, Any] = {"Items": items, "Count": len(items)}
        if len(found) == request["Limit"]:
            answer["LastEvaluatedKey"] = {"pk": value, "sk": {"S": found[-1]}}
        return answer


class Line:
    """A client that counts its calls and may kill its caller before or after any of them."""

    def __init__(self, backend: Any, dies: Callable[[str], bool], count: Counter[str]) -> None:
        self._backend = backend
        self._dies = dies
        self._count = count

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._backend, name)

        def gated(**request: Any) -> Any:
            if self._dies(f"before {name}"):
                raise Killed
            self._count[name] += 1
            answer = call(**request)
            if self._dies(f"after {name}"):
                raise Killed
            return answer

        return gated


@dataclass
class SimJob:
    """One job: what is known beforehand, and what became of it (seconds from the start of the simulation)."""

    number: int
    lane: Lane
    owner: str
    queued_at: float
    render_seconds: float
    called_at: float | None = None
    ended_at: float | None = None
    polls: int = 0
    starts: int = 0

    @property
    def ticket(self) -> Ticket:
        created = (START + timedelta(seconds=self.queued_at)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return Ticket(self.lane, f"{created}Z#{self.number:06}", f"vid_{self.number:026}", f"token-{self.number}")

    @property
    def waited_seconds(self) -> float:
        assert self.called_at is not None
        return self.called_at - self.queued_at


@dataclass
class Outcome:
    """What a run showed."""

    jobs: list[SimJob]
    capacity: int
    most_running: int
    calls: Counter[str]
    killed: int
    reconciled: Counter[str]
    slots_item_bytes: int
    order: list[SimJob] = field(default_factory=list)

    @property
    def drained_seconds(self) -> float:
        return max(job.ended_at or math.inf for job in self.jobs)

    @property
    def ideal_seconds(self) -> float:
        """Every slot renders from the first second to the last, nothing in between takes any time."""
        return sum(job.render_seconds for job in self.jobs) / self.capacity

    def waits(self, lane: Lane) -> list[float]:
        return sorted(job.waited_seconds for job in self.jobs if job.lane == lane)


class Simulation:
    """Runs jobs through the real slots.

    Args:
        kill_share: the share of function calls that die, at a random call to AWS.
        lost_share: the share of hand-overs whose caller dies between the lease and the wake-up call.
    """

    def __init__(
        self, jobs: list[SimJob], *, capacity: int, kill_share: float = 0.0, lost_share: float = 0.0, seed: int = 1
    ) -> None:
        self._jobs = {f"vid_{job.number:026}": job for job in jobs}
        self._capacity = capacity
        self._kill_share = kill_share
        self._lost_share = lost_share
        self._random = Random(seed)
        self._now = 0.0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._entries = 0
        self._fuse = -1
        self._killed = 0
        self._calls: Counter[str] = Counter()
        self._reconciled: Counter[str] = Counter()
        self._left = len(jobs)
        self._running: set[str] = set()
        self._most_running = 0
        self._order: list[SimJob] = []
        self._largest_item = 0
        self._schedule = PollSchedule(TYPICAL_SECONDS)
        self._table = SortedTable()
        dynamodb: Any = Line(self._table, self._dies, self._calls)
        workflows: Any = Line(self, self._dies, self._calls)
        gate = SubmitGate(lambda: dynamodb, "jobs", threshold=0, clock=self._clock)
        self._slots = Slots(
            lambda: dynamodb,
            "jobs",
            lambda: workflows,
            gate,
            capacity=capacity,
            lease_seconds=LEASE_SECONDS,
            clock=self._clock,
        )

    def run(self) -> Outcome:
        for job in self._jobs.values():
            self._later(job.queued_at, lambda job=job: self._invoke(lambda: self._slots.queue(job.ticket)))  # type: ignore[misc]
        self._later(RECONCILE_SECONDS, self._reconcile)
        while self._left:
            self._now, _, act = heapq.heappop(self._agenda)
            act()
        return Outcome(
            list(self._jobs.values()),
            self._capacity,
            self._most_running,
            self._calls,
            self._killed,
            self._reconciled,
            self._largest_item,
            self._order,
        )

    # --- What the functions do ---------------------------------------------------------------------------------------

    def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: ARG002, N803 - boto3's own names
        """The client that wakes sleepers: a token is good for once."""
        job = self._jobs[f"vid_{int(taskToken.removeprefix('token-')):026}"]
        if job.starts:
            return
        job.starts += 1
        job.called_at = self._now
        self._order.append(job)
        self._running.add(job.ticket.job_id)
        self._most_running = max(self._most_running, len(self._running))
        self._later(DELAYS.start, lambda: self._invoke(lambda: self._submit(job)))

    def _submit(self, job: SimJob) -> None:
        assert self._slots.renew(job.ticket.job_id), "a job that was called has a lease"
        self._wait_for_poll(job, self._now + DELAYS.submit)

    def _wait_for_poll(self, job: SimJob, submitted_at: float) -> None:
        elapsed = max(0.0, self._now - submitted_at)
        wait = self._schedule.wait_seconds(elapsed, remaining_seconds=LEASE_SECONDS)
        self._later(wait + DELAYS.poll, lambda: self._poll(job, submitted_at))

    def _poll(self, job: SimJob, submitted_at: float) -> None:
        job.polls += 1
        if self._now < submitted_at + job.render_seconds:
            self._wait_for_poll(job, submitted_at)
        else:
            self._later(DELAYS.store + DELAYS.finish, lambda: self._invoke(lambda: self._finish(job)))

    def _finish(self, job: SimJob) -> None:
        self._running.discard(job.ticket.job_id)
        self._slots.give_back(job.ticket)
        job.ended_at = self._now
        self._left -= 1

    def _reconcile(self) -> None:
        self._invoke(lambda: self._reconciled.update(self._slots.repair()), tries=99)
        self._later(RECONCILE_SECONDS, self._reconcile)

    # --- Time and death ----------------------------------------------------------------------------------------------

    def _clock(self) -> datetime:
        return START + timedelta(seconds=self._now)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._entries += 1
        heapq.heappush(self._agenda, (self._now + seconds, self._entries, act))

    def _invoke(self, act: Callable[[], None], tries: int = 0) -> None:
        """Call a function; a killed one is tried again after full jitter, as in the workflow file's Retry."""
        self._fuse = self._random.randrange(12) if self._random.random() < self._kill_share else -1
        try:
            act()
        except Killed:
            self._killed += 1
            pause = self._random.random() * min(60.0, 2.0 * 2**tries)
            self._later(pause, lambda: self._invoke(act, tries + 1))
        finally:
            self._fuse = -1
            item = self._table.items.get(("slots", "slots"), {})
            self._largest_item = max(self._largest_item, _item_bytes(item))

    def _dies(self, moment: str) -> bool:
        if moment == "before send_task_success" and self._random.random() < self._lost_share:
            return True
        if self._fuse < 0:
            return False
        self._fuse -= 1
        return self._fuse < 0


def _item_bytes(item: dict[str, Any]) -> int:
    """About what DynamoDB counts: names and values in UTF-8, one byte a value and three a map."""
    leases = item.get("leases", {}).get("M", {})
    return 40 + 3 + sum(len(name) + len(value["S"]) + 1 for name, value in leases.items())


# --- Scenarios --------------------------------------------------------------------------------------------------------


def waiting_jobs(count: int, lane: Lane, seed: int = 7, owners: int = 1) -> list[SimJob]:
    """Jobs that all queue within the first minute."""
    random = Random(seed)
    return [
        SimJob(
            number,
            lane,
            f"owner-{number % owners}",
            60 * number / count,
            TYPICAL_SECONDS * math.exp(random.gauss(0, SIGMA)),
        )
        for number in range(count)
    ]


def arriving_jobs(first: int, rate: float, seconds: float, seed: int = 8) -> Iterator[SimJob]:
    """Interactive jobs that come at random moments, `rate` a second."""
    random = Random(seed)
    moment, number = 60.0, first
    while (moment := moment + random.expovariate(rate)) < seconds:
        render = TYPICAL_SECONDS * math.exp(random.gauss(0, SIGMA))
        yield SimJob(number, "interactive", "owner-i", moment, render)
        number += 1


def drain(count: int, capacity: int) -> Outcome:
    return Simulation(waiting_jobs(count, "batch"), capacity=capacity).run()


def drain_with_deaths(count: int, capacity: int, share: float) -> Outcome:
    jobs = waiting_jobs(count, "batch")
    return Simulation(jobs, capacity=capacity, kill_share=share, lost_share=share).run()


def mixed(count: int, capacity: int, load: float) -> Outcome:
    """A batch of `count` jobs waits; interactive jobs come at `load` times what the slots can do."""
    mean_seconds = TYPICAL_SECONDS * math.exp(SIGMA**2 / 2)
    batch = waiting_jobs(count, "batch")
    arriving = arriving_jobs(count, load * capacity / mean_seconds, 0.5 * count * mean_seconds / capacity)
    return Simulation([*batch, *arriving], capacity=capacity).run()


def batch_share(outcome: Outcome) -> float:
    """The batch lane's share of the calls while jobs of both lanes waited."""
    waiting: Counter[Lane] = Counter()
    both: Counter[Lane] = Counter()
    moments = sorted(
        [(job.queued_at, 0, job) for job in outcome.jobs]
        + [(cast(float, job.called_at), 1, job) for job in outcome.order],
        key=lambda moment: moment[:2],
    )
    for _, is_call, job in moments:
        if is_call and all(waiting[lane] for lane in LANES):
            both[job.lane] += 1
        waiting[job.lane] += -1 if is_call else 1
    return both["batch"] / max(1, both.total())


def overtakings(outcome: Outcome) -> int:
    """How many jobs were called before one of their own lane that had queued at least a second earlier."""
    latest: defaultdict[str, float] = defaultdict(float)
    count = 0
    for job in outcome.order:
        count += job.queued_at < latest[job.lane] - 1
        latest[job.lane] = max(latest[job.lane], job.queued_at)
    return count


def quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000, help="waiting jobs (%(default)s)")
    parser.add_argument("--slots", type=int, default=100, help="MaxConcurrentTasks (%(default)s)")
    parser.add_argument("--deaths", type=float, default=0.05, help="share of calls that die (%(default)s)")
    options = parser.parse_args()
    calm = drain(options.jobs, options.slots)
    report("Draining", calm)
    deadly = drain_with_deaths(options.jobs, options.slots, options.deaths)
    report(f"Draining while {options.deaths:.0%} of the function calls die", deadly)
    half, full = (mixed(options.jobs, options.slots, load) for load in (0.5, 1.2))
    report("Half of the slots' capacity arrives as interactive jobs", half)
    report("More interactive jobs than the slots can do (1.2 x)", full)
    results.save("scaling", rows(options.jobs, options.slots, options.deaths, calm, deadly, half, full))


def report(title: str, outcome: Outcome) -> None:
    finished = sum(job.ended_at is not None for job in outcome.jobs)
    print(f"\n{title}: {len(outcome.jobs):,} jobs, {outcome.capacity} slots")
    print(f"  ended {finished:,}, started twice {sum(job.starts > 1 for job in outcome.jobs)}")
    print(f"  most at the provider at once {outcome.most_running}")
    print(f"  drained in {outcome.drained_seconds / 3600:.2f} h = {_ratio(outcome):.3f} x ideal")
    print(f"  polls a job {statistics.mean(job.polls for job in outcome.jobs):.1f}")
    for lane in LANES:
        if waits := outcome.waits(lane):
            print(f"  {lane}: waited {quantile(waits, 0.5):,.0f} s (median), {quantile(waits, 0.99):,.0f} s (99 %)")
    if all(outcome.waits(lane) for lane in LANES):
        print(f"  batch's share of the calls while both waited {batch_share(outcome):.3f}")
    print(f"  called before an older one of their lane: {overtakings(outcome)}")
    calls = outcome.calls
    reads = sum(calls[name] for name in ("get_item", "query"))
    writes = sum(calls[name] for name in ("put_item", "update_item", "delete_item"))
    print(f"  calls a job to the table: {reads / len(outcome.jobs):.1f} reads, {writes / len(outcome.jobs):.1f} writes")
    units = SLOTS_WRITES * math.ceil(outcome.slots_item_bytes / 1024) * len(outcome.jobs) / outcome.drained_seconds
    size = outcome.slots_item_bytes
    print(f"  slots item at most {size:,} bytes, {units:.0f} write units a second (1,000 are an item's limit)")
    if outcome.killed:
        repaired = outcome.reconciled
        print(
            f"  killed {outcome.killed:,}, hand-overs lost and delivered again {repaired['redelivered']}, called by the"
        )
        print(f"  reconciler {repaired['called']}, leases that lapsed {repaired['lapsed']}")


def rows(
    jobs: int, slots: int, deaths: float, calm: Outcome, deadly: Outcome, half: Outcome, full: Outcome
) -> list[Row]:
    ideal = "render seconds / slots"
    return [
        Row(
            f"simulation: {jobs:,} waiting jobs, {slots} slots, drain",
            _ratio(calm),
            1.15,
            "lower",
            ideal,
            _COMMAND,
        ),
        Row(
            f"simulation: the same while {deaths:.0%} of the calls die",
            deadly.drained_seconds / calm.drained_seconds,
            1.05,
            "lower",
            "the same without deaths",
            _COMMAND,
        ),
        Row(
            "simulation: batch's share when interactive jobs are too many",
            batch_share(full) / 0.2,
            0.95,
            "higher",
            "one call in five",
            _COMMAND,
        ),
        Row(
            "simulation: interactive 99 % wait beside a waiting batch",
            quantile(half.waits("interactive"), 0.99) / TYPICAL_SECONDS,
            0.2,
            "lower",
            "one typical render",
            _COMMAND,
        ),
    ]


def _ratio(outcome: Outcome) -> float:
    return outcome.drained_seconds / outcome.ideal_seconds


if __name__ == "__main__":
    main()
