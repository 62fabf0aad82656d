"""Webhooks end to end: from the queue's mapping to a receiver on loopback that is down, breaks, and comes back."""

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from examples.webhook_receiver import Receiver, serve
from local.deploy import client
from local.ports import free_ports
from tests.e2e.wanflow import Wanflow, listening, marker, wait_until
from tests.https import https_server
from wanflow.webhooks import ANSWER_SECONDS

SILENCE = 0
"""Instead of a status: no answer for longer than deliver_webhook waits."""
FAILS = "character1 waves [[mock:001028001]]"
REDIRECT = 307
"""A redirect that asks for the same POST elsewhere."""


class Listener(Receiver):
    """The example's receiver, which may be told to break, and which remembers."""

    def __init__(self, secret: str, *statuses: int) -> None:
        super().__init__(secret)
        self.statuses = list(statuses)
        """What to answer to the next POSTs, instead of receiving them."""
        self.posts: list[dict[str, str]] = []
        self.events: list[dict[str, Any]] = []

    def receive(self, headers: Any, body: bytes) -> int:
        self.posts.append({name.lower(): value for name, value in headers.items()})
        if not self.statuses:
            return super().receive(headers, body)
        status = self.statuses.pop(0)
        if status == SILENCE:
            time.sleep(ANSWER_SECONDS + 2)
        return status or 204

    def handle(self, event: dict[str, Any]) -> None:
        self.events.append(event)

    def listening(self, port: int) -> AbstractContextManager[None]:
        return listening(serve(self, port))


@pytest.fixture
def secret(wanflow: Wanflow) -> str:
    return wanflow.stack.endpoints.webhook_secret


def create(wanflow: Wanflow, url: str, prompt: str = "character1 waves") -> str:
    answer = wanflow.post({**wanflow.request(prompt), "callback_url": url})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def waiting(wanflow: Wanflow) -> int:
    """Webhooks in the queue, hidden ones included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = wanflow.stack.outputs["WebhookQueueUrl"]
    answer = client("sqs", wanflow.stack.settings).get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def test_a_receiver_that_was_down_gets_its_event_once_and_can_fetch_the_video(wanflow: Wanflow, secret: str) -> None:
    (port,) = free_ports(1)
    listener = Listener(secret)
    job_id = create(wanflow, f"http://127.0.0.1:{port}/hook?token=1")
    assert wanflow.wait(job_id)["status"] == "completed"
    wait_until(lambda: "no answer" in log_of(wanflow))
    with listener.listening(port):
        wait_until(lambda: bool(listener.events) and waiting(wanflow) == 0)
    (event,) = listener.events
    assert event["type"] == "video.completed"
    assert event["data"]["id"] == job_id
    assert listener.seen == {f"{job_id}.completed"}
    assert len(listener.posts) == 1
    assert requests.get(event["data"]["output"][0]["content"][0]["url"], timeout=60).content[4:8] == b"ftyp"
    assert "token=1" not in log_of(wanflow)


def test_receivers_that_break_get_the_event_again_under_the_same_id(wanflow: Wanflow, secret: str) -> None:
    listeners = [Listener(secret, first_answer) for first_answer in (500, REDIRECT, SILENCE)]
    with contextlib.ExitStack() as stack:
        ports = free_ports(len(listeners))
        for listener, port in zip(listeners, ports, strict=True):
            stack.enter_context(listener.listening(port))
        ids = [create(wanflow, f"http://127.0.0.1:{port}/", FAILS) for port in ports]
        wait_until(lambda: all(listener.events for listener in listeners) and waiting(wanflow) == 0)
    for listener, job_id in zip(listeners, ids, strict=True):
        assert [post["webhook-id"] for post in listener.posts] == [f"{job_id}.failed"] * 2
        (event,) = listener.events
        assert event["data"]["error"]["code"] == "001028001"


def log_of(wanflow: Wanflow) -> str:
    files = wanflow.stack.settings.log_dir.glob("*DeliverWebhook*.log")
    return "".join(file.read_text(encoding="utf-8") for file in files)


# --- Receivers that get nothing --------------------------------------------------------------------------------------


@pytest.fixture
def _empty_queue(wanflow: Wanflow) -> Iterator[None]:
    """Leaves no try of this test to the others, which wait until the queue is empty."""
    yield
    for name in ("WebhookQueueUrl", "WebhookDeadLettersUrl"):
        client("sqs", wanflow.stack.settings).purge_queue(QueueUrl=wanflow.stack.outputs[name])


@pytest.mark.usefixtures("_empty_queue")
def test_a_receiver_with_a_wrong_certificate_gets_nothing(wanflow: Wanflow, tmp_path: Path) -> None:
    posts: list[BaseHTTPRequestHandler] = []
    with https_server(posts.append, tmp_path, "127.0.0.1") as port:
        job_id = create(wanflow, f"https://127.0.0.1:{port}/", FAILS)
        wait_until(lambda: "no answer (SSLError)" in told_of(wanflow, job_id))
    assert posts == []


@pytest.mark.usefixtures("_empty_queue")
def test_a_redirect_is_not_followed(wanflow: Wanflow, secret: str) -> None:
    elsewhere, (port, target) = Listener(secret), free_ports(2)

    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(REDIRECT)
            self.send_header("location", f"http://127.0.0.1:{target}/")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with elsewhere.listening(target), listening(ThreadingHTTPServer(("127.0.0.1", port), Redirecting)):
        job_id = create(wanflow, f"http://127.0.0.1:{port}/", FAILS)
        wait_until(lambda: f"HTTP {REDIRECT}" in told_of(wanflow, job_id))
    assert elsewhere.posts == []


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://169.254.169.254/latest/meta-data", "http://example.com/"]
)
def test_a_job_whose_callback_may_not_be_called_is_refused(wanflow: Wanflow, url: str) -> None:
    answer = wanflow.post({**wanflow.request("character1 calls"), "callback_url": url})

    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["error"]["violations"]] == ["callback_url"]


@pytest.mark.usefixtures("_empty_queue")
def test_a_private_address_in_the_queue_is_a_dead_letter_and_dead_letters_can_be_moved_back(
    wanflow: Wanflow, secret: str
) -> None:
    sqs, outputs = client("sqs", wanflow.stack.settings), wanflow.stack.outputs
    (port,) = free_ports(1)
    event = {"id": f"{marker()}.failed", "type": "video.failed", "timestamp": "2026-01-31T12:00:05.000Z"}
    forbidden = {**event, "url": "https://10.0.0.1/", "document": "{}"}
    document = json.dumps({"id": "vid_1", "status": "failed", "error": {"message": "moved back"}})
    once_down = {**event, "url": f"http://127.0.0.1:{port}/", "document": document}

    sqs.send_message(QueueUrl=outputs["WebhookQueueUrl"], MessageBody=json.dumps(forbidden))
    (dead,) = dead_letters(wanflow)
    sqs.send_message(QueueUrl=outputs["WebhookDeadLettersUrl"], MessageBody=json.dumps(once_down))
    listener = Listener(secret)
    with listener.listening(port):
        sqs.start_message_move_task(
            SourceArn=arn(wanflow, "WebhookDeadLettersUrl"), DestinationArn=arn(wanflow, "WebhookQueueUrl")
        )
        wait_until(lambda: bool(listener.events))

    assert dead["MessageAttributes"]["reason"]["StringValue"] == "the callback URL must lead to a public address"
    assert listener.seen == {event["id"]}


def dead_letters(wanflow: Wanflow) -> list[dict[str, Any]]:
    """Taken out of their queue, once there are any."""
    sqs, url = client("sqs", wanflow.stack.settings), wanflow.stack.outputs["WebhookDeadLettersUrl"]
    found: list[dict[str, Any]] = []

    def some() -> bool:
        answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
        found.extend(answer.get("Messages", []))
        return bool(found)

    wait_until(some)
    for message in found:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def arn(wanflow: Wanflow, output: str) -> str:
    url = wanflow.stack.outputs[output]
    answer = client("sqs", wanflow.stack.settings).get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def told_of(wanflow: Wanflow, job_id: str) -> str:
    """The lines of deliver_webhook about this job's event."""
    return "\n".join(line for line in log_of(wanflow).splitlines() if f"{job_id}." in line)
