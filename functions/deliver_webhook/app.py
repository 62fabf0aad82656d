"""Delivers webhooks: an event of the webhooks' queue in, the messages that stay in the queue out."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return wiring.webhook_sender().deliver(event["Records"])
