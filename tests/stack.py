"""The deployed stack in miniature: the template's table, bucket, secret and workflow in moto, its functions to call."""

import importlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes import FakeClock, FakeLambdaContext, wan_request
from tests.permissions import PermissionGuard
from tests.template import ACCOUNT, ROOT, Template
from wanflow import aws, wiring
from wanflow.jobs import Job
from wanflow.records import JobRecords

WAN_URL = "http://wan.mock"
WAN_KEY = "test-key"
WEBHOOK_KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # as the stack makes it: without whsec_
OWNER = "key-id-of-alice"

# Attributes of a table that change nothing for a test, or that moto takes by a call of their own.
_TABLE_EXTRAS = {
    "DeletionProtectionEnabled",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "TimeToLiveSpecification",
    "Tags",
}


def clear_clients() -> None:
    """Forget every client of the layer; their session stays, with what watches it."""
    for name in vars(aws).values():
        if hasattr(name, "cache_clear") and name is not aws.session:
            name.cache_clear()


def clear_wiring() -> None:
    """Forget everything that the layer read from an environment."""
    for name in vars(wiring).values():
        if hasattr(name, "cache_clear") and getattr(name, "__module__", "") == wiring.__name__:
            name.cache_clear()


class Stack:
    """Made of the template; `parameters` may be changed before any call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: FakeClock, guard: PermissionGuard) -> None:
        self._monkeypatch = monkeypatch
        self.clock = clock
        self._guard = guard
        self.template = Template(WanApiBaseUrl=WAN_URL)
        self.bucket = self.template.ref("VideosBucket")
        self.table = self.template.ref("JobsTable")
        self.state_machine_arn = self.template.ref("GenerateVideoStateMachine")
        self._variables = self.template.variable_names()
        make_resources(self.template)
        self.woken: list[tuple[str, dict[str, Any]]] = []
        """Task tokens that were answered, with their outputs."""
        monkeypatch.setattr(aws.stepfunctions(), "send_task_success", self._wake)

    # --- Functions ---------------------------------------------------------------------------------------------------

    def invoke(self, folder: str, event: Mapping[str, Any]) -> Any:
        """Call a function's handler with an event and with nothing but its own environment and rights."""
        with self._as_function(folder):
            app = importlib.import_module(f"functions.{folder}.app")
            answer = app.lambda_handler(json.loads(json.dumps(event)), FakeLambdaContext())
        # Lambda answers in JSON: an answer that is none would only break there.
        return json.loads(json.dumps(answer))

    @contextmanager
    def _as_function(self, folder: str) -> Iterator[None]:
        environment = self.template.environment(folder)
        before = {name: os.environ.get(name) for name in self._variables}
        changed = before != {name: environment.get(name) for name in self._variables}
        if changed:
            for name in self._variables:
                if name in environment:
                    self._monkeypatch.setenv(name, environment[name])
                else:
                    self._monkeypatch.delenv(name, raising=False)
            clear_wiring()
        with self._guard.watching(self.template, folder):
            yield

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        owner: str | None = OWNER,
        headers: dict[str, str] | None = None,
        **changes: Any,
    ) -> "Answer":
        """One HTTP call as API Gateway would hand it to serve_api. `body` is JSON unless it is text already."""
        event = proxy_event(method, path, body, owner=owner, headers=headers) | changes
        return Answer(self.invoke("serve_api", event))

    def create_job(self, body: Any = None, **options: Any) -> str:
        """A job made by the API; its id."""
        answer = self.call("POST", "/videos", wan_request() if body is None else body, **options)
        assert answer.status in {200, 202}, answer.body
        return str(answer.body["id"])

    def ready_job(self, body: Any = None, **options: Any) -> str:
        """A job made by the API that has its slot; its id."""
        job_id = self.create_job(body, **options)
        self.take_slot(job_id)
        assert self.woken[-1][0] == f"token of {job_id}"
        return job_id

    def take_slot(self, job_id: str, token: str | None = None, polls: int | None = None) -> None:
        state = {"job_id": job_id} if polls is None else {"job_id": job_id, "polls": polls}
        event = {"state": state, "task_token": token or f"token of {job_id}"}
        assert self.invoke("take_slot", event) is None

    def submit(self, job_id: str, polls: int = 0) -> dict[str, Any]:
        return self._step("submit_task", job_id, polls)

    def poll(self, job_id: str, polls: int = 0) -> dict[str, Any]:
        return self._step("poll_task", job_id, polls)

    def store(self, job_id: str, polls: int = 0) -> dict[str, Any]:
        return self._step("store_result", job_id, polls)

    def finish(self, job_id: str, **event: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.invoke("finish_job", {"job_id": job_id, **event})
        return answer

    def _step(self, folder: str, job_id: str, polls: int) -> dict[str, Any]:
        answer: dict[str, Any] = self.invoke(folder, {"job_id": job_id, "polls": polls})
        assert answer["job_id"] == job_id
        assert isinstance(answer["wait_seconds"], int)
        return answer

    def _wake(self, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        self._guard.note_call("sfn", "SendTaskSuccess", {"taskToken": taskToken})
        self.woken.append((taskToken, json.loads(output)))
        return {}

    # --- What is there -----------------------------------------------------------------------------------------------

    @property
    def records(self) -> JobRecords:
        return JobRecords(aws.dynamodb, self.table, self.clock)

    def job(self, job_id: str) -> Job:
        return self.records.get(job_id)

    def item(self, job_id: str) -> dict[str, Any]:
        """The raw item of a job, with DynamoDB's types."""
        answer = aws.dynamodb().get_item(
            TableName=self.table, Key={"pk": {"S": f"job#{job_id}"}, "sk": {"S": "job"}}, ConsistentRead=True
        )
        return dict(answer["Item"])

    def item_count(self) -> int:
        return int(aws.dynamodb().scan(TableName=self.table, Select="COUNT")["Count"])

    def is_in_open_jobs(self, job_id: str) -> bool:
        items = aws.dynamodb().scan(TableName=self.table, IndexName="open_jobs")["Items"]
        return any(item["pk"]["S"] == f"job#{job_id}" for item in items)

    def executions(self, machine: str = "GenerateVideoStateMachine") -> list[str]:
        found = aws.stepfunctions().list_executions(stateMachineArn=self.template.ref(machine))["executions"]
        return sorted(execution["name"] for execution in found)

    def execution_input(self, name: str) -> dict[str, Any]:
        """What the execution of this name was started with, of whichever state machine."""
        machines = aws.stepfunctions().list_state_machines()["stateMachines"]
        for machine in machines:
            for execution in aws.stepfunctions().list_executions(stateMachineArn=machine["stateMachineArn"])[
                "executions"
            ]:
                if execution["name"] == name:
                    told = aws.stepfunctions().describe_execution(executionArn=execution["executionArn"])
                    return dict(json.loads(told["input"]))
        raise AssertionError(f"no execution {name}")

    def keys(self, prefix: str = "") -> list[str]:
        answer = aws.s3().list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return aws.s3().get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def read_json(self, key: str) -> Any:
        return json.loads(self.read(key))

    def put(self, key: str, content: bytes | str, metadata: dict[str, str] | None = None) -> None:
        body = content.encode() if isinstance(content, str) else content
        aws.s3().put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=metadata or {})

    def set_wan_key(self, key: str) -> None:
        aws.secretsmanager().put_secret_value(SecretId="WanApiKeySecret", SecretString=key)


def make_resources(template: Template) -> None:
    """The tables, buckets, secrets, queues and workflows in moto; `template.physical` learns their names."""
    for table in template.of_type("AWS::DynamoDB::Table"):
        kept = {name: value for name, value in template.properties(table).items() if name not in _TABLE_EXTRAS}
        aws.dynamodb().create_table(TableName=template.ref(table), **kept)
    for bucket in template.of_type("AWS::S3::Bucket"):
        aws.s3().create_bucket(Bucket=template.ref(bucket))
    for name, value in (("WanApiKeySecret", WAN_KEY), ("WebhookSecret", WEBHOOK_KEY)):
        secret = aws.secretsmanager().create_secret(Name=name, SecretString=value)
        template.physical[name] = secret["ARN"]
    for queue in template.of_type("AWS::SQS::Queue"):
        made = aws.sqs().create_queue(QueueName=template.ref(queue))
        template.physical[queue] = made["QueueUrl"]
    for machine in template.of_type("AWS::Serverless::StateMachine"):
        aws.stepfunctions().create_state_machine(
            name=template.ref(machine).rsplit(":", 1)[-1],
            definition=definition(template, machine),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/workflow",
        )


class Answer:
    """An HTTP answer as serve_api gives it to API Gateway."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.status: int = raw["statusCode"]
        self.body: Any = json.loads(raw["body"]) if raw.get("body") else None
        self.headers = {name: values[0] for name, values in raw.get("multiValueHeaders", {}).items()}


def definition(template: Template, machine: str) -> str:
    """A workflow file with the template's substitutions filled in, as CloudFormation does."""
    properties = template.properties(machine)
    text = (ROOT / str(properties["DefinitionUri"])).read_text(encoding="utf-8")
    for name, value in properties["DefinitionSubstitutions"].items():
        text = text.replace(f"${{{name}}}", str(value))
    return text


def event_file(folder: str, variant: str) -> dict[str, Any]:
    """events/{folder}/{variant}.json, the same file that `sam local invoke` gets."""
    event: dict[str, Any] = json.loads((ROOT / "events" / folder / f"{variant}.json").read_text(encoding="utf-8"))
    return event


def proxy_event(
    method: str, path: str, body: Any = None, *, owner: str | None = OWNER, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """The proxy event of events/serve_api, for another call."""
    event = event_file("serve_api", "get_video" if method == "GET" else "create_video")
    given = {"Content-Type": "application/json", **(headers or {})}
    kept = {name: value for name, value in given.items() if value is not None}
    event |= {
        "httpMethod": method,
        "path": path,
        "headers": kept,
        "multiValueHeaders": {name: [value] for name, value in kept.items()},
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }
    event["requestContext"] |= {"httpMethod": method, "path": f"/v1{path}"}
    event["requestContext"]["identity"] = {"sourceIp": "192.0.2.1", "apiKeyId": owner}
    return event
