"""generate_video.asl.json: every state and every way between two states, by an interpreter of the States Language."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.permissions import PermissionGuard
from tests.template import ROOT, Template
from tests.workflow.engine import Breaks, Engine, Outcome, Run, Script, engine

MACHINE = "GenerateVideoStateMachine"
MOST_BYTES = 1024

Edge = tuple[str, str]


def step(next_step: str, wait_seconds: int = 0, polls: int = 0) -> Outcome:
    return {"job_id": "vid_1", "next_step": next_step, "wait_seconds": wait_seconds, "polls": polls}


CALLED: Outcome = {"job_id": "vid_1", "polls": 0}
COMPLETED: Outcome = {"job_id": "vid_1", "status": "completed"}
FAILED: Outcome = {"job_id": "vid_1", "status": "failed"}

SLOT = ["Take Slot"]
SUBMIT = ["Submit Task", "Submitted?"]
POLL = ["Wait Before Poll", "Poll Task", "Task Ended?"]
STORE = ["Store Result"]
FINISH = ["Finish Job"]
AGAIN = ["Wait Before Submit"]

SCENARIOS: dict[str, tuple[Script, list[str]]] = {
    "a video at the second poll": (
        {
            "take_slot": [CALLED],
            "submit_task": [step("poll", 50)],
            "poll_task": [step("poll", 9, polls=1), step("store", polls=2)],
            "store_result": [step("finish", polls=2)],
            "finish_job": [COMPLETED],
        },
        SLOT + SUBMIT + POLL + POLL + STORE + FINISH,
    ),
    "certainly nothing created, then a task": (
        {
            "take_slot": [CALLED],
            "submit_task": [step("submit", 3), step("submit", 7), step("poll", 50)],
            "poll_task": [step("store", polls=1)],
            "store_result": [step("finish", polls=1)],
            "finish_job": [COMPLETED],
        },
        SLOT + SUBMIT + AGAIN + SUBMIT + AGAIN + SUBMIT + POLL + STORE + FINISH,
    ),
    "a submit that ends the job": (
        {"take_slot": [CALLED], "submit_task": [step("finish")], "finish_job": [FAILED]},
        SLOT + SUBMIT + FINISH,
    ),
    "submits are paused": (
        {
            "take_slot": [CALLED, {"job_id": "vid_1", "polls": 4}],
            "submit_task": [step("queue", polls=4), step("finish", polls=4)],
            "finish_job": [FAILED],
        },
        SLOT + SUBMIT + SLOT + SUBMIT + FINISH,
    ),
    "a failed generation gets a fresh task": (
        {
            "take_slot": [CALLED],
            "submit_task": [step("poll", 50), step("poll", 50, polls=1)],
            "poll_task": [step("submit", 5, polls=1), step("store", polls=2)],
            "store_result": [step("finish", polls=2)],
            "finish_job": [COMPLETED],
        },
        SLOT + SUBMIT + POLL + AGAIN + SUBMIT + POLL + STORE + FINISH,
    ),
    "a poll that ends the job": (
        {
            "take_slot": [CALLED],
            "submit_task": [step("poll", 1)],
            "poll_task": [step("finish", polls=1)],
            "finish_job": [FAILED],
        },
        SLOT + SUBMIT + POLL + FINISH,
    ),
    "a bug in take_slot": (
        {"take_slot": [Breaks("KeyError")], "finish_job": [FAILED]},
        SLOT + FINISH,
    ),
    "a bug in submit_task": (
        {"take_slot": [CALLED], "submit_task": [Breaks("KeyError")], "finish_job": [FAILED]},
        ["Take Slot", "Submit Task", "Finish Job"],
    ),
    "a bug in poll_task": (
        {
            "take_slot": [CALLED],
            "submit_task": [step("poll", 1)],
            "poll_task": [Breaks("KeyError")],
            "finish_job": [FAILED],
        },
        SLOT + SUBMIT + ["Wait Before Poll", "Poll Task", "Finish Job"],
    ),
    "a bug in store_result": (
        {
            "take_slot": [CALLED],
            "submit_task": [step("poll", 1)],
            "poll_task": [step("store", polls=1)],
            "store_result": [Breaks("KeyError")],
            "finish_job": [FAILED],
        },
        SLOT + SUBMIT + POLL + STORE + FINISH,
    ),
    "an answer that nobody expects": (
        {"take_slot": [CALLED], "submit_task": [step("dance")], "finish_job": [FAILED]},
        SLOT + SUBMIT + FINISH,
    ),
}

BEFORE: dict[str, Script] = {
    "take_slot": {},
    "submit_task": {"take_slot": [CALLED]},
    "poll_task": {"take_slot": [CALLED], "submit_task": [step("poll", 1)]},
    "store_result": {
        "take_slot": [CALLED],
        "submit_task": [step("poll", 1)],
        "poll_task": [step("store", polls=1)],
    },
    "finish_job": {"take_slot": [CALLED], "submit_task": [step("finish")]},
}
"""What leads to a function's first call."""


@pytest.fixture(scope="module")
def machine(permission_guard: PermissionGuard) -> Iterator[Engine]:
    with engine(Template(WanApiBaseUrl="http://wan.mock"), MACHINE) as made:
        yield made


@pytest.fixture(scope="module")
def runs(machine: Engine) -> dict[str, Run]:
    return {name: machine.run(script) for name, (script, _) in SCENARIOS.items()}


def edges_of(states: dict[str, Any]) -> set[Edge]:
    """Every way from one state to another that the file names."""
    edges: set[Edge] = set()
    for name, state in states.items():
        targets = [state.get("Next"), state.get("Default")]
        targets += [way["Next"] for way in [*state.get("Choices", []), *state.get("Catch", [])]]
        edges |= {(name, target) for target in targets if target is not None}
    return edges


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_way_through_the_states(runs: dict[str, Run], name: str) -> None:
    script, states = SCENARIOS[name]
    run = runs[name]
    assert run.states == states
    assert run.status == "SUCCEEDED"
    assert run.output == script["finish_job"][-1]


def test_every_state_and_every_way_between_two_states_is_gone(machine: Engine, runs: dict[str, Run]) -> None:
    states = machine.definition["States"]
    gone: set[Edge] = set()
    for run in runs.values():
        gone |= set(zip(run.states, run.states[1:], strict=False))
    assert {name for run in runs.values() for name in run.states} == set(states)
    assert gone == edges_of(states)


def test_the_execution_begins_with_the_job_id_alone(runs: dict[str, Run]) -> None:
    (call,) = runs["a submit that ends the job"].inputs_of("take_slot")
    assert call["state"] == {"job_id": "vid_1"}
    assert call["task_token"]


def test_each_function_gets_what_the_one_before_answered(runs: dict[str, Run]) -> None:
    run = runs["a video at the second poll"]
    assert run.inputs_of("submit_task") == [CALLED]
    assert run.inputs_of("poll_task") == [step("poll", 50), step("poll", 9, polls=1)]
    assert run.inputs_of("store_result") == [step("store", polls=2)]
    assert run.inputs_of("finish_job") == [step("finish", polls=2)]


def test_waits_last_as_long_as_the_functions_say(runs: dict[str, Run]) -> None:
    assert runs["a video at the second poll"].waits == [50, 9]
    assert runs["certainly nothing created, then a task"].waits == [3, 7, 50]


def test_a_job_that_queues_again_hands_its_polls_on(runs: dict[str, Run]) -> None:
    first, again = runs["submits are paused"].inputs_of("take_slot")
    assert "polls" not in first["state"]
    assert again["state"] == step("queue", polls=4)
    assert first["task_token"] != again["task_token"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_state_data_stay_small(runs: dict[str, Run], name: str) -> None:
    assert max(len(data.encode()) for data in runs[name].data) < MOST_BYTES


@pytest.mark.parametrize("function", [name for name in BEFORE if name != "finish_job"])
def test_an_unnamed_error_is_not_retried_and_leads_to_the_one_way_out(machine: Engine, function: str) -> None:
    script: Script = {**BEFORE[function], function: [Breaks("RecordChanged", "job vid_1 moved on")]}
    run = machine.run({**script, "finish_job": [FAILED]})
    assert len(run.inputs_of(function)) == 1
    (handed,) = run.inputs_of("finish_job")
    assert handed["job_id"] == "vid_1"
    assert handed["error"]["Error"] == "RecordChanged"
    assert json.loads(handed["error"]["Cause"])["errorMessage"] == "job vid_1 moved on"
    assert run.status == "SUCCEEDED"


def retries() -> list[tuple[str, list[str]]]:
    """(function, errors) for each Retry of each state."""
    path = ROOT / Template().properties(MACHINE)["DefinitionUri"]
    states = json.loads(path.read_text(encoding="utf-8"))["States"]
    return [
        (name.lower().replace(" ", "_"), retry["ErrorEquals"])
        for name, state in states.items()
        for retry in state.get("Retry", [])
    ]


@pytest.mark.parametrize(
    ("function", "error"), [(function, error) for function, errors in retries() for error in errors]
)
def test_a_named_error_is_retried(machine: Engine, function: str, error: str) -> None:
    name = "AnyErrorAtAll" if error == "States.ALL" else error
    well = CALLED if function == "take_slot" else COMPLETED if function == "finish_job" else step("finish")
    after: Script = {"submit_task": [step("finish")]} if function == "take_slot" else {}
    script: Script = {**BEFORE[function], **after, "finish_job": [COMPLETED]}
    run = machine.run({**script, function: [Breaks(name), Breaks(name), well]})
    assert len(run.inputs_of(function)) == 3
    assert run.status == "SUCCEEDED"
    assert run.output == COMPLETED


@pytest.mark.parametrize(
    ("function", "error"), [(function, errors[-1]) for function, errors in retries() if function != "finish_job"]
)
def test_retries_end_and_then_the_job_ends_in_the_one_way_out(machine: Engine, function: str, error: str) -> None:
    run = machine.run({**BEFORE[function], function: [Breaks(error)] * 7, "finish_job": [FAILED]})
    assert len(run.inputs_of(function)) == 7
    assert run.inputs_of("finish_job")[0]["error"]["Error"] == error


def test_when_even_finishing_fails_for_good_the_execution_fails(machine: Engine) -> None:
    run = machine.run({**BEFORE["finish_job"], "finish_job": [Breaks("AwsUnavailable")] * 11})
    assert run.status == "FAILED"
    assert len(run.inputs_of("finish_job")) == 11
