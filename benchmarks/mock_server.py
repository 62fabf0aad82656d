"""The mock Wan server under load, beside a hand-written asyncio server with the least code that does the job.

    .venv/bin/python -m benchmarks.mock_server [--seconds 4] [--connections 64]

The limit server is one asyncio protocol: it splits the head, looks at path and key, parses the JSON body and answers
JSON with a new id. It checks nothing and remembers nothing; the mock validates every field, draws a render time, and
keeps task, ledger and journal. Each server has a process of its own, the load comes from this one: 64 connections, each
sending its next 1 KB POST when the last answer is there. The POSTs differ in prompt and seed, and are written before
the clock starts. Every round measures both servers, one after the other; the figure is the best round of each. The
ratio is told twice: by requests a second, and by the server's own CPU time, which neither the load generator nor other
processes can hide.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from random import getrandbits

from benchmarks.results import ROOT, Row, command, save

ROUNDS = 3
POSTS = 20_000
POST_BYTES = 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MOST_P99_MS = 50.0
MOST_READY_SECONDS = 0.6


class LimitProtocol(asyncio.Protocol):
    """The least that a JSON server can do."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end_of_head := self._buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._buffer[:end_of_head].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            end = end_of_head + 4 + int(headers["content-length"])
            if len(self._buffer) < end:
                return
            document = json.loads(self._buffer[end_of_head + 4 : end])
            self._buffer = self._buffer[end:]
            known = first.startswith("POST /v1/videos ") and headers["authorization"] == "Bearer test-key"
            assert known, first
            assert document["model"] == "wan26_r2v"
            answer = json.dumps({"id": f"{getrandbits(128):032x}", "status": "queued"}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
            self._transport.write(head.encode() + answer)  # type: ignore[attr-defined]


async def serve_limit() -> None:
    """Run the limit server until it is killed."""
    server = await asyncio.get_running_loop().create_server(LimitProtocol, "127.0.0.1", 0)
    sys.stdout.write(f"limit http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@dataclass(frozen=True)
class Measurement:
    """One round: answers a second, latencies in milliseconds, the server's CPU microseconds an answer, its memory."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    peak_mb: float
    ready_seconds: float


def one_kilobyte_post(number: int) -> bytes:
    """A valid submit of 1 KB in all its parameters; each number has its own prompt and seed."""
    document = {
        "model": "wan26_r2v",
        "input": {
            "prompt": "character1 walks through the garden and meets character2. ",
            "reference_urls": ["https://example.com/characters/one.png", "https://example.com/characters/two.jpg"],
            "audio_url": "https://example.com/songs/one.mp3",
        },
        "parameters": {
            "size": "1280*720",
            "duration": 5,
            "prompt_extend": True,
            "watermark": False,
            "audio": True,
            "shot_type": "multi",
            "seed": 12345 + number,
        },
    }
    missing = POST_BYTES - len(json.dumps(document))
    document["input"]["prompt"] += f"{number:x>{missing}}"  # type: ignore[index]
    body = json.dumps(document).encode()
    assert len(body) == POST_BYTES
    head = (
        "POST /v1/videos HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer test-key\r\n"
        f"Content-Type: application/json\r\nUser-Agent: benchmark\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(command: list[str], posts: list[bytes], seconds: float, connections: int) -> Measurement:
    """Start the server, load it, end it."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().split("http://127.0.0.1:")[1].split()[0])
            ready = time.perf_counter() - started
            load(port, posts, 0.5, connections)
            cpu_before = cpu_seconds(server.pid)
            latencies = load(port, posts, seconds, connections)
            cpu = cpu_seconds(server.pid) - cpu_before
            memory = peak_megabytes(server.pid)
        finally:
            server.send_signal(signal.SIGKILL)
    latencies.sort()
    return Measurement(
        per_second=len(latencies) / seconds,
        p50_ms=statistics.median(latencies) * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        cpu_us=cpu / len(latencies) * 1e6,
        peak_mb=memory,
        ready_seconds=ready,
    )


def load(port: int, posts: list[bytes], seconds: float, connections: int) -> list[float]:
    """Keep every connection busy for `seconds`; returns the latency of each answer in seconds."""
    post = cycle(posts)
    selector = selectors.DefaultSelector()
    sent_at: dict[socket.socket, float] = {}
    for _ in range(connections):
        line = socket.create_connection(("127.0.0.1", port))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(line, selectors.EVENT_READ)
        sent_at[line] = time.perf_counter()
        line.send(next(post))
    latencies = []
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1.0):
            line = key.fileobj  # type: ignore[assignment]
            answer = line.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            now = time.perf_counter()
            latencies.append(now - sent_at[line])
            sent_at[line] = now
            line.send(next(post))
    for line in sent_at:
        line.close()
    selector.close()
    return latencies


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def peak_megabytes(pid: int) -> float:
    """The most resident memory that the process has had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def rows(limit: Measurement, mock: Measurement) -> list[Row]:
    run = command("mock_server")
    server = "hand-written asyncio server, no checks"
    return [
        Row("mock server: answers a second", mock.per_second / limit.per_second, 0.35, "higher", server, run),
        Row("mock server: answers for a CPU second", limit.cpu_us / mock.cpu_us, None, "higher", server, run),
        Row("mock server: p99", mock.p99_ms / MOST_P99_MS, 1.0, "lower", "50 ms", run),
        Row("mock server: until it is ready", mock.ready_seconds / MOST_READY_SECONDS, 1.0, "lower", "0.6 s", run),
    ]


def main() -> None:
    """Measure, print a table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load in each round (4)")
    parser.add_argument("--connections", type=int, default=64, help="(64)")
    parser.add_argument("--limit-server", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.limit_server:
        asyncio.run(serve_limit())
        return
    commands = {
        "limit": [sys.executable, "-m", "benchmarks.mock_server", "--limit-server"],
        "mock": [sys.executable, "-m", "mock_server", "--port", "0"],
    }
    posts = [one_kilobyte_post(number) for number in range(POSTS)]
    best: dict[str, Measurement] = {}
    for _ in range(ROUNDS):
        for name, started_by in commands.items():
            measured = measure(started_by, posts, options.seconds, options.connections)
            if name not in best or measured.per_second > best[name].per_second:
                best[name] = measured
    print(f"{'':6} {'req/s':>8} {'p50 ms':>7} {'p99 ms':>7} {'CPU us/req':>11} {'peak MB':>8} {'ready s':>8}")
    for name, row in best.items():
        print(
            f"{name:6} {row.per_second:8.0f} {row.p50_ms:7.2f} {row.p99_ms:7.2f} {row.cpu_us:11.1f} "
            f"{row.peak_mb:8.0f} {row.ready_seconds:8.2f}"
        )
    save("mock_server", rows(best["limit"], best["mock"]))


if __name__ == "__main__":
    main()
