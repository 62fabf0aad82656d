"""Dashboard, alarms and saved queries: whatever they name is really written, by this code or by AWS; none can rot."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from mock_server.responses_door import InProcessMock
from tests.conftest import LogLines
from tests.docs.pages import rows as rows_of
from tests.docs.pages import section
from tests.fakes import FakeClock, wan_request
from tests.stack import Stack
from tests.template import ROOT, Template
from wanflow import metrics

TEMPLATE = Template(WanApiBaseUrl="http://wan.mock", DailyBudgetUsd="10", AlarmEmail="a@example.com")
ALARMS = TEMPLATE.of_type("AWS::CloudWatch::Alarm")
QUERIES = TEMPLATE.of_type("AWS::Logs::QueryDefinition")
FUNCTIONS = {TEMPLATE.ref(name) for name in TEMPLATE.functions().values()}

OF_AWS = {
    "AWS/ApiGateway": ({"ApiName"}, {"4XXError", "5XXError", "Count", "Latency"}),
    "AWS/DynamoDB": ({"TableName"}, {"ReadThrottleEvents", "WriteThrottleEvents"}),
    "AWS/Lambda": ({"FunctionName"}, {"Duration", "Errors", "Invocations"}),
    "AWS/SQS": ({"QueueName"}, {"ApproximateNumberOfMessagesVisible"}),
    "AWS/States": (
        {"StateMachineArn"},
        {
            "ExecutionThrottled",
            "ExecutionsAborted",
            "ExecutionsFailed",
            "ExecutionsStarted",
            "ExecutionsSucceeded",
            "ExecutionsTimedOut",
        },
    ),
}
"""Metrics of AWS with their dimensions, as each service's guide lists them ("Monitoring", "CloudWatch metrics")."""

OF_THE_ACCOUNT = {("AWS/Lambda", "Throttles")}
"""Metrics that are told for all functions of the account together, without a dimension."""

LABELS = {
    "code": metrics.CODES,
    "lane": {"interactive", "batch"},
    "outcome": {"delivered", "failed", "gone", "hopeless"},
    "status": {"queued", "submitting", "processing", "completed", "failed", "canceled"},
}


class Named(NamedTuple):
    """A metric as an alarm or the dashboard names it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def alarm_metrics(alarm: str) -> list[Named]:
    properties = TEMPLATE.properties(alarm)
    sources = [each["MetricStat"]["Metric"] for each in properties.get("Metrics", ()) if "MetricStat" in each]
    return [
        Named(
            each["Namespace"],
            each["MetricName"],
            tuple((pair["Name"], pair["Value"]) for pair in each.get("Dimensions", ())),
        )
        for each in sources or [properties]
    ]


def widgets() -> list[dict[str, Any]]:
    body = TEMPLATE.properties(TEMPLATE.only("AWS::CloudWatch::Dashboard"))["DashboardBody"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def rows() -> Iterator[list[Any]]:
    for widget in widgets():
        yield from widget["properties"].get("metrics", ())


def dashboard_metrics() -> list[Named]:
    named = []
    for row in rows():
        namespace, name, *rest = row if not isinstance(row[0], dict) else _searched(row[0]["expression"])
        pairs = [each for each in rest if not isinstance(each, dict)]
        named.append(Named(namespace, name, tuple(zip(pairs[::2], pairs[1::2], strict=True))))
    return named


def _searched(expression: str) -> list[str]:
    """A SEARCH over one metric, as a row; the dimension whose values it looks for is any of them."""
    shape = r"""SEARCH\('\{(\w+),service,(\w+)\} MetricName="(\w+)" service="([\w-]+)"', '\w+', 300\)"""
    match = re.fullmatch(shape, expression)
    assert match, expression
    namespace, dimension, name, service = match.groups()
    return [namespace, name, "service", service, dimension, next(iter(LABELS[dimension]))]


def assert_is_written(named: Named) -> None:
    dimensions = dict(named.dimensions)
    if named.namespace == metrics.NAMESPACE:
        (metric,) = [each for each in metrics.ALL if each.name == named.name]
        assert dimensions.pop("service") == "wanflow"
        assert set(dimensions) == ({metric.dimension} if metric.dimension else set())
        assert all(value in LABELS[name] for name, value in dimensions.items())
    elif not dimensions:
        assert (named.namespace, named.name) in OF_THE_ACCOUNT
    else:
        known, names = OF_AWS[named.namespace]
        assert set(dimensions) == known
        assert named.name in names
        assert set(dimensions.values()) <= resources()


def resources() -> set[str]:
    """Whatever AWS's dimensions name of this stack: names, ARNs, and the API's name."""
    ids = TEMPLATE.raw["Resources"]
    names = {TEMPLATE.resolve({"Fn::GetAtt": [name, "QueueName"]}) for name in TEMPLATE.of_type("AWS::SQS::Queue")}
    return {TEMPLATE.ref(name) for name in ids} | names | {TEMPLATE.properties("Api")["Name"]}


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_watches_what_is_really_written(alarm: str) -> None:
    for named in alarm_metrics(alarm):
        assert_is_written(named)


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_tells_somebody_when_it_goes_off_and_when_it_is_over(alarm: str) -> None:
    properties = TEMPLATE.properties(alarm)
    topic = [TEMPLATE.ref("AlarmTopic")]
    assert (properties["AlarmActions"], properties["OKActions"]) == (topic, topic)
    assert properties["AlarmDescription"]
    assert properties["TreatMissingData"] == ("breaching" if alarm == "ReconcilerStoppedAlarm" else "notBreaching")


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_s_sum_takes_in_all_its_metrics_and_returns_itself_alone(alarm: str) -> None:
    given = TEMPLATE.properties(alarm).get("Metrics", [])
    assert [each["Expression"] for each in given if each.get("ReturnData", True)] == ["SUM(METRICS())"] * bool(given)
    assert len({each["Id"] for each in given}) == len(given) <= 10, "CloudWatch takes ten in one alarm"


def test_every_function_has_an_alarm_on_its_errors() -> None:
    watched = [
        dict(named.dimensions)["FunctionName"]
        for alarm in ALARMS
        for named in alarm_metrics(alarm)
        if named.name == "Errors"
    ]
    assert sorted(watched) == sorted(FUNCTIONS), "add it to StepErrorsAlarm or FunctionErrorsAlarm in template.yaml"


@pytest.mark.parametrize("name", ["Errors", "Duration"])
def test_every_function_is_on_the_dashboard(name: str) -> None:
    shown = [dict(named.dimensions)["FunctionName"] for named in dashboard_metrics() if named.name == name]
    assert sorted(shown) == sorted(FUNCTIONS), "add it to the Dashboard's widgets in template.yaml"


def test_the_dashboard_shows_what_is_really_written() -> None:
    for named in dashboard_metrics():
        assert_is_written(named)


def test_the_dashboard_shows_every_metric_of_ours_and_every_alarm() -> None:
    shown = {named.name for named in dashboard_metrics() if named.namespace == metrics.NAMESPACE}
    assert shown == {metric.name for metric in metrics.ALL}
    (alarms,) = [widget["properties"]["alarms"] for widget in widgets() if widget["type"] == "alarm"]
    # That on the budget is there with a budget alone.
    assert sorted(alarms) == sorted(TEMPLATE.arn(alarm) for alarm in ALARMS if alarm != "BudgetAlarm")


def test_a_widget_s_expressions_have_ids_of_their_own() -> None:
    for widget in widgets():
        ids = [row[0]["id"] for row in widget["properties"].get("metrics", ()) if isinstance(row[0], dict)]
        assert len(ids) == len(set(ids))


def test_the_topic_reaches_the_address_and_no_address_is_no_subscription() -> None:
    assert TEMPLATE.properties("AlarmTopic")["Subscription"] == [{"Protocol": "email", "Endpoint": "a@example.com"}]
    assert "Subscription" not in Template(WanApiBaseUrl="http://wan.mock").properties("AlarmTopic")


@pytest.mark.parametrize(
    ("monitoring", "budget", "made"),
    [
        ("full", "0", {"HasAlarms", "HasDashboard"}),
        ("full", "5", {"HasAlarms", "HasDashboard", "HasBudgetAlarm"}),
        ("alarms", "5", {"HasAlarms", "HasBudgetAlarm"}),
        ("none", "5", set()),
    ],
)
def test_monitoring_chooses_what_is_made(monitoring: str, budget: str, made: set[str]) -> None:
    template = Template(WanApiBaseUrl="http://wan.mock", Monitoring=monitoring, DailyBudgetUsd=budget)
    conditions = {"HasAlarms", "HasDashboard", "HasBudgetAlarm"}
    assert {name for name in conditions if template.resolve({"Condition": name})} == made
    kinds = {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy"}
    for name, resource in template.raw["Resources"].items():
        assert (resource.get("Condition") in conditions) == (resource["Type"] in kinds), name


def test_the_alarms_cost_what_the_page_on_money_says() -> None:
    watched = sum(len(alarm_metrics(alarm)) for alarm in ALARMS)
    page = (ROOT / "docs" / "money.md").read_text("utf-8")
    told = re.search(r"alarms: (\d+) metrics .* (\d+) with a `DailyBudgetUsd` \| (\S+) \|", page)
    assert told is not None
    assert told.groups() == (str(watched - 1), str(watched), f"{(watched - 1) * 0.10:.2f}")


def test_the_runbook_has_every_alarm_query_and_metric() -> None:
    page = ROOT / "docs" / "operations.md"
    assert {row[0].strip("`") for row in rows_of(section(page, "Alarms"))} == set(ALARMS)
    told = [[cell.strip("`") for cell in row[:3]] for row in rows_of(section(page, "Metrics"))]
    assert sorted(told) == sorted([metric.name, metric.unit, metric.dimension or "—"] for metric in metrics.ALL)
    queries = {row[0] for row in rows_of(section(page, "What became of a job?"))}
    assert queries == {TEMPLATE.properties(name)["Name"].removeprefix("wanflow/") for name in QUERIES}


# --- Saved queries ---------------------------------------------------------------------------------------------------


def query(name: str) -> str:
    text: str = TEMPLATE.properties(name)["QueryString"]
    return text


def test_the_queries_name_fields_that_log_lines_have(
    stack: Stack, wan: InProcessMock, clock: FakeClock, log: LogLines
) -> None:
    live_and_fail(stack, clock)
    written = {key for line in log.lines for key in line}
    named = {field for name in QUERIES for field in _fields(query(name))}
    assert named - written == set()
    assert len(named) > 12


def live_and_fail(stack: Stack, clock: FakeClock) -> None:
    """A life with the provider's errors, and a call that breaks."""
    for prompt in ("[[mock:poll:http-503*1]]", "[[mock:submit:lost-answer]]", "[[mock:001028099*1]]"):
        job_id = stack.ready_job(wan_request(prompt=f"character1 {prompt}"))
        stack.submit(job_id)
        clock.advance(5)
        stack.poll(job_id)
        stack.finish(job_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wanflow.records.JobRecords.get", _break)
        assert stack.call("GET", f"/videos/{job_id}").status == 500


def _break(*_: Any) -> None:
    raise KeyError("what nobody thought of")


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_looks_for_lines_that_the_code_writes(name: str) -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "layers/common/wanflow").glob("*.py"))
    lists = re.findall(r'message (?:= |in \[)("[^\]\n]*")', query(name))
    messages = re.findall(r'"([^"]+)"', " ".join(lists))
    assert all(f'("{message}"' in source for message in messages)


def _fields(text: str) -> set[str]:
    """Names of a query's fields: not CloudWatch's own (`@…`), values, functions, or names that the query makes."""
    bare = re.sub(r'"[^"]*"|/[^/]*/|@\w+', " ", text)
    made = set(re.findall(r"\bas (\w+)", bare))
    words = set(re.findall(r"(?<![\w(])\w+(?!\w*\()", bare)) | set(re.findall(r"\((\w+)\)", bare))
    commands = {"fields", "filter", "sort", "stats", "by", "desc", "in", "or", "as", "like"}
    return words - made - commands
