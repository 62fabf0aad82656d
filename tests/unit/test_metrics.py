"""Metrics: one line in CloudWatch's embedded metric format for each value, with few dimensions."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.template import ROOT
from wanflow import metrics
from wanflow.metrics import CODES, Metric, record

TOLD_WHILE_WAITING = {"submits_paused", "provider_unavailable"}
"""Words for why a job waits: shown to its owner, and no error that is counted."""


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_value_is_one_line_in_the_embedded_metric_format(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "my-stack")
    record(metrics.QUEUE_WAIT, 12.5, "batch")
    line = written(capsys)
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Wanflow",
            "Dimensions": [["service", "lane"]],
            "Metrics": [{"Name": "QueueWait", "Unit": "Seconds"}],
        }
    ]
    assert (line["service"], line["lane"], line["QueueWait"]) == ("my-stack", "batch", [12.5])


def test_money_is_written_as_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    record(metrics.COST_BOOKED, Decimal("-0.75"))
    assert written(capsys)["CostBooked"] == [-0.75]


def test_a_code_that_the_provider_made_up_becomes_no_metric_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    record(metrics.SUBMIT_ERRORS, label="E-4711-of-this-second")
    assert written(capsys)["code"] == "other"


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_known_code_is_told(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    record(metrics.JOB_ERRORS, label=code)
    assert written(capsys)["code"] == code


@pytest.mark.parametrize(("metric", "label"), [(metrics.JOBS_ENDED, None), (metrics.JOBS_ACCEPTED, "alice")])
def test_a_dimension_too_few_or_too_many_is_an_error(metric: Metric, label: str | None) -> None:
    with pytest.raises(ValueError, match=metric.name):
        record(metric, 1, label)


def test_every_word_that_an_error_of_ours_has_is_a_known_code() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "layers/common/wanflow").glob("*.py"))
    words = set(re.findall(r'ErrorInfo\(\s*"([a-z_]+)"', source))
    assert len(words) > 10
    assert words - TOLD_WHILE_WAITING <= CODES


def test_every_metric_has_a_name_of_its_own() -> None:
    names = [metric.name for metric in metrics.ALL]
    assert len(names) == len(set(names))
