"""The state "Accept Row": registers the job of one row of a batch."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(correlation_id_path="batch_id", clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return wiring.batch_rows().accept_row(event["batch_id"], event["owner"], event["identity"], event["item"])
