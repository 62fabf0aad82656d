"""`make key`: made, mapped, counted, revoked; nothing half-made stays behind."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.errors import LocalStackError
from local.keys import Keys, main, open_keys

TABLE = "jobs"


class FakeGateway:
    """API Gateway's keys and one usage plan."""

    class exceptions:  # noqa: N801 - boto3's own name
        class NotFoundException(Exception): ...

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.plan: set[str] = set()

    def create_api_key(self, name: str, enabled: bool, description: str) -> dict[str, Any]:
        number = len(self.keys)
        key: dict[str, Any] = {"id": f"id{number}", "value": f"secret{number}", "name": name, "enabled": enabled}
        self.keys[key["id"]] = key
        return key

    def create_usage_plan_key(self, usagePlanId: str, keyId: str, keyType: str) -> None:  # noqa: N803
        self.plan.add(keyId)

    def delete_usage_plan_key(self, usagePlanId: str, keyId: str) -> None:  # noqa: N803
        if keyId not in self.plan:
            raise self.exceptions.NotFoundException
        self.plan.remove(keyId)

    def update_api_key(self, apiKey: str, patchOperations: list[dict[str, str]]) -> None:  # noqa: N803
        assert patchOperations == [{"op": "replace", "path": "/enabled", "value": "false"}]
        self.keys[apiKey]["enabled"] = False

    def delete_api_key(self, apiKey: str) -> None:  # noqa: N803
        del self.keys[apiKey]

    def get_paginator(self, _name: str) -> "FakeGateway":
        return self

    def paginate(self, nameQuery: str) -> list[dict[str, Any]]:  # noqa: N803
        return [{"items": [key]} for key in self.keys.values() if key["name"].startswith(nameQuery)]


@pytest.fixture
def keys() -> Iterator[Keys]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", "us-east-1")
        dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        clients: dict[str, Any] = {"apigateway": FakeGateway(), "dynamodb": dynamodb}
        yield open_keys({"TableName": TABLE, "UsagePlanId": "plan"}, clients.__getitem__, "wanflow")


def in_plan(keys: Keys) -> set[str]:
    plan: set[str] = keys.gateway.plan
    return plan


def test_a_second_key_of_an_owner_lives_beside_the_first(keys: Keys) -> None:
    (first, first_value), (second, second_value) = keys.make("alice"), keys.make("alice")
    assert first_value != second_value
    assert keys.owner_of(first) == keys.owner_of(second) == "alice"
    assert set(keys.enabled("alice")) == in_plan(keys) == {first, second}
    assert keys.enabled("ali") == []


def test_a_revoked_key_is_out_and_the_other_stays(keys: Keys) -> None:
    first, second = keys.make("alice")[0], keys.make("alice")[0]
    keys.revoke("alice", first)
    keys.revoke("alice", first)
    assert keys.enabled("alice") == [second]
    assert in_plan(keys) == {second}


def test_only_the_owner_s_own_key_is_revoked(keys: Keys) -> None:
    key_id = keys.make("alice")[0]
    with pytest.raises(LocalStackError, match="is no key of bob"):
        keys.revoke("bob", key_id)
    assert keys.enabled("alice") == [key_id]


def test_a_key_whose_owner_cannot_be_written_is_not_left_behind(keys: Keys) -> None:
    keys.dynamodb.delete_table(TableName=TABLE)
    with pytest.raises(keys.dynamodb.exceptions.ResourceNotFoundException):
        keys.make("alice")
    assert keys.gateway.keys == {}


@pytest.mark.parametrize("arguments", [[], [""], ["a/b"], ["../x"], ["-a"], ["a" * 65]])
def test_an_owner_that_could_not_be_a_folder_is_refused(arguments: list[str]) -> None:
    with pytest.raises(LocalStackError, match="usage: make key NAME=owner"):
        main(arguments)
