"""Keeps web pages of other addresses off the engine.

A browser on this machine reaches 127.0.0.1 for any page that is open in it, and the engine asks nobody for a key: a
page could make a stack whose functions run on this machine. So what bears the `Origin` of a page from elsewhere gets no
further than on AWS without credentials: the API, which wants its key, and buckets, by their own rules.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

API_PATH = "/_aws/execute-api/"
_MESSAGE = "a web page of another address may use the API and the buckets of the local stack, and nothing else"


def keep_foreign_pages_off(app: App, is_bucket: Callable[[str, str], bool]) -> App:
    """The ASGI application `app`, for programs, for pages of this machine, and for what other pages may use.

    Args:
        is_bucket: whether a host and a path are those of a bucket that there is, or of an object in it.
    """

    async def guarded(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and not _is_allowed(scope, is_bucket):
            await _refuse(scope, send)
        else:
            await app(scope, receive, send)

    return guarded


def _is_allowed(scope: dict[str, Any], is_bucket: Callable[[str, str], bool]) -> bool:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if "origin" not in headers or is_of_this_machine(headers["origin"]):
        return True
    path: str = scope["path"]
    return path.startswith(API_PATH) or is_bucket(headers.get("host", ""), path)


def is_of_this_machine(origin: str) -> bool:
    """Whether an `Origin` is a page that this machine serves; one without an address (`null`) is not."""
    host = urlsplit(origin).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _refuse(scope: dict[str, Any], send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = json.dumps({"message": _MESSAGE}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
