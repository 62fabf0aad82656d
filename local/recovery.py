"""`make free-slot` and `make restore`: what an operator does by hand, in the order that pays for nothing twice.

Of the local stack or, with STACK, a deployed one, as in `local/switch.py`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalStackError
from local.switch import chosen_stack

FINAL = frozenset({"completed", "failed", "canceled"})
_SLOTS_KEY = {"pk": {"S": "slots"}, "sk": {"S": "slots"}}
# They tell of the moment: who waits on which token, who holds a slot, whether submits are paused.
_OF_THE_MOMENT = ("slots", "queue#", "control")
_LOST_TRACK = "restored from a backup: what became of the job after it was made is not known"


def free_slot(arguments: list[str]) -> int:
    """`make free-slot JOB=vid_…`: give back the slot of a job that is over, though its task may still run."""
    job_id = _one(arguments, "make free-slot JOB=job-id [STACK=name]")
    outputs, client = chosen_stack(os.environ)
    try:
        free(client("dynamodb"), outputs["TableName"], job_id)
        done = _reconcile(client, outputs)
    except (BotoCoreError, ClientError) as error:
        raise LocalStackError(str(error)) from error
    print(f"Freed the slot of {job_id}; {done.get('called', 0)} waiting jobs were called.")
    return 0


def free(dynamodb: Any, table: str, job_id: str) -> None:
    """Free the slot of an ended job.

    Raises:
        LocalStackError: there is no such job, it has not ended, or it holds no slot.
    """
    key = {"pk": {"S": f"job#{job_id}"}, "sk": {"S": "job"}}
    job = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if job is None:
        raise LocalStackError(f"there is no job {job_id}")
    status = job["status"]["S"]
    if status not in FINAL:
        raise LocalStackError(f"{job_id} is {status}: it needs its slot; cancel it first (DELETE /videos/{job_id})")
    try:
        dynamodb.update_item(
            TableName=table,
            Key=_SLOTS_KEY,
            UpdateExpression="REMOVE leases.#job",
            ConditionExpression="attribute_exists(leases.#job)",
            ExpressionAttributeNames={"#job": job_id},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        raise LocalStackError(f"{job_id} holds no slot") from error


def restore(arguments: list[str]) -> int:
    """`make restore FROM=table`: bring home what a restored copy of the table has and the stack's table has not."""
    source = _one(arguments, "make restore FROM=table [STACK=name]")
    outputs, client = chosen_stack(os.environ)
    try:
        counts = copy_missing(client("dynamodb"), source, outputs["TableName"], _now())
    except (BotoCoreError, ClientError) as error:
        raise LocalStackError(str(error)) from error
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "The copy is empty.")
    return 0


def copy_missing(dynamodb: Any, source: str, target: str, now: str) -> Counter[str]:
    """Copy the items of `source` that `target` has not; of jobs that were open then, note that they are to end.

    Such a job is never submitted again. One whose task is known ends as `deadline_exceeded`, so that the reconciler
    asks for its video as long as the provider knows it, and brings it home.

    Args:
        now: ISO 8601, in UTC; the reconciler looks after open jobs from then on.
    """
    counts: Counter[str] = Counter()
    for item in _items(dynamodb, source):
        if item["pk"]["S"].startswith(_OF_THE_MOMENT):
            continue
        was_open = _note_end(item, now)
        try:
            dynamodb.put_item(TableName=target, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except dynamodb.exceptions.ConditionalCheckFailedException:
            counts["kept as they are"] += 1
            continue
        counts["open jobs restored, to be ended by the reconciler" if was_open else "restored"] += 1
    return counts


def _items(dynamodb: Any, table: str) -> Iterator[dict[str, Any]]:
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _note_end(item: dict[str, Any], now: str) -> bool:
    """Whether an item is a job that has not ended; if so, note the reason for which it will."""
    is_open = item["pk"]["S"].startswith("job#") and item["status"]["S"] not in FINAL
    if is_open:
        item["check_after"] = {"S": now}
    if is_open and "failure" not in item:
        attempts = item["attempts"]["L"]
        is_known = bool(attempts) and attempts[-1]["M"]["state"]["S"] == "submitted"
        code = "deadline_exceeded" if is_known else "internal_error"
        item["failure"] = {"M": {"code": {"S": code}, "message": {"S": _LOST_TRACK}}}
    return is_open


def _reconcile(client: Any, outputs: Mapping[str, str]) -> dict[str, int]:
    answer = client("lambda").invoke(FunctionName=outputs["ReconcileJobsFunctionName"], Payload=b"{}")
    done: dict[str, int] = json.loads(answer["Payload"].read())
    return done


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one(arguments: list[str], usage: str) -> str:
    if len(arguments) != 1 or not arguments[0]:
        raise LocalStackError(f"usage: {usage}")
    return arguments[0]
