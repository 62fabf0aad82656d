"""The state "Take Slot": the job sleeps on its task token until a slot is its own."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(correlation_id_path="state.job_id", clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    state = event["state"]
    wiring.workflow().take_slot(state["job_id"], event["task_token"], state.get("polls", 0))
