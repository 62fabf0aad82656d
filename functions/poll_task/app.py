"""The state "Poll Task": asks once how the task is."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(correlation_id_path="job_id", clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    step = wiring.workflow().poll_task(event["job_id"], event.get("polls", 0), event.get("wait_seconds", 0))
    return step.as_state()
