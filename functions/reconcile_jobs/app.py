"""Looks after forgotten jobs, lost slots and late videos; a schedule calls it. Answers with counts of what it did."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    return wiring.reconciler().reconcile()
