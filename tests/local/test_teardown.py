"""`make teardown`: the stack goes, what was paid for stays, unless its name is typed."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.errors import LocalStackError
from local.keys import item_key
from local.teardown import main, tear_down
from tests.template import ROOT, Template

NAME = "my-stack"
BUCKET, TABLE = "my-videos", "my-jobs"


class FakeCloudFormation:
    """Deletes a stack and leaves what its template retains."""

    def __init__(self) -> None:
        self.stacks = {NAME}
        self.waited: list[str] = []

    def delete_stack(self, StackName: str) -> None:  # noqa: N803 - boto3's own name
        self.stacks.remove(StackName)

    def get_waiter(self, name: str) -> "FakeCloudFormation":
        assert name == "stack_delete_complete"
        return self

    def wait(self, StackName: str) -> None:  # noqa: N803
        assert StackName not in self.stacks
        self.waited.append(StackName)


class FakeGateway:
    """API Gateway's keys; each answer is a page."""

    def __init__(self) -> None:
        self.keys = {
            "1": {"id": "1", "name": f"{NAME}-alice", "description": "made by `make key`"},
            "2": {"id": "2", "name": f"{NAME}-2-of-somebody-else", "description": "by hand"},
            "3": {"id": "3", "name": "another-stack-alice", "description": "made by `make key`"},
            "4": {"id": "4", "name": f"{NAME}-test-alice", "description": "made by `make key`"},
        }

    def get_paginator(self, _name: str) -> "FakeGateway":
        return self

    def paginate(self, nameQuery: str) -> list[dict[str, Any]]:  # noqa: N803
        return [{"items": [key]} for key in self.keys.values() if key["name"].startswith(nameQuery)]

    def delete_api_key(self, apiKey: str) -> None:  # noqa: N803
        del self.keys[apiKey]


class Account:
    """A stack's bucket and table, and what was told to the person at the keyboard."""

    def __init__(self) -> None:
        table = Template().properties("JobsTable")
        kept = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
        properties = {name: table[name] for name in kept}
        self.cloudformation = FakeCloudFormation()
        self.gateway = FakeGateway()
        self.client("dynamodb").create_table(TableName=TABLE, DeletionProtectionEnabled=True, **properties)
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.client("s3").put_object(Bucket=BUCKET, Key="videos/vid_1.mp4", Body=b"video")
        for key_id in ("1", "2"):
            self.client("dynamodb").put_item(TableName=TABLE, Item={**item_key(key_id), "owner": {"S": "alice"}})
        self.told: list[str] = []

    def client(self, service: Any) -> Any:
        fakes = {"cloudformation": self.cloudformation, "apigateway": self.gateway}
        return fakes.get(service) or boto3.client(service, "us-east-1")

    def add_open_job(self) -> None:
        item = {name: {"S": "x"} for name in ("pk", "sk", "check_after")} | {"open_shard": {"S": "3"}}
        self.client("dynamodb").put_item(TableName=TABLE, Item=item)

    def tear_down(self, answer: str = "", *, delete_data: bool = False, is_forced: bool = False) -> None:
        outputs = {"BucketName": BUCKET, "TableName": TABLE}
        tear_down(
            self.client,
            outputs,
            NAME,
            delete_data=delete_data,
            is_forced=is_forced,
            ask=lambda question: answer if NAME in question else "",
            tell=self.told.append,
        )

    @property
    def is_there(self) -> bool:
        return NAME in self.cloudformation.stacks

    @property
    def data(self) -> set[str]:
        buckets = {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}
        return buckets | set(self.client("dynamodb").list_tables()["TableNames"])


@pytest.fixture
def account() -> Iterator[Account]:
    with mock_aws():
        yield Account()


def test_the_stack_goes_and_what_was_paid_for_stays(account: Account) -> None:
    account.tear_down()
    assert not account.is_there
    assert account.data == {BUCKET, TABLE}
    assert account.client("s3").get_object(Bucket=BUCKET, Key="videos/vid_1.mp4")["Body"].read() == b"video"
    assert BUCKET in account.told[-1]
    assert TABLE in account.told[-1]


def test_data_goes_once_the_name_is_typed(account: Account) -> None:
    account.tear_down(NAME, delete_data=True)
    assert not account.is_there
    assert account.data == set()


@pytest.mark.parametrize("answer", ["", "yes", "y", "MY-STACK"])
def test_anything_else_that_is_typed_touches_nothing(account: Account, answer: str) -> None:
    with pytest.raises(LocalStackError, match="nothing was touched"):
        account.tear_down(answer, delete_data=True)
    assert account.is_there
    assert account.data == {BUCKET, TABLE}


def test_open_jobs_keep_their_stack(account: Account) -> None:
    account.add_open_job()
    with pytest.raises(LocalStackError, match="1 jobs of my-stack are open"):
        account.tear_down(NAME, delete_data=True)
    assert account.is_there
    account.tear_down(is_forced=True)
    assert not account.is_there


def test_keys_that_were_made_for_the_stack_go_with_it_and_those_of_no_other(account: Account) -> None:
    account.tear_down()
    assert set(account.gateway.keys) == {"2", "3", "4"}


def test_a_stack_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STACK", raising=False)
    with pytest.raises(LocalStackError, match="usage"):
        main([])


def test_the_stack_policy_and_the_template_keep_the_same_resources() -> None:
    policy = json.loads((ROOT / "stack-policy.json").read_text("utf-8"))
    (deny,) = [statement for statement in policy["Statement"] if statement["Effect"] == "Deny"]
    kept = {name.removeprefix("LogicalResourceId/") for name in deny["Resource"]}
    resources = Template().raw["Resources"]
    assert kept == {name for name, each in resources.items() if each.get("DeletionPolicy") == "RetainExceptOnCreate"}
    assert all(resources[name]["UpdateReplacePolicy"] == "Retain" for name in kept)
    assert kept == {*Template().of_type("AWS::DynamoDB::Table"), *Template().of_type("AWS::S3::Bucket")}
