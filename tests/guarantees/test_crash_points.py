"""Whatever breaks at whatever call of whatever function, once: every promise holds when the stack has come to rest.

Each scenario is lived once and every call that left a function is noted. Then it is lived again for each of these
points and each way in which that call can go wrong. Points that meet the same call in the same state of the world are
tried once, in the first scenario that comes to them.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest

from tests.guarantees.checks import check_rest
from tests.guarantees.faults import Call, Fault, Intrusion, Mode, When
from tests.guarantees.scenarios import SCENARIOS, UNKNOWN, Scenario, job_of
from tests.guarantees.world import World, a_world

pytestmark = pytest.mark.timeout(600)

FUNCTIONS = {"serve_api", "accept_upload", "take_slot", "submit_task", "poll_task", "store_result", "finish_job"}
FUNCTIONS |= {"deliver_webhook", "reconcile_jobs"}
OUTSIDE = {"wan", "receiver"}
Point = tuple[Call, Mode]


def at(number: int) -> When:
    return lambda call: call.number == number


@contextmanager
def wounded(scenario: Scenario, level: int) -> Iterator[World]:
    with a_world(mock=scenario.mock, level=level, **scenario.parameters) as world:
        scenario.wounds(world)
        yield world


@cache
def recorded(name: str) -> tuple[list[Call], list[str]]:
    """The calls of a scenario in which nothing else goes wrong, and the moment of each."""
    scenario = next(each for each in SCENARIOS if each.name == name)
    with wounded(scenario, logging.INFO) as world:
        world.gate.moment = world.moment
        scenario.play(world)
        world.settle()
        check_ends(scenario, world, None)
        check_rest(world, resubmits=scenario.resubmits, may_lose_events=scenario.may_lose_events)
        return world.gate.calls, world.gate.moments


@cache
def plan() -> dict[str, list[Point]]:
    """Which points are tried in which scenario."""
    tried: set[tuple[str, ...]] = set()
    planned: dict[str, list[Point]] = {}
    for scenario in SCENARIOS:
        mine = planned.setdefault(scenario.name, [])
        calls, moments = recorded(scenario.name)
        for (before, call, after), moment in zip(neighbours(calls), moments, strict=True):
            for mode in call.modes:
                if mode is Mode.KILLED_AFTER and after is not None:
                    # Killed before the next call is the same.
                    continue
                if mode is Mode.KILLED_BEFORE and before and before.is_read and before.service not in OUTSIDE:
                    # Killed before that is the same: between the two nothing changed.
                    continue
                # Without effect it is an error like FAILED, of another class: once for each call that there is.
                where = "anywhere" if mode is Mode.TIMED_OUT_BEFORE and call.service not in OUTSIDE else moment
                point = (call.function, call.operation, call.target, mode.name, where)
                if point not in tried:
                    tried.add(point)
                    mine.append((call, mode))
    return planned


def neighbours(calls: list[Call]) -> Iterator[tuple[Call | None, Call, Call | None]]:
    """Each call between those of the same run of its function."""
    by_invocation: dict[int, list[Call]] = {}
    for call in calls:
        by_invocation.setdefault(call.invocation, []).append(call)
    for call in calls:
        same = by_invocation[call.invocation]
        place = same.index(call)
        yield same[place - 1] if place else None, call, same[place + 1] if place + 1 < len(same) else None


def check_ends(scenario: Scenario, world: World, fault: Fault | None) -> None:
    """Every job ends as the story says, or as the fault allows."""
    for word, end in scenario.ends.items():
        job = world.job(job_of(world, word))
        allowed = {end, *(scenario.also if fault else ())}
        if fault is not None and fault.hit is not None and leaves_submit_unknown(fault.hit, fault.mode):
            allowed.add(UNKNOWN)
        got = (job.status, job.error.code if job.error else None)
        assert got in allowed, f"{word} ended as {got}, not as {sorted(map(str, allowed))}: {world.statuses[job.id]}"


def leaves_submit_unknown(call: Call, mode: Mode) -> bool:
    """Nobody can know of a submit whose process died, whose answer got lost, or whose answer could not be noted."""
    if call.function != "submit_task":
        return False
    is_kill = mode in {Mode.KILLED_BEFORE, Mode.KILLED_AFTER}
    is_noting = call.operation == "UpdateItem" and call.target == "job"
    return is_kill or call.operation == "POST" or is_noting


def live(scenario: Scenario, fault: Fault) -> None:
    with wounded(scenario, logging.WARNING) as world:
        world.gate.faults.insert(0, fault)
        scenario.play(world)
        world.settle()
        assert fault.hit is not None, "the run was not deterministic: the point was never reached"
        check_ends(scenario, world, fault)
        check_rest(world, resubmits=scenario.resubmits, may_lose_events=scenario.may_lose_events)


def test_every_function_and_every_service_has_points() -> None:
    points = [call for scenario in SCENARIOS for call in recorded(scenario.name)[0]]
    assert {call.function for call in points} == FUNCTIONS
    inside = {"dynamodb", "s3", "stepfunctions", "eventbridge", "secretsmanager", "sqs"}
    assert {call.service for call in points} == inside | OUTSIDE
    assert sum(map(len, plan().values())) > 2000


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_one_fault_anywhere_breaks_no_promise(scenario: Scenario) -> None:
    failures = []
    for call, mode in plan()[scenario.name]:
        try:
            live(scenario, Fault(at(call.number), mode))
        except AssertionError as error:
            failures.append(f"{call}, {mode.value}: {error}")
    assert not failures, f"{len(failures)} points break a promise:\n" + "\n".join(failures)


def cancel(world: World) -> None:
    for job in world.jobs():
        world.cancel(job.id)


def reconcile_late(world: World) -> None:
    """As if the running function took longer than any time of grace."""
    world.clock.advance(2000)
    world.reconcile()


def finish_again(world: World) -> None:
    """The event of a broken execution, a second time."""
    for name, execution in list(world.workflows.executions.items()):
        if execution.status != "RUNNING":
            world.deliver("finish_job", {"job_id": name, "execution_status": execution.status})


BUSY = ("happy path by API", "cancel during the submit", "then rescue")


@pytest.mark.parametrize("intrude", [cancel, reconcile_late, finish_again], ids=lambda act: act.__name__)
@pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if any(word in s.name for word in BUSY)], ids=lambda scenario: scenario.name
)
def test_somebody_in_the_middle_of_any_function_breaks_no_promise(
    scenario: Scenario, intrude: Callable[[World], None]
) -> None:
    failures = []
    for call in recorded(scenario.name)[0]:
        with wounded(scenario, logging.WARNING) as world:
            intrusion = Intrusion(at(call.number), lambda world=world: intrude(world))  # type: ignore[misc]
            world.gate.intrusions.append(intrusion)
            try:
                scenario.play(world)
                world.settle()
                assert intrusion.is_done, "the point was never reached"
                codes = {job.error.code for job in world.jobs() if job.error}
                assert "internal_error" not in codes, f"ended by an error of ours: {world.statuses}"
                check_rest(world, resubmits=scenario.resubmits)
            except AssertionError as error:
                failures.append(f"{call}: {error}")
    assert not failures, f"{len(failures)} points break a promise:\n" + "\n".join(failures)
