"""Webhooks end to end: from the queue's mapping to a receiver on loopback that is down, breaks, and comes back."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from examples.webhook_receiver import Receiver, serve
from local.deploy import client
from local.ports import free_ports
from tests.e2e.wanflow import PATIENCE_SECONDS, Wanflow
from wanflow.webhooks import ANSWER_SECONDS

SILENCE = 0
"""Instead of a status: no answer for longer than deliver_webhook waits."""
REDIRECT = 307
"""A redirect that asks for the same POST elsewhere."""


class Listener(Receiver):
    """The example's receiver, which may be told to break, and which remembers."""

    def __init__(self, secret: str) -> None:
        super().__init__(secret)
        self.statuses: list[int] = []
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

    @contextlib.contextmanager
    def listening(self, port: int) -> Iterator[None]:
        with serve(self, port) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield
            server.shutdown()
            thread.join()


@pytest.fixture
def secret(wanflow: Wanflow) -> str:
    return wanflow.stack.endpoints.webhook_secret


def create(wanflow: Wanflow, port: int, prompt: str = "character1 waves") -> str:
    answer = wanflow.post({**wanflow.request(prompt), "callback_url": f"http://127.0.0.1:{port}/hook?token=1"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def waiting(wanflow: Wanflow) -> int:
    """Webhooks in the queue, hidden ones included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = wanflow.stack.outputs["WebhookQueueUrl"]
    answer = client("sqs", wanflow.stack.settings).get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def test_a_receiver_that_was_down_gets_its_event_once_and_can_fetch_the_video(wanflow: Wanflow, secret: str) -> None:
    (port,) = free_ports(1)
    listener = Listener(secret)
    job_id = create(wanflow, port)
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


@pytest.mark.parametrize("status", [500, REDIRECT, SILENCE])
def test_a_receiver_that_breaks_gets_the_event_again_under_the_same_id(
    wanflow: Wanflow, secret: str, status: int
) -> None:
    (port,) = free_ports(1)
    listener = Listener(secret)
    listener.statuses = [status]
    with listener.listening(port):
        job_id = create(wanflow, port, "character1 waves [[mock:001028001]]")
        assert wanflow.wait(job_id)["status"] == "failed"
        wait_until(lambda: bool(listener.events) and waiting(wanflow) == 0)
    assert [post["webhook-id"] for post in listener.posts] == [f"{job_id}.failed"] * 2
    (event,) = listener.events
    assert event["data"]["error"]["code"] == "001028001"


def log_of(wanflow: Wanflow) -> str:
    files = wanflow.stack.settings.log_dir.glob("*DeliverWebhook*.log")
    return "".join(file.read_text(encoding="utf-8") for file in files)
