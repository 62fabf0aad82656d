"""Answers the HTTPS API: one proxy event of API Gateway in, one answer out."""

from typing import Any

# First: it keeps the garbage collector quiet while the others load, and callers wait for this function.
from wanflow import wiring

# isort: split
from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow.observability import logger


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return wiring.api().serve(event, context)
