"""Deliver Webhook: whatever a receiver does, an event reaches it once signed, or ends as a dead letter after a day."""

import base64
import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
import responses
from standardwebhooks import Webhook, WebhookVerificationError
from urllib3.connection import HTTPSConnection

from examples.webhook_receiver import Receiver
from mock_server.responses_door import InProcessMock
from tests.conftest import LogLines, WanMock
from tests.fakes import FakeClock, wan_request
from tests.https import CA_FILE, HOST, https_server
from tests.stack import WEBHOOK_KEY, Stack, event_file
from wanflow import aws, webhooks
from wanflow.connections import _PublicOnlyHTTPS, open_public_session
from wanflow.errors import AwsUnavailable, BadSetting, ErrorInfo
from wanflow.openapi import document

URL = "https://hooks.example.com/wanflow?token=hidden"
SECRET = f"whsec_{WEBHOOK_KEY}"
NEW_SECRET = "whsec_" + base64.b64encode(b"a new secret of some 30 bytes...").decode()
DAY = 24 * 3600


class Queue:
    """The webhooks' queue between finish_job and deliver_webhook, with the clock of the tests."""

    def __init__(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stack = stack
        self._taken: tuple[str, str] | None = None
        self.pauses: list[int] = []
        """Seconds for which deliver_webhook hid messages."""
        really_change = aws.sqs().change_message_visibility

        def change(**request: Any) -> Any:
            self.pauses.append(request["VisibilityTimeout"])
            return really_change(**request)

        monkeypatch.setattr(aws.sqs(), "change_message_visibility", change)

    def bodies(self, queue: str = "WebhookQueue") -> list[dict[str, Any]]:
        """Takes everything out of a queue."""
        url = self._stack.template.physical[queue]
        answer = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in answer.get("Messages", []):
            aws.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [
            {**json.loads(message["Body"]), "reason": _reason(message.get("MessageAttributes"))}
            for message in answer.get("Messages", [])
        ]

    def deliver(self, tries: int = 1) -> bool:
        """One try of the one message, as its mapping makes it; whether the message may leave the queue."""
        return deliver(self._stack, *self.take(), tries)

    def take(self) -> tuple[str, str]:
        """Body and receipt of the one message."""
        if self._taken is None:
            url = self._stack.template.physical["WebhookQueue"]
            (message,) = aws.sqs().receive_message(QueueUrl=url)["Messages"]
            self._taken = (message["Body"], message["ReceiptHandle"])
        return self._taken


def _reason(attributes: Any) -> str | None:
    return str(attributes["reason"]["StringValue"]) if attributes else None


def deliver(stack: Stack, body: str, receipt: str, tries: int = 1, age_seconds: float = 0) -> bool:
    event = event_file("deliver_webhook", "first")
    (record,) = event["Records"]
    sent_at = stack.clock().timestamp() - age_seconds
    record |= {"body": body, "receiptHandle": receipt}
    record["attributes"] |= {"ApproximateReceiveCount": str(tries), "SentTimestamp": str(int(sent_at * 1000))}
    failures = stack.invoke("deliver_webhook", event)["batchItemFailures"]
    assert failures in ([], [{"itemIdentifier": record["messageId"]}])
    return not failures


@pytest.fixture
def queue(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(stack, monkeypatch)


@pytest.fixture
def now(clock: FakeClock) -> None:
    """The library takes no signature that is older than five minutes of real time."""
    clock.now = datetime.now(UTC)


@pytest.fixture
def internet() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def failed_job(stack: Stack, url: str = URL) -> str:
    """A job that has ended, its webhook in the queue."""
    job_id = stack.create_job(wan_request(callback_url=url))
    stack.records.fail(job_id, ErrorInfo("001028095", "Internal generation error"))
    stack.finish(job_id)
    return job_id


def received(internet: responses.RequestsMock, secret: str = SECRET) -> list[dict[str, Any]]:
    """The events that were POSTed, each verified by the library."""
    calls = [call.request for call in internet.calls if call.request.url == URL]
    return [Webhook(secret).verify(request.body or b"", dict(request.headers)) for request in calls]


# --- Handing over ----------------------------------------------------------------------------------------------------


def test_a_job_without_a_callback_hands_nothing_over(stack: Stack, queue: Queue) -> None:
    job_id = stack.create_job()
    stack.finish(job_id)
    assert queue.bodies() == []


def test_a_job_with_a_callback_hands_its_end_over_once(stack: Stack, queue: Queue) -> None:
    job_id = failed_job(stack)
    stack.finish(job_id)
    (message,) = queue.bodies()
    document = json.loads(message.pop("document"))
    assert message == {
        "id": f"{job_id}.failed",
        "type": "video.failed",
        "timestamp": "2026-01-31T12:00:00.000Z",
        "url": URL,
        "reason": None,
    }
    assert document == stack.read_json(f"videos/{job_id}.json")
    assert "token=hidden" not in json.dumps(document)


def test_finishing_that_dies_after_the_hand_over_hands_over_again_under_the_same_id(
    stack: Stack, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.records.JobRecords.close", _die)
        with pytest.raises(AwsUnavailable):
            failed_job(stack)
    (job_id,) = stack.executions()
    stack.finish(job_id)
    assert [message["id"] for message in queue.bodies()] == [f"{job_id}.failed"] * 2


def _die(*_: Any, **__: Any) -> None:
    raise AwsUnavailable("no answer")


def test_a_job_stays_open_until_its_webhook_is_handed_over(
    stack: Stack, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.webhook_queue.WebhookQueue.put", _die)
        with pytest.raises(AwsUnavailable):
            failed_job(stack)
    (job_id,) = stack.executions()
    assert stack.is_in_open_jobs(job_id)
    stack.finish(job_id)
    assert len(queue.bodies()) == 1


def test_a_prompt_that_sqs_would_refuse_as_it_is_is_handed_over_all_the_same(stack: Stack, queue: Queue) -> None:
    job_id = stack.create_job(wan_request(prompt="character1 \uffff \x00 😀", callback_url=URL))
    stack.finish(job_id)
    (message,) = queue.bodies()
    assert json.loads(message["document"])["request"]["input"]["prompt"] == "character1 \uffff \x00 😀"


def test_a_late_video_has_a_webhook_of_its_own(stack: Stack, queue: Queue, make_wan: WanMock, clock: FakeClock) -> None:
    deadline = int(stack.template.parameters["JobDeadlineSeconds"])
    make_wan(render_seconds=deadline + 100)
    job_id = stack.ready_job(wan_request(callback_url=URL))
    stack.submit(job_id)
    clock.advance(deadline)
    stack.poll(job_id)
    stack.finish(job_id)
    clock.advance(601)
    stack.invoke("reconcile_jobs", event_file("reconcile_jobs", "schedule"))
    failed, completed = queue.bodies()
    assert (failed["id"], failed["type"]) == (f"{job_id}.failed", "video.failed")
    assert (completed["id"], completed["type"]) == (f"{job_id}.completed", "video.completed")
    assert json.loads(completed["document"])["rescued"] is True
    assert completed["timestamp"] > failed["timestamp"]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        (7, "must be a string, got an integer"),
        (None, "must be a string, got null"),
        ("http://hooks.example.com/", "must be a https URL"),
        ("https://169.254.169.254/latest", "must lead to a public address"),
        ("https://localhost/", "must have a public host name, such as hooks.example.com"),
        ("http://127.0.0.1:9000/", "must be a https URL"),
    ],
)
def test_a_callback_that_may_not_be_called_is_a_violation(stack: Stack, url: object, rule: str) -> None:
    violation = {"field": "callback_url", "code": "invalid_request", "message": rule}
    answer = stack.call("POST", "/videos", wan_request(callback_url=url))
    assert (answer.status, answer.body["error"]["violations"]) == (400, [violation])
    assert stack.call("POST", "/estimates", wan_request(callback_url=url)).body["violations"] == [violation]


def test_the_local_stack_takes_callbacks_on_loopback(stack: Stack, queue: Queue, internet: Any) -> None:
    stack.template.parameters["WanApiBaseUrl"] = "http://127.0.0.1:8787"
    internet.post("http://127.0.0.1:9000/hook", status=200)
    failed_job(stack, "http://127.0.0.1:9000/hook")
    assert queue.deliver()


# --- Delivering ------------------------------------------------------------------------------------------------------


def test_a_receiver_gets_the_document_signed_with_a_link_that_works(
    stack: Stack, queue: Queue, now: None, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = stack.ready_job(wan_request(callback_url=URL, metadata={"order": "4711"}))
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    stack.finish(job_id)
    with responses.RequestsMock() as internet:
        internet.post(URL, status=204)
        assert queue.deliver()
        (event,) = received(internet)
    document = stack.call("GET", f"/videos/{job_id}").body
    link = event["data"]["output"][0]["content"][0].pop("url")
    document["output"][0]["content"][0].pop("url")
    assert event["type"] == "video.completed"
    assert event["timestamp"] == document["ended_at"]
    assert event["data"] == document
    assert link.startswith(f"https://{stack.bucket}.s3.")
    assert f"/videos/{job_id}.mp4?" in link


def test_the_openapi_document_says_what_a_receiver_gets(
    stack: Stack, queue: Queue, now: None, internet: responses.RequestsMock
) -> None:
    internet.post(URL, status=204)
    failed_job(stack)
    assert queue.deliver()
    request, api = internet.calls[0].request, document()
    told = api["webhooks"]["videoFinished"]["post"]
    body = told["requestBody"]["content"]["application/json"]["schema"]
    whole = {**body, "components": api["components"]}
    assert jsonschema_rs.Draft202012Validator(whole).is_valid(json.loads(request.body or b""))
    promised = {header["name"]: header["schema"] for header in told["parameters"]}
    assert promised.keys() == {name for name in request.headers if name.startswith("webhook-")}
    assert re.search(promised["webhook-signature"]["pattern"], request.headers["webhook-signature"])


def test_the_example_receiver_does_each_event_once(
    stack: Stack, queue: Queue, now: None, internet: responses.RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = failed_job(stack)
    receiver = Receiver(SECRET)

    def receive(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        assert isinstance(request.body, bytes)
        return receiver.receive(request.headers, request.body), {}, ""

    internet.add_callback("POST", URL, receive)
    assert queue.deliver()
    assert queue.deliver(tries=2)
    told = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("{")]
    assert told == [f"{job_id} failed: Internal generation error"]
    assert Receiver(NEW_SECRET).receive(internet.calls[0].request.headers, b"{}") == 401
    assert Receiver(SECRET).receive({}, b"{}") == 401


@pytest.mark.parametrize("variant", ["first", "again"])
def test_the_example_events_are_taken(
    stack: Stack, queue: Queue, internet: responses.RequestsMock, variant: str
) -> None:
    internet.post("https://hooks.example.com/wanflow", status=200)
    assert stack.invoke("deliver_webhook", event_file("deliver_webhook", variant)) == {"batchItemFailures": []}


FAULTS: dict[str, dict[str, Any]] = {
    "down": {"body": requests.ConnectionError(f"refused by {URL}")},
    "slow": {"body": requests.ReadTimeout("timed out")},
    "reset": {"body": requests.exceptions.ChunkedEncodingError("reset")},
    "500": {"status": 500},
    "404": {"status": 404},
    "429": {"status": 429},
    "redirect": {"status": 308, "headers": {"location": "https://elsewhere.example.com/"}},
    "redirect to the metadata service": {"status": 302, "headers": {"location": "http://169.254.169.254/"}},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_no_2xx_is_tried_again_later_with_the_same_id(
    stack: Stack, queue: Queue, now: None, internet: responses.RequestsMock, log: LogLines, fault: str
) -> None:
    job_id = failed_job(stack)
    failing = internet.post(URL, **FAULTS[fault])
    assert not queue.deliver(tries=1)
    assert not queue.deliver(tries=2)
    internet.remove(failing)
    internet.post(URL, status=200)
    assert queue.deliver(tries=3)
    first, second = queue.pauses
    assert 4 <= first <= 6
    assert 24 <= second <= 36
    ids = [call.request.headers["webhook-id"] for call in internet.calls]
    assert ids == [f"{job_id}.failed"] * 3
    assert {event["type"] for event in received(internet)} == {"video.failed"}
    assert "hidden" not in log.text
    assert "/wanflow" not in log.text
    assert queue.bodies("WebhookDeadLetters") == []


def test_each_try_has_a_time_stamp_of_its_own(
    stack: Stack, queue: Queue, clock: FakeClock, internet: responses.RequestsMock
) -> None:
    failed_job(stack)
    internet.post(URL, status=503)
    queue.deliver(tries=1)
    clock.advance(5)
    queue.deliver(tries=2)
    stamps = [int(str(call.request.headers["webhook-timestamp"])) for call in internet.calls]
    assert stamps[1] - stamps[0] == 5


def test_a_receiver_may_ask_for_more_time(stack: Stack, queue: Queue, internet: responses.RequestsMock) -> None:
    failed_job(stack)
    internet.post(URL, status=429, headers={"retry-after": "300"})
    queue.deliver()
    assert queue.pauses == [300]


def test_a_receiver_that_is_gone_is_left_alone(stack: Stack, queue: Queue, internet: responses.RequestsMock) -> None:
    failed_job(stack)
    internet.post(URL, status=410)
    assert queue.deliver()
    assert queue.bodies("WebhookDeadLetters") == []


def test_after_a_day_of_tries_the_webhook_is_a_dead_letter_that_can_be_replayed(
    stack: Stack, queue: Queue, clock: FakeClock, now: None, internet: responses.RequestsMock
) -> None:
    job_id = failed_job(stack)
    failing = internet.post(URL, status=500)
    assert not deliver(stack, *queue.take(), tries=13, age_seconds=DAY - 60)
    assert queue.pauses == [60]
    assert deliver(stack, *queue.take(), tries=14, age_seconds=DAY)
    (dead,) = queue.bodies("WebhookDeadLetters")
    assert (dead["id"], dead["reason"]) == (f"{job_id}.failed", "HTTP 500")

    # Moved back, a message is new: SQS stamps and counts it anew.
    internet.remove(failing)
    internet.post(URL, status=200)
    dead.pop("reason")
    assert deliver(stack, json.dumps(dead), "any", tries=1, age_seconds=1)
    assert [event["data"]["id"] for event in received(internet)][-1] == job_id


def test_a_try_that_aws_breaks_off_is_made_again(
    stack: Stack, queue: Queue, monkeypatch: pytest.MonkeyPatch, internet: responses.RequestsMock
) -> None:
    failed_job(stack)
    internet.post(URL, status=500)
    with monkeypatch.context() as patch:
        patch.setattr(aws.sqs(), "change_message_visibility", _die)
        assert not queue.deliver()
    with monkeypatch.context() as patch:
        patch.setattr(aws.sqs(), "send_message", _die)
        assert not deliver(stack, *queue.take(), age_seconds=DAY)


def test_one_webhook_of_a_batch_that_fails_keeps_the_others_from_nothing(
    stack: Stack, internet: responses.RequestsMock, queue: Queue
) -> None:
    event = event_file("deliver_webhook", "first")
    (record,) = event["Records"]
    message = json.loads(record["body"])
    other = record | {"messageId": "other", "body": json.dumps(message | {"url": "https://other.example.com/"})}
    failed_job(stack)
    event["Records"] = [record | {"receiptHandle": queue.take()[1]}, other]
    internet.post("https://hooks.example.com/wanflow", status=500)
    internet.post("https://other.example.com/", status=200)
    stack.clock.now = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    answer = stack.invoke("deliver_webhook", event)
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


# --- Secrets ---------------------------------------------------------------------------------------------------------


def rotate(stack: Stack, secret: str) -> None:
    aws.secretsmanager().put_secret_value(SecretId="WebhookSecret", SecretString=secret)


def test_after_a_rotation_both_secrets_verify(
    stack: Stack, queue: Queue, now: None, internet: responses.RequestsMock
) -> None:
    rotate(stack, NEW_SECRET)
    failed_job(stack)
    internet.post(URL, status=200)
    assert queue.deliver()
    assert received(internet, SECRET) == received(internet, NEW_SECRET)


def test_two_days_after_a_rotation_the_old_secret_is_over(
    stack: Stack, queue: Queue, clock: FakeClock, internet: responses.RequestsMock
) -> None:
    rotate(stack, NEW_SECRET)
    clock.now = datetime.now(UTC) + timedelta(days=2, minutes=1)
    failed_job(stack)
    internet.post(URL, status=200)
    assert queue.deliver()
    request = internet.calls[-1].request
    assert len(str(request.headers["webhook-signature"]).split(" ")) == 1
    with pytest.raises(WebhookVerificationError, match="too new"):
        Webhook(NEW_SECRET).verify(request.body or b"", dict(request.headers))


def test_a_rotation_is_noticed_within_five_minutes(
    stack: Stack, queue: Queue, clock: FakeClock, now: None, internet: responses.RequestsMock
) -> None:
    failed_job(stack)
    internet.post(URL, status=500)
    queue.deliver()
    rotate(stack, NEW_SECRET)
    clock.advance(290)
    queue.deliver()
    clock.advance(10)
    queue.deliver()
    counts = [len(str(call.request.headers["webhook-signature"]).split(" ")) for call in internet.calls]
    assert counts == [1, 1, 2]


def test_a_secret_that_is_none_breaks_the_try_and_is_not_told(
    stack: Stack, queue: Queue, internet: responses.RequestsMock, log: LogLines
) -> None:
    rotate(stack, "my password")
    failed_job(stack)
    with pytest.raises(BadSetting, match="whsec_ and the base64"):
        queue.deliver()
    assert "my password" not in log.text
    assert len(internet.calls) == 0


# --- Receivers that are none: real sockets on loopback ---------------------------------------------------------------


def message_for(port: int) -> str:
    message = json.loads(event_file("deliver_webhook", "first")["Records"][0]["body"])
    return json.dumps(message | {"url": f"https://{HOST}:{port}/"})


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name whose DNS answer is loopback."""
    really = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **options: really("127.0.0.1", *rest, **options))


@pytest.fixture
def everything_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the guard on addresses through, so that what comes after it can be seen on loopback."""
    monkeypatch.setattr(_PublicOnlyHTTPS, "_new_conn", HTTPSConnection._new_conn)


def ok(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_name_that_leads_to_a_private_address_is_a_dead_letter_at_once(
    stack: Stack, queue: Queue, dns: None, tmp_path: Path
) -> None:
    posts: list[BaseHTTPRequestHandler] = []
    with https_server(posts.append, tmp_path) as port:
        assert deliver(stack, message_for(port), "any")
    assert posts == []
    (dead,) = queue.bodies("WebhookDeadLetters")
    assert dead["reason"] == "the link leads to an address that is not public"


@pytest.mark.parametrize("url", ["http://example.com/", "http://127.0.0.1/", "https://10.0.0.1/", "file:///etc/passwd"])
def test_a_url_that_may_not_be_called_is_not_called_even_out_of_the_queue(
    stack: Stack, queue: Queue, internet: responses.RequestsMock, url: str
) -> None:
    message = json.loads(event_file("deliver_webhook", "first")["Records"][0]["body"])
    assert deliver(stack, json.dumps(message | {"url": url}), "any")
    assert len(internet.calls) == 0
    assert len(queue.bodies("WebhookDeadLetters")) == 1


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_certificate_that_is_wrong_is_not_talked_to(
    stack: Stack,
    queue: Queue,
    dns: None,
    everything_is_public: None,
    tmp_path: Path,
    log: LogLines,
) -> None:
    posts: list[BaseHTTPRequestHandler] = []
    failed_job(stack)
    with https_server(posts.append, tmp_path) as port:
        assert not deliver(stack, message_for(port), queue.take()[1])
    assert posts == []
    assert log.lines[-1]["note"] == "no answer (SSLError)"


def drip(handler: BaseHTTPRequestHandler) -> None:
    """An answer that never ends, a byte at a time."""
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"a")
            time.sleep(0.05)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_receiver_that_drips_is_cut_off(dns: None, everything_is_public: None, tmp_path: Path) -> None:
    with (
        https_server(drip, tmp_path) as port,
        open_public_session(0.3) as session,
        pytest.raises(requests.ConnectionError),
    ):
        session.post(f"https://{HOST}:{port}/", verify=str(tmp_path / CA_FILE), timeout=10)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A fine status and a body that never ends."""
    with contextlib.suppress(OSError):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"a" * 65536)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_an_answer_s_body_is_never_read(dns: None, everything_is_public: None, tmp_path: Path) -> None:
    with https_server(endless, tmp_path) as port, open_public_session(30) as session:
        session.verify = str(tmp_path / CA_FILE)
        outcome = webhooks._post(session, f"https://{HOST}:{port}/", "{}", {})
    assert outcome.kind == "delivered"


# --- The template ----------------------------------------------------------------------------------------------------


def test_the_template_maps_the_queue_so_that_a_try_can_fail_alone_and_a_receiver_has_its_time(stack: Stack) -> None:
    mapping = stack.template.properties(stack.template.only("AWS::Lambda::EventSourceMapping"))
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    function = stack.template.properties("DeliverWebhookFunction")
    queue = stack.template.properties("WebhookQueue")
    whole_try = webhooks.WHOLE_TRY_SECONDS + webhooks.CONNECT_SECONDS
    assert mapping["BatchSize"] * whole_try < function["Timeout"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert queue["MessageRetentionPeriod"] > DAY + webhooks.BACKOFF_SECONDS[-1]
    assert queue["RedrivePolicy"]["maxReceiveCount"] > 17
