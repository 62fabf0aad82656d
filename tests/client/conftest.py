"""A client of the stack in miniature, and time that passes only when the client sleeps."""

from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import pytest

from mock_server.responses_door import InProcessMock
from tests.fakes import FakeClock
from tests.gateway import API_KEY, API_URL, Gateway
from tests.stack import Stack
from wanflow_client import Wanflow


@dataclass
class Time:
    """What the client takes for time; `meanwhile` runs at each sleep."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        self.meanwhile()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def gateway(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    invoke = stack.invoke

    def invoke_elsewhere(folder: str, event: Mapping[str, Any]) -> Any:
        # What a function prints is its own log, and none of what its caller prints.
        with redirect_stdout(StringIO()):
            return invoke(folder, event)

    monkeypatch.setattr(stack, "invoke", invoke_elsewhere)
    return Gateway(stack)


@pytest.fixture
def make_client(gateway: Gateway, time: Time) -> Callable[..., Wanflow]:
    def make(api_key: str = API_KEY, **options: Any) -> Wanflow:
        return Wanflow(API_URL, api_key, session=gateway.session(), sleep=time.sleep, monotonic=time, **options)

    return make


@pytest.fixture
def client(make_client: Callable[..., Wanflow]) -> Wanflow:
    return make_client()


@dataclass
class Workflow:
    """Takes a job through the steps that Step Functions would."""

    stack: Stack
    clock: FakeClock

    def complete(self, job_id: str) -> None:
        self.stack.take_slot(job_id)
        self.stack.submit(job_id)
        self.clock.advance(5)
        self.stack.poll(job_id)
        self.stack.store(job_id)
        self.stack.finish(job_id, polls=1)


@pytest.fixture
def workflow(stack: Stack, clock: FakeClock, wan: InProcessMock) -> Workflow:
    return Workflow(stack, clock)
