"""The life of a task under the virtual clock."""

from __future__ import annotations

from typing import Any

import pytest

from mock_server.clock import VirtualClock
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from tests.mock.doors import Door, request_with

DAY = 24 * 3600


def statuses(door: Door, task: str, *moves: float) -> list[str]:
    seen = [door.poll(task).json["status"]]
    for seconds in moves:
        door.advance(seconds)
        seen.append(door.poll(task).json["status"])
    return seen


def test_a_task_walks_from_queued_over_processing_to_completed(door: Door) -> None:
    task = door.created(request_with())
    assert statuses(door, task, 0.9, 0.1, 8.9, 0.1) == ["queued", "queued", "processing", "processing", "completed"]


def test_a_completed_task_has_output_usage_and_metadata_as_the_page_says(door: Door) -> None:
    task = door.created(request_with(size="1280*720", seed=12345))
    assert set(door.poll(task).json) == {"id", "status", "metadata"}
    door.advance(10)
    document = door.poll(task).json
    ((output,), usage) = document["output"], document["usage"]
    assert set(document) == {"id", "status", "output", "usage", "metadata"}
    assert output["jobId"] == task
    assert output["content"] == [{"type": "video", "url": output["content"][0]["url"]}]
    assert output["content"][0]["url"].startswith(f"{door.url}/videos/")
    assert usage == {"cost": "0.50", "discount": 0}
    assert document["metadata"]["seed"] == 12345


def test_an_id_dies_24_hours_after_the_submit_and_a_link_24_hours_after_the_end(door: Door) -> None:
    task = door.created(request_with())
    door.advance(10)
    link = door.link(task)
    door.advance(DAY - 11)
    assert (door.poll(task).status, door.download(link).status) == (200, 200)
    door.advance(1)
    assert (door.poll(task).status, door.download(link).status) == (404, 200)
    assert door.ledger()["expired"] == 1
    door.advance(10)
    assert (door.poll(task).status, door.download(link).status) == (404, 403)
    ledger = door.ledger()
    assert (ledger["created"], ledger["completed"], ledger["expired"]) == (1, 1, 1)


def test_a_workers_queue_delays_the_tasks_behind_it(open_door: Any) -> None:
    door: Door = open_door(workers=1)
    first, second = door.created(request_with()), door.created(request_with())
    door.advance(10)
    assert [statuses(door, task) for task in (first, second)] == [["completed"], ["queued"]]
    assert statuses(door, second, 1, 9) == ["queued", "processing", "completed"]


def test_a_task_can_end_by_the_number_of_reads(open_door: Any) -> None:
    door: Door = open_door(reads=3)
    task = door.created(request_with())
    assert statuses(door, task, 0, 0, 0) == ["queued", "processing", "completed", "completed"]
    assert door.ledger()["completed"] == 1


def test_bigger_and_longer_videos_take_longer(open_door: Any) -> None:
    door: Door = open_door(render_by_size=True)
    small = door.created(request_with(size="1280*720", duration=5))
    big = door.created(request_with(size="1920*1080", duration=10))
    door.advance(10)
    assert [statuses(door, task) for task in (small, big)] == [["completed"], ["processing"]]
    assert statuses(door, big, 10 * 2 * 2.25 - 10) == ["processing", "completed"]


def run(seed: int | None) -> list[Any]:
    simulator = Simulator(Settings(seed=seed, render_distribution="lognormal"), clock=VirtualClock(0, start_at=0.0))
    return [whole_run(simulator) for _ in range(2)]


def whole_run(simulator: Simulator) -> list[Any]:
    from mock_server.messages import Request, encode_json, settle

    simulator.handle(Request("POST", "/_mock/reset"))
    headers = {"authorization": "Bearer test-key"}
    for _ in range(5):
        settle(simulator.handle(Request("POST", "/v1/videos", headers, encode_json(request_with()))))
    return [(task.id, task.seed, task.link_token, task.schedule) for task in simulator.state.tasks.newest(5)]


def test_the_same_seed_and_requests_give_the_same_ids_and_times_after_a_reset_too() -> None:
    first, again = run(7), run(7)
    assert first == again
    assert first[0] == first[1]
    assert first != run(8)
    assert run(None) != run(None)


def test_lognormal_times_spread_around_their_median() -> None:
    spans = sorted(schedule.ends_at for *_, schedule in run(7)[0])
    assert spans[0] < 3.0 < spans[-1]
    assert len(set(spans)) == 5


class Elapsed:
    """Real seconds, by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 107.0), (60.0, 520.0), (0.0, 100.0)])
def test_the_clock_runs_at_its_speed(speed: float, expected: float) -> None:
    elapsed = Elapsed()
    clock = VirtualClock(speed, start_at=100.0, elapsed=elapsed)
    elapsed.seconds = 7.0
    assert clock.now() == expected


def test_the_clock_keeps_its_time_when_the_speed_changes() -> None:
    elapsed = Elapsed()
    clock = VirtualClock(10.0, start_at=0.0, elapsed=elapsed)
    elapsed.seconds = 1.0
    clock.set_speed(0)
    elapsed.seconds = 9.0
    assert clock.now() == 10.0
    clock.advance(5)
    assert clock.now() == 15.0
    clock.reset()
    assert (clock.now(), clock.speed) == (0.0, 10.0)


def test_the_clock_is_read_and_moved_over_its_route(door: Door) -> None:
    now = door.admin("GET", "clock").json["epoch_seconds"]
    assert door.admin("POST", "clock", {"advance": 90.5}).json["epoch_seconds"] == pytest.approx(now + 90.5, abs=0.01)
    moved = door.admin("POST", "clock", {"set": "2040-01-01T00:00:00Z"}).json
    assert moved == {"now": "2040-01-01T00:00:00.000Z", "epoch_seconds": 2208988800.0, "speed": 0}
    assert door.admin("POST", "clock", {"set": 2208988801}).json["epoch_seconds"] == 2208988801.0
    assert door.admin("POST", "clock", {"speed": 2.5}).json["speed"] == 2.5


BAD_MOVES: list[Any] = [
    {},
    {"advance": -1},
    {"advance": "1"},
    {"advance": True},
    {"advance": 1e300},
    {"set": "yesterday"},
    {"set": "2001-01-01T00:00:00Z"},
    {"set": None},
    {"set": "9999-12-31T00:00:00Z"},
    {"speed": -1},
    {"speed": 1e9},
    {"advance": 1, "speed": 2},
    {"jump": 1},
    [],
]


@pytest.mark.parametrize("move", BAD_MOVES, ids=range(len(BAD_MOVES)))
def test_a_bad_move_of_the_clock_is_refused_and_changes_nothing(door: Door, move: Any) -> None:
    before = door.admin("GET", "clock").json
    assert door.admin("POST", "clock", move).status == 400
    assert door.admin("GET", "clock").json == before
