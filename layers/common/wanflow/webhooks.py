"""Webhooks by the Standard Webhooks specification 1.0.0: signed, stamped, tried for a day, then kept as dead letters.

    finish_job -> queue -> deliver_webhook -> the caller's URL
                    ^           └ failed: the message stays in the queue, hidden until its next try (SQS allows 12 h)
                    └ replay ── dead letters: a day after it came, or at once where no try can ever succeed

A message of the queue is JSON: {`id`: the event's, `type`, `timestamp`: of the event, `url`, `document`: the job
document as JSON text, with `s3://` links that last}. Its age counts from SQS's own time stamp, so that a message that
is moved back from the dead letters has a new day.
"""

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from wanflow import aws, metrics
from wanflow.callbacks import BadCallback, CallbackRule, is_loopback
from wanflow.clock import Clock
from wanflow.connections import ForbiddenAddress
from wanflow.errors import AwsUnavailable
from wanflow.files import Files
from wanflow.jobs import to_json
from wanflow.observability import correlated

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient

logger = logging.getLogger("wanflow")

DAY_SECONDS = 24 * 3600
BACKOFF_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
"""Seconds after the first, second, … failed try, each ± `JITTER`; the last repeats. About 14 tries in a day."""

JITTER = 0.2
CONNECT_SECONDS = 5
ANSWER_SECONDS = 15
"""Silence that a receiver may keep ("Request timeouts" of the specification: 15 to 30 s)."""

WHOLE_TRY_SECONDS = 25
"""However little by little a receiver answers, it is cut off then."""

_USER_AGENT = "Wanflow-Webhooks/1"


class Outcome(NamedTuple):
    """How one try went; `note` tells it in words that hold no URL.

    `gone`: the receiver wants no more (HTTP 410). `hopeless`: the URL may not be called, now or ever.
    """

    kind: Literal["delivered", "failed", "gone", "hopeless"]
    note: str
    retry_after_seconds: int = 0


class WebhookSender:
    """Delivers what is in the queue.

    Args:
        read_secrets: the secrets to sign with, the current one first.
        open_session: makes a session for loopback, which `rule` allows on the local stack alone.
        open_public_session: makes one that reaches public https addresses only.
        random: from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        files: Files,
        client: Callable[[], "SQSClient"],
        read_secrets: Callable[[], tuple[str, ...]],
        *,
        queue_url: str,
        dead_letters_url: str,
        rule: CallbackRule,
        open_session: Callable[[], requests.Session],
        open_public_session: Callable[[], requests.Session],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._files = files
        self._client = client
        self._read_secrets = read_secrets
        self._queue_url = queue_url
        self._dead_letters_url = dead_letters_url
        self._rule = rule
        self._open_session = open_session
        self._open_public_session = open_public_session
        self._clock = clock
        self._random = random

    def deliver(self, records: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Try each message once.

        Args:
            records: the `Records` of an SQS event.

        Returns:
            {`batchItemFailures`: [{`itemIdentifier`}]}: the messages that stay in the queue.
        """
        kept = [record["messageId"] for record in records if not self._is_done(record)]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}

    def _is_done(self, record: dict[str, Any]) -> bool:
        """Whether the message may leave the queue: delivered, unwanted, or safe among the dead letters."""
        try:
            with correlated(json.loads(record["body"])["id"].split(".")[0]):
                return self._deliver(record)
        except AwsUnavailable:
            # It comes again after the queue's own visibility timeout.
            logger.exception("webhook not dealt with", extra={"message_id": record["messageId"]})
            return False

    def _deliver(self, record: dict[str, Any]) -> bool:
        message: dict[str, Any] = json.loads(record["body"])
        tries = int(record["attributes"]["ApproximateReceiveCount"])
        outcome = self._try(message)
        host = urlsplit(message["url"]).hostname
        known = {"event_id": message["id"], "outcome": outcome.kind, "note": outcome.note, "host": host, "tries": tries}
        metrics.record(metrics.WEBHOOK_TRIES, label=outcome.kind)
        logger.info("webhook tried", extra=known)
        if outcome.kind in {"delivered", "gone"}:
            return True
        age = self._clock().timestamp() - int(record["attributes"]["SentTimestamp"]) / 1000
        wait = wait_seconds(tries, age, self._random, outcome.retry_after_seconds)
        if outcome.kind == "hopeless" or wait is None:
            self._bury(record["body"], outcome)
            return True
        with aws.naming_faults("postpone a webhook"):
            self._client().change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=wait
            )
        return False

    def _try(self, message: dict[str, Any]) -> Outcome:
        try:
            url = self._rule.check(message["url"])
        except BadCallback as error:
            return Outcome("hopeless", f"the callback URL {error}")
        body = to_json(self._payload(message))
        headers = signed_headers(message["id"], self._clock(), body, self._read_secrets())
        # The rule lets loopback through on the local stack alone.
        try:
            with (self._open_session if is_loopback(url) else self._open_public_session)() as session:
                return _post(session, url, body, headers)
        except ForbiddenAddress as error:
            return Outcome("hopeless", str(error))
        except (requests.RequestException, HTTPError, UnicodeError) as error:
            # Only the name: the texts of these errors quote the URL.
            return Outcome("failed", f"no answer ({type(error).__name__})")

    def _payload(self, message: dict[str, Any]) -> dict[str, Any]:
        """What is sent: the document as `GET /videos/{id}` gives it, with links that work from now on."""
        document = json.loads(message["document"])
        for output in document.get("output", []):
            for item in output.get("content", []):
                if str(item.get("url", "")).startswith(self._files.url_of("videos/")):
                    item["url"] = self._files.link(self._files.key_of(item["url"]))
        return {"type": message["type"], "timestamp": message["timestamp"], "data": document}

    def _bury(self, body: str, outcome: Outcome) -> None:
        reason: Any = {"reason": {"DataType": "String", "StringValue": outcome.note}}
        with aws.naming_faults("keep a webhook as a dead letter"):
            self._client().send_message(QueueUrl=self._dead_letters_url, MessageBody=body, MessageAttributes=reason)


def wait_seconds(
    tries: int, age_seconds: float, random: Callable[[], float], retry_after_seconds: int = 0
) -> int | None:
    """Whole seconds until the next try, None when the day is over; the last try falls on the end of the day.

    Args:
        tries: how many have failed.
        age_seconds: since the message came.
        retry_after_seconds: what the receiver asked for; kept to within the longest pause.
    """
    left = DAY_SECONDS - age_seconds
    if left <= 0:
        return None
    pause = BACKOFF_SECONDS[min(max(tries, 1), len(BACKOFF_SECONDS)) - 1] * (1 - JITTER + 2 * JITTER * random())
    asked = min(retry_after_seconds, BACKOFF_SECONDS[-1])
    return max(1, min(ceil(left), round(max(pause, asked))))


def signed_headers(event_id: str, moment: datetime, body: str, secrets: Iterable[str]) -> dict[str, str]:
    """The specification's headers for one try: one signature for each secret that is valid now.

    Args:
        secrets: base64, with or without `whsec_`.
    """
    from standardwebhooks import Webhook  # noqa: PLC0415 - finish_job needs none

    signatures = [Webhook(secret).sign(event_id, moment, body) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": _USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _post(session: requests.Session, url: str, body: str, headers: dict[str, str]) -> Outcome:
    """One POST. The status is all that counts, so not a byte of the answer's body is read."""
    timeout = (CONNECT_SECONDS, ANSWER_SECONDS)
    with session.post(
        url, data=body.encode(), headers=headers, timeout=timeout, allow_redirects=False, stream=True
    ) as response:
        return judge(response.status_code, response.headers.get("retry-after", ""))


def judge(status: int, retry_after: str = "") -> Outcome:
    """What a status means ("Delivery success and failure" of the specification)."""
    note = f"HTTP {status}"
    if 200 <= status < 300:
        return Outcome("delivered", note)
    if status == HTTPStatus.GONE:
        return Outcome("gone", note)
    # Seconds only; a date is rare, and without it the schedule holds.
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 10 else 0
    return Outcome("failed", note, seconds)
