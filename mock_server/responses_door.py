"""The in-process door: the simulator behind the `responses` library, for tests of a `requests` client without a socket.

    with responses.RequestsMock(assert_all_requests_are_fired=False) as requests_mock:
        mock = InProcessMock().install(requests_mock)
        requests.post(f"{mock.url}/v1/videos", ...)

What the transport does becomes what `requests` raises for it: a reset or a lost answer is a ConnectionError, a held
or too slow answer a ReadTimeout (at once: nobody sleeps), a body that ends early a ChunkedEncodingError when it is
read.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from http.client import RemoteDisconnected
from urllib.parse import unquote, urlsplit

import requests
import responses
from urllib3.exceptions import ProtocolError

from .clock import VirtualClock
from .messages import Delay, Effect, Hold, LostAnswer, Request, Reset, Trickle, settle
from .settings import Settings
from .simulator import Simulator

URL = "http://wan.mock"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

CallbackResult = tuple[int, dict[str, str], bytes]


class InProcessMock:
    """A simulated provider at `url`, driven by a manual clock unless another is given: `mock.clock.advance(60)`."""

    def __init__(self, settings: Settings | None = None, *, url: str = URL, simulator: Simulator | None = None) -> None:
        self.url = url
        self.simulator = simulator or Simulator(settings, clock=VirtualClock(speed=0))
        self.clock = self.simulator.state.clock
        self.api_key = self.simulator.state.settings.api_keys[0]

    def install(self, requests_mock: responses.RequestsMock) -> InProcessMock:
        """Answer every request under `url`; returns itself."""
        pattern = re.compile(rf"{re.escape(self.url)}(/.*)?$")
        for method in _METHODS:
            requests_mock.add_callback(method, pattern, callback=self.answer, content_type=None)
        return self

    def answer(self, prepared: requests.PreparedRequest) -> CallbackResult:
        """The callback for `responses`; raises what `requests` would."""
        response = settle(self.simulator.handle(self._request(prepared)))
        if response.effect is not None:
            _EFFECTS[type(response.effect)](response.effect, _read_timeout(prepared), prepared)
        length = len(response.body) if response.announced_length is None else response.announced_length
        return response.status, {**dict(response.headers), "Content-Length": str(length)}, response.body

    def _request(self, prepared: requests.PreparedRequest) -> Request:
        parts = urlsplit(prepared.url or "")
        headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
        body = prepared.body or b""
        return Request(
            prepared.method or "GET",
            unquote(parts.path) or "/",
            headers,
            body.encode() if isinstance(body, str) else body,
            parts.query,
            self.url,
        )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _read_timeout(prepared: requests.PreparedRequest) -> float | None:
    """The timeout that `requests` was called with, in seconds; `responses` notes it on the request."""
    timeout: float | tuple[float, float | None] | None = getattr(prepared, "req_kwargs", {}).get("timeout")
    return timeout[1] if isinstance(timeout, tuple) else timeout


def _reset(_: Effect, __: float | None, prepared: requests.PreparedRequest) -> None:
    cause = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    raise requests.ConnectionError(ProtocolError("Connection aborted.", cause), request=prepared)


def _lost(_: Effect, __: float | None, prepared: requests.PreparedRequest) -> None:
    cause = RemoteDisconnected("Remote end closed connection without response")
    raise requests.ConnectionError(ProtocolError("Connection aborted.", cause), request=prepared)


def _hold(effect: Effect, timeout: float | None, prepared: requests.PreparedRequest) -> None:
    assert isinstance(effect, Hold)  # noqa: S101 - chosen by its type
    if timeout is None or timeout > effect.seconds:
        _lost(effect, timeout, prepared)
    raise requests.ReadTimeout(f"Read timed out. (read timeout={timeout})", request=prepared)


def _delay(effect: Effect, timeout: float | None, prepared: requests.PreparedRequest) -> None:
    assert isinstance(effect, Delay)  # noqa: S101 - chosen by its type
    if timeout is not None and timeout <= effect.seconds:
        raise requests.ReadTimeout(f"Read timed out. (read timeout={timeout})", request=prepared)


def _trickle(_: Effect, __: float | None, ___: requests.PreparedRequest) -> None:
    """Every drop comes in time; only the whole is slow."""


_EFFECTS: dict[type[Effect], Callable[[Effect, float | None, requests.PreparedRequest], None]] = {
    Reset: _reset,
    LostAnswer: _lost,
    Hold: _hold,
    Delay: _delay,
    Trickle: _trickle,
}
