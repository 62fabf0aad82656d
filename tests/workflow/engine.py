"""Runs a workflow file through moto's interpreter of the States Language; scripted functions stand in for Lambda."""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

from tests.stack import definition
from tests.template import ACCOUNT, Template

_END_SECONDS = 10


@dataclass(frozen=True)
class Breaks:
    """A function that fails with an error of this name."""

    error: str
    message: str = "it broke"


Outcome = dict[str, Any] | Breaks
Script = dict[str, list[Outcome]]


@dataclass
class Run:
    """What one execution did."""

    status: str = ""
    output: Any = None
    states: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    """Every state's input and output, as JSON."""

    def inputs_of(self, function: str) -> list[Any]:
        return [payload for name, payload in self.calls if name == function]


class Engine:
    """Executes one state machine of the template. Nothing sleeps: waits and backoffs are noted and passed over."""

    def __init__(self, template: Template, machine: str) -> None:
        self._client = boto3.client("stepfunctions")
        text = _as_moto_reads_it(definition(template, machine))
        self.definition: dict[str, Any] = json.loads(text)
        self._functions = {template.arn(name): folder for folder, name in template.functions().items()}
        self._machines = {template.arn(name): name for name in template.of_type("AWS::Serverless::StateMachine")}
        made = self._client.create_state_machine(
            name=machine, definition=text, roleArn=f"arn:aws:iam::{ACCOUNT}:role/workflow"
        )
        self._arn = made["stateMachineArn"]
        self._script: dict[str, Iterator[Outcome]] = {}
        self._run = Run()
        self._ended = threading.Event()
        self._count = 0

    def run(self, script: Script, given: dict[str, Any] | None = None) -> Run:
        """Execute with `given`, else with a job's id; each call of a function takes the next outcome of its script."""
        self._script = defaultdict(lambda: iter(()), {name: iter(outcomes) for name, outcomes in script.items()})
        self._run = Run()
        self._ended.clear()
        self._count += 1
        started = self._client.start_execution(
            stateMachineArn=self._arn, name=f"run-{self._count}", input=json.dumps(given or {"job_id": "vid_1"})
        )
        assert self._ended.wait(_END_SECONDS), f"did not end; called: {self._run.calls}"
        self._note_history(started["executionArn"])
        return self._run

    def end(self) -> None:
        self._ended.set()

    def wait(self, seconds: int) -> None:
        self._run.waits.append(seconds)

    def invoke(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """`lambda:invoke`, with or without a task token."""
        function = self._functions[parameters["FunctionName"]]
        payload = json.loads(parameters["Payload"])
        self._run.calls.append((function, payload))
        outcome = next(self._script[function], None)
        assert outcome is not None, f"{function} was called once more than its script says"
        if isinstance(outcome, Breaks):
            # As Lambda's Python runtime tells it.
            cause = {"errorMessage": outcome.message, "errorType": outcome.error, "stackTrace": []}
            raise lambda_eval_utils.LambdaFunctionErrorException("Unhandled", json.dumps(cause))
        if "task_token" in payload:
            self._client.send_task_success(taskToken=payload["task_token"], output=json.dumps(outcome))
            return {"StatusCode": 200, "Payload": None}
        return {"StatusCode": 200, "Payload": outcome}

    def start(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """`states:startExecution.sync:2`: scripted under the name of the state machine."""
        machine = self._machines[parameters["StateMachineArn"]]
        self._run.calls.append((machine, parameters))
        outcome = next(self._script[machine], None)
        assert outcome is not None, f"{machine} was started once more than the script says"
        if isinstance(outcome, Breaks):
            # The interpreter adds the ending again.
            code = outcome.error.removesuffix("Exception")
            told: Any = {"Error": {"Code": code, "Message": outcome.message}}
            told["ResponseMetadata"] = {"HTTPStatusCode": 400, "RequestId": "1"}
            raise ClientError(told, "StartExecution")
        return outcome

    def _note_history(self, arn: str) -> None:
        told = self._client.describe_execution(executionArn=arn)
        self._run.status = told["status"]
        self._run.output = json.loads(told["output"]) if "output" in told else None
        for event in self._client.get_execution_history(executionArn=arn, maxResults=1000)["events"]:
            entered = event.get("stateEnteredEventDetails")
            exited = event.get("stateExitedEventDetails")
            if entered is not None:
                self._run.states.append(entered["name"])
                self._run.data.append(entered["input"])
            if exited is not None:
                self._run.data.append(exited["output"])


def _as_moto_reads_it(text: str) -> str:
    """Two things of the States Language that moto's interpreter has not learned, in words that it knows."""
    # It wants a fraction where any number will do.
    text = re.sub(r'("ToleratedFailurePercentage": \d+)', r"\1.0", text)
    # It reads a JSON array, not JSON lines: the tests that use a reader write the one for the other.
    return text.replace('"InputType": "JSONL"', '"InputType": "JSON"')


@contextmanager
def engine(template: Template, machine: str) -> Iterator[Engine]:
    """An engine for one state machine, in an AWS account of its own."""
    config: Any = {"core": {"reset_boto3_session": False}, "stepfunctions": {"execute_state_machine": True}}
    with mock_aws(config=config), pytest.MonkeyPatch.context() as patch:
        made = Engine(template, machine)
        terminated = BaseExecutionWorkerCommunication.terminated

        def terminated_and_told(self: Any) -> None:
            terminated(self)
            made.end()

        patch.setattr(BaseExecutionWorkerCommunication, "terminated", terminated_and_told)
        # Reading a definition takes longer than running it; what is read holds no state of a run.
        patch.setattr(AmazonStateLanguageParser, "parse", staticmethod(cache(AmazonStateLanguageParser.parse)))
        patch.setattr(lambda_eval_utils, "_invoke_lambda_function", lambda parameters, **_: made.invoke(parameters))
        # moto misspells the parameters of a nested execution, so it never starts one.
        patch.setattr(
            StateTaskServiceSfn,
            "_eval_service_task",
            lambda _self, env, normalised_parameters, **_: env.stack.append(made.start(normalised_parameters)),
        )
        patch.setattr(StateTaskServiceSfn, "_eval_integration_pattern", lambda *_, **__: None)
        patch.setattr(WaitFunction, "_wait_interval", lambda _self, **given: made.wait(given["wait_seconds"]))
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _: None))
        yield made
