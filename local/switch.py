"""The operator's switch: `pause` stops new submits without losing a job, `resume` lets them go on.

Of the local stack that `make up` runs, or of a deployed one: `make pause STACK=my-stack` with the AWS credentials and
region of the environment. It is one item of the table, `pk` = `control`, `sk` = `submits`, attribute `paused`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalStackError
from local.settings import STACK_NAME, state_dir

_KEY = {"pk": {"S": "control"}, "sk": {"S": "submits"}}


def pause(_arguments: list[str]) -> int:
    outputs, client = chosen_stack(os.environ)
    _set_paused(client, outputs, paused=True)
    print(
        "Paused: no new task is submitted; waiting jobs keep their places, running ones go on. `make resume` ends it."
    )
    return 0


def resume(_arguments: list[str]) -> int:
    outputs, client = chosen_stack(os.environ)
    _set_paused(client, outputs, paused=False)
    # Nobody gives a slot back while nothing runs: the reconciler calls the waiting jobs.
    name = outputs["ReconcileJobsFunctionName"]
    client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    print("Resumed: waiting jobs are being called.")
    return 0


def _set_paused(client: Callable[[str], Any], outputs: Mapping[str, str], *, paused: bool) -> None:
    client("dynamodb").update_item(
        TableName=outputs["TableName"],
        Key=_KEY,
        UpdateExpression="SET paused = :paused",
        ExpressionAttributeValues={":paused": {"BOOL": paused}},
    )


def chosen_stack(environ: Mapping[str, str]) -> tuple[Mapping[str, str], Callable[[str], Any]]:
    """A stack's outputs and a maker of its clients."""
    options = {} if environ.get("STACK") else _local_options(environ)
    name = environ.get("STACK") or STACK_NAME

    def client(service: str) -> Any:
        return boto3.session.Session().client(service, **options)  # type: ignore[call-overload]

    try:
        stack = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise LocalStackError(f"the stack {name} cannot be read: {error}") from error
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}, client


def _local_options(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        endpoints = json.loads((state_dir(environ) / "endpoints.json").read_text())
    except FileNotFoundError as error:
        raise LocalStackError("no local stack is running (make up); name a deployed one with STACK=…") from error
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return {"endpoint_url": endpoints["aws_endpoint"], "region_name": endpoints["region"], **keys}
