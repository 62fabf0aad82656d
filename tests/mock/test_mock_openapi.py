"""`openapi.yaml` is held to the code: schemathesis makes requests from it and judges the answers by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks

from mock_server.clock import VirtualClock
from mock_server.running import RunningMock
from mock_server.simulator import Simulator
from tests.mock.doors import TinyRenderer, quick

load_all_checks()
CONTRACT = Path(__file__).parents[2] / "mock_server" / "openapi.yaml"
schema = schemathesis.openapi.from_path(CONTRACT)
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.ignored_auth,
]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningMock]:
    simulator = Simulator(quick(fetch_references="none"), clock=VirtualClock(0), renderer=TinyRenderer())
    with RunningMock(simulator=simulator) as running:
        yield running


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
def test_every_answer_is_in_the_contract(case: Any, server: RunningMock) -> None:
    case.call_and_validate(base_url=server.url, headers={"Authorization": "Bearer test-key"}, checks=CHECKS)
