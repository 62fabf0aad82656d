"""The workflow's executions: one for each job, under the job's name, for ever."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wanflow import aws
from wanflow.jobs import to_json

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient


class Executions:
    """Starts, stops and looks at the executions of one state machine."""

    def __init__(self, client: Callable[[], "SFNClient"], state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, job_id: str) -> None:
        """Start a job's execution; a job that has or had one keeps that."""
        try:
            with aws.naming_faults("start the workflow"):
                self._client().start_execution(
                    stateMachineArn=self._state_machine_arn, name=job_id, input=to_json({"job_id": job_id})
                )
        except Exception as error:
            if aws.error_code(error) != "ExecutionAlreadyExists":
                raise

    def stop(self, job_id: str, reason: str) -> None:
        """Stop a job's execution; the rule on broken executions then calls finish_job."""
        try:
            with aws.naming_faults("stop the workflow"):
                self._client().stop_execution(executionArn=self._arn(job_id), error="Stopped", cause=reason)
        except Exception as error:
            if aws.error_code(error) != "ExecutionDoesNotExist":
                raise

    def status(self, job_id: str) -> str | None:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; None when there is no execution."""
        try:
            with aws.naming_faults("look at the workflow"):
                return self._client().describe_execution(executionArn=self._arn(job_id))["status"]
        except Exception as error:
            if aws.error_code(error) != "ExecutionDoesNotExist":
                raise
            return None

    def _arn(self, job_id: str) -> str:
        return f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{job_id}"
