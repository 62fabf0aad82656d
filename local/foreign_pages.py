"""Keeps web pages of other addresses off the engine.

A browser on this machine reaches 127.0.0.1 for any page that is open in it, and the engine asks nobody for a key: a
page could make a stack whose functions run on this machine, by a form or by the address of a picture. So what comes
from a page of elsewhere gets no further than on AWS without credentials: the API, which wants its key, and buckets, by
their own rules. Browsers tell it by `Origin`, by `Sec-Fetch-Site` where they send no origin, and, when a page has had
its own name lead to 127.0.0.1, by `Host`.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

API_PATH = "/_aws/execute-api/"
_OWN_NAMES = ("localhost", "host.docker.internal", "amazonaws.com")
"""Names that programs of this machine and containers use, and that nobody else can let lead here."""

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
    path, host = scope["path"], headers.get("host", "")
    return not _is_foreign(headers) or path.startswith(API_PATH) or is_bucket(host, path)


def _is_foreign(headers: Mapping[str, str]) -> bool:
    if "origin" in headers:
        return not is_of_this_machine(headers["origin"])
    # Of a page of this machine it is `same-site` or, under its other name, of no use here.
    return headers.get("sec-fetch-site") == "cross-site" or not _is_own_host(headers.get("host", ""))


def is_of_this_machine(origin: str) -> bool:
    """Whether an `Origin` is a page that this machine serves; one without an address (`null`) is not."""
    host = urlsplit(origin).hostname or ""
    address = _address(host)
    return address.is_loopback if address else _is_within(host, "localhost")


def _is_own_host(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    # An address cannot be made to lead elsewhere, as a name can.
    return not name or _address(name) is not None or any(_is_within(name, own) for own in _OWN_NAMES)


def _is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def _refuse(scope: dict[str, Any], send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = json.dumps({"message": _MESSAGE}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
