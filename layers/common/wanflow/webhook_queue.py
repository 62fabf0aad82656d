"""The queue of webhooks, as the end of a job sees it. Apart from webhooks.py: handing over needs no HTTP client."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wanflow import aws
from wanflow.jobs import FINAL, Job, to_json

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

EVENT_TYPES = tuple(f"video.{status}" for status in sorted(FINAL))


class WebhookQueue:
    """Where ended jobs hand their webhooks over."""

    def __init__(self, client: Callable[[], "SQSClient"], queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, event_id: str, job: Job, document: dict[str, Any]) -> None:
        """Hand over the webhook of an ended job that has a callback; twice is harmless, its id is the same.

        Args:
            document: the job document, with links that last.
        """
        if job.callback_url is None:
            return
        message = {
            "id": event_id,
            "type": f"video.{job.status}",
            "timestamp": job.ended_at,
            "url": job.callback_url,
            # Text within ASCII text: SQS refuses some characters of Unicode that a prompt may hold.
            "document": to_json(document),
        }
        with aws.naming_faults("hand over the job's webhook"):
            self._client().send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(message))
