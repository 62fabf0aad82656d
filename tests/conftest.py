"""Fixtures that several levels share. Nothing here opens a socket."""

import io
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from moto import mock_aws
from pytest_socket import disable_socket, enable_socket

import wanflow.observability
from mock_server.clock import VirtualClock
from mock_server.responses_door import InProcessMock
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from tests.fakes import FakeClock, TinyRenderer
from tests.permissions import PermissionGuard
from tests.stack import WAN_KEY, WAN_URL, Stack, clear_clients, clear_wiring
from tests.template import REGION
from wanflow import aws

_SOCKETLESS = ("tests/unit/", "tests/functions/", "tests/workflow/")


LONGEST_IN_A_NAME = 40
NO_CHROMIUM = "there is no Chromium on this machine"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was not tested; a reason among others is easily overlooked."""
    skipped = terminalreporter.stats.get("skipped", [])
    untested = [report for report in skipped if NO_CHROMIUM in str(report.longrepr)]
    if untested:
        terminalreporter.section("THE CONSOLE WAS NOT TESTED", red=True, bold=True)
        terminalreporter.line(f"{NO_CHROMIUM}, so {len(untested)} tests did not run; Debian: apt-get install chromium")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A file's content is no name of a test: it is long, and some of it is random, so that processes would disagree."""
    return argname if isinstance(val, bytes) and len(val) > LONGEST_IN_A_NAME else None


@pytest.fixture(autouse=True)
def _sockets_are_off(request: pytest.FixtureRequest) -> Iterator[None]:
    """In these folders, but for a test marked `allow_hosts` (pytest-socket)."""
    is_off = request.node.nodeid.startswith(_SOCKETLESS) and request.node.get_closest_marker("allow_hosts") is None
    if is_off:
        disable_socket(allow_unix_socket=True)
    yield
    if is_off:
        enable_socket()


@pytest.fixture(scope="session", autouse=True)
def _no_real_account() -> Iterator[None]:
    """Whatever a developer's shell says about AWS: no test may reach an account."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The layer's time."""
    fake = FakeClock()
    monkeypatch.setattr("wanflow.wiring.utc_now", fake)
    return fake


@pytest.fixture(scope="session")
def permission_guard(_no_real_account: None) -> PermissionGuard:
    clear_clients()
    aws.session.cache_clear()
    aws.session().get_component("event_emitter").register("request-created.s3", _with_body_for_moto)
    return PermissionGuard(aws.session())


def _with_body_for_moto(request: Any, **_: Any) -> None:
    """A socket takes a bytearray as it is; moto takes bytes alone."""
    if isinstance(request.data, bytearray):
        request.data = bytes(request.data)


@pytest.fixture
def moto_aws(permission_guard: PermissionGuard) -> Iterator[None]:
    """An empty AWS account in memory.

    The session and the layer's clients live through the whole run: making them takes longer than the tests. moto
    catches every client that was made after its import.
    """
    clear_wiring()
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        yield
    clear_wiring()


@pytest.fixture
def stack(
    moto_aws: None, monkeypatch: pytest.MonkeyPatch, clock: FakeClock, permission_guard: PermissionGuard
) -> Stack:
    return Stack(monkeypatch, clock, permission_guard)


WanMock = Callable[..., InProcessMock]


@pytest.fixture
def make_wan(clock: FakeClock) -> Iterator[WanMock]:
    """Makes the provider at WAN_URL, in this process; its clock follows `clock`."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as requests_mock:

        def make(**settings: Any) -> InProcessMock:
            fill = {"api_keys": (WAN_KEY,), "fetch_references": "none", "seed": 1, **settings}
            virtual = VirtualClock(speed=0, start_at=clock.now.timestamp())
            simulator = Simulator(Settings(**fill), clock=virtual, renderer=TinyRenderer())
            clock.follower = virtual
            requests_mock.reset()
            return InProcessMock(url=WAN_URL, simulator=simulator).install(requests_mock)

        yield make


@pytest.fixture
def wan(make_wan: WanMock) -> InProcessMock:
    """The provider with its defaults: a task takes 3 seconds."""
    return make_wan()


class LogLines:
    """What the functions logged, as text and line by line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[LogLines]:
    """Catches the functions' log instead of printing it."""
    handler = wanflow.observability.logger.registered_handler
    lines = LogLines()
    assert hasattr(handler, "setStream")
    before = handler.setStream(lines.stream)
    yield lines
    handler.setStream(before)
