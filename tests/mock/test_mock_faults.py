"""One row per fault and delivery, each through both doors."""

from __future__ import annotations

from typing import Any

import pytest

from mock_server.directives import FAULTS_OF_STAGE, STAGES
from mock_server.errors import ERROR_CODES
from tests.mock.doors import Door, Outcome, request_with

TIMES_OUT = Outcome(broken="timeout")

SUBMIT_ROWS: list[tuple[str, Outcome | tuple[int, str], int]] = [
    # directive, what the caller sees (status and code, or how it broke), tasks created
    ("001028001", (400, "001028001"), 0),
    ("001028002", (400, "001028002"), 0),
    ("001028003", (400, "001028003"), 0),
    ("001028004", (400, "001028004"), 0),
    ("001028099", (500, "001028099"), 0),
    ("submit:001028095", (500, "001028095"), 0),
    ("submit:001028096", (500, "001028096"), 0),
    ("submit:001028097", (502, "001028097"), 0),
    ("submit:001028098", (500, "001028098"), 0),
    ("submit:001028099@400", (400, "001028099"), 0),
    ("submit:001028004@200", (200, "001028004"), 0),
    ("submit:001028095@503", (503, "001028095"), 0),
    ("submit:http-401", (401, "unauthorized"), 0),
    ("submit:http-404", (404, "not_found"), 0),
    ("submit:http-429", (429, "too_many_requests"), 0),
    ("submit:http-500", (500, "internal_server_error"), 0),
    ("submit:http-503", (503, "service_unavailable"), 0),
    ("submit:http-599", (599, "http_599"), 0),
    ("submit:reset", Outcome(broken="reset"), 0),
    ("submit:timeout", TIMES_OUT, 0),
    ("submit:slow", TIMES_OUT, 1),
    ("submit:lost-answer", Outcome(broken="closed"), 1),
]


@pytest.mark.parametrize(("directive", "seen", "created"), SUBMIT_ROWS, ids=[row[0] for row in SUBMIT_ROWS])
def test_a_fault_of_submit_shows_as_asked(
    door: Door, directive: str, seen: Outcome | tuple[int, str], created: int
) -> None:
    outcome = door.submit_prompt(f"a cat [[mock:{directive}]]", impatient=seen == TIMES_OUT)
    assert seen == (outcome if isinstance(seen, Outcome) else (outcome.status, outcome.code))
    assert door.ledger()["created"] == created
    door.advance(10)
    assert door.ledger()["completed"] == created
    assert door.ledger()["billed_usd"] == ("0.75" if created else "0.00")


POLL_ROWS: list[tuple[str, Outcome | tuple[int, str], str]] = [
    # directive, what every poll sees, how the task ends at the provider
    ("001028095", (200, "001028095"), "failed"),
    ("001028096", (200, "001028096"), "failed"),
    ("001028097", (502, "001028097"), "completed"),
    ("001028098", (500, "001028098"), "completed"),
    ("poll:001028095@500", (500, "001028095"), "failed"),
    ("poll:001028096@502", (502, "001028096"), "failed"),
    ("poll:001028097@200", (200, "001028097"), "completed"),
    ("poll:001028098@200", (200, "001028098"), "completed"),
    ("poll:001028004", (200, "001028004"), "failed"),
    ("poll:001028099", (200, "001028099"), "failed"),
    ("poll:http-404", (404, "not_found"), "completed"),
    ("poll:http-429", (429, "too_many_requests"), "completed"),
    ("poll:http-503", (503, "service_unavailable"), "completed"),
    ("poll:reset", Outcome(broken="reset"), "completed"),
    ("poll:timeout", TIMES_OUT, "completed"),
    ("poll:slow", TIMES_OUT, "completed"),
    ("poll:lost-answer", Outcome(broken="closed"), "completed"),
]


@pytest.mark.parametrize(("directive", "seen", "end"), POLL_ROWS, ids=[row[0] for row in POLL_ROWS])
def test_a_fault_of_poll_shows_at_every_poll(
    door: Door, directive: str, seen: Outcome | tuple[int, str], end: str
) -> None:
    task = door.created(request_with(prompt=f"a cat [[mock:{directive}]]"))
    for _ in range(2):
        outcome = door.poll(task, impatient=seen == TIMES_OUT)
        assert seen == (outcome if isinstance(seen, Outcome) else (outcome.status, outcome.code))
        if outcome.status == 200:
            assert (outcome.json["id"], outcome.json["status"]) == (task, "failed")
        door.advance(10)
    ledger = door.ledger()
    assert (ledger[end], ledger["running"]) == (1, 0)
    assert ledger["billed_usd"] == ("0.75" if end == "completed" else "0.00")


SPOILED: list[tuple[str, int, Any]] = [
    ("empty", 200, lambda outcome: outcome.body == b""),
    ("malformed", 200, lambda outcome: outcome.json is None and outcome.body.startswith(b"{")),
    ("html", 502, lambda outcome: b"<html" in outcome.body and "text/html" in outcome.headers["Content-Type"]),
    ("html@200", 200, lambda outcome: b"<html" in outcome.body),
    ("wrong-type", 200, lambda outcome: isinstance(outcome.json["id"], list) and outcome.json["status"] == 200),
    ("no-id", 200, lambda outcome: "id" not in outcome.json and outcome.json["status"]),
    ("unknown-status", 200, lambda outcome: outcome.json["status"] == "warming_up" and outcome.json["id"]),
]


@pytest.mark.parametrize("stage", ["submit", "poll"])
@pytest.mark.parametrize(("fault", "status", "fits"), SPOILED, ids=[row[0] for row in SPOILED])
def test_a_spoiled_answer_leaves_the_task_alive(door: Door, stage: str, fault: str, status: int, fits: Any) -> None:
    outcome = door.submit_prompt(f"[[mock:{stage}:{fault}]]")
    if stage == "poll":
        outcome = door.poll(outcome.json["id"])
    assert outcome.status == status
    assert fits(outcome)
    door.advance(10)
    assert door.ledger()["completed"] == 1


def test_no_output_waits_for_the_end_of_the_task(door: Door) -> None:
    task = door.created(request_with(prompt="[[mock:poll:no-output*1]]"))
    assert door.poll(task).json["status"] == "queued"
    door.advance(10)
    first, second = door.poll(task).json, door.poll(task).json
    assert (first["status"], "output" in first) == ("completed", False)
    assert "output" in second


DOWNLOAD_ROWS: list[tuple[str, Outcome | tuple[int, str]]] = [
    ("http-404", (404, "not_found")),
    ("http-403", (403, "forbidden")),
    ("http-503", (503, "service_unavailable")),
    ("reset", Outcome(broken="reset")),
    ("timeout", TIMES_OUT),
    ("cut", Outcome(broken="cut")),
    ("wrong-length", Outcome(broken="cut")),
]


@pytest.mark.parametrize(("fault", "seen"), DOWNLOAD_ROWS, ids=[row[0] for row in DOWNLOAD_ROWS])
def test_a_fault_of_download_strikes_once(door: Door, fault: str, seen: Outcome | tuple[int, str]) -> None:
    link = finished_link(door, f"a cat [[mock:download:{fault}]]")
    first, second = door.download(link, impatient=seen == TIMES_OUT), door.download(link)
    assert seen == (first if isinstance(seen, Outcome) else (first.status, first.code))
    assert second.status == 200


def test_a_download_that_is_no_mp4_or_empty_is_a_200(door: Door) -> None:
    link = finished_link(door, "[[mock:download:not-mp4]] [[mock:download:empty]]")
    no_video, empty, video = door.download(link), door.download(link), door.download(link)
    assert [answer.status for answer in (no_video, empty, video)] == [200, 200, 200]
    assert b"ftyp" not in no_video.body
    assert no_video.headers["Content-Type"] == "video/mp4"
    assert empty.body == b""
    assert video.body[4:8] == b"ftyp"


def test_a_slow_download_is_whole(door: Door) -> None:
    link = finished_link(door, "[[mock:download:slow@1]]")
    assert door.download(link).body == door.download(link).body


def finished_link(door: Door, prompt: str) -> str:
    task = door.created(request_with(prompt=prompt))
    door.advance(10)
    return door.link(task)


def test_retry_after_comes_with_429_and_503_alone(door: Door) -> None:
    task = door.created(
        request_with(prompt="[[mock:poll:http-429@7*1]][[mock:poll:http-503*1]][[mock:poll:http-500*1]]")
    )
    assert [door.poll(task).headers.get("Retry-After") for _ in range(3)] == ["7", "1", None]


def test_directives_apply_in_their_order_until_each_is_used_up(door: Door) -> None:
    task = door.created(
        request_with(prompt="[[mock:poll:http-503*2]] a [[mock:poll:malformed*1]] b [[mock:001028096]]")
    )
    seen = [door.poll(task) for _ in range(5)]
    assert [answer.status for answer in seen] == [503, 503, 200, 200, 200]
    assert seen[2].json is None
    assert [answer.code for answer in seen[3:]] == ["001028096", "001028096"]


def test_a_code_that_waits_behind_another_fault_fails_the_task_even_if_nobody_reads_it(door: Door) -> None:
    task = door.created(request_with(prompt="[[mock:poll:http-503*1]][[mock:001028095]]"))
    door.advance(60)
    assert door.ledger()["failed"] == 1
    assert door.poll(task).status == 503
    assert door.poll(task).code == "001028095"
    assert door.ledger()["billed_usd"] == "0.00"


def test_a_task_that_failed_by_a_counted_code_stays_failed(door: Door) -> None:
    task = door.created(request_with(prompt="[[mock:poll:001028095*1]]"))
    codes = [door.poll(task).code for _ in range(3)]
    assert codes == ["001028095"] * 3


def test_submit_strikes_count_per_key_and_whole_prompt_until_reset(open_door: Any) -> None:
    door: Door = open_door(api_keys=("test-key", "other-key"))
    prompt = "[[mock:submit:http-503*2]] a cat"
    assert [door.submit_prompt(prompt).status for _ in range(3)] == [503, 503, 200]
    assert door.submit_prompt(prompt + "!").status == 503
    assert door.submit_prompt(prompt, key="other-key").status == 503
    assert door.submit_prompt(prompt).status == 200
    door.admin("POST", "reset")
    assert door.submit_prompt(prompt).status == 503


def test_poll_strikes_count_per_task(door: Door) -> None:
    first, second = (door.created(request_with(prompt="[[mock:poll:http-503*1]]")) for _ in range(2))
    assert [door.poll(task).status for task in (first, second, first, second)] == [503, 503, 200, 200]


def test_a_code_of_submit_strikes_until_the_end_and_another_fault_once(door: Door) -> None:
    assert [door.submit_prompt("[[mock:001028099]]").status for _ in range(3)] == [500, 500, 500]
    assert [door.submit_prompt("[[mock:001028099*1]]").status for _ in range(2)] == [500, 200]
    assert [door.submit_prompt("[[mock:submit:http-500]]").status for _ in range(2)] == [500, 200]


def test_a_fault_that_comes_before_the_request_is_taken_beats_validation(door: Door) -> None:
    broken = request_with(prompt="[[mock:submit:http-503]] [[mock:submit:lost-answer]]", references=[])
    assert [door.submit(broken).status for _ in range(2)] == [503, 400]
    assert door.submit(broken).code == "001028001"


UNKNOWN = [
    "[[mock:bogus]]",
    "[[mock:]]",
    "[[mock:001028005]]",
    "[[mock:lost-answer]]",
    "[[mock:upload:reset]]",
    "[[mock:download:lost-answer]]",
    "[[mock:download:001028095]]",
    "[[mock:submit:no-output]]",
    "[[mock:submit:reset*0]]",
    "[[mock:submit:reset*x]]",
    "[[mock:submit:reset@3]]",
    "[[mock:poll:http-999]]",
    "[[mock:poll:http-100]]",
    "[[mock:poll:001028098@201]]",
    "[[mock:poll:html@600]]",
    "[[mock:poll:http-503",
]


@pytest.mark.parametrize("directive", UNKNOWN)
def test_an_unknown_directive_is_an_error_that_lists_the_known_ones(door: Door, directive: str) -> None:
    outcome = door.submit_prompt(f"a cat {directive}")
    assert (outcome.status, outcome.code) == (400, "001028099")
    assert directive.rstrip("]") in outcome.message
    assert all(word in outcome.message for word in (*ERROR_CODES, *STAGES, *sum(FAULTS_OF_STAGE.values(), ())))


@pytest.mark.parametrize("directive", ["[[mock: 001028099 ]]", "[[mock:SUBMIT:001028099]]"])
def test_blanks_and_capitals_do_not_matter(door: Door, directive: str) -> None:
    assert door.submit_prompt(directive).code == "001028099"


def test_a_status_without_a_body_is_sent_without_one(door: Door) -> None:
    task = door.created(request_with(prompt="[[mock:poll:http-204*1]]"))
    assert (door.poll(task).status, door.poll(task).status) == (204, 200)
