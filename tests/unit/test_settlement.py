"""What a job is booked with: never less than what the provider may bill."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.test_documents import JOB
from wanflow.errors import ErrorInfo
from wanflow.jobs import Attempt, AttemptState, Job
from wanflow.settlement import booked_usd, may_still_run, usage_usd

ESTIMATE = JOB.estimate_usd


def job(*states: AttemptState, **changes: Any) -> Job:
    attempts = tuple(Attempt(number, state, "t") for number, state in enumerate(states, start=1))
    return JOB._replace(attempts=attempts, **changes)


def result(cost: object) -> dict[str, Any]:
    return {"output": [], "usage": {"cost": cost, "discount": 0}, "metadata": {}}


@pytest.mark.parametrize(
    ("states", "estimates"),
    [
        ((), 0),
        (("not_created",), 0),
        (("failed", "failed"), 0),
        (("submitting",), 1),
        (("unknown",), 1),
        (("submitted",), 1),
        (("unknown", "submitted"), 2),
        (("failed", "unknown"), 1),
        (("unknown", "not_created"), 1),
    ],
)
def test_an_attempt_that_may_be_billed_counts_as_its_estimate(states: tuple[AttemptState, ...], estimates: int) -> None:
    assert booked_usd(job(*states)) == ESTIMATE * estimates


def test_a_completed_task_costs_what_its_usage_says_beside_what_came_before() -> None:
    assert booked_usd(job("submitted", result=result("0.60"))) == Decimal("0.60")
    assert booked_usd(job("unknown", "submitted", result=result("0.60"))) == ESTIMATE + Decimal("0.60")
    assert booked_usd(job("failed", "submitted", result=result("0.60"))) == Decimal("0.60")


@pytest.mark.parametrize("cost", ["0", "0.00", "0.75", "12.345678", "999999"])
def test_a_cost_in_its_form_is_taken_exactly(cost: str) -> None:
    assert usage_usd(job("submitted", result=result(cost))) == Decimal(cost)


@pytest.mark.parametrize("cost", [None, "", "free", "-1", "NaN", "Infinity", "1e99", "1000000", [], {}])
def test_a_cost_that_is_none_counts_as_the_estimate(cost: object) -> None:
    assert usage_usd(job("submitted", result=result(cost))) == ESTIMATE


@pytest.mark.parametrize("usage", [None, [], "none", {}, {"discount": 0}])
def test_usage_of_another_shape_counts_as_the_estimate(usage: object) -> None:
    assert usage_usd(job("submitted", result={"usage": usage})) == ESTIMATE


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("submitting", "internal_error", True),
        ("unknown", "submit_outcome_unknown", True),
        ("submitted", "deadline_exceeded", True),
        ("submitted", "canceled", True),
        ("submitted", "internal_error", True),
        ("submitted", "001028095", False),
        ("submitted", "result_unavailable", False),
        ("failed", "deadline_exceeded", False),
        ("not_created", "canceled", False),
    ],
)
def test_when_the_provider_may_still_be_at_work(state: AttemptState, code: str, expected: bool) -> None:
    assert may_still_run(job(state, error=ErrorInfo(code, "x"))) is expected


def test_a_task_that_was_seen_to_end_is_over() -> None:
    ended = job("submitted", result=result("0.75"), error=ErrorInfo("deadline_exceeded", "x"))
    assert not may_still_run(ended)
    assert not may_still_run(JOB)
