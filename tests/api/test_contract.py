"""The running API is held to its OpenAPI document: schemathesis makes requests from it and judges the answers by it."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks

from tests.gateway import API_KEY, API_URL, Gateway
from wanflow.cursors import cursor_of
from wanflow.openapi import document

load_all_checks()
schemathesis.openapi.format("uri", st.sampled_from(["https://example.com/a", "https://hooks.example.com/b?c=d"]))
CURSOR = cursor_of({"created": "2026-01-31T12:00:00.000Z#vid_06f9c6t2rw0000000000000000"})
schemathesis.openapi.format("cursor", st.just(CURSOR))
schema = schemathesis.openapi.from_dict(document())


@schema.hook("map_body")
def whole_numbers(_context: Any, body: Any) -> Any:
    """JSON Schema takes `5.0` for an integer; the API, as the Wan page, does not."""
    if isinstance(body, dict):
        return {name: whole_numbers(_context, value) for name, value in body.items()}
    if isinstance(body, list):
        return [whole_numbers(_context, value) for value in body]
    return int(body) if isinstance(body, float) and body.is_integer() else body


CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
]


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
def test_every_answer_is_in_the_contract(case: Any, gateway: Gateway) -> None:
    case.call_and_validate(base_url=API_URL, session=gateway.session(), headers={"x-api-key": API_KEY}, checks=CHECKS)
