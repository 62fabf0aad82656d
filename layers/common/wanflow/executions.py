"""Executions: one for each job, under the job's name, for ever; and one for each batch."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wanflow import aws
from wanflow.errors import AwsUnavailable
from wanflow.jobs import Job, to_json

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

logger = logging.getLogger("wanflow")


class Executions:
    """Starts, stops and looks at the executions of one state machine."""

    def __init__(self, client: Callable[[], "SFNClient"], state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start_job(self, job: Job) -> None:
        """Start a job that was just registered; what fails here the reconciler does later."""
        if job.is_final:
            return
        try:
            self.start(job.id, {"job_id": job.id})
        except AwsUnavailable:
            # The record is written, so the job is ours: reconcile_jobs starts what nobody started.
            logger.exception("workflow not started yet", extra={"job_id": job.id})

    def start(self, name: str, state: dict[str, Any]) -> None:
        """Start the execution of this name; one that has or had an execution keeps that."""
        try:
            with aws.naming_faults("start the workflow"):
                self._client().start_execution(stateMachineArn=self._state_machine_arn, name=name, input=to_json(state))
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
