"""Holds every AWS call of a function against the policy that the template gives it: moto lets everything through."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import botocore.session

from tests.template import ACCOUNT, REGION, Template

_PREFIXES = {"sfn": "states", "eventbridge": "events", "secrets-manager": "secretsmanager"}
# Calls whose permission has another name (Service Authorization Reference).
_ACTIONS = {
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:DeleteObjects": "s3:DeleteObject",
}
_TRANSACTION_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": None}


class Right(NamedTuple):
    """One action on one resource that a statement of a function's policy allows; both may be patterns."""

    folder: str
    sid: str
    action: str
    resource: str


def rights(template: Template, folder: str) -> set[Right]:
    """Everything that the template allows to a function."""
    return {
        Right(folder, statement["Sid"], action, str(resource))
        for statement in template.statements(folder)
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
    }


class PermissionGuard:
    """Notes the calls of the function that is running and finds those that its policy does not allow.

    One for the whole run: clients copy the handlers of their session when they are made, and live long.
    """

    def __init__(self, session: botocore.session.Session) -> None:
        self._watched: tuple[Template, str] | None = None
        self._refused: list[str] = []
        self.used: set[Right] = set()
        """Rights that a call was allowed by, since whoever looks has emptied it."""
        session.get_component("event_emitter").register("provide-client-params", self._note)

    @contextmanager
    def watching(self, template: Template, folder: str) -> Iterator[None]:
        """Raises AssertionError at the end for calls that were not allowed."""
        self._watched, self._refused = (template, folder), []
        try:
            yield
        finally:
            self._watched = None
        assert not self._refused, f"{folder}'s policy in template.yaml does not allow {self._refused}"

    def _note(self, params: dict[str, Any], event_name: str, **_: Any) -> None:
        service, operation = event_name.split(".")[1:]
        self.note_call(service, operation, params)

    def note_call(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """One call of `service` (botocore's name for it)."""
        if self._watched is None:
            return
        template, folder = self._watched
        if "taskToken" in params:
            # A token says nothing; the permission is on the machine that gave it.
            params = {"stateMachineArn": template.arn("GenerateVideoStateMachine")}
        for action, resource in _needs(service, operation, params):
            rights = {
                Right(folder, statement["Sid"], allowed_action, allowed_resource)
                for statement in template.statements(folder)
                for allowed_action, allowed_resource in _allowing(statement, action, resource)
            }
            self.used |= rights
            if not rights:
                self._refused.append(f"{action} on {resource}")


def _needs(service: str, operation: str, params: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(IAM action, ARN) pairs that a call needs."""
    if operation == "TransactWriteItems":
        for item in params["TransactItems"]:
            ((kind, write),) = item.items()
            yield f"dynamodb:{_TRANSACTION_ACTIONS[kind] or 'ConditionCheckItem'}", _table(write)
        return
    if (service, operation) == ("s3", "CreateBucket"):
        # botocore builds the address of a presigned POST with this operation and calls nothing.
        return
    if operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in params["RequestItems"]:
            yield f"dynamodb:{operation}", _table({"TableName": table})
        return
    name = f"{_PREFIXES.get(service, service)}:{operation}"
    action = _ACTIONS.get(name, name)
    if service == "eventbridge":
        for entry in params["Entries"]:
            yield action, f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry.get('EventBusName', 'default')}"
        return
    yield action, _RESOURCES[service](params)
    if operation == "CopyObject":
        yield "s3:GetObject", f"arn:aws:s3:::{params['CopySource']['Bucket']}/{params['CopySource']['Key']}"


def _table(params: dict[str, Any]) -> str:
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{params['TableName']}{index}"


_RESOURCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "dynamodb": _table,
    "s3": lambda params: "arn:aws:s3:::" + "/".join(params[name] for name in ("Bucket", "Key") if name in params),
    "sfn": lambda params: params.get("stateMachineArn") or params["executionArn"],
    "secrets-manager": lambda params: params["SecretId"],
    "sqs": lambda params: f"arn:aws:sqs:{REGION}:{ACCOUNT}:{params['QueueUrl'].rsplit('/', 1)[-1]}",
    "lambda": lambda params: params["FunctionName"],
}


def _allowing(statement: dict[str, Any], action: str, resource: str) -> Iterator[tuple[str, str]]:
    """The statement's (action, resource) pairs that allow a call."""
    if statement["Effect"] != "Allow":
        return
    for allowed_action in _list(statement["Action"]):
        for allowed_resource in map(str, _list(statement["Resource"])):
            if fnmatchcase(action.lower(), allowed_action.lower()) and fnmatchcase(resource, allowed_resource):
                yield allowed_action, allowed_resource


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
