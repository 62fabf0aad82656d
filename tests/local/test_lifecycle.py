"""`make up` ends wholly: whoever is signalled, with what, once or twice, early or late."""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from local.ports import free_ports
from local.settings import ROOT
from tests.local.waiting import eventually, process_exists

# One after the other, also where tests run in several processes: each starts a stack of its own.
pytestmark = pytest.mark.xdist_group("lifecycle")


@dataclass
class Make:
    """A `make` in a session of its own, as a terminal would start it."""

    process: subprocess.Popen[bytes]
    ports: list[int]
    state: Path
    output: Path

    @property
    def endpoints_file(self) -> Path:
        return self.state / "endpoints.json"

    @property
    def shell_file(self) -> Path:
        return self.state / "env"

    def listens(self, *ports: int) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return all(port_is_open(port) for port in ports or self.ports)

    def descendants(self) -> set[int]:
        found = {self.process.pid}
        while more := {child for child, parent in parents().items() if parent in found} - found:
            found |= more
        return found

    def signal(self, number: signal.Signals, *, group: bool) -> None:
        try:
            (os.killpg if group else os.kill)(self.process.pid, number)
        except ProcessLookupError:
            assert self.process.poll() is not None


def port_is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def parents() -> dict[int, int]:
    """The parent of every process, from /proc where there is one: a small machine has no `ps`."""
    if not Path("/proc/self").exists():
        rows = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        return {int(pid): int(parent) for pid, parent in map(str.split, rows.splitlines())}
    found: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name, which may hold anything) state ppid
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return found


def start(target: str, folder: Path) -> Make:
    ports = free_ports(2)
    environ = {
        **os.environ,
        "WANFLOW_AWS_PORT": str(ports[0]),
        "WANFLOW_MOCK_PORT": str(ports[1]),
        "WANFLOW_STATE_DIR": str(folder / "state"),
    }
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            ["make", target], cwd=ROOT, env=environ, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    return Make(process, ports, folder / "state", output)


@pytest.fixture(autouse=True)
def _hears_ctrl_c() -> Iterator[None]:
    """A shell starts background jobs deaf to SIGINT, and what they start inherits that: a terminal does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    make = start(getattr(request, "param", "up"), tmp_path)
    yield make
    make.signal(signal.SIGKILL, group=True)
    make.process.wait()


def ends_wholly(make: Make, family: set[int]) -> None:
    make.process.wait(timeout=60)
    eventually(lambda: not any(map(process_exists, family)), "every process of the stack is gone")
    assert not any(port_is_open(port) for port in make.ports)
    assert not make.endpoints_file.exists()
    assert not make.shell_file.exists()


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("group", [True, False], ids=["the-whole-group", "make-alone"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_stack_starts_leaves_nothing_behind(
    make: Make, number: signal.Signals, group: bool, times: int
) -> None:
    eventually(make.listens, "the engine and the mock listen")
    family = make.descendants()
    assert len(family) >= 5

    for _ in range(times):
        make.signal(number, group=group)

    ends_wholly(make, family)


@pytest.mark.timeout(300)
def test_the_endpoints_files_are_there_exactly_while_the_stack_answers(make: Make) -> None:
    eventually(make.endpoints_file.exists, "the stack is up", patience_seconds=240)
    endpoints = json.loads(make.endpoints_file.read_text())
    answer = requests.get(
        f"{endpoints['api_url']}/videos/none", headers={"x-api-key": endpoints["api_key"]}, timeout=60
    )
    script = f'. {make.shell_file}; echo "$API_URL $API_KEY"'
    sourced = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    family = make.descendants()
    shown = make.output.read_text()

    make.signal(signal.SIGTERM, group=False)

    assert answer.status_code == 404
    assert sourced.stdout.split() == [endpoints["api_url"], endpoints["api_key"]]
    assert set(endpoints) >= {
        "api_url",
        "api_key",
        "wan_url",
        "wan_api_key",
        "aws_endpoint",
        "region",
        "bucket",
        "table",
        "state_machine_arn",
    }
    assert f"curl -s {endpoints['api_url']}/videos" in shown
    ends_wholly(make, family)


def test_everything_goes_even_when_make_is_killed(make: Make) -> None:
    eventually(make.listens, "the engine and the mock listen")
    family = make.descendants()

    make.signal(signal.SIGKILL, group=False)

    ends_wholly(make, family)


@pytest.mark.parametrize(("taken", "variable"), [(0, "WANFLOW_AWS_PORT"), (1, "WANFLOW_MOCK_PORT")])
def test_a_taken_port_is_a_clear_error_and_nothing_is_started(tmp_path: Path, taken: int, variable: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = free_ports(2)
        ports[taken] = port
        environ = {
            **os.environ,
            "WANFLOW_AWS_PORT": str(ports[0]),
            "WANFLOW_MOCK_PORT": str(ports[1]),
            "WANFLOW_STATE_DIR": str(tmp_path),
        }

        ended = subprocess.run(
            ["make", "up"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    assert ended.returncode != 0
    assert f"error: port {port} " in ended.stderr
    assert f"set {variable} to another port" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not port_is_open(ports[1 - taken])


@pytest.mark.parametrize("make", ["mock"], indirect=True)
def test_the_mock_alone_ends_with_make(make: Make) -> None:
    eventually(lambda: make.listens(make.ports[1]), "the mock listens")
    family = make.descendants()

    make.signal(signal.SIGINT, group=False)

    ends_wholly(make, family)
