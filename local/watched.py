"""`make deploy STACK=name`: an update that takes itself back when an alarm goes off during it or soon after.

CloudFormation itself watches, and keeps the triggers with the stack, so that a later `sam deploy` is watched while it
lasts. Why this is no canary of each function: docs/decisions.md, Watching and deploying.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from local.errors import LocalStackError
from local.settings import ROOT, SAM, STATE
from local.switch import chosen_stack

TRIGGERS = (
    "ApiErrorsAlarm",
    "BrokenExecutionsAlarm",
    "FunctionErrorsAlarm",
    "StepErrorsAlarm",
    "SubmitFailuresAlarm",
)
"""The alarms that a bad version sets off. CloudFormation takes five."""

KEPT = ("JobsTable", "VideosBucket")
_DEFAULT_MINUTES = 15
_MOST_MINUTES = 180


def main(arguments: list[str]) -> int:
    name = os.environ.get("STACK", "")
    minutes = "".join(arguments) or str(_DEFAULT_MINUTES)
    if not name or not minutes.isdecimal() or int(minutes) > _MOST_MINUTES:
        raise LocalStackError(
            f"usage: make deploy STACK=name [MINUTES=0 to {_MOST_MINUTES}] [YES=1]; the first time use sam deploy"
        )
    try:
        _, client = chosen_stack(os.environ)
        template = package(STATE / "packaged.yaml", os.environ)
        ask = (lambda _question: "yes") if os.environ.get("YES") else input
        update(client, name, template, minutes=int(minutes), ask=ask, tell=print)
    except (BotoCoreError, ClientError) as error:
        raise LocalStackError(str(error)) from error
    return 0


def package(target: Path, environ: Mapping[str, str]) -> Path:
    """Build, and upload what the template names, into the bucket that `sam deploy` uses."""
    for command in (["build"], ["package", "--resolve-s3", "--output-template-file", str(target)]):
        print(f"sam {command[0]} ...")
        words = [str(SAM), *command]
        done = subprocess.run(words, cwd=ROOT, env=dict(environ), capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalStackError(f"sam {command[0]} failed:\n\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return target


def update(
    client: Callable[[str], Any],
    stack: str,
    template: Path,
    *,
    minutes: int,
    ask: Callable[[str], str],
    tell: Callable[[str], object],
) -> None:
    """Change a stack to a packaged template, watched by its alarms until `minutes` after the change.

    Raises:
        LocalStackError: it has no such alarms, the change would replace data, was not wanted, or was taken back.
    """
    cloudformation = client("cloudformation")
    (before,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    watching = {"RollbackTriggers": triggers(cloudformation, stack), "MonitoringTimeInMinutes": minutes}
    change = {
        "StackName": stack,
        "ChangeSetName": f"watched-{datetime.now(UTC):%Y%m%d-%H%M%S}",
        "TemplateURL": upload(client("s3"), template),
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Parameters": kept_parameters(before, template.read_text("utf-8")),
        "Tags": before.get("Tags", []),
        "RollbackConfiguration": watching,
    }
    cloudformation.create_change_set(**change)
    found = {"StackName": stack, "ChangeSetName": change["ChangeSetName"]}
    changes = look_at(cloudformation, found, tell)
    if not changes:
        return
    if ask(f"Change {stack}, and watch it for {minutes} minutes? (yes/no) ") != "yes":
        cloudformation.delete_change_set(**found)
        raise LocalStackError("not wanted; nothing was changed")
    cloudformation.execute_change_set(**found)
    tell("Changing, then watching ...")
    try:
        waits = {"Delay": 15, "MaxAttempts": 4 * (60 + minutes)}
        cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=waits)
    except WaiterError as error:
        (after,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        reason = after.get("StackStatusReason", "see the stack's events")
        raise LocalStackError(f"{stack} is {after['StackStatus']}: {reason}") from error
    tell(f"{stack} is changed, and no alarm went off meanwhile.")


def triggers(cloudformation: Any, stack: str) -> list[dict[str, str]]:
    """The stack's alarms that a bad version sets off."""
    resources = [each for page in _resources(cloudformation, stack) for each in page]
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
    missing = [name for name in TRIGGERS if name not in names]
    if missing:
        raise LocalStackError(
            f"{stack} has no {', '.join(missing)} yet: `sam deploy` it once with Monitoring=alarms or full"
        )
    kind = "AWS::CloudWatch::Alarm"
    (where,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    _, partition, _, region, account, _ = where["StackId"].split(":", 5)
    arn = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:"
    return [{"Arn": arn + names[name], "Type": kind} for name in TRIGGERS]


def _resources(cloudformation: Any, stack: str) -> Iterator[list[dict[str, Any]]]:
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        yield page["StackResourceSummaries"]


def upload(s3: Any, template: Path) -> str:
    """Put the template beside what it names (CloudFormation takes 50 KB by itself); its URL."""
    text = template.read_text("utf-8")
    found = re.search(r"s3://([a-z0-9.-]+)/", text)
    if found is None:
        raise LocalStackError(f"{template} names nothing in a bucket: is it packaged?")
    key = f"templates/{datetime.now(UTC):%Y%m%d-%H%M%S}.yaml"
    s3.put_object(Bucket=found[1], Key=key, Body=text.encode())
    return str(s3.generate_presigned_url("get_object", Params={"Bucket": found[1], "Key": key}).split("?", 1)[0])


def kept_parameters(before: dict[str, Any], template: str) -> list[dict[str, Any]]:
    """Every parameter as it is; new ones get their defaults, those that are gone are left out."""
    names = [each["ParameterKey"] for each in before.get("Parameters", [])]
    return [
        {"ParameterKey": name, "UsePreviousValue": True}
        for name in names
        if re.search(rf"^  {name}:$", template, re.MULTILINE)
    ]


def look_at(cloudformation: Any, found: dict[str, str], tell: Callable[[str], object]) -> list[str]:
    """Wait for the change set and tell what it holds; nothing if there is nothing to change."""
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            **found, WaiterConfig={"Delay": 3, "MaxAttempts": 100}
        )
    except WaiterError as error:
        reason = str(cloudformation.describe_change_set(**found).get("StatusReason", error))
        cloudformation.delete_change_set(**found)
        if "No updates" in reason or "didn't contain changes" in reason:
            tell("Nothing has changed.")
            return []
        raise LocalStackError(f"the change cannot be made: {reason}") from error
    changes = []
    for page in cloudformation.get_paginator("describe_change_set").paginate(**found):
        for each in (change["ResourceChange"] for change in page["Changes"]):
            name, replacement = each["LogicalResourceId"], each.get("Replacement", "False")
            if name in KEPT and (each["Action"] == "Remove" or replacement == "True"):
                cloudformation.delete_change_set(**found)
                raise LocalStackError(f"this would leave {name} with its data behind; nothing was changed")
            note = ", a new one in its place" if replacement == "True" else ""
            changes.append(f"{each['Action']} {name}{note}")
    tell("\n".join(changes))
    return changes
