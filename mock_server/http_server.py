"""The HTTP door: asyncio and httptools, so that every misbehaviour of the transport is exact.

One event loop calls the simulator; slow work goes to background threads. A connection answers its requests in order,
one at a time, whether they were pipelined or not.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools

from .background import Background
from .errors import BodyTooLargeError, InvalidRequestError, RefusalError
from .messages import Answer, Deferred, Delay, Effect, Hold, LostAnswer, Request, Reset, Response, Trickle
from .simulator import Simulator

DRAIN_SECONDS = 2.0
"""How long a client may go on sending after it was refused: closing at once would reset the refusal away."""

TRICKLE_STEPS = 20
READ_BYTES = 262_144
MOST_HEADER_BYTES = 65_536
MOST_PIPELINED = 64
_NO_LINGER = struct.pack("ii", 1, 0)
_BODYLESS = (204, 304)


class HttpServer:
    """Serves one simulator on one address, within a running event loop."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.background = Background()
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._unflushed: list[Connection] = []
        self.read_buffer = memoryview(bytearray(READ_BYTES))

    def flush_soon(self, connection: Connection) -> None:
        """Write a connection's answers at the end of this turn of the event loop, together with all others.

        Written one by one each would wake a waiting client, which costs more than many a request.
        """
        if not self._unflushed:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unflushed.append(connection)

    def _flush(self) -> None:
        connections, self._unflushed = self._unflushed, []
        for connection in connections:
            connection.flush()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port (which 0 leaves to the system). Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self, loop), host, port, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and drop every connection at once."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.drop()
        self.background.stop()


class Connection(asyncio.BufferedProtocol):
    """One client connection."""

    def __init__(self, server: HttpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._handle = server.simulator.handle
        self._most_body_bytes = server.simulator.state.settings.max_body_bytes
        self._outgoing: list[bytes] = []
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._answering = False
        self._closing = False
        self._half_closed = False
        self._timer: asyncio.TimerHandle | None = None

    # --- asyncio.BufferedProtocol -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server makes nothing else
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._server.connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._closing = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """All connections share one buffer: what is in it is parsed before the next one reads."""
        return self._server.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what has come, which calls the methods below."""
        if self._closing:
            return
        try:
            self._parser.feed_data(self._server.read_buffer[:nbytes])
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(
                cause if isinstance(cause, RefusalError) else InvalidRequestError(f"this is not HTTP: {error}")
            )

    def eof_received(self) -> bool:
        """A client that closed its writing half still gets its answers, then the connection ends."""
        self._half_closed = True
        self.flush()
        return self._answering

    def drop(self) -> None:
        """End the connection now."""
        self._transport.abort()

    # --- httptools ----------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MOST_HEADER_BYTES:
            raise InvalidRequestError("the headers are too big")
        self._headers[_lower(name)] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        headers = self._headers
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._most_body_bytes:
            raise self._too_large()
        waits = headers.get("expect", "").lower() == "100-continue"
        if waits and not self._answering and not self._waiting:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._most_body_bytes:
            raise self._too_large()
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        path, query = _path_and_query(self._url)
        host = self._headers.get("host", "localhost")
        method = self._parser.get_method().decode("latin-1")
        request = Request(method, path, self._headers, body, query, f"http://{host}")
        keep_alive = self._parser.should_keep_alive()
        if self._answering or self._waiting or self._closing:
            self._queue(request, keep_alive)
        else:
            self._answer(request, keep_alive)

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(f"the body may have at most {self._most_body_bytes} bytes")

    # --- answering ----------------------------------------------------------------------------------------------------

    def _queue(self, request: Request, keep_alive: bool) -> None:
        self._waiting.append((request, keep_alive))
        if len(self._waiting) >= MOST_PIPELINED:
            self._transport.pause_reading()

    def _answer_next(self) -> None:
        """Answer what has come, until one of the answers takes time."""
        while self._waiting and not self._answering and not self._closing:
            request, keep_alive = self._waiting.popleft()
            if len(self._waiting) == MOST_PIPELINED - 1:
                self._transport.resume_reading()
            self._answer(request, keep_alive)

    def _answer(self, request: Request, keep_alive: bool) -> None:
        self._answering = True
        try:
            answer = self._handle(request)
        except Exception:
            answer = _our_mistake()
        self._deliver(answer, keep_alive)

    def _deliver(self, answer: Answer, keep_alive: bool) -> None:
        if isinstance(answer, Deferred):
            done = partial(self._from_thread, answer.then, keep_alive)
            self._server.background.run(answer.work, done, partial(self._after_failure, keep_alive))
        elif answer.effect is None:
            self._send(answer, keep_alive)
        else:
            self.flush()
            _EFFECTS[type(answer.effect)](self, answer, keep_alive)

    def _after_work(self, then: Callable[[Any], Answer], keep_alive: bool, result: Any) -> None:
        answer = then(result)
        if not self._closing:
            self._deliver(answer, keep_alive)

    def _after_failure(self, keep_alive: bool) -> None:
        """In the background thread."""
        self._from_thread(lambda mistake: mistake, keep_alive, _our_mistake())

    def _from_thread(self, then: Callable[[Any], Answer], keep_alive: bool, result: Any) -> None:
        """Go on in the event loop, unless the server has ended meanwhile."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(partial(self._after_work, then, keep_alive, result))

    def _send(self, response: Response, keep_alive: bool) -> None:
        """Write the answer in one piece; one that lies about its length ends the connection."""
        if response.announced_length is not None and response.body:
            keep_alive = False
        self._outgoing += (_head(response, keep_alive), response.body)
        self._server.flush_soon(self)
        self._finish(keep_alive)

    def flush(self) -> None:
        """Write the answers that have gathered."""
        if self._outgoing:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()

    def _finish(self, keep_alive: bool) -> None:
        self._answering = False
        if not keep_alive or (self._half_closed and not self._waiting):
            self._closing = True
            self.flush()
            self._transport.close()
        elif self._waiting:
            self._loop.call_soon(self._answer_next)

    def _refuse(self, refusal: RefusalError) -> None:
        """Answer a request that cannot be read to its end, and give its sender time to notice."""
        self._closing = True
        self.flush()
        response = refusal.as_response()
        self._transport.write(_head(response, keep_alive=False) + response.body)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._timer = self._loop.call_later(DRAIN_SECONDS, self._transport.close)

    # --- effects ------------------------------------------------------------------------------------------------------

    def reset(self, _response: Response, _keep_alive: bool) -> None:
        """A TCP reset: closing with linger 0 sends RST instead of FIN."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def lose_answer(self, _response: Response, _keep_alive: bool) -> None:
        """A clean close without a byte."""
        self._transport.close()

    def hold(self, response: Response, _keep_alive: bool) -> None:
        """Silence, then a close."""
        assert isinstance(response.effect, Hold)  # noqa: S101 - chosen by its type
        self._timer = self._loop.call_later(response.effect.seconds, self._transport.close)

    def delay(self, response: Response, keep_alive: bool) -> None:
        """The answer, late."""
        assert isinstance(response.effect, Delay)  # noqa: S101 - chosen by its type
        self._timer = self._loop.call_later(response.effect.seconds, self._send, response, keep_alive)

    def trickle(self, response: Response, keep_alive: bool) -> None:
        """The head at once, the body drop by drop."""
        assert isinstance(response.effect, Trickle)  # noqa: S101 - chosen by its type
        self._transport.write(_head(response, keep_alive))
        size = max(1, -(-len(response.body) // TRICKLE_STEPS))
        drops = deque(response.body[start : start + size] for start in range(0, len(response.body), size))
        self._drip(drops, response.effect.seconds / max(1, len(drops)), keep_alive)

    def _drip(self, drops: deque[bytes], pause_seconds: float, keep_alive: bool) -> None:
        if not drops:
            self._finish(keep_alive)
            return
        self._transport.write(drops.popleft())
        self._timer = self._loop.call_later(pause_seconds, self._drip, drops, pause_seconds, keep_alive)


_EFFECTS: dict[type[Effect], Callable[[Connection, Response, bool], None]] = {
    Reset: Connection.reset,
    LostAnswer: Connection.lose_answer,
    Hold: Connection.hold,
    Delay: Connection.delay,
    Trickle: Connection.trickle,
}


def _our_mistake() -> Response:
    """Inside an `except`: the traceback goes to stderr, a 500 that says so to the client."""
    sys.stderr.write(traceback.format_exc())
    return RefusalError("the mock server made a mistake: see its stderr", status=500).as_response()


@lru_cache(maxsize=256)
def _lower(name: bytes) -> str:
    """Of a header's name: clients send the same few."""
    return name.decode("latin-1").lower()


def _path_and_query(url: bytes) -> tuple[str, str]:
    """The percent-decoded path and the query as it is; the URL may be absolute, as for a proxy."""
    if not url.startswith(b"/"):
        parsed = httptools.parse_url(url)
        url = (parsed.path or b"/") + b"?" + (parsed.query or b"")
    path, _, query = url.decode("latin-1").partition("?")
    return unquote(path) if "%" in path else path, query


def _head(response: Response, keep_alive: bool) -> bytes:
    length = len(response.body) if response.announced_length is None else response.announced_length
    return _head_of(response.status, response.headers, length, keep_alive)


@lru_cache(maxsize=1024)
def _head_of(status: int, headers: tuple[tuple[str, str], ...], length: int, keep_alive: bool) -> bytes:
    """The same few over and over: answers of one kind hardly differ in their length."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    close = () if keep_alive else (("Connection", "close"),)
    sized = () if status in _BODYLESS else (("Content-Length", str(length)),)
    lines = (f"{name}: {value}\r\n" for name, value in (*headers, *close, *sized))
    return f"HTTP/1.1 {status} {reason}\r\n{''.join(lines)}\r\n".encode("latin-1", errors="replace")
