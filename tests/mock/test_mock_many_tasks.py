"""Ten thousand tasks in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from mock_server.clock import VirtualClock
from mock_server.messages import Request, encode_json, settle
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from tests.mock.doors import request_with

TASKS = 10_000
MOST_MEGABYTES = 150
HEADERS = {"authorization": "Bearer test-key", "content-type": "application/json"}


def submit(simulator: Simulator, number: int) -> None:
    body = encode_json(request_with(prompt=f"task {number} {'x' * 800}"))
    assert settle(simulator.handle(Request("POST", "/v1/videos", HEADERS, body))).status == 200


def steps_of(simulator: Simulator, task_id: str) -> int:
    """How many Python calls a poll takes: unlike seconds, the same on every machine."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        settle(simulator.handle(Request("GET", f"/v1/videos/{task_id}", HEADERS)))
    finally:
        sys.setprofile(None)
    return calls


def held_megabytes() -> float:
    """The resident memory of this process."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split("VmRSS:")[1].split()[0]) / 1024


def ten_thousand_tasks() -> None:
    """Run in a process of its own, so that the memory is the mock's; prints what was found as JSON."""
    simulator = Simulator(Settings(render_seconds=60.0), clock=VirtualClock(0))
    submit(simulator, 0)
    (first,) = simulator.state.tasks.newest(1)
    steps = [steps_of(simulator, first.id)]
    for number in range(1, TASKS):
        submit(simulator, number)
    steps.append(steps_of(simulator, first.id))
    simulator.state.clock.advance(60)
    simulator.state.tasks.advance(simulator.state.clock.now())
    (account,) = simulator.state.accounts.values()
    found = {"megabytes": held_megabytes(), "steps": steps, "ledger": account.as_json()}
    sys.stdout.write(json.dumps(found))


def test_ten_thousand_tasks_take_little_memory_and_a_poll_no_more_steps() -> None:
    command = "from tests.mock.test_mock_many_tasks import ten_thousand_tasks; ten_thousand_tasks()"
    root = Path(__file__).parents[2]
    output = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, check=True).stdout
    found = json.loads(output)
    assert found["megabytes"] < MOST_MEGABYTES
    assert found["steps"][0] == found["steps"][1]
    assert found["ledger"]["completed"] == TASKS


def test_tasks_are_forgotten_when_nothing_can_ask_for_them_any_more() -> None:
    simulator = Simulator(Settings(render_seconds=60.0), clock=VirtualClock(0))
    for number in range(100):
        submit(simulator, number)
    for _ in range(2):
        simulator.state.clock.advance(24 * 3600 + 60)
        simulator.state.tasks.advance(simulator.state.clock.now())
    assert len(simulator.state.tasks) == 0
    assert next(iter(simulator.state.accounts.values())).expired == 100
