"""What the HTTP door does on the wire, byte by byte."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mock_server.clock import VirtualClock
from mock_server.running import RunningMock
from mock_server.simulator import Simulator
from tests.mock.doors import TinyRenderer, quick, request_with

PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[RunningMock]:
    settings = quick(max_body_bytes=2000)
    with RunningMock(simulator=Simulator(settings, clock=VirtualClock(0), renderer=TinyRenderer())) as running:
        yield running


class Line:
    """One TCP connection to the mock."""

    def __init__(self, server: RunningMock) -> None:
        port = int(server.url.rpartition(":")[2])
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, text: str | bytes) -> Line:
        self._socket.sendall(text.encode() if isinstance(text, str) else text)
        return self

    def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """The next answer, read by its announced length; status 0 for a connection that was closed."""
        first = self._file.readline()
        if not first:
            return 0, {}, b""
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name] = value
        length = int(headers.get("Content-Length", "0")) if has_body else 0
        return int(first.split()[1]), headers, self._file.read(length)

    def is_closed(self) -> bool:
        return self._file.read(1) == b""

    def is_reset(self) -> bool:
        try:
            self._file.read(1)
        except ConnectionResetError:
            return True
        return False


def submit(document: Any = None, *headers: str, body: bytes | None = None) -> str:
    text = json.dumps(document or request_with()) if body is None else body.decode()
    lines = ["POST /v1/videos HTTP/1.1", "Host: mock.test", "Authorization: Bearer test-key", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(text)}", "", text])


def get(path: str, *headers: str, method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: mock.test", *headers, "", ""])


def test_a_connection_is_kept_alive_until_it_is_asked_to_close(server: RunningMock) -> None:
    with Line(server) as line:
        assert [line.send(submit()).answer()[0] for _ in range(3)] == [200, 200, 200]
        status, headers, _ = line.send(submit(None, "Connection: close")).answer()
        assert (status, headers["Connection"], line.is_closed()) == (200, "close", True)


def test_http_1_0_closes_by_itself(server: RunningMock) -> None:
    with Line(server) as line:
        assert line.send("GET /_mock/health HTTP/1.0\r\n\r\n").answer()[0] == 200
        assert line.is_closed()


def test_pipelined_requests_are_answered_in_their_order(server: RunningMock) -> None:
    with Line(server) as line:
        line.send("".join([get("/_mock/health"), submit(), get("/nothing"), submit(), get("/_mock/ledger")]))
        assert [line.answer()[0] for _ in range(5)] == [200, 200, 404, 200, 200]


def test_pipelined_answers_wait_for_a_slow_one(server: RunningMock) -> None:
    server.reset()
    slow = submit(request_with(prompt="[[mock:submit:slow@1]]"))
    with Line(server) as line:
        line.send(slow + get("/_mock/ledger"))
        first, second = line.answer(), line.answer()
        assert json.loads(first[2])["status"] == "queued"
        assert json.loads(second[2])["created"] == 1


def test_what_is_pipelined_behind_a_close_is_not_answered(server: RunningMock) -> None:
    server.reset()
    with Line(server) as line:
        line.send(submit(None, "Connection: close") + submit())
        assert line.answer()[0] == 200
        assert line.is_closed()
    assert server.ledger()["created"] == 1


def test_header_names_may_have_any_case(server: RunningMock) -> None:
    with Line(server) as line:
        for name in ("authorization", "AUTHORIZATION", "AuthoriZation"):
            assert line.send(submit().replace("Authorization", name)).answer()[0] == 200


def test_many_pipelined_requests_are_all_answered(server: RunningMock) -> None:
    with Line(server) as line:
        line.send(get("/_mock/health") * 500)
        assert {line.answer()[0] for _ in range(500)} == {200}


def test_a_request_may_come_byte_by_byte(server: RunningMock) -> None:
    with Line(server) as line:
        for byte in submit().encode():
            line.send(bytes([byte]))
        assert line.answer()[0] == 200


def test_a_chunked_body_is_read(server: RunningMock) -> None:
    body = json.dumps(request_with()).encode()
    head = submit(body=b"").replace("Content-Length: 0", "Transfer-Encoding: chunked")
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    with Line(server) as line:
        assert line.send(head.encode() + chunks).answer()[0] == 200


def test_expect_100_continue_is_answered_before_the_body(server: RunningMock) -> None:
    head, _, body = submit(None, "Expect: 100-continue").partition("\r\n\r\n")
    with Line(server) as line:
        assert line.send(f"{head}\r\n\r\n").answer()[0] == 100
        assert line.send(body).answer()[0] == 200


def test_a_body_that_is_announced_too_big_is_refused_before_it_comes(server: RunningMock) -> None:
    head = submit(None, "Expect: 100-continue").partition("\r\n\r\n")[0].rpartition("\r\n")[0]
    with Line(server) as line:
        status, headers, body = line.send(f"{head}\r\nContent-Length: 2001\r\n\r\n").answer()
        assert (status, json.loads(body)["error"]["code"]) == (413, "payload_too_large")
        assert headers["Connection"] == "close"


def test_a_chunked_body_that_grows_too_big_is_refused(server: RunningMock) -> None:
    head = submit(body=b"").replace("Content-Length: 0", "Transfer-Encoding: chunked")
    with Line(server) as line:
        line.send(head + "7d1\r\n" + "x" * 2001 + "\r\n")
        assert line.answer()[0] == 413
        assert line.is_closed()


def test_a_body_of_exactly_the_cap_is_read(server: RunningMock) -> None:
    body = json.dumps(request_with()).encode().ljust(2000)
    with Line(server) as line:
        assert line.send(submit(body=body)).answer()[0] == 200


@pytest.mark.parametrize(
    "garbage", ["hello\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS"]
)
def test_what_is_no_http_is_a_400_and_a_close(server: RunningMock, garbage: str) -> None:
    with Line(server) as line:
        assert line.send(garbage).answer()[0] == 400
        assert line.is_closed()


def test_headers_without_end_are_refused(server: RunningMock) -> None:
    with Line(server) as line:
        line.send("GET / HTTP/1.1\r\n" + "".join(f"X-{number}: {'x' * 1000}\r\n" for number in range(70)))
        assert line.answer()[0] == 400


def test_an_upgrade_is_ignored(server: RunningMock) -> None:
    with Line(server) as line:
        assert line.send(get("/_mock/health", "Connection: Upgrade", "Upgrade: websocket")).answer()[0] == 200


def test_a_path_is_percent_decoded_and_a_query_kept_apart(server: RunningMock) -> None:
    with Line(server) as line:
        assert line.send(get("/%5Fmock/requests?stage=submit&limit=1")).answer()[0] == 200
        assert line.send(get("http://mock.test/_mock/health?x=%20")).answer()[0] == 200


def test_a_client_that_closes_its_half_still_gets_its_answer(server: RunningMock) -> None:
    with Line(server) as line:
        line.send(submit(request_with(prompt=f"[[mock:submit:slow@1]] {server.url}")))
        line._socket.shutdown(socket.SHUT_WR)
        assert line.answer()[0] == 200
        assert line.is_closed()


def test_a_reset_is_a_reset_and_a_lost_answer_a_clean_close(server: RunningMock) -> None:
    server.reset()
    with Line(server) as line:
        assert line.send(submit(request_with(prompt="[[mock:submit:reset]]"))).is_reset()
    with Line(server) as line:
        assert line.send(submit(request_with(prompt="[[mock:submit:lost-answer]]"))).answer()[0] == 0


def test_a_timeout_holds_the_connection_and_then_closes_it(server: RunningMock) -> None:
    server.reset()
    with Line(server) as line:
        line.send(submit(request_with(prompt="[[mock:submit:timeout@2]]")))
        line._socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line._socket.recv(1)
        line._socket.settimeout(PATIENCE_SECONDS)
        assert line._socket.recv(1) == b""


def link_of(server: RunningMock, prompt: str) -> str:
    """The path of a finished video."""
    server.reset()
    with Line(server) as line:
        task = json.loads(line.send(submit(request_with(prompt=prompt))).answer()[2])["id"]
        server.advance(10)
        poll = json.loads(line.send(get(f"/v1/videos/{task}", "Authorization: Bearer test-key")).answer()[2])
    url = str(poll["output"][0]["content"][0]["url"])
    assert url.startswith("http://mock.test/videos/")
    return url.removeprefix("http://mock.test")


def test_a_cut_and_a_wrong_length_announce_more_than_they_send(server: RunningMock) -> None:
    path = link_of(server, "[[mock:download:cut]][[mock:download:wrong-length]]")
    lengths = []
    for _ in range(3):
        with Line(server) as line:
            status, headers, body = line.send(get(path)).answer()
        lengths.append((int(headers["Content-Length"]), len(body)))
        assert status == 200
    whole = lengths[2][1]
    assert lengths == [(whole, whole // 2), (whole + 1024, whole), (whole, whole)]


def test_head_keeps_the_connection_in_step(server: RunningMock) -> None:
    path = link_of(server, "a cat")
    with Line(server) as line:
        status, headers, _ = line.send(get(path, method="HEAD")).answer(has_body=False)
        assert (status, int(headers["Content-Length"]) > 0) == (200, True)
        assert line.send(get("/_mock/health")).answer()[0] == 200


def test_a_slow_download_comes_in_pieces(server: RunningMock) -> None:
    path = link_of(server, "[[mock:download:slow@1]]")
    with Line(server) as line:
        line.send(get(path))
        line._socket.settimeout(PATIENCE_SECONDS)
        first = line._socket.recv(1_000_000)
        assert b"Content-Length" in first
        rest = b""
        while len(rest) < 100:
            rest += line._socket.recv(1_000_000)
        assert line._socket.recv(1_000_000)


def test_rendering_does_not_stall_the_other_requests() -> None:
    may_end = threading.Event()

    class Stuck:
        def render(self, _: Any) -> bytes:
            assert may_end.wait(PATIENCE_SECONDS)
            return b"video"

    with RunningMock(simulator=Simulator(quick(), clock=VirtualClock(0), renderer=Stuck())) as server:
        path = link_of(server, "a cat")
        with Line(server) as waiting, Line(server) as line:
            waiting.send(get(path))
            assert line.send(get("/_mock/health")).answer()[0] == 200
            may_end.set()
            assert waiting.answer()[2] == b"video"


def test_work_that_breaks_is_a_500_and_the_server_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def render(self, _: Any) -> bytes:
            raise RuntimeError("no codec")

    with RunningMock(simulator=Simulator(quick(), clock=VirtualClock(0), renderer=Broken())) as broken:
        path = link_of(broken, "a cat")
        with Line(broken) as line:
            assert line.send(get(path)).answer()[0] == 500
            assert line.send(get(path)).answer()[0] == 500
            assert line.send(get("/_mock/health")).answer()[0] == 200
    assert "no codec" in capfd.readouterr().err
