"""`make teardown STACK=name`: take a deployed stack away. Videos and records stay, unless DELETE_DATA=1 and its name is
typed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalStackError
from local.keys import item_key
from local.switch import chosen_stack

OPEN_SHARDS = 8
_MADE_BY_US = "made by `make key`"


def main(_arguments: list[str]) -> int:
    name = os.environ.get("STACK", "")
    if not name:
        raise LocalStackError("usage: make teardown STACK=name [DELETE_DATA=1] [FORCE=1]; `make up` ends with Ctrl-C")
    try:
        outputs, client = chosen_stack(os.environ)
        tear_down(
            client, outputs, name, delete_data=_is_set("DELETE_DATA"), is_forced=_is_set("FORCE"), ask=input, tell=print
        )
    except (BotoCoreError, ClientError) as error:
        raise LocalStackError(str(error)) from error
    return 0


def tear_down(
    client: Callable[[str], Any],
    outputs: Mapping[str, str],
    name: str,
    *,
    delete_data: bool,
    is_forced: bool,
    ask: Callable[[str], str],
    tell: Callable[[str], object],
) -> None:
    """Delete the stack; with `delete_data` its bucket and its table too, once its name was typed.

    Raises:
        LocalStackError: jobs are open, or something else was typed; nothing was touched.
    """
    bucket, table = outputs["BucketName"], outputs["TableName"]
    count = open_jobs(client("dynamodb"), table)
    if count and not is_forced:
        raise LocalStackError(
            f"{count} jobs of {name} are open, and some may be paid for already: `make pause STACK={name}`, wait until "
            "they have ended, then try again; FORCE=1 leaves them behind"
        )
    if delete_data:
        tell(f"This deletes the stack {name}, the bucket {bucket} with every video, and the table {table}. For good.")
        if ask(f"Type {name} to go on: ") != name:
            raise LocalStackError("that is not its name; nothing was touched")
    delete_keys(client("apigateway"), client("dynamodb"), table, name)
    tell(f"Deleting the stack {name} ...")
    client("cloudformation").delete_stack(StackName=name)
    client("cloudformation").get_waiter("stack_delete_complete").wait(StackName=name)
    if not delete_data:
        tell(f"Gone. What stays, with all that was paid for: the bucket {bucket} and the table {table}.")
        return
    empty(client("s3"), bucket)
    client("s3").delete_bucket(Bucket=bucket)
    client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)
    client("dynamodb").delete_table(TableName=table)
    tell("Gone, and nothing stays.")


def open_jobs(dynamodb: Any, table: str) -> int:
    """How many jobs somebody still has to look after."""
    return sum(_open_in(dynamodb, table, str(shard)) for shard in range(OPEN_SHARDS))


def _open_in(dynamodb: Any, table: str, shard: str) -> int:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName="open_jobs",
        KeyConditionExpression="open_shard = :shard",
        ExpressionAttributeValues={":shard": {"S": shard}},
        Select="COUNT",
    )
    return sum(page["Count"] for page in pages)


def delete_keys(gateway: Any, dynamodb: Any, table: str, stack: str) -> None:
    """The API keys of `make key`, which the stack does not know of, but its table.

    Not by their names alone: keys of the stack `shop` are called `shop-alice`, those of `shop-test` `shop-test-alice`.
    """
    pages = gateway.get_paginator("get_api_keys").paginate(nameQuery=f"{stack}-")
    for key in [key for page in pages for key in page["items"]]:
        is_ours = "Item" in dynamodb.get_item(TableName=table, Key=item_key(key["id"]), ConsistentRead=True)
        if is_ours and key.get("description") == _MADE_BY_US:
            gateway.delete_api_key(apiKey=key["id"])


def empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "") not in {"", "0"}
