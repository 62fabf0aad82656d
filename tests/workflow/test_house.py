"""The house: one word finds state, function, test and event; what one file names, the other has."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.template import ROOT, Template

TEMPLATE = Template(WanApiBaseUrl="http://wan.mock")
MACHINES = TEMPLATE.of_type("AWS::Serverless::StateMachine")
FOLDERS = sorted(path.name for path in (ROOT / "functions").iterdir() if (path / "app.py").is_file())


def definition_path(machine: str) -> Path:
    return ROOT / str(TEMPLATE.properties(machine)["DefinitionUri"])


def load(machine: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(definition_path(machine).read_text(encoding="utf-8"))
    return document


def all_states(node: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every state of a definition with its name, those of a Map's or Parallel's inside included."""
    if isinstance(node, list):
        return [state for item in node for state in all_states(item)]
    if not isinstance(node, dict):
        return []
    own = list(node["States"].items()) if isinstance(node.get("States"), dict) else []
    return own + [state for value in node.values() for state in all_states(value)]


def test_every_workflow_file_belongs_to_a_state_machine() -> None:
    assert sorted(map(definition_path, MACHINES)) == sorted((ROOT / "statemachine").glob("*.asl.json"))


@pytest.mark.parametrize("machine", MACHINES)
def test_substitutions_agree_both_ways(machine: str) -> None:
    used = set(re.findall(r"\$\{(\w+)\}", definition_path(machine).read_text(encoding="utf-8")))
    assert used == set(TEMPLATE.properties(machine)["DefinitionSubstitutions"])


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_has_a_comment_and_every_choice_is_a_question(machine: str) -> None:
    for name, state in all_states(load(machine)):
        assert state.get("Comment"), name
        assert name.endswith("?") == (state["Type"] == "Choice"), name


@pytest.mark.parametrize("machine", MACHINES)
def test_every_workflow_has_a_timeout_as_a_backstop_above_all_that_a_job_may_take(machine: str) -> None:
    raw = TEMPLATE.raw["Parameters"]
    longest = raw["MaxQueueSeconds"]["MaxValue"] + raw["JobDeadlineSeconds"]["MaxValue"]
    assert load(machine)["TimeoutSeconds"] > longest


@pytest.mark.parametrize("machine", MACHINES)
def test_a_state_that_calls_a_function_has_its_name(machine: str) -> None:
    for name, state in all_states(load(machine)):
        if "lambda:invoke" in state.get("Resource", ""):
            function = name.replace(" ", "") + "Function"
            assert state["Parameters"]["FunctionName"] == f"${{{function}Arn}}"
            assert TEMPLATE.functions()[name.lower().replace(" ", "_")] == function


@pytest.mark.parametrize("machine", MACHINES)
def test_the_workflow_may_call_exactly_the_functions_that_it_names(machine: str) -> None:
    properties = TEMPLATE.properties(machine)
    allowed: set[str] = set()
    for policy in properties["Policies"]:
        for statement in policy["Statement"] if isinstance(policy, dict) else []:
            if statement["Action"] == "lambda:InvokeFunction":
                allowed |= set(statement["Resource"])
    substituted = properties["DefinitionSubstitutions"].values()
    assert allowed == {value for value in substituted if ":lambda:" in str(value)}


def test_every_function_folder_is_a_function_of_the_template_under_its_own_name() -> None:
    assert TEMPLATE.functions() == {
        folder: "".join(word.capitalize() for word in folder.split("_")) + "Function" for folder in FOLDERS
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_folder_holds_one_short_file_that_only_wires(folder: str) -> None:
    path = ROOT / "functions" / folder
    assert [file.name for file in path.iterdir() if not file.name.startswith("__pycache__")] == ["app.py"]
    source = (path / "app.py").read_text(encoding="utf-8")
    assert "def lambda_handler(" in source
    assert len(source.splitlines()) <= 60


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_function_has_its_test_and_its_example_events(folder: str) -> None:
    assert (ROOT / "tests" / "functions" / f"test_{folder}.py").is_file()
    events = list((ROOT / "events" / folder).glob("*.json"))
    assert events
    for event in events:
        assert isinstance(json.loads(event.read_text(encoding="utf-8")), dict)


def test_every_event_belongs_to_a_function() -> None:
    assert {path.parent.name for path in (ROOT / "events").glob("*/*.json")} <= set(FOLDERS)


def test_every_parameter_is_described_and_shown_in_a_group() -> None:
    groups = TEMPLATE.raw["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(TEMPLATE.raw["Parameters"])
    assert all(parameter.get("Description") for parameter in TEMPLATE.raw["Parameters"].values())


def test_no_function_that_the_workflow_calls_knows_the_workflow() -> None:
    """Otherwise CloudFormation finds a circle: workflow -> function -> workflow."""
    called = {
        TEMPLATE.functions()[name.lower().replace(" ", "_")]
        for machine in MACHINES
        for name, state in all_states(load(machine))
        if "lambda:invoke" in state.get("Resource", "")
    }
    for folder, function in TEMPLATE.functions().items():
        if function in called:
            assert "STATE_MACHINE_ARN" not in TEMPLATE.environment(folder)


def test_what_needs_no_key_has_a_limit_of_its_own() -> None:
    events = [
        event["Properties"]
        for name in TEMPLATE.of_type("AWS::Serverless::Function")
        for event in TEMPLATE.properties(name).get("Events", {}).values()
        if event["Type"] == "Api"
    ]
    without_key = {
        (event["Path"], event["Method"])
        for event in events
        if event["Method"] == "OPTIONS" or event.get("Auth", {}).get("ApiKeyRequired") is False
    }
    (api,) = TEMPLATE.of_type("AWS::Serverless::Api")
    limits = {
        (each["ResourcePath"].replace("~1", "/").replace("//", "/"), each["HttpMethod"]): each
        for each in TEMPLATE.properties(api)["MethodSettings"]
        if "ThrottlingRateLimit" in each
    }
    assert set(limits) == without_key
    assert all(0 < each["ThrottlingRateLimit"] <= each["ThrottlingBurstLimit"] <= 200 for each in limits.values())
    # What is said of one method replaces what is said of all.
    assert all(each["MetricsEnabled"] is True for each in limits.values())
