"""Ledger, journal, verify, reset, state, health, status page, and who may see them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mock_server.ledger import account_name
from tests.mock.doors import Door, request_with

SECRET = "sk-a-very-secret-key"


def test_the_ledger_counts_in_all_and_per_key(open_door: Any) -> None:
    door: Door = open_door(api_keys=("test-key", "other-key"))
    done, failing = door.created(request_with(size="1280*720")), door.created(request_with(prompt="[[mock:001028095]]"))
    door.advance(10)
    door.submit(request_with(), key="other-key")
    door.poll(failing)
    assert door.poll(done).json["usage"]["cost"] == "0.50"
    ledger = door.ledger()
    keys = ledger.pop("keys")
    assert ledger == {"created": 3, "running": 1, "completed": 1, "failed": 1, "expired": 0, "billed_usd": "0.50"}
    assert keys == {
        account_name("test-key"): {
            "created": 2,
            "running": 0,
            "completed": 1,
            "failed": 1,
            "expired": 0,
            "billed_usd": "0.50",
        },
        account_name("other-key"): {
            "created": 1,
            "running": 1,
            "completed": 0,
            "failed": 0,
            "expired": 0,
            "billed_usd": "0.00",
        },
    }


def test_a_key_sees_only_its_own_tasks(open_door: Any) -> None:
    door: Door = open_door(api_keys=("test-key", "other-key"))
    task = door.created(request_with())
    assert door.poll(task, key="other-key").status == 404


def test_the_journal_lists_and_filters_every_request_to_the_provider(door: Door) -> None:
    task = door.created(request_with(prompt="a cat [[mock:poll:http-503*1]]"))
    door.submit(request_with(references=[]))
    door.submit(request_with(), key="wrong")
    door.submit_prompt("[[mock:submit:lost-answer]]")
    door.poll(task)
    door.poll(task)

    def numbers(query: str) -> list[int]:
        return [entry["number"] for entry in door.admin("GET", f"requests{query}").json["requests"]]

    assert numbers("") == [1, 2, 3, 4, 5, 6]
    assert numbers("?stage=submit") == [1, 2, 3, 4]
    assert numbers("?stage=submit&status=200") == [1]
    assert numbers("?prompt=cat&stage=poll") == [5, 6]
    assert numbers("?fault=http-503") == [5]
    assert numbers("?error_code=001028001") == [2]
    assert numbers(f"?task_id={task}&limit=1") == [6]
    assert numbers("?method=post&limit=2") == [3, 4]
    lost = door.admin("GET", "requests?fault=lost-answer").json["requests"][0]
    assert (lost["status"], lost["task_id"] is not None) == (None, True)
    assert numbers("?status=none") == [lost["number"]]
    assert lost["account"] == account_name("test-key")
    assert door.admin("GET", "requests?status=401").json["requests"][0]["account"] is None


def test_an_unknown_filter_or_limit_is_refused(door: Door) -> None:
    for query in ("?colour=red", "?stage=upload", "?status=x", "?limit=0", "?limit=-1", "?limit=x", "?limit=99999999"):
        assert door.admin("GET", f"requests{query}").status == 400


def test_no_key_is_told_anywhere(open_door: Any) -> None:
    door: Door = open_door(api_keys=(SECRET,))
    door.submit(request_with(prompt=f"my key is {SECRET} [[mock:poll:http-503]]"), key=SECRET)
    door.call("GET", f"/v1/videos/{SECRET}", key=SECRET)
    door.submit(request_with(), key=SECRET + "x")
    for page in ("requests", "state", "ledger", "scenarios", ""):
        outcome = door.admin("GET", page)
        assert outcome.status == 200
        assert SECRET.encode() not in outcome.body
    mismatch = door.admin("POST", "verify", {"count": 9}).json["message"]
    assert SECRET not in mismatch
    assert "***" in mismatch


def test_the_journal_forgets_the_oldest_and_says_so(open_door: Any) -> None:
    door: Door = open_door(journal_size=2)
    for _ in range(3):
        door.submit(request_with())
    listed = door.admin("GET", "requests").json
    assert [entry["number"] for entry in listed["requests"]] == [2, 3]
    assert listed["dropped"] == 1
    assert door.admin("POST", "verify", {"count": 3}).status == 409


@pytest.mark.parametrize(
    ("expected", "verified"),
    [
        ({"stage": "submit", "prompt": "cat", "count": 2}, True),
        ({"stage": "submit", "prompt": "cat", "count": 1}, False),
        ({"stage": "submit", "at_least": 3}, True),
        ({"stage": "submit", "at_least": 4}, False),
        ({"stage": "submit", "at_most": 2}, False),
        ({"stage": "submit", "at_least": 1, "at_most": 3, "status": 200}, True),
        ({"stage": "download", "count": 0}, True),
    ],
)
def test_verify_counts_the_matching_requests(door: Door, expected: dict[str, Any], verified: bool) -> None:
    for prompt in ("a cat", "a dog", "one more cat"):
        door.submit_prompt(prompt)
    outcome = door.admin("POST", "verify", expected)
    assert (outcome.status, outcome.json["verified"]) == ((200, True) if verified else (409, False))


def test_a_mismatch_can_be_read(door: Door) -> None:
    for prompt in ("a cat", "one more cat"):
        door.submit_prompt(prompt)
    message = door.admin("POST", "verify", {"stage": "submit", "prompt": "cat", "count": 1}).json["message"]
    assert message.splitlines() == [
        "expected exactly 1 requests with stage 'submit', prompt 'cat', found 2:",
        '  #1 POST /v1/videos -> 200 "a cat"',
        '  #2 POST /v1/videos -> 200 "one more cat"',
    ]


@pytest.mark.parametrize(
    "expected", [{}, {"count": -1}, {"count": "1"}, {"count": 1, "colour": "red"}, {"count": 1, "prompt": []}]
)
def test_a_bad_verify_is_refused(door: Door, expected: dict[str, Any]) -> None:
    assert door.admin("POST", "verify", expected).status == 400


def test_reset_forgets_everything(door: Door) -> None:
    task = door.created(request_with())
    door.admin("POST", "scenarios", {"action": "poll:http-503"})
    door.advance(3600)
    assert door.admin("POST", "reset").status == 200
    assert door.poll(task).status == 404
    assert door.admin("GET", "scenarios").json["scenarios"] == []
    assert len(door.admin("GET", "requests").json["requests"]) == 1
    assert {name: door.ledger()[name] for name in ("created", "billed_usd")} == {"created": 0, "billed_usd": "0.00"}
    assert door.admin("GET", "state").json["tasks"] == []


def test_state_shows_clock_ledger_scenarios_and_tasks(door: Door) -> None:
    task = door.created(request_with(prompt="[[mock:001028095]] x"))
    door.poll(task)
    door.created(request_with())
    state = door.admin("GET", "state?limit=1").json
    assert set(state) == {"clock", "ledger", "scenarios", "tasks_in_memory", "tasks"}
    assert state["tasks_in_memory"] == 2
    assert len(state["tasks"]) == 1
    failed = door.admin("GET", "state").json["tasks"][1]
    assert (failed["id"], failed["status"], failed["error"]["code"]) == (task, "failed", "001028095")
    assert failed["faults"] == ["poll:001028095"]


def test_the_status_page_needs_no_script_and_escapes_what_clients_wrote(door: Door) -> None:
    door.submit_prompt("<script>alert(1)</script> [[mock:poll:http-503]]")
    door.admin("POST", "scenarios", {"action": "poll:reset", "match": {"prompt": "<b>"}})
    for path in ("", "requests"):
        door.admin("GET", path)
    page = door.admin("GET", "")
    text = page.body.decode()
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert all(word in text for word in ("Ledger", "Faults armed", "Tasks", "queued", "poll:http-503", "poll:reset"))
    assert door.call("GET", "/_mock").body == page.body or door.call("GET", "/_mock").status == 200


def test_the_admin_routes_can_be_switched_off_but_health_stays(open_door: Any) -> None:
    door: Door = open_door(admin=False)
    assert [door.admin("GET", path).status for path in ("ledger", "state", "", "health")] == [404, 404, 404, 200]
    assert door.admin("POST", "reset").status == 404


def test_the_admin_routes_can_ask_for_a_token(open_door: Any) -> None:
    door: Door = open_door(admin_token="open sesame")
    password = base64.b64encode(b"anyone:open sesame").decode()
    rows = {
        "Bearer open sesame": 200,
        f"Basic {password}": 200,
        "Bearer test-key": 401,
        "Basic !!!": 401,
        f"Basic {base64.b64encode(b'anyone:wrong').decode()}": 401,
        "": 401,
    }
    for header, status in rows.items():
        assert door.admin("GET", "ledger", headers={"Authorization": header}).status == status
    assert door.admin("GET", "health").status == 200
    assert "Basic" in door.admin("GET", "ledger").headers["WWW-Authenticate"]
