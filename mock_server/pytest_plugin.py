"""pytest fixtures: `wan_mock`, a real mock Wan server on a free loopback port.

    def test_the_video_is_made(wan_mock):
        my_client(base_url=wan_mock.url, api_key=wan_mock.api_key).make_a_video()
        assert wan_mock.ledger()["completed"] == 1

Override the fixture `wan_mock_settings` for other settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .running import RunningMock
    from .settings import Settings


@pytest.fixture(scope="session")
def wan_mock_settings() -> Settings:
    """Tasks take 0.2 s; everything else as on the command line."""
    from .settings import Settings  # noqa: PLC0415 - late: a plugin is loaded in every run of pytest

    return Settings(render_seconds=0.2)


@pytest.fixture(scope="session")
def wan_mock_server(wan_mock_settings: Settings) -> Iterator[RunningMock]:
    """One server for the whole run."""
    from .running import RunningMock  # noqa: PLC0415 - late, see above

    with RunningMock(wan_mock_settings) as server:
        yield server


@pytest.fixture
def wan_mock(wan_mock_server: RunningMock) -> RunningMock:
    """The server, freshly reset; see `RunningMock` and `Control` for what it offers."""
    wan_mock_server.reset()
    return wan_mock_server
