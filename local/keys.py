"""`make key NAME=alice`: an API key for an owner; `REVOKE=<key id>` disables one.

Each run makes another key for the same owner, so that a key can be replaced without losing its jobs: make the new one,
hand it out, revoke the old one. The owner of a key without a name is the key's own id: `make key NAME=<that id>` makes
a successor to the stack's first key. Of the local stack or, with STACK, a deployed one, as in `local/switch.py`.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalStackError
from local.settings import STACK_NAME
from local.switch import chosen_stack

# It becomes a part of object keys: uploads/{owner}/…
OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
USAGE = "make key NAME=owner [REVOKE=key-id] [STACK=name]; an owner is 1 to 64 letters, digits, `.`, `_` or `-`"


@dataclass(frozen=True)
class Keys:
    """The API keys of one stack."""

    gateway: Any
    dynamodb: Any
    table: str
    usage_plan: str
    stack: str

    def make(self, owner: str) -> tuple[str, str]:
        """A new key's id and value. It works once its owner is written, never before."""
        key = self.gateway.create_api_key(name=self._name(owner), enabled=True, description="made by `make key`")
        try:
            item = {**item_key(key["id"]), "owner": {"S": owner}}
            self.dynamodb.put_item(TableName=self.table, Item=item)
            self.gateway.create_usage_plan_key(usagePlanId=self.usage_plan, keyId=key["id"], keyType="API_KEY")
        except BaseException:
            self.gateway.delete_api_key(apiKey=key["id"])
            raise
        return key["id"], key["value"]

    def revoke(self, owner: str, key_id: str) -> None:
        """Disable a key of this owner and take it out of the usage plan. Its mapping stays: it names old logs."""
        if self.owner_of(key_id) != owner:
            raise LocalStackError(f"{key_id} is no key of {owner}")
        disable = {"op": "replace", "path": "/enabled", "value": "false"}
        self.gateway.update_api_key(apiKey=key_id, patchOperations=[disable])
        with contextlib.suppress(self.gateway.exceptions.NotFoundException):
            self.gateway.delete_usage_plan_key(usagePlanId=self.usage_plan, keyId=key_id)

    def owner_of(self, key_id: str) -> str:
        answer = self.dynamodb.get_item(TableName=self.table, Key=item_key(key_id), ConsistentRead=True)
        return str(answer["Item"]["owner"]["S"]) if "Item" in answer else key_id

    def enabled(self, owner: str) -> list[str]:
        """Ids of the keys that `make` made for this owner and that still work."""
        pages = self.gateway.get_paginator("get_api_keys").paginate(nameQuery=self._name(owner))
        found = [key for page in pages for key in page["items"]]
        return [key["id"] for key in found if key["enabled"] and key["name"] == self._name(owner)]

    def _name(self, owner: str) -> str:
        return f"{self.stack}-{owner}"


def main(arguments: list[str]) -> int:
    owner, revoked = (*arguments, "", "")[:2]
    if not OWNER.fullmatch(owner):
        raise LocalStackError(f"usage: {USAGE}")
    try:
        keys = open_keys(*chosen_stack(os.environ), os.environ.get("STACK") or STACK_NAME)
        if revoked:
            keys.revoke(owner, revoked)
            print(f"Disabled {revoked}. Keys of {owner}: {', '.join(keys.enabled(owner)) or 'none'}")
        else:
            key_id, value = keys.make(owner)
            others = [each for each in keys.enabled(owner) if each != key_id]
            print(f"owner   {owner}\nkey id  {key_id}\nkey     {value}  (shown this once)")
            if others:
                print(f"Older keys of {owner}: {', '.join(others)}; REVOKE=<key id> disables one")
    except (BotoCoreError, ClientError) as error:
        raise LocalStackError(str(error)) from error
    return 0


def open_keys(outputs: Mapping[str, str], client: Callable[[str], Any], stack: str) -> Keys:
    return Keys(client("apigateway"), client("dynamodb"), outputs["TableName"], outputs["UsagePlanId"], stack)


def item_key(key_id: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"key#{key_id}"}, "sk": {"S": "key"}}
