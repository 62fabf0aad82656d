"""The real client before the real mock: in this process where nothing is lost by it, else over loopback."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from mock_server.responses_door import InProcessMock
from mock_server.running import RunningMock
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from tests.conftest import WanMock
from tests.fakes import TinyRenderer
from tests.stack import WAN_KEY
from wanflow.connections import open_session
from wanflow.wan_client import Timeouts, WanClient

QUICK = Timeouts(connect_seconds=2, submit_seconds=0.3, poll_seconds=0.3, download_seconds=0.3)


class Keys:
    """A secret whose cached value may be an old one."""

    def __init__(self, cached: str = WAN_KEY, fresh: str = WAN_KEY) -> None:
        self.cached = cached
        self.fresh = fresh
        self.reads: list[bool] = []

    def __call__(self, anew: bool) -> str:
        self.reads.append(anew)
        return self.fresh if anew else self.cached


def make_client(url: str, keys: Keys | None = None, timeouts: Timeouts = QUICK, **options: Any) -> WanClient:
    return WanClient(
        open_session,
        keys or Keys(),
        open_public_session=refuse_to_leave,
        monotonic=lambda: 0.0,
        base_url=url,
        timeouts=timeouts,
        **options,
    )


def refuse_to_leave() -> requests.Session:
    raise AssertionError("the client left for another host")


@pytest.fixture
def wan(make_wan: WanMock) -> InProcessMock:
    return make_wan()


@pytest.fixture
def client(wan: InProcessMock) -> WanClient:
    return make_client(wan.url)


@pytest.fixture(scope="module")
def _http_mock() -> Iterator[RunningMock]:
    settings = Settings(api_keys=(WAN_KEY,), render_seconds=0, fetch_references="none")
    with RunningMock(simulator=Simulator(settings, renderer=TinyRenderer())) as server:
        yield server


@pytest.fixture
def http_mock(_http_mock: RunningMock) -> RunningMock:
    _http_mock.reset()
    return _http_mock
