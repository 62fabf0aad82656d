"""What a web page of another address gets from the engine, which asks nobody for a key."""

import asyncio
from typing import Any

import pytest

from local.foreign_pages import is_of_this_machine, keep_foreign_pages_off

FOREIGN = "https://evil.example"


def ask(path: str, kind: str = "http", **headers: str) -> list[dict[str, Any]]:
    """What comes of a request with these headers; the engine behind the guard answers with `passed`."""
    sent: list[dict[str, Any]] = []

    async def engine(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "passed"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    guarded = keep_foreign_pages_off(engine, lambda _host, path: path.startswith("/a-bucket"))
    scope = {"type": kind, "path": path, "headers": [(n.encode(), v.encode()) for n, v in headers.items()]}
    asyncio.run(guarded(scope, receive, send))
    return sent


def passes(*asked: str, **headers: str) -> bool:
    return ask(*asked, **headers) == [{"type": "passed"}]


@pytest.mark.parametrize("path", ["/", "/2015-03-31/functions", "/_ministack/reset", "/another-bucket/key"])
@pytest.mark.parametrize("origin", [FOREIGN, "null", "http://127.0.0.1.evil.example", "http://localhost.evil.example"])
def test_a_foreign_page_can_make_and_read_nothing(path: str, origin: str) -> None:
    start, body = ask(path, origin=origin)
    assert start["status"] == 403
    assert not any(name.startswith(b"access-control") for name, _ in start["headers"])
    assert b"web page" in body["body"]


@pytest.mark.parametrize("path", ["/", "/another-bucket/key"])
def test_the_address_of_a_picture_makes_nothing(path: str) -> None:
    """Browsers send no origin for it."""
    start, _ = ask(path, host="127.0.0.1:4566", **{"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})
    assert start["status"] == 403


def test_a_page_whose_own_name_leads_here_makes_nothing() -> None:
    start, _ = ask("/", host="evil.example:4566", **{"sec-fetch-site": "same-origin"})
    assert start["status"] == 403


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:4566", "[::1]:4566", "localhost", "172.17.0.1:4566", "b.s3.amazonaws.com", "host.docker.internal"],
)
def test_programs_may_use_every_name_of_this_machine(host: str) -> None:
    assert passes("/", host=host)


def test_an_address_that_is_typed_is_opened() -> None:
    assert passes("/", host="127.0.0.1:4566", **{"sec-fetch-site": "none"})


def test_a_foreign_page_opens_no_socket() -> None:
    assert ask("/", "websocket", origin=FOREIGN) == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("path", ["/_aws/execute-api/abc/v1/videos", "/a-bucket", "/a-bucket/videos/1.mp4"])
def test_a_foreign_page_may_use_what_asks_for_a_key_or_has_rules_of_its_own(path: str) -> None:
    assert passes(path, origin=FOREIGN)


def test_programs_send_no_origin_and_may_do_everything() -> None:
    assert passes("/")


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:4566", "http://[::1]:8080"])
def test_pages_of_this_machine_may_do_everything(origin: str) -> None:
    assert is_of_this_machine(origin)
    assert passes("/", origin=origin)


def test_other_messages_of_the_server_pass() -> None:
    assert passes("", "lifespan")
