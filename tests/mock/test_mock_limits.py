"""Rate and concurrency, per key."""

from __future__ import annotations

from typing import Any

from tests.mock.doors import Door, request_with


def test_submits_a_second_are_limited_per_key(open_door: Any) -> None:
    door: Door = open_door(submits_per_second=2, api_keys=("test-key", "other-key"))
    seen = [door.submit(request_with()) for _ in range(3)]
    assert [answer.status for answer in seen] == [200, 200, 429]
    assert (seen[2].code, seen[2].headers["Retry-After"]) == ("too_many_requests", "1")
    assert door.submit(request_with(), key="other-key").status == 200
    door.advance(1)
    assert door.submit(request_with()).status == 200
    assert door.ledger()["created"] == 4


def test_queries_a_second_are_limited(open_door: Any) -> None:
    door: Door = open_door(queries_per_second=3)
    task = door.created(request_with())
    assert [door.poll(task).status for _ in range(4)] == [200, 200, 200, 429]
    door.advance(1)
    assert door.poll(task).status == 200


def test_running_tasks_are_limited_until_one_ends(open_door: Any) -> None:
    door: Door = open_door(max_running=2, api_keys=("test-key", "other-key"))
    seen = [door.submit(request_with()) for _ in range(3)]
    assert [answer.status for answer in seen] == [200, 200, 429]
    assert seen[2].headers["Retry-After"] == "10"
    assert door.submit(request_with(), key="other-key").status == 200
    door.advance(10)
    assert door.submit(request_with()).status == 200


def test_a_refused_submit_uses_up_no_fault(open_door: Any) -> None:
    door: Door = open_door(max_running=1)
    door.submit(request_with())
    prompt = "[[mock:submit:http-503]]"
    assert door.submit_prompt(prompt).status == 429
    door.advance(10)
    assert [door.submit_prompt(prompt).status for _ in range(2)] == [503, 200]


def test_retry_after_is_in_real_seconds(open_door: Any) -> None:
    door: Door = open_door(max_running=1)
    door.admin("POST", "clock", {"speed": 5})
    door.submit(request_with())
    assert door.submit(request_with()).headers["Retry-After"] == "2"


def test_without_limits_nothing_is_refused(door: Door) -> None:
    assert {door.submit(request_with()).status for _ in range(30)} == {200}
