"""template.yaml, read as CloudFormation would: what the tests build and set follows the file that is deployed."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
REGION = "us-east-1"
ACCOUNT = "123456789012"

_ARNS = {
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
    "AWS::Serverless::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::Serverless::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{{}}",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{{}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{}}",
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{}}",
}
# `!Ref` of these gives the ARN, of the others the name (Template Reference, Return values).
_REF_IS_ARN = {"AWS::Serverless::StateMachine", "AWS::SecretsManager::Secret", "AWS::SNS::Topic"}
_PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "wanflow",
}
_NO_VALUE = object()


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short intrinsics: `!Ref x` becomes {"Ref": "x"}."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def _raw() -> dict[str, Any]:
    # A SafeLoader with constructors of its own builds nothing but plain data.
    raw: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    return raw


class Template:
    """The template with its parameters' defaults, `parameters` over them, and made-up names for its resources.

    `physical` holds the real `Ref` of a resource where a test knows it (a secret's ARN ends in random letters).
    """

    def __init__(self, **parameters: str) -> None:
        self.raw = _raw()
        self.parameters = {name: str(p["Default"]) for name, p in self.raw["Parameters"].items() if "Default" in p}
        self.parameters.update(parameters)
        self.physical: dict[str, str] = {}
        self._statements: dict[str, list[dict[str, Any]]] = {}
        self._environments: dict[tuple[object, ...], dict[str, str]] = {}

    def of_type(self, kind: str) -> list[str]:
        """Logical ids of every resource of a type."""
        return [name for name, resource in self.raw["Resources"].items() if resource["Type"] == kind]

    def only(self, kind: str) -> str:
        """The logical id of the one resource of this type."""
        (name,) = self.of_type(kind)
        return name

    def properties(self, logical_id: str) -> dict[str, Any]:
        resolved: dict[str, Any] = self.resolve(self.raw["Resources"][logical_id]["Properties"])
        return resolved

    def functions(self) -> dict[str, str]:
        """Folder under functions/ -> logical id."""
        resources = self.raw["Resources"]
        uris = {name: resources[name]["Properties"]["CodeUri"] for name in self.of_type("AWS::Serverless::Function")}
        return {uri.removeprefix("functions/"): name for name, uri in uris.items()}

    def environment(self, folder: str) -> dict[str, str]:
        """What Lambda would put into the environment of the function in this folder."""
        known = (folder, *self.parameters.items(), *self.physical.items())
        if known not in self._environments:
            self._environments[known] = self._environment(folder)
        return self._environments[known]

    def _environment(self, folder: str) -> dict[str, str]:
        shared = self.resolve(self.raw["Globals"]["Function"]["Environment"]["Variables"])
        own = self.properties(self.functions()[folder]).get("Environment", {}).get("Variables", {})
        return {name: str(value) for name, value in {**shared, **own}.items()}

    def layers(self, folder: str) -> list[str]:
        """The logical ids of the layers of the function in this folder."""
        own = self.raw["Resources"][self.functions()[folder]]["Properties"].get("Layers", [])
        return [layer["Ref"] for layer in (*self.raw["Globals"]["Function"]["Layers"], *own)]

    def variable_names(self) -> set[str]:
        """The names of all variables of all functions."""
        functions = [self.raw["Resources"][name]["Properties"] for name in self.functions().values()]
        places = [self.raw["Globals"]["Function"], *functions]
        return {name for place in places for name in place.get("Environment", {}).get("Variables", {})}

    def statements(self, folder: str) -> list[dict[str, Any]]:
        """The policy statements of the function in this folder."""
        if folder not in self._statements:
            name = self.functions()[folder]
            own = self.properties(name).get("Policies", [])
            # SAM makes a role for each function, `{Function}Role`; a policy of its own may name it.
            others = map(self.properties, self.of_type("AWS::IAM::Policy"))
            lent = [other["PolicyDocument"] for other in others if self.ref(f"{name}Role") in other["Roles"]]
            policies = [*own, *lent]
            self._statements[folder] = [statement for policy in policies for statement in policy["Statement"]]
        return self._statements[folder]

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.raw["Parameters"]:
            return self.parameters[name]
        if name in self.physical:
            return self.physical[name]
        # SAM makes resources of its own (roles, an API key): they have a name and no entry.
        kind = self.raw["Resources"].get(name, {}).get("Type")
        return self.arn(name) if kind in _REF_IS_ARN else _made_up_name(name)

    def arn(self, logical_id: str) -> str:
        kind = self.raw["Resources"][logical_id]["Type"]
        return _ARNS.get(kind, "arn:aws:other:::{}").format(_made_up_name(logical_id))

    def resolve(self, node: Any) -> Any:
        """A node with every intrinsic function replaced by its value."""
        if isinstance(node, list):
            return [value for item in node if (value := self.resolve(item)) is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), *_ = node.items()
            if name in self._intrinsics:
                return self._intrinsics[name](self, argument)
        resolved = {name: self.resolve(value) for name, value in node.items()}
        return {name: value for name, value in resolved.items() if value is not _NO_VALUE}

    def _get_att(self, argument: list[str]) -> str:
        logical_id, attribute = argument
        if attribute == "Arn":
            return self.arn(logical_id)
        return _made_up_name(logical_id) if attribute.endswith("Name") else f"{logical_id}.{attribute}"

    def _sub(self, argument: str | list[Any]) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else (argument[0], self.resolve(argument[1]))

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in given:
                return str(given[name])
            return self._get_att(name.split(".", 1)) if "." in name else str(self.ref(name))

        # `${!x}` is how `Sub` writes a `${x}` that is to stay.
        return re.sub(r"\$\{([\w:.]+)\}", value, text).replace("${!", "${")

    def _if(self, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self.resolve(yes if self.resolve(self.raw["Conditions"][condition]) else no)

    def _equals(self, argument: list[Any]) -> bool:
        left, right = self.resolve(argument)
        return str(left) == str(right)

    _intrinsics: dict[str, Callable[[Any, Any], Any]] = {  # noqa: RUF012 - a table, never changed
        "Ref": ref,
        "Fn::GetAtt": _get_att,
        "Fn::Sub": _sub,
        "Fn::If": _if,
        "Fn::Equals": _equals,
        "Fn::Not": lambda self, argument: not self.resolve(argument)[0],
        "Fn::And": lambda self, argument: all(self.resolve(argument)),
        "Fn::Or": lambda self, argument: any(self.resolve(argument)),
        "Condition": lambda self, argument: self.resolve(self.raw["Conditions"][argument]),
    }


def _made_up_name(logical_id: str) -> str:
    return "wanflow-" + re.sub(r"(?<!^)(?=[A-Z])", "-", logical_id).lower()
