"""Ten thousand tasks in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mock_server.clock import VirtualClock
from mock_server.messages import Request, encode_json, settle
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from tests.mock.doors import request_with

TASKS = 10_000
MOST_MEGABYTES = 150
HEADERS = {"authorization": "Bearer test-key", "content-type": "application/json"}


DAY = 24 * 3600


def submit(simulator: Simulator, number: int, directive: str = "") -> None:
    body = encode_json(request_with(prompt=f"task {number} {directive} {'x' * 800}"))
    assert settle(simulator.handle(Request("POST", "/v1/videos", HEADERS, body))).status == 200


def pass_time(simulator: Simulator, seconds: float) -> None:
    simulator.state.clock.advance(seconds)
    simulator.state.tasks.advance(simulator.state.clock.now())


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
    pass_time(simulator, 60)
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
        pass_time(simulator, DAY + 60)
    assert len(simulator.state.tasks) == 0
    assert next(iter(simulator.state.accounts.values())).expired == 100


def what_is_left(steps: list[float]) -> tuple[list[tuple[bool, bool, str]], dict[str, object]]:
    """Twenty tasks of very different lengths, one every minute, every third of which fails when it is first read; then
    time passes in these steps. Of each: whether its id and its link are known, its status. And the books."""
    settings = Settings(render_seconds=3600.0, render_distribution="lognormal", render_sigma=2.0, seed=7)
    simulator = Simulator(settings, clock=VirtualClock(0, start_at=0.0))
    book, tasks = simulator.state.tasks, []
    for number in range(20):
        submit(simulator, number, "[[mock:poll:001028095]]" if number % 3 == 0 else "")
        tasks += book.newest(1)
        pass_time(simulator, 60)
        if number % 6 == 0:
            settle(simulator.handle(Request("GET", f"/v1/videos/{tasks[-1].id}", HEADERS)))
    for seconds in steps:
        pass_time(simulator, seconds)
    (account,) = simulator.state.accounts.values()
    known = [(book.get(task.id) is not None, book.by_link(task.link_token) is not None, task.status) for task in tasks]
    return known, account.as_json()


@pytest.mark.parametrize("seconds", [600, 3600, 7200, DAY - 1200, DAY - 600, DAY, DAY + 3600, DAY + 7200, 3 * DAY])
def test_a_jump_of_the_clock_leaves_what_many_small_steps_leave(seconds: int) -> None:
    assert what_is_left([seconds]) == what_is_left([60] * (seconds // 60))


def test_a_short_task_is_forgotten_before_a_long_one_that_is_older() -> None:
    simulator = Simulator(Settings(render_by_size=True, render_seconds=60.0), clock=VirtualClock(0))
    for size in ("1920*1080", "1280*720"):
        body = encode_json(request_with(size=size))
        settle(simulator.handle(Request("POST", "/v1/videos", HEADERS, body)))
    short, long = simulator.state.tasks.newest(2)
    pass_time(simulator, DAY + 61)
    assert simulator.state.tasks.newest(2) == [long]
    pass_time(simulator, 75)
    assert (short.expired, len(simulator.state.tasks)) == (True, 0)


def test_a_task_that_failed_early_is_forgotten_24_hours_after_that() -> None:
    simulator = Simulator(Settings(render_seconds=60.0), clock=VirtualClock(0))
    for number in range(2):
        submit(simulator, number, "[[mock:poll:001028095]]" if number == 0 else "")
    healthy, failing = simulator.state.tasks.newest(2)
    pass_time(simulator, 1)
    settle(simulator.handle(Request("GET", f"/v1/videos/{failing.id}", HEADERS)))
    pass_time(simulator, DAY)
    assert simulator.state.tasks.newest(2) == [healthy]
    pass_time(simulator, 60)
    assert len(simulator.state.tasks) == 0


def test_a_reset_forgets_what_was_due() -> None:
    simulator = Simulator(Settings(render_seconds=60.0), clock=VirtualClock(0))
    submit(simulator, 0)
    simulator.handle(Request("POST", "/_mock/reset"))
    submit(simulator, 1)
    pass_time(simulator, 3 * DAY)
    (account,) = simulator.state.accounts.values()
    assert (account.created, account.running, account.completed, account.expired) == (1, 0, 1, 1)
