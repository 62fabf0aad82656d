"""The two doors of the mock, each with a clock that only moves when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import responses

from mock_server.clock import VirtualClock
from mock_server.responses_door import InProcessMock
from mock_server.running import RunningMock
from mock_server.simulator import Simulator
from tests.mock.doors import HTTP, IN_PROCESS, Door, TinyRenderer, quick

OpenDoor = Callable[..., Door]


@pytest.fixture(params=[HTTP, IN_PROCESS])
def open_door(request: pytest.FixtureRequest) -> Iterator[OpenDoor]:
    """Opens a fresh mock with the given settings, behind the door of this test."""
    with ExitStack() as stack:

        def open_it(*, inspector: Any = None, renderer: Any = None, **settings: Any) -> Door:
            simulator = Simulator(
                quick(**settings), clock=VirtualClock(0), inspector=inspector, renderer=renderer or TinyRenderer()
            )
            if request.param == HTTP:
                return Door(HTTP, stack.enter_context(RunningMock(simulator=simulator)).url, simulator)
            requests_mock = stack.enter_context(responses.RequestsMock(assert_all_requests_are_fired=False))
            return Door(IN_PROCESS, InProcessMock(simulator=simulator).install(requests_mock).url, simulator)

        yield open_it


@pytest.fixture
def door(open_door: OpenDoor) -> Door:
    """A fresh mock with tasks of ten virtual seconds."""
    return open_door()
