"""The state "Store Result": copies the video into the bucket."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(correlation_id_path="job_id", clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return wiring.workflow().store_result(event["job_id"], event.get("polls", 0)).as_state()
