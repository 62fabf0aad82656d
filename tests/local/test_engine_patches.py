"""The patches refuse a ministack that they were not written for. What they do, the end-to-end tests show."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local import engine_patches
from local.engine_patches import ERROR_KEY, LINE_IN_WORKER, EngineChangedError


def nameless(**members: Any) -> Any:
    return SimpleNamespace(__name__="ministack.some_module", **members)


def test_a_worker_script_that_has_changed_stops_the_engine() -> None:
    with pytest.raises(EngineChangedError, match="LINE_IN_WORKER"):
        engine_patches.keep_error_names(nameless(_PYTHON_WORKER_SCRIPT="something else"))


def test_the_worker_answers_with_the_exceptions_own_name() -> None:
    runtime = nameless(_PYTHON_WORKER_SCRIPT=f"before; {LINE_IN_WORKER}; after")

    engine_patches.keep_error_names(runtime)

    assert "type(e).__name__" in runtime._PYTHON_WORKER_SCRIPT
    assert LINE_IN_WORKER not in runtime._PYTHON_WORKER_SCRIPT


def test_an_error_of_the_worker_becomes_an_invocation_that_failed() -> None:
    error = {"errorMessage": "busy", "errorType": "ProviderBusy", "stackTrace": ["line 1", "line 2"]}

    answer = engine_patches.as_invocation({"body": {ERROR_KEY: error}, "log": "hello"})

    assert answer == {"body": error, "error": True, "log": "hello\nline 1\nline 2"}


def test_a_function_whose_process_died_has_the_error_name_of_aws() -> None:
    body = {"errorMessage": "Worker process died", "errorType": "Runtime.HandlerError"}

    answer = engine_patches.as_invocation({"body": body, "error": True, "log": ""})

    assert answer["body"]["errorType"] == "Runtime.ExitError"


def test_an_ordinary_answer_stays_what_it_is() -> None:
    answer = {"body": {"ok": True}, "log": ""}

    assert engine_patches.as_invocation(answer) is answer


@pytest.mark.parametrize(
    "patch",
    [
        lambda: engine_patches.cap_workers(nameless(), 2, Path()),
        lambda: engine_patches.check_whole_uploads(nameless()),
        lambda: engine_patches.fail_sleepers(nameless()),
        lambda: engine_patches.move_dead_letters(nameless()),
        lambda: engine_patches.name_the_api_key(nameless()),
        lambda: engine_patches.obey_max_concurrency_path(nameless()),
        lambda: engine_patches.read_gateway_responses(nameless()),
        lambda: engine_patches.compress_answers(nameless()),
        lambda: engine_patches.obey_cors_of_buckets(nameless(), nameless()),
        lambda: engine_patches.share_layers(nameless(Worker=nameless()), nameless(), Path()),
        lambda: engine_patches.give_parameters_to_sam(nameless(), [], nameless()),
    ],
)
def test_a_patch_target_that_is_gone_stops_the_engine_by_its_name(patch: Any) -> None:
    with pytest.raises(EngineChangedError, match="ministack"):
        patch()


@pytest.mark.parametrize(("state", "most"), [({"MaxConcurrencyPath": "$.most"}, 7), ({}, None)])
def test_a_map_runs_as_many_items_at_once_as_its_path_says(state: dict[str, str], most: int | None) -> None:
    workflows = nameless(
        _run_distributed_map=lambda state, *_: state.get("MaxConcurrency"),
        _resolve_path_or_ctx=lambda path, given, _context: given[path.removeprefix("$.")],
    )

    engine_patches.obey_max_concurrency_path(workflows)

    assert workflows._run_distributed_map(state, {}, {"most": 7}, {}, {}, {}) == most


def test_no_function_runs_more_often_at_once_than_it_may(tmp_path: Path) -> None:
    running: list[int] = []
    most = 0

    def execute(function: dict[str, Any], event: Any, _request_id: str) -> dict[str, Any]:
        nonlocal most
        running.append(event)
        most = max(most, len(running))
        barrier.wait()
        running.remove(event)
        return {"body": event, "log": f"event {event}"}

    import threading
    from concurrent.futures import ThreadPoolExecutor

    barrier = threading.Barrier(2)
    service = nameless(_execute_function_warm=execute)
    engine_patches.cap_workers(service, 2, tmp_path)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: service._execute_function_warm({"FunctionName": "f"}, n, "id"), range(6)))

    assert [answer["body"] for answer in answers] == list(range(6))
    assert most == 2
    assert sorted((tmp_path / "f.log").read_text().splitlines()) == [f"event {n}" for n in range(6)]


def provisioners() -> Any:
    def record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
        assert "Metrics" not in properties
        return {"AlarmName": name, "MetricName": properties["MetricName"], "Period": properties["Period"]}

    return nameless(_cw_metric_alarm_record=record, _RESOURCE_HANDLERS={"AWS::CloudWatch::Alarm": {}})


def test_an_alarm_on_several_metrics_watches_the_first() -> None:
    engine = provisioners()
    engine_patches.take_in_what_watches(engine)
    first = {"Metric": {"Namespace": "AWS/Lambda", "MetricName": "Errors"}, "Period": 300, "Stat": "Sum"}

    alarm = engine._cw_metric_alarm_record("a", {"Metrics": [{"Expression": "x"}, {"MetricStat": first}]})

    assert alarm == {"AlarmName": "a", "MetricName": "Errors", "Period": 300}
    plain = {"MetricName": "Throttles", "Period": 60}
    assert engine._cw_metric_alarm_record("b", plain)["MetricName"] == "Throttles"


def test_a_saved_query_is_noted_and_kept() -> None:
    engine = provisioners()
    engine_patches.take_in_what_watches(engine)
    handler = engine._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"]

    identity, attributes = handler["create"]("SpendQuery", {}, "wanflow")

    assert attributes == {"QueryDefinitionId": identity}
    assert handler["update"](identity, {}, {}, "wanflow") == (identity, attributes)
    assert handler["delete"](identity, {}) is None


def test_alarms_that_are_made_otherwise_stop_the_engine() -> None:
    with pytest.raises(EngineChangedError, match="handlers"):
        engine_patches.take_in_what_watches(nameless(_cw_metric_alarm_record=print, _RESOURCE_HANDLERS={}))
