"""The workflows on GitHub: what they run is pinned, what they may is little, and no key lies anywhere."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.template import ROOT, Template, _Loader

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ROLES: dict[str, Any] = yaml.load((ROOT / ".github" / "deploy-role.yaml").read_text("utf-8"), Loader=_Loader)  # noqa: S506

_PREFIXES = {"apigateway": "apigateway", "stepfunctions": "states", "cloudwatch": "cloudwatch"}
"""IAM's names of services whose CloudFormation types are called otherwise."""

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job.get("steps", ())]


@each_workflow
def test_every_action_is_pinned_by_a_whole_commit_and_tells_its_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text("utf-8"))
    for name, comment in used:
        if not name.startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name), name
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), name


@each_workflow
def test_a_workflow_may_read_and_nothing_else_unless_a_job_says_so(path: Path) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {"contents": "read"}
    for name, job in jobs(path).items():
        allowed = {"contents": "read", "id-token": "write"} if name == "deploy" else None
        assert job.get("permissions") == allowed


@each_workflow
def test_no_workflow_holds_or_asks_for_a_key(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "secrets." not in text
    assert not re.search(r"access-key|AKIA", text)
    assert all(
        step["with"]["persist-credentials"] is False for step in steps(path) if "checkout" in step.get("uses", "")
    )


@each_workflow
def test_nothing_that_others_write_becomes_a_part_of_a_script(path: Path) -> None:
    assert all("${{" not in step.get("run", "") for step in steps(path))


def test_a_deployment_comes_after_every_check_one_at_a_time_through_its_environment() -> None:
    deploy = jobs(ROOT / ".github" / "workflows" / "deploy.yml")["deploy"]
    assert deploy["needs"] == "check"
    assert deploy["environment"] == "production"
    assert deploy["concurrency"]["cancel-in-progress"] is False
    check = jobs(ROOT / ".github" / "workflows" / "check.yml")["check"]
    assert [step["run"] for step in check["steps"] if "run" in step] == [".ci/run"]


def test_the_role_is_for_one_environment_of_one_repository() -> None:
    trust = ROLES["Resources"]["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    (statement,) = trust
    told = statement["Condition"]["StringEquals"]
    assert told == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": {"Fn::Sub": "repo:${Repository}:environment:${Environment}"},
    }


def actions(role: str) -> set[str]:
    (policy,) = ROLES["Resources"][role]["Properties"]["Policies"]
    return {action for each in policy["PolicyDocument"]["Statement"] for action in _list(each["Action"])}


def test_the_deploying_role_itself_can_make_nothing() -> None:
    (policy,) = ROLES["Resources"]["DeployRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Resource"] != "*"
        assert not any("*" in action for action in [statement["Action"]] if isinstance(action, str))
        assert not any("*" in action for action in statement["Action"] if isinstance(statement["Action"], list))


def test_cloudformation_may_make_every_kind_of_resource_of_the_template() -> None:
    kinds = {resource["Type"].split("::")[1].lower() for resource in Template().raw["Resources"].values()}
    # SAM's own become functions, APIs and workflows with their roles, rules and schedules.
    services = kinds - {"serverless"} | {"lambda", "apigateway", "states", "iam", "events", "scheduler"}
    allowed = {action.split(":")[0] for action in actions("CloudFormationRole")}
    assert {_PREFIXES.get(service, service) for service in services} <= allowed


def test_what_is_installed_and_built_runs_before_there_are_credentials() -> None:
    named = [step.get("name", step.get("uses", "").split("@")[0]) for step in jobs(WORKFLOWS[-1])["deploy"]["steps"]]
    assert WORKFLOWS[-1].name == "deploy.yml"
    assert named.index("Build") < named.index("aws-actions/configure-aws-credentials") < named.index("Deploy")


def statements(role: str, action: str) -> list[dict[str, Any]]:
    """Those that speak of this action, by its name or its service."""
    (policy,) = ROLES["Resources"][role]["Properties"]["Policies"]
    names = {action, f"{action.split(':', maxsplit=1)[0]}:*"}
    return [each for each in policy["PolicyDocument"]["Statement"] if names & set(_list(each["Action"]))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed_resources(action: str) -> list[str]:
    found = [each for each in statements("CloudFormationRole", action) if each["Effect"] == "Allow"]
    resources = [resource for each in found for resource in _list(each["Resource"])]
    return [resource["Fn::Sub"] if isinstance(resource, dict) else resource for resource in resources]


@pytest.mark.parametrize(
    ("action", "of_others"),
    [
        ("secretsmanager:GetSecretValue", "secret:ShopDatabaseSecret-"),
        ("states:DeleteStateMachine", "stateMachine:ShopStateMachine-"),
        ("lambda:DeleteLayerVersion", "layer:ShopLayer"),
    ],
)
def test_names_after_logical_ids_alone_are_those_of_this_template(action: str, of_others: str) -> None:
    logical_ids = set(Template().raw["Resources"])
    named = [each for each in allowed_resources(action) if of_others.split(":", maxsplit=1)[0] + ":" in each]
    assert named
    for resource in named:
        name = resource.rpartition(":")[2]
        assert not name.startswith("*"), resource
        assert any(name.startswith(logical_id) for logical_id in logical_ids), resource


def test_cloudformation_reads_only_what_sam_uploaded_and_touches_no_setting_of_the_whole_gateway() -> None:
    assert "*" not in allowed_resources("s3:GetObject")
    assert all("/account" not in each and not each.endswith("::*") for each in allowed_resources("apigateway:PATCH"))
    assert "*" not in allowed_resources("apigateway:PATCH")


def test_whoever_deploys_cannot_widen_the_roles_that_deploy() -> None:
    (denied,) = [each for each in statements("CloudFormationRole", "iam:PutRolePolicy") if each["Effect"] == "Deny"]
    assert denied["Action"] == "iam:*"
    names = {each["Fn::Sub"].rpartition("/")[2] for each in denied["Resource"]}
    roles = {name for name, each in ROLES["Resources"].items() if each["Type"] == "AWS::IAM::Role"}
    assert names == {f"${{AWS::StackName}}-{role}-*" for role in roles}
