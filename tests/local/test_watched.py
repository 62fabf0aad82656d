"""`make deploy`: watched by alarms, shown before it is made, and never at the price of the data."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from local.errors import LocalStackError
from local.watched import TRIGGERS, main, update
from tests.template import Template

STACK = "my-stack"
ARN = f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1"
PACKAGED = """\
Parameters:
  LogLevel:
    Type: String
  Monitoring:
    Type: String
Resources:
  F:
    CodeUri: s3://sam-bucket/abc
"""


class FakeS3:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - boto3's own names
        self.objects[f"{Bucket}/{Key}"] = Body

    def generate_presigned_url(self, _call: str, Params: dict[str, str]) -> str:  # noqa: N803
        return f"https://{Params['Bucket']}.s3.amazonaws.com/{Params['Key']}?X-Amz-Signature=abc"


class FakeCloudFormation:
    """One stack and one change set.

    Args:
        changes: what the change set holds, as `describe_change_set` tells it.
        refusal: why no change set can be made.
        goes_off: whether an alarm takes the change back.
    """

    def __init__(
        self,
        changes: list[dict[str, str]],
        *,
        alarms: tuple[str, ...] = TRIGGERS,
        refusal: str = "",
        goes_off: bool = False,
    ) -> None:
        self._changes = changes
        self._alarms = alarms
        self._refusal = refusal
        self._goes_off = goes_off
        self._waits_for = ""
        self._pages = ""
        self.made: dict[str, Any] = {}
        self.executed = self.deleted = False

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        parameters = [{"ParameterKey": name, "ParameterValue": "x"} for name in ("LogLevel", "GoneSince")]
        status = {"StackStatus": "UPDATE_ROLLBACK_COMPLETE", "StackStatusReason": "an alarm went off"}
        stack = {"StackName": StackName, "StackId": ARN, "Parameters": parameters, "Tags": [{"Key": "a", "Value": "b"}]}
        return {"Stacks": [{**stack, **(status if self.executed else {})}]}

    def create_change_set(self, **request: Any) -> None:
        self.made = request

    def describe_change_set(self, **_: str) -> dict[str, Any]:
        return {"StatusReason": self._refusal}

    def delete_change_set(self, **_: str) -> None:
        self.deleted = True

    def execute_change_set(self, **_: str) -> None:
        self.executed = True

    def get_waiter(self, name: str) -> "FakeCloudFormation":
        self._waits_for = name
        return self

    def wait(self, **_: Any) -> None:
        is_refused = self._waits_for == "change_set_create_complete" and self._refusal
        if is_refused or (self._waits_for == "stack_update_complete" and self._goes_off):
            raise WaiterError(self._waits_for, "failed", {})

    def get_paginator(self, name: str) -> "FakeCloudFormation":
        self._pages = name
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        if self._pages == "list_stack_resources":
            names = [{"LogicalResourceId": name, "PhysicalResourceId": f"{STACK}-{name}-1"} for name in self._alarms]
            return [{"StackResourceSummaries": names}]
        return [{"Changes": [{"ResourceChange": change} for change in self._changes]}]


MODIFY = {"Action": "Modify", "LogicalResourceId": "ServeApiFunction", "Replacement": "False"}


def deploy(fake: FakeCloudFormation, folder: Path, answer: str = "yes") -> list[str]:
    """What was told."""
    template = folder / "packaged.yaml"
    template.write_text(PACKAGED, "utf-8")
    told: list[str] = []
    s3 = FakeS3()
    clients: dict[str, Any] = {"cloudformation": fake, "s3": s3}
    update(clients.__getitem__, STACK, template, minutes=10, ask=lambda _question: answer, tell=told.append)
    assert list(s3.objects.values()) == [PACKAGED.encode()]
    return told


def test_a_change_is_told_made_and_watched_by_five_alarms(tmp_path: Path) -> None:
    fake = FakeCloudFormation([MODIFY])
    told = deploy(fake, tmp_path)
    assert told[0] == "Modify ServeApiFunction"
    assert "no alarm went off" in told[-1]
    assert fake.executed
    watching = fake.made["RollbackConfiguration"]
    assert watching["MonitoringTimeInMinutes"] == 10
    arns = [trigger["Arn"] for trigger in watching["RollbackTriggers"]]
    assert arns == [f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{STACK}-{name}-1" for name in TRIGGERS]


def test_parameters_and_tags_stay_and_the_template_comes_from_the_bucket(tmp_path: Path) -> None:
    fake = FakeCloudFormation([MODIFY])
    deploy(fake, tmp_path)
    assert fake.made["Parameters"] == [{"ParameterKey": "LogLevel", "UsePreviousValue": True}]
    assert fake.made["Tags"] == [{"Key": "a", "Value": "b"}]
    url = fake.made["TemplateURL"]
    assert url.startswith("https://sam-bucket.s3.amazonaws.com/templates/")
    assert "?" not in url


def test_what_is_not_wanted_is_not_made(tmp_path: Path) -> None:
    fake = FakeCloudFormation([MODIFY])
    with pytest.raises(LocalStackError, match="nothing was changed"):
        deploy(fake, tmp_path, answer="no")
    assert fake.deleted
    assert not fake.executed


@pytest.mark.parametrize(
    "change",
    [
        {"Action": "Modify", "LogicalResourceId": "JobsTable", "Replacement": "True"},
        {"Action": "Remove", "LogicalResourceId": "VideosBucket"},
    ],
)
def test_a_change_that_would_leave_data_behind_is_refused(tmp_path: Path, change: dict[str, str]) -> None:
    fake = FakeCloudFormation([MODIFY, change])
    with pytest.raises(LocalStackError, match=change["LogicalResourceId"]):
        deploy(fake, tmp_path)
    assert fake.deleted
    assert not fake.executed


def test_a_change_that_is_taken_back_says_why(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="UPDATE_ROLLBACK_COMPLETE: an alarm went off"):
        deploy(FakeCloudFormation([MODIFY], goes_off=True), tmp_path)


def test_nothing_to_change_is_no_error(tmp_path: Path) -> None:
    fake = FakeCloudFormation([], refusal="The submitted information didn't contain changes.")
    assert deploy(fake, tmp_path) == ["Nothing has changed."]
    assert fake.deleted


def test_a_change_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    fake = FakeCloudFormation([], refusal="Parameters: [WanApiBaseUrl] must have values")
    with pytest.raises(LocalStackError, match="WanApiBaseUrl"):
        deploy(fake, tmp_path)


def test_a_stack_without_alarms_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="has no ApiErrorsAlarm yet"):
        deploy(FakeCloudFormation([MODIFY], alarms=TRIGGERS[1:]), tmp_path)


def test_the_alarms_are_alarms_of_the_template_and_cloudformation_takes_them() -> None:
    assert set(TRIGGERS) <= set(Template().of_type("AWS::CloudWatch::Alarm"))
    assert len(TRIGGERS) <= 5


@pytest.mark.parametrize(("stack", "minutes"), [("", "15"), ("s", "soon"), ("s", "181")])
def test_what_is_missing_or_wrong_is_told(monkeypatch: pytest.MonkeyPatch, stack: str, minutes: str) -> None:
    monkeypatch.setenv("STACK", stack)
    with pytest.raises(LocalStackError, match="usage: make deploy"):
        main([minutes])
