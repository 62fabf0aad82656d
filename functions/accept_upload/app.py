"""Takes in a file that appeared under inbox/: an S3 `Object Created` event of EventBridge in, the verdict's key out."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from wanflow import wiring
from wanflow.observability import logger


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return wiring.inbox().accept_upload(event)
