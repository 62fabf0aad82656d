"""The environment: typed, read once, failing by name and never with a value."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import pytest

from tests.template import Template
from wanflow import settings
from wanflow.errors import BadSetting
from wanflow.settings import load


@dataclass(frozen=True, slots=True)
class Sample:
    table_name: str
    job_deadline_seconds: int
    price_720p_per_second: Decimal
    on_unknown_submit: Literal["fail", "resubmit"]


GOOD = {
    "TABLE_NAME": "jobs",
    "JOB_DEADLINE_SECONDS": "3600",
    "PRICE_720P_PER_SECOND": "0.10",
    "ON_UNKNOWN_SUBMIT": "fail",
}


def test_each_field_is_the_variable_of_its_name_with_its_type() -> None:
    assert load(Sample, GOOD | {"OTHER": "x"}) == Sample("jobs", 3600, Decimal("0.10"), "fail")


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name} is not set$"):
        load(Sample, {key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TABLE_NAME", ""),
        ("JOB_DEADLINE_SECONDS", ""),
        ("JOB_DEADLINE_SECONDS", "an hour"),
        ("JOB_DEADLINE_SECONDS", "3600.5"),
        ("PRICE_720P_PER_SECOND", ""),
        ("PRICE_720P_PER_SECOND", "cheap"),
        ("PRICE_720P_PER_SECOND", "-0.10"),
        ("PRICE_720P_PER_SECOND", "NaN"),
        ("PRICE_720P_PER_SECOND", "Infinity"),
        ("ON_UNKNOWN_SUBMIT", ""),
        ("ON_UNKNOWN_SUBMIT", "perhaps"),
    ],
)
def test_a_wrong_variable_is_named_with_its_rule_and_without_its_value(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"^{name} must be ") as caught:
        load(Sample, GOOD | {name: value})
    assert not value or value not in str(caught.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(BadSetting) as caught:
        load(Sample, {})
    assert all(name in str(caught.value) for name in GOOD)


KINDS = [kind for name, kind in vars(settings).items() if name.endswith("Settings")]


def test_every_setting_is_a_variable_of_some_function_in_the_template() -> None:
    template = Template(WanApiBaseUrl="https://wan.example")
    given = set().union(*(template.environment(folder) for folder in template.functions()))
    assert {field.upper() for kind in KINDS for field in kind._fields} <= given


@pytest.mark.parametrize("folder", Template(WanApiBaseUrl="https://wan.example").functions())
def test_the_template_s_defaults_are_good_settings(folder: str) -> None:
    environment = Template(WanApiBaseUrl="https://wan.example").environment(folder)
    loaded = [
        load(kind, environment)  # type: ignore[arg-type]
        for kind in KINDS
        if {field.upper() for field in kind._fields} <= set(environment)
    ]
    assert loaded
