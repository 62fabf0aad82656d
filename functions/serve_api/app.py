"""Answers the HTTPS API: one proxy event of API Gateway in, one answer out."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return wiring.api().serve(event, context)
