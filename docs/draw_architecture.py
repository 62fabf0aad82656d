"""template.yaml as a Mermaid flowchart: who calls whom, and where the data goes.

Arrows come from the template alone: events of functions, rules, queue mappings, the substitutions of the workflows, and
the policies (what a function may write, start and send). A workflow is one box with its functions in it. Left out,
because they would hide the rest: reads, logs, secrets, and what a function on a schedule may write, since it only does
again what others left undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from local.build import PlainLoader

Json = dict[str, Any]

API, FUNCTION, WORKFLOW = "AWS::Serverless::Api", "AWS::Serverless::Function", "AWS::Serverless::StateMachine"
TABLE, BUCKET, QUEUE = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"
MAPPING = "AWS::Lambda::EventSourceMapping"

WRITES = {"states:StartExecution": "starts", "sqs:SendMessage": "", "events:PutEvents": "", "dynamodb:UpdateItem": ""}
"""The calls of a policy that are arrows, each with its label; s3:PutObject is one too, with its prefixes as label."""

STYLES = {"function": "#d86613", "workflow": "#c2185b", "store": "#2e7d32", "outside": "#607d8b"}
"""Colour of the frames, by what a box is: they stand out on a light and on a dark page."""


@dataclass(frozen=True)
class Arrow:
    source: str
    target: str
    label: str = ""
    dotted: bool = False

    def __str__(self) -> str:
        line = "-.->" if self.dotted else "-->"
        label = f'|"{self.label}"|' if self.label else ""
        return f"{self.source} {line}{label} {self.target}"


def draw_architecture(template: str) -> str:
    """The picture without its fence."""
    stack = _Stack(yaml.load(template, Loader=PlainLoader)["Resources"])  # noqa: S506 - a SafeLoader underneath
    parts = [*stack.boxes(), *dict.fromkeys(map(str, stack.arrows()))]
    parts += [f"classDef {name} stroke:{colour},stroke-width:2px" for name, colour in STYLES.items()]
    return "\n".join(["flowchart TD", *(f"    {part}" for part in parts)])


class _Stack:
    def __init__(self, resources: Json) -> None:
        self._resources = resources
        self._functions = {name: _last_part(of["CodeUri"]) for name, of in self._of_type(FUNCTION)}
        self._workflows = {
            name: [function for function in self._functions if function in str(of["DefinitionSubstitutions"])]
            for name, of in self._of_type(WORKFLOW)
        }
        self._box_of = {function: box for box, inside in self._workflows.items() for function in inside}

    # --- Boxes -------------------------------------------------------------------------------------------------------

    def boxes(self) -> Iterator[str]:
        yield 'caller(["caller"]):::outside'
        yield from (f'{name}["API Gateway"]:::outside' for name, _ in self._of_type(API))
        for function, folder in self._functions.items():
            if function not in self._box_of:
                yield f'{function}["{folder}"]:::function'
        for workflow, inside in self._workflows.items():
            steps = "<br>".join(self._functions[function] for function in inside)
            yield f'{workflow}["<b>{_snake(workflow.removesuffix("StateMachine"))}</b><br>{steps}"]:::workflow'
        yield from (f'{name}[("DynamoDB table")]:::store' for name, _ in self._of_type(TABLE))
        yield from (f'{name}[("S3 bucket")]:::store' for name, _ in self._of_type(BUCKET))
        yield from (f'{name}[["SQS<br>{_words(name)}"]]:::store' for name, _ in self._of_type(QUEUE))
        yield 'bus[["EventBridge"]]:::store'
        yield 'provider(["Wan API"]):::outside'
        yield 'receiver(["callback_url"]):::outside'

    # --- Arrows ------------------------------------------------------------------------------------------------------

    def arrows(self) -> Iterator[Arrow]:
        for name, _ in self._of_type(API):
            yield Arrow("caller", name, "HTTPS")
        for name, _ in self._of_type(BUCKET):
            yield Arrow("caller", name, "files")
        for function in self._functions:
            yield from self._triggers(function)
        for _, mapping in self._of_type(MAPPING):
            yield Arrow(_first_part(mapping["EventSourceArn"]), mapping["FunctionName"])
        for name in [*self._functions, *self._workflows]:
            yield from self._starts(name) if self._is_scheduled(name) else self._writes(name)

    def _triggers(self, function: str) -> Iterator[Arrow]:
        properties = self._properties(function)
        for event in properties.get("Events", {}).values():
            of = event["Properties"]
            if event["Type"] == "Api":
                yield Arrow(of["RestApiId"], function)
            elif event["Type"] == "ScheduleV2":
                yield Arrow(f'clock(["{_words(of["ScheduleExpression"])}"]):::outside', function)
            elif event["Type"] == "EventBridgeRule":
                detail = of["Pattern"]["detail"]
                prefixes = ", ".join(key["prefix"] for key in detail["object"]["key"])
                yield Arrow(detail["bucket"]["name"][0], function, f"new under {prefixes}")
        lost = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure", {})
        if lost:
            yield Arrow(self._box(function), _first_part(lost["Destination"]), "given up", dotted=True)

    def _starts(self, name: str) -> Iterator[Arrow]:
        return (arrow for arrow in self._writes(name) if arrow.label == WRITES["states:StartExecution"])

    def _writes(self, name: str) -> Iterator[Arrow]:
        box, statements = self._box(name), self._statements(name)
        for statement in statements:
            for call in [call for call in WRITES if call in _list(statement["Action"])]:
                for target in map(self._target, _list(statement["Resource"])):
                    if target and target != box:
                        yield Arrow(box, target, WRITES[call])
        if self._workflows.get(box, [name])[0] == name:
            yield from self._files(box)
        if "WanApiKeySecret" in str(statements):
            yield Arrow(box, "provider")
        if "sqs:ReceiveMessage" in str(statements):
            yield Arrow(box, "receiver", "signed")

    def _files(self, box: str) -> Iterator[Arrow]:
        """One arrow to the bucket for each box, however many prefixes."""
        allowed = [each for name in self._workflows.get(box, [box]) for each in self._statements(name)]
        written = str([each["Resource"] for each in allowed if "s3:PutObject" in _list(each["Action"])])
        for bucket, _ in self._of_type(BUCKET):
            prefixes = sorted(set(re.findall(rf"{bucket}\.Arn}}/(\w+/)", written)))
            if prefixes:
                yield Arrow(box, bucket, "<br>".join(prefixes))

    # --- The template ------------------------------------------------------------------------------------------------

    def _of_type(self, kind: str) -> list[tuple[str, Json]]:
        return [(name, of["Properties"]) for name, of in self._resources.items() if of["Type"] == kind]

    def _properties(self, name: str) -> Json:
        properties: Json = self._resources[name]["Properties"]
        return properties

    def _statements(self, name: str) -> list[Json]:
        policies = self._properties(name).get("Policies", [])
        return [statement for policy in policies if isinstance(policy, dict) for statement in policy["Statement"]]

    def _box(self, name: str) -> str:
        """A function that a workflow calls is in the workflow's box."""
        return self._box_of.get(name, name)

    def _target(self, resource: object) -> str:
        """The box that a policy's resource is, or nothing."""
        if "event-bus" in str(resource):
            return "bus"
        name = _first_part(resource)
        return name if self._resources.get(name, {}).get("Type") in {WORKFLOW, TABLE, QUEUE} else ""

    def _is_scheduled(self, name: str) -> bool:
        events = self._properties(name).get("Events", {}).values()
        return any(event["Type"] == "ScheduleV2" for event in events)


def _first_part(operand: object) -> str:
    """`JobsTable.Arn` and `["JobsTable", "Arn"]` -> `JobsTable`."""
    return str(operand[0] if isinstance(operand, list) else operand).split(".", maxsplit=1)[0]


def _last_part(code_uri: str) -> str:
    return code_uri.rstrip("/").rsplit("/", maxsplit=1)[-1]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _words(name: str) -> str:
    """`LostEventsQueue` -> `lost events`, `rate(5 minutes)` -> `every 5 minutes`."""
    if schedule := re.fullmatch(r"rate\((.+)\)", name):
        return f"every {schedule[1]}"
    return _snake(name.removesuffix("Queue")).replace("_", " ")
