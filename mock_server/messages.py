"""What goes into the simulator and what comes out: plain data, no sockets.

An answer carries the transport's misbehaviour as data too (`Effect`), so that both doors, HTTP and in-process, can act
it out in their own way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)

JSON_TYPE = ("Content-Type", "application/json")
HTML_TYPE = ("Content-Type", "text/html; charset=utf-8")


@dataclass(slots=True)
class Request:
    """One HTTP request. `path` is percent-decoded and has no query; header names are lower case.

    `base_url` is where the client reached us (`http://127.0.0.1:8787`): video links start with it.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""
    base_url: str = ""


class Effect:
    """What happens to the connection instead of, or beside, a plain answer."""


@dataclass(frozen=True, slots=True)
class Reset(Effect):
    """The connection is reset (TCP RST): the caller sees "connection reset by peer"."""


@dataclass(frozen=True, slots=True)
class LostAnswer(Effect):
    """The connection is closed without one byte of an answer."""


@dataclass(frozen=True, slots=True)
class Hold(Effect):
    """Nothing is answered for `seconds` real seconds, then the connection is closed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Delay(Effect):
    """The whole answer comes `seconds` real seconds late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Trickle(Effect):
    """The body is spread evenly over `seconds` real seconds."""

    seconds: float


@dataclass(slots=True)
class Response:
    """One HTTP answer.

    `announced_length` is the Content-Length header in bytes where it is not the body's own length: for HEAD, and for a
    lie (then the door closes the connection after the body).
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (JSON_TYPE,)
    announced_length: int | None = None
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Deferred(Generic[T]):
    """An answer that needs slow work first (rendering, fetching, decoding).

    The door runs `work` wherever it blocks nobody, then `then` with the result, where it runs every other request.
    """

    work: Callable[[], T]
    then: Callable[[T], Answer]


Answer = Response | Deferred[Any]


def json_response(status: int, payload: object, *headers: tuple[str, str]) -> Response:
    """An answer with `payload` as compact ASCII JSON."""
    return Response(status, encode_json(payload), (JSON_TYPE, *headers))


def encode_json(payload: object) -> bytes:
    """Compact JSON. ASCII only, so that even a lone surrogate from a prompt can be sent back."""
    return json_text(payload).encode()


def json_text(payload: object) -> str:
    """The same as text, to be built into more."""
    return _ENCODER.encode(payload)


def settle(answer: Answer) -> Response:
    """The final response, with slow work done right here: for callers that may block."""
    while isinstance(answer, Deferred):
        answer = answer.then(answer.work())
    return answer
