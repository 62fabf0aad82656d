"""Faults armed over `/_mock/scenarios`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mock.doors import Door, request_with


def arm(door: Door, **scenario: Any) -> str:
    outcome = door.admin("POST", "scenarios", scenario)
    assert outcome.status == 201
    return str(outcome.json["id"])


def test_a_scenario_strikes_the_matching_stage_and_prompt(door: Door) -> None:
    arm(door, match={"stage": "submit", "prompt": "cat"}, action="http-503", times=2)
    prompts = ["a dog", "a cat", "one more cat", "the last cat"]
    assert [door.submit_prompt(prompt).status for prompt in prompts] == [200, 503, 503, 200]


def test_a_scenario_counts_to_the_nth_matching_request(door: Door) -> None:
    arm(door, match={"stage": "submit", "nth": 3}, action="lost-answer")
    assert [door.submit(request_with()).broken for _ in range(4)] == ["", "", "closed", ""]


def test_the_stage_may_stand_in_the_action_and_a_code_has_a_natural_one(door: Door) -> None:
    arm(door, action="poll:http-503*1")
    arm(door, action="001028098@200", times=1)
    task = door.created(request_with())
    seen = [door.poll(task) for _ in range(3)]
    assert [answer.status for answer in seen] == [503, 200, 200]
    assert seen[1].code == "001028098"
    assert seen[2].json["status"] == "queued"


def test_a_fault_of_poll_lasts_until_the_scenario_is_removed(door: Door) -> None:
    scenario = arm(door, match={"stage": "poll"}, action="http-500")
    task = door.created(request_with())
    assert [door.poll(task).status for _ in range(3)] == [500, 500, 500]
    assert door.admin("DELETE", f"scenarios/{scenario}").status == 204
    assert door.poll(task).status == 200
    assert door.admin("DELETE", f"scenarios/{scenario}").status == 404


def test_times_null_means_until_the_end(door: Door) -> None:
    arm(door, match={"stage": "submit"}, action="reset", times=None)
    assert [door.submit(request_with()).broken for _ in range(3)] == ["reset"] * 3
    assert door.admin("DELETE", "scenarios").status == 204
    assert door.submit(request_with()).status == 200


def test_a_probability_strikes_some_requests_and_the_same_ones_with_the_same_seed(open_door: Any) -> None:
    runs = []
    for _ in range(2):
        door: Door = open_door()
        arm(door, match={"stage": "submit"}, action="http-503", times=None, probability=0.5)
        runs.append([door.submit(request_with()).status for _ in range(20)])
    assert runs[0] == runs[1]
    assert {200, 503} == set(runs[0])


def test_a_scenario_of_download_and_a_failed_task(door: Door) -> None:
    arm(door, match={"stage": "download"}, action="cut")
    arm(door, match={"prompt": "fails"}, action="001028095")
    good, bad = door.created(request_with()), door.created(request_with(prompt="it fails"))
    door.advance(10)
    assert door.download(door.link(good)).broken == "cut"
    assert door.download(door.link(good)).status == 200
    assert door.ledger()["completed"] == 2
    assert door.poll(bad).code == "001028095"
    ledger = door.ledger()
    assert (ledger["completed"], ledger["failed"], ledger["billed_usd"]) == (1, 1, "0.75")


def test_scenarios_are_listed_with_how_often_they_struck(door: Door) -> None:
    arm(door, match={"stage": "submit", "prompt": "cat"}, action="http-503")
    for _ in range(2):
        door.submit_prompt("cat")
    (listed,) = door.admin("GET", "scenarios").json["scenarios"]
    assert listed == {
        "id": "scenario-1",
        "match": {"stage": "submit", "prompt": "cat", "nth": 1},
        "action": "http-503",
        "times": 1,
        "probability": 1.0,
        "matched": 2,
        "struck": 1,
    }


BAD_SCENARIOS: list[tuple[dict[str, Any], str]] = [
    ({}, "action"),
    ({"action": 7}, "action"),
    ({"action": "bogus", "match": {"stage": "poll"}}, "Known"),
    ({"action": "lost-answer"}, "Known"),
    ({"action": "poll:reset", "match": {"stage": "submit"}}, "action"),
    ({"action": "http-503", "match": {"stage": "upload"}}, "match.stage"),
    ({"action": "001028095", "match": []}, "match"),
    ({"action": "001028095", "match": {"prompt": 7}}, "match.prompt"),
    ({"action": "001028095", "match": {"nth": 0}}, "match.nth"),
    ({"action": "001028095", "match": {"text": "a"}}, "match.text"),
    ({"action": "001028095", "times": 0}, "times"),
    ({"action": "001028095", "times": True}, "times"),
    ({"action": "001028095", "probability": 2}, "probability"),
    ({"action": "001028095", "probability": "often"}, "probability"),
    ({"action": "001028095", "chance": 1}, "chance"),
]


@pytest.mark.parametrize(("scenario", "named"), BAD_SCENARIOS, ids=range(len(BAD_SCENARIOS)))
def test_a_bad_scenario_is_refused_by_name(door: Door, scenario: dict[str, Any], named: str) -> None:
    outcome = door.admin("POST", "scenarios", scenario)
    assert outcome.status == 400
    assert named in outcome.message
    assert door.admin("GET", "scenarios").json["scenarios"] == []
