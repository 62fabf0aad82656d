"""The server as a process: what it prints, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mock_server.cli import main, parse
from mock_server.settings import Settings
from tests.mock.doors import request_with

PATIENCE_SECONDS = 20


@contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server on a free port, and its URL."""
    command = [sys.executable, "-m", "mock_server", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield running, running.stdout.readline().split()[4]
        finally:
            running.kill()


def call(url: str, path: str, document: Any = None) -> Any:
    headers = {"Authorization": "Bearer test-key", "Content-Type": "application/json"}
    data = None if document is None else json.dumps(document).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url + path, data, headers)  # noqa: S310 - a URL of our own
    with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_quietly_whatever_it_is_doing(number: signal.Signals) -> None:
    with process("--render-seconds", "0") as (running, url):
        task = call(url, "/v1/videos", request_with())["id"]
        link = call(url, f"/v1/videos/{task}")["output"][0]["content"][0]["url"]
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), PATIENCE_SECONDS) as held:
            path = link.removeprefix(url)
            held.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert call(url, "/_mock/health") == {"status": "ok"}
            running.send_signal(number)
            output, errors = running.communicate(timeout=PATIENCE_SECONDS)
    assert (running.returncode, output, errors) == (0, "", "")


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "mock_server", "--port", str(port)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "in use" in ended.stderr


def test_the_options_reach_the_provider() -> None:
    options = ["--api-key", "one", "--api-key", "test-key", "--speed", "0", "--seed", "3", "--max-running", "1"]
    with process(*options, "--submit-path", "/api/jobs", "--status-path", "/api/jobs/{id}") as (_, url):
        assert call(url, "/api/jobs", request_with())["status"] == "queued"
        assert len(call(url, "/_mock/ledger")["keys"]) == 2
        assert call(url, "/_mock/clock")["speed"] == 0


def test_without_options_everything_is_as_documented() -> None:
    options, settings = parse([])
    assert (options.host, options.port) == ("127.0.0.1", 8787)
    assert settings == Settings()


def test_every_option_is_a_setting() -> None:
    _, settings = parse(
        [
            *("--public-url", "https://cdn.example.com/", "--max-body-mb", "2", "--render-seconds", "7"),
            *("--render-distribution", "lognormal", "--render-sigma", "0.9", "--render-by-size", "--workers", "2"),
            *("--reads", "4", "--speed", "60", "--seed", "5", "--submits-per-second", "5", "--max-running", "6"),
            *("--queries-per-second", "20", "--fetch-references", "all", "--price-720p", "0.2"),
            *("--price-1080p", "0.3", "--admin-token", "t", "--no-admin", "--journal-size", "9"),
            *("--api-key", "a", "--submit-path", "/s", "--status-path", "/s/{id}"),
        ]
    )
    usual = Settings()
    unchanged = [name for name in Settings.__slots__ if getattr(settings, name) == getattr(usual, name)]
    assert unchanged == []
    assert (settings.public_url, settings.max_body_bytes) == ("https://cdn.example.com", 2_000_000)


BAD_OPTIONS = [
    ["--port", "70000"],
    ["--port", "x"],
    ["--submits-per-second", "-1"],
    ["--journal-size", "0"],
    ["--speed", "-1"],
    ["--render-seconds", "nan"],
    ["--price-720p", "free"],
    ["--price-720p", "-1"],
    ["--submit-path", "v1"],
    ["--status-path", "/v1/videos"],
    ["--fetch-references", "some"],
    ["--colour"],
]


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=" ".join)
def test_a_wrong_option_is_refused_by_name(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_help_tells_every_option(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--speed", "--seed", "--fetch-references {loopback,all,none}", "[[mock:"))
    assert max(map(len, text.splitlines())) <= 80
