"""The running API is held to its OpenAPI document: schemathesis makes requests from it and judges the answers by it."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks

from tests.api.conftest import Gateway
from tests.gateway import API_KEY, API_URL
from wanflow.openapi import document

load_all_checks()
schemathesis.openapi.format("uri", st.sampled_from(["https://example.com/a", "https://hooks.example.com/b?c=d"]))
schema = schemathesis.openapi.from_dict(document())
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
def test_every_answer_is_in_the_contract(case: Any, gateway: Gateway) -> None:
    case.call_and_validate(base_url=API_URL, session=gateway.session(), headers={"x-api-key": API_KEY}, checks=CHECKS)
