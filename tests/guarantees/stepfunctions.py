"""Step Functions in memory: runs the workflow file itself, in virtual time.

As much of the Amazon States Language as the file uses; a field or state type that is not known here is an error.
"""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal

from tests.guarantees.dynamo import refuse

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
Data = dict[str, Any]


class LambdaError(Exception):
    """A function failed: `name` is what ErrorEquals is compared with."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(f"{name}: {cause}")
        self.name = name
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Pause:
    """The execution does nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Sleep:
    """The execution sleeps until its token is answered."""

    token: str


Steps = Generator[Pause | Sleep, Data | None, Data]


class Execution:
    """One execution and where it stands."""

    def __init__(self, name: str, given: Data, steps: Steps) -> None:
        self.name = name
        self.given = given
        self.steps = steps
        self.status: Status = "RUNNING"
        self.output: Data | None = None
        self.error: LambdaError | None = None
        self.token: str | None = None
        self.answer: Data | None = None
        """What the current token was answered with, before the execution began to sleep on it."""
        self.is_asleep = False
        self.visits: list[str] = []
        self.tokens = 0


class StepFunctions:
    """The client's calls, and the engine behind them.

    Args:
        invoke: calls the function with this ARN; raises LambdaError.
        later: runs something after so many virtual seconds, if it still matters by then.
        broken: told of every execution that ended without succeeding (the rule on broken executions).
    """

    def __init__(
        self,
        definition: Data,
        *,
        invoke: Callable[[str, Data], Any],
        later: Callable[[float, Callable[[], None], Callable[[], bool]], None],
        broken: Callable[[str, Status], None],
    ) -> None:
        self._definition = definition
        self._invoke = invoke
        self._later = later
        self._broken = broken
        self.executions: dict[str, Execution] = {}

    # --- The client's calls ------------------------------------------------------------------------------------------

    def start_execution(self, name: str, input: str, **_: Any) -> Data:  # noqa: A002 - boto3's own name
        given = json.loads(input)
        known = self.executions.get(name)
        if known is not None:
            # Repeated while it runs, with the same input, it is the same execution (StartExecution, API reference).
            if known.status != "RUNNING" or known.given != given:
                refuse("ExecutionAlreadyExists", "StartExecution")
            return {"executionArn": name}
        execution = Execution(name, given, iter(()))  # type: ignore[arg-type]
        execution.steps = self._run(execution)
        self.executions[name] = execution
        self._wake(execution, None, 0)
        timeout = self._definition.get("TimeoutSeconds")
        if timeout:
            self._later(timeout, lambda: self._break(execution, "TIMED_OUT"), lambda: execution.status == "RUNNING")
        return {"executionArn": name}

    def stop_execution(self, executionArn: str, **_: Any) -> Data:  # noqa: N803 - boto3's own names
        self._break(self._of_arn(executionArn, "StopExecution"), "ABORTED")
        return {}

    def describe_execution(self, executionArn: str, **_: Any) -> Data:  # noqa: N803
        return {"status": self._of_arn(executionArn, "DescribeExecution").status}

    def send_task_success(self, taskToken: str, output: str) -> Data:  # noqa: N803
        execution = self.executions.get(taskToken.partition("#")[0])
        if execution is None:
            refuse("InvalidToken", "SendTaskSuccess")
        if execution.token != taskToken or execution.status != "RUNNING" or execution.answer is not None:
            refuse("TaskTimedOut", "SendTaskSuccess", "Provided task does not exist anymore")
        execution.answer = json.loads(output)
        if execution.is_asleep:
            execution.is_asleep = False
            self._wake(execution, execution.answer, 0)
        return {}

    def _of_arn(self, arn: str, operation: str) -> Execution:
        execution = self.executions.get(arn.rpartition(":")[2])
        if execution is None:
            refuse("ExecutionDoesNotExist", operation)
        return execution

    # --- The engine --------------------------------------------------------------------------------------------------

    def _go_on(self, execution: Execution, answer: Data | None) -> None:
        if execution.status != "RUNNING":
            return
        try:
            pause = execution.steps.send(answer)
        except _Stopped:
            return
        except StopIteration as end:
            execution.status, execution.output = "SUCCEEDED", end.value
            return
        except LambdaError as error:
            execution.error = error
            self._break(execution, "FAILED")
            return
        if isinstance(pause, Pause):
            self._wake(execution, None, pause.seconds)
        elif execution.answer is not None:
            # Answered while its function was still running.
            self._wake(execution, execution.answer, 0)
        else:
            execution.is_asleep = True

    def _wake(self, execution: Execution, answer: Data | None, seconds: float) -> None:
        self._later(seconds, lambda: self._go_on(execution, answer), lambda: execution.status == "RUNNING")

    def _break(self, execution: Execution, status: Status) -> None:
        if execution.status == "RUNNING":
            execution.status = status
            self._broken(execution.name, status)

    def _run(self, execution: Execution) -> Steps:
        data, name = execution.given, self._definition["StartAt"]
        while True:
            state = self._definition["States"][name]
            execution.visits.append(name)
            kind = state["Type"]
            if kind == "Choice":
                name = _choose(state, data)
                continue
            if kind == "Wait":
                yield Pause(_at(state["SecondsPath"], data))
                name = state["Next"]
                continue
            assert kind == "Task", f"states of type {kind} are not known here"
            data, following = yield from self._task(execution, state, data)
            if following is None:
                return data
            name = following

    def _task(
        self, execution: Execution, state: Data, data: Data
    ) -> Generator[Pause | Sleep, Data | None, tuple[Data, str | None]]:
        tries: dict[int, int] = {}
        while True:
            try:
                result = yield from self._try_task(execution, state, data)
            except LambdaError as error:
                delay = _retry_delay(state, error, tries)
                if delay is not None:
                    yield Pause(delay)
                    continue
                for catcher in state.get("Catch", ()):
                    if _matches(catcher["ErrorEquals"], error):
                        told = {"Error": error.name, "Cause": error.cause}
                        return {**data, catcher["ResultPath"].removeprefix("$."): told}, catcher["Next"]
                raise
            return result, state.get("Next")

    def _try_task(self, execution: Execution, state: Data, data: Data) -> Generator[Pause | Sleep, Data | None, Data]:
        parameters = state["Parameters"]
        if not state["Resource"].endswith(".waitForTaskToken"):
            answer = {"Payload": self._call(execution, parameters["FunctionName"], data)}
            assert parameters["Payload.$"] == "$"
            found: Data = _at(state["OutputPath"], answer)
            return found
        execution.tokens += 1
        execution.token, execution.answer = f"{execution.name}#{execution.tokens}", None
        payload = {
            name.removesuffix(".$"): execution.token if path == "$$.Task.Token" else _at(path, data)
            for name, path in parameters["Payload"].items()
        }
        try:
            self._call(execution, parameters["FunctionName"], payload)
        except LambdaError:
            # The callback ends the task, whatever becomes of the function afterwards.
            if execution.answer is None:
                raise
        output = yield Sleep(execution.token)
        assert output is not None
        execution.token = execution.answer = None
        return output

    def _call(self, execution: Execution, function: str, payload: Data) -> Any:
        try:
            return self._invoke(function, payload)
        finally:
            if execution.status != "RUNNING":
                # Stopped while its function ran: the function runs to its end, and nobody hears of it.
                raise _Stopped


class _Stopped(Exception):
    """The execution was ended from outside."""


def _choose(state: Data, data: Data) -> str:
    for choice in state["Choices"]:
        if _at(choice["Variable"], data) == choice["StringEquals"]:
            return str(choice["Next"])
    return str(state["Default"])


def _at(path: str, data: Data) -> Any:
    if path == "$":
        return data
    return data[path.removeprefix("$.")]


def _retry_delay(state: Data, error: LambdaError, tries: dict[int, int]) -> float | None:
    """The longest that jitter allows; None when nobody retries (any more)."""
    for index, retrier in enumerate(state.get("Retry", ())):
        if _matches(retrier["ErrorEquals"], error):
            done = tries.get(index, 0)
            if done >= retrier["MaxAttempts"]:
                return None
            tries[index] = done + 1
            delay: float = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** done
            longest: float = retrier["MaxDelaySeconds"]
            return min(delay, longest)
    return None


def _matches(names: list[str], error: LambdaError) -> bool:
    return error.name in names or "States.ALL" in names
