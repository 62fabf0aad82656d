"""The state "Finish Job", and the end of a broken execution: {"job_id"} with what is known of how it went."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(correlation_id_path="job_id", clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return wiring.finisher().finish_job(
        event["job_id"],
        polls=event.get("polls", 0),
        error=event.get("error"),
        execution_status=event.get("execution_status"),
    )
