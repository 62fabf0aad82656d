"""The lives of jobs into which faults are put: every way through the workflow, and every repair of the reconciler."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.fakes import wan_request
from tests.guarantees.faults import Call, Fault, Intrusion, Mode
from tests.guarantees.world import RECEIVER_URL, World

BUDGET = {"DailyBudgetUsd": "100", "DailyBudgetPerOwnerUsd": "50", "TypicalRenderSeconds": "900"}
"""Seldom polls: one more poll is one more second of testing and nothing new."""

DONE = ("completed", None)

Ends = dict[str, tuple[str, str | None]]
"""A word of the prompt -> the job's status and error code."""


@dataclass(frozen=True)
class Scenario:
    """What is done to a stack, and how its jobs end when nothing else goes wrong.

    `wounds` are faults that belong to the story. `also` lists ends that a further fault may turn a job's end into,
    beside an unknown submit outcome where the fault hits a submit.
    """

    name: str
    play: Callable[[World], None]
    ends: Ends
    parameters: dict[str, str] = field(default_factory=dict)
    mock: dict[str, Any] = field(default_factory=dict)
    wounds: Callable[[World], None] = lambda _: None
    also: tuple[tuple[str, str | None], ...] = ()
    resubmits: bool = False
    may_lose_events: bool = False


def request(word: str, directive: str = "") -> dict[str, Any]:
    return wan_request(prompt=f"character1 sees {word} {directive}".strip())


def job_of(world: World, word: str) -> str:
    """The id of the job whose prompt has this word."""
    (found,) = (job.id for job in world.jobs() if f" sees {word}" in job.request["input"]["prompt"])
    return found


# --- What callers do -------------------------------------------------------------------------------------------------


def one(directive: str = "") -> Callable[[World], None]:
    def play(world: World) -> None:
        world.create(request("one", directive), "key-one")

    return play


def one_with_webhook(world: World) -> None:
    world.duplicates = True
    world.create({**request("one"), "callback_url": RECEIVER_URL}, "key-one")


def two(first: str = "", second: str = "") -> Callable[[World], None]:
    def play(world: World) -> None:
        world.create(request("one", first), "key-one")
        world.create(request("two", second), "key-two")

    return play


def two_and_cancel(word: str, after_seconds: float) -> Callable[[World], None]:
    def play(world: World) -> None:
        two()(world)
        world.later(after_seconds, lambda: _cancel(world, job_of(world, word)))

    return play


def _cancel(world: World, job_id: str) -> None:
    status = world.cancel(job_id)
    world.expect(status in {202, 409}, f"DELETE was answered with {status}")


def one_and_cancel(after_seconds: float) -> Callable[[World], None]:
    def play(world: World) -> None:
        job_id = world.create(request("one"), "key-one")
        world.later(after_seconds, lambda: _cancel(world, job_id))

    return play


def uploaded(world: World) -> None:
    world.duplicates = True
    world.upload("inbox/team/one.json", json.dumps(request("one")).encode())


def aborted(world: World) -> None:
    """The operator stops an execution by hand; EventBridge tells of it twice."""
    world.duplicates = True
    job_id = world.create(request("one"), "key-one")
    world.later(20, lambda: _stop(world, job_id))


def _stop(world: World, job_id: str) -> None:
    if job_id in world.workflows.executions:
        world.workflows.stop_execution(executionArn=f"x:{job_id}")


def aborted_unheard(world: World) -> None:
    """The same, and the event is lost."""
    world.is_deaf = True
    aborted(world)


def paused(world: World) -> None:
    world.set_paused(True)
    world.create(request("one"), "key-one")
    world.later(100, lambda: _resume(world))


def _resume(world: World) -> None:
    """As `make resume` does: nobody gives a slot back while nothing runs, so the reconciler calls who waits."""
    world.set_paused(False)
    world.reconcile()


def paused_in_between(world: World) -> None:
    """The switch is thrown after the slot was handed over and before the submit."""

    def pause() -> None:
        world.set_paused(True)
        world.later(100, lambda: _resume(world))

    world.gate.intrusions.append(Intrusion(lambda call: call.function == "submit_task", pause))
    world.create(request("one"), "key-one")


def two_and_the_schedule(world: World) -> None:
    two()(world)
    world.later(300, world.reconcile)


def provider_down(world: World) -> None:
    """A job fails and trips the breaker; the next waits until it may probe the provider."""
    world.create(request("failing", "[[mock:submit:http-503]]"), "key-failing")
    world.run()
    world.create(request("one"), "key-one")


def canceled_during_submit(world: World) -> None:
    def cancel() -> None:
        _cancel(world, job_of(world, "one"))

    world.gate.intrusions.append(Intrusion(lambda call: call.operation == "POST", cancel, is_after=True))
    world.create(request("one"), "key-one")


# --- Wounds ----------------------------------------------------------------------------------------------------------


def wound(function: str, operation: str, mode: Mode, *, nth: int = 1, times: int = 1) -> Callable[[World], None]:
    def strikes(call: Call) -> bool:
        return call.function == function and call.operation == operation and call.nth >= nth

    return lambda world: world.gate.faults.append(Fault(strikes, mode, times))


def fails_once_at_poll(world: World) -> None:
    world.provider.state.faults.arm({"match": {"stage": "poll"}, "action": "001028095", "times": 1})


def small_parts(world: World) -> None:
    world.patch.setattr("wanflow.video_upload.HELD_BYTES", 2000)
    world.patch.setattr("wanflow.video_upload.PART_BYTES", 2000)


UNKNOWN = ("failed", "submit_outcome_unknown")
LONG = {"render_seconds": 200.0}

SCENARIOS = [
    Scenario("happy path by API with budgets", one(), {"one": DONE}, BUDGET),
    Scenario("happy path by S3 with duplicated events", uploaded, {"one": DONE}, BUDGET),
    Scenario("a webhook", one_with_webhook, {"one": DONE}),
    Scenario("095 and a fresh task", one(), {"one": DONE}, BUDGET, wounds=fails_once_at_poll),
    Scenario("095 to the end", one("[[mock:001028095]]"), {"one": ("failed", "001028095")}, BUDGET),
    Scenario("099 twice", one("[[mock:submit:001028099*2]]"), {"one": DONE}, BUDGET),
    Scenario("refused", one("[[mock:001028004]]"), {"one": ("failed", "001028004")}, BUDGET),
    Scenario(
        "lost answer, and one waits for the slot",
        two("[[mock:submit:lost-answer]]"),
        {"one": UNKNOWN, "two": DONE},
        {**BUDGET, "MaxConcurrentTasks": "1"},
    ),
    Scenario(
        "lost answer, sent again by the user's choice",
        one("[[mock:submit:lost-answer]]"),
        {"one": DONE},
        {**BUDGET, "OnUnknownSubmit": "resubmit", "MaxConcurrentTasks": "2"},
        resubmits=True,
    ),
    Scenario(
        "killed before the submit was noted",
        one(),
        {"one": UNKNOWN},
        BUDGET,
        wounds=wound("submit_task", "POST", Mode.KILLED_AFTER),
    ),
    Scenario("one slot, two jobs", two(), {"one": DONE, "two": DONE}, {**BUDGET, "MaxConcurrentTasks": "1"}),
    Scenario(
        "cancel while queued",
        two_and_cancel("two", 15),
        {"one": DONE, "two": ("canceled", "canceled")},
        {**BUDGET, "MaxConcurrentTasks": "1"},
        LONG,
        also=(DONE,),
    ),
    Scenario(
        "cancel before anything started",
        one_and_cancel(0),
        {"one": ("canceled", "canceled")},
        BUDGET,
        also=(DONE,),
    ),
    Scenario(
        "cancel while processing, and one waits for the slot",
        two_and_cancel("one", 30),
        {"one": ("canceled", "canceled"), "two": DONE},
        {**BUDGET, "MaxConcurrentTasks": "1"},
        LONG,
    ),
    Scenario(
        "cancel during the submit",
        canceled_during_submit,
        {"one": ("canceled", "canceled")},
        BUDGET,
        LONG,
        also=(DONE,),
    ),
    Scenario(
        "deadline, then rescue",
        one(),
        {"one": DONE},
        {**BUDGET, "JobDeadlineSeconds": "60"},
        {"render_seconds": 700.0},
    ),
    Scenario(
        "deadline, then the task fails",
        one("[[mock:poll:001028098*3]] [[mock:poll:001028095]]"),
        {"one": ("failed", "deadline_exceeded")},
        {**BUDGET, "JobDeadlineSeconds": "60"},
        {"render_seconds": 700.0},
        also=(("failed", "001028095"),),
    ),
    Scenario("polls without an answer", one("[[mock:poll:http-503*2]]"), {"one": DONE}, BUDGET),
    Scenario(
        "the provider forgot the task",
        one("[[mock:poll:http-404]]"),
        {"one": ("failed", "result_unavailable")},
        BUDGET,
    ),
    Scenario("a cut video", one("[[mock:download:cut*2]]"), {"one": DONE}, BUDGET),
    Scenario(
        "a video that never comes",
        one("[[mock:download:not-mp4*99]]"),
        {"one": ("failed", "result_unavailable")},
        BUDGET,
    ),
    Scenario("a video in parts", one("[[mock:download:cut]]"), {"one": DONE}, BUDGET, wounds=small_parts),
    Scenario(
        "no slot for too long",
        two_and_the_schedule,
        {"one": DONE, "two": ("failed", "queue_timeout")},
        {**BUDGET, "MaxConcurrentTasks": "1", "MaxQueueSeconds": "60"},
        {"render_seconds": 400.0},
        also=(DONE,),
    ),
    Scenario(
        "never started",
        one(),
        {"one": DONE},
        BUDGET,
        wounds=wound("serve_api", "StartExecution", Mode.FAILED),
    ),
    Scenario(
        "hand-over lost",
        two(),
        {"one": DONE, "two": DONE},
        {**BUDGET, "MaxConcurrentTasks": "1"},
        wounds=wound("finish_job", "SendTaskSuccess", Mode.KILLED_BEFORE, times=11),
    ),
    Scenario("stopped by hand", aborted, {"one": ("failed", "internal_error")}, BUDGET, LONG, also=(DONE,)),
    Scenario(
        "stopped by hand, and nobody heard",
        aborted_unheard,
        {"one": ("failed", "internal_error")},
        BUDGET,
        LONG,
        also=(DONE,),
    ),
    Scenario(
        "finishing fails until the execution breaks",
        one(),
        {"one": DONE},
        BUDGET,
        wounds=wound("finish_job", "PutEvents", Mode.FAILED, times=13),
        # One more fault, and the asynchronous retries are used up: the reconciler finishes the job.
        may_lose_events=True,
    ),
    Scenario("paused and resumed", paused, {"one": DONE}, BUDGET),
    Scenario("paused between slot and submit", paused_in_between, {"one": DONE}, BUDGET),
    Scenario(
        "the breaker trips and probes",
        provider_down,
        {"failing": UNKNOWN, "one": DONE},
        {**BUDGET, "PauseAfterFailures": "1"},
    ),
]


@pytest.fixture(params=SCENARIOS, ids=lambda scenario: scenario.name)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    found: Scenario = request.param
    return found
