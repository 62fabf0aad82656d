"""The other side of tests/permissions.py: what a policy allows, its function does. A tour through all of them."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import WanMock
from tests.fakes import FakeClock, png, wan_request, wav
from tests.functions.test_accept_upload import drop, uploaded
from tests.functions.test_deliver_webhook import deliver
from tests.functions.test_finish_batch import finish as finish_batch
from tests.functions.test_finish_batch import run_rows
from tests.functions.test_finish_batch import upload as upload_batch
from tests.functions.test_reconcile_jobs import DEADLINE, reconcile
from tests.permissions import PermissionGuard, Right, rights
from tests.stack import OWNER, Stack, clear_wiring
from tests.template import Template
from wanflow import aws
from wanflow.errors import AwsUnavailable

NOT_CALLED = {
    ("deliver_webhook", "sqs:ReceiveMessage"): "Lambda's own poller takes messages in the function's name",
    ("deliver_webhook", "sqs:DeleteMessage"): "the same poller, for what was delivered",
    ("deliver_webhook", "sqs:GetQueueAttributes"): "the same poller, to know the queue",
}
"""Rights that AWS uses in a function's name."""

WITHOUT_A_CALL = {"TellMissingFromForbidden": "without it S3 answers 403 and not 404 for an object that is gone"}
"""Statements that change what a call answers."""


def unused(template: Template, used: set[Right]) -> list[Right]:
    """Rights that no call has needed."""
    given = {right for folder in template.functions() for right in rights(template, folder)}
    return sorted(
        right
        for right in given - used
        if right.sid not in WITHOUT_A_CALL and (right.folder, right.action) not in NOT_CALLED
    )


def test_every_right_of_every_function_is_used(
    stack: Stack, make_wan: WanMock, clock: FakeClock, permission_guard: PermissionGuard
) -> None:
    permission_guard.used.clear()
    tour(stack, make_wan, clock)
    left = [
        f"{right.folder}, {right.sid}: {right.action} on {right.resource}"
        for right in unused(stack.template, permission_guard.used)
    ]
    assert left == [], "\n".join(left)


def test_a_right_too_many_is_seen(stack: Stack, permission_guard: PermissionGuard) -> None:
    permission_guard.used.clear()
    stack.call("GET", "/videos")
    found = {(right.sid, right.action) for right in unused(stack.template, permission_guard.used)}
    assert ("FindJobs", "dynamodb:Query") not in found
    assert ("ListAndPurgeJobs", "dynamodb:DeleteItem") in found


def test_every_exception_is_still_one() -> None:
    template = Template(WanApiBaseUrl="http://wan.mock")
    given = [right for folder in template.functions() for right in rights(template, folder)]
    assert set(NOT_CALLED) <= {(right.folder, right.action) for right in given}
    assert set(WITHOUT_A_CALL) <= {right.sid for right in given}


# --- The tour --------------------------------------------------------------------------------------------------------

CALLBACK = "https://hooks.example.com/wanflow"
INLINE = "data:image/png;base64," + base64.b64encode(png()).decode()


def tour(stack: Stack, make_wan: WanMock, clock: FakeClock) -> None:
    stack.template.parameters |= {"DailyBudgetUsd": "100", "MaxConcurrentTasks": "1"}
    make_wan()
    a_life_with_references_and_a_webhook(stack, clock)
    an_upload_and_its_purge(stack, clock)
    a_video_that_does_not_come(stack, clock)
    a_queue_that_is_handed_over(stack, clock)
    a_batch(stack)
    make_wan(render_seconds=DEADLINE + 100)
    what_was_forgotten(stack, clock)


def live(stack: Stack, clock: FakeClock, job_id: str) -> None:
    """From the slot to the end."""
    stack.take_slot(job_id)
    stack.submit(job_id)
    clock.advance(5)
    # On AWS each function reads the key for itself.
    clear_wiring()
    stack.poll(job_id)
    clear_wiring()
    stack.store(job_id)
    stack.finish(job_id)


def a_life_with_references_and_a_webhook(stack: Stack, clock: FakeClock) -> None:
    stack.call("POST", "/uploads", {"content_type": "image/png", "bytes": 100})
    stack.put(f"uploads/{OWNER}/voice.wav", wav(5))
    stack.put(f"inbox/{OWNER}/fox.png", png())
    references = [INLINE, f"s3://{stack.bucket}/inbox/{OWNER}/fox.png"]
    voice = f"s3://{stack.bucket}/uploads/{OWNER}/voice.wav"
    body = wan_request(reference_urls=references, audio_url=voice, callback_url=CALLBACK)
    job_id = stack.create_job(body)
    live(stack, clock, job_id)
    stack.call("GET", f"/videos/{job_id}")
    stack.call("GET", "/videos")
    url = stack.template.physical["WebhookQueue"]
    (message,) = aws.sqs().receive_message(QueueUrl=url)["Messages"]
    # Nobody answers at that address, and the next one may not be called at all.
    deliver(stack, message["Body"], message["ReceiptHandle"])
    deliver(stack, message["Body"].replace("https://hooks", "http://hooks"), message["ReceiptHandle"])


def an_upload_and_its_purge(stack: Stack, clock: FakeClock) -> None:
    stack.put(f"uploads/{OWNER}/fox.png", png())
    references = [INLINE, f"s3://{stack.bucket}/uploads/{OWNER}/fox.png"]
    # Its first links are refused, so that fresh ones are asked for.
    body = wan_request(reference_urls=references, prompt="character1 [[mock:download:http-403]]")
    key = f"inbox/{OWNER}/order.json"
    job_id = drop(stack, key, json.dumps(body))["job_id"]
    stack.invoke("accept_upload", uploaded(key))
    live(stack, clock, job_id)
    canceled = stack.create_job()
    stack.call("DELETE", f"/videos/{canceled}")
    stack.finish(canceled)
    assert stack.call("DELETE", f"/videos/{job_id}", queryStringParameters={"purge": "true"}).status == 204


def a_video_that_does_not_come(stack: Stack, clock: FakeClock) -> None:
    job_id = stack.ready_job(wan_request(prompt="character1"))
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    with parts_that_get_lost(), pytest.raises(AwsUnavailable):
        stack.store(job_id)
    stack.finish(job_id)


def a_queue_that_is_handed_over(stack: Stack, clock: FakeClock) -> None:
    """One place, lost by the first job, taken by the second, given back to the third."""
    first = stack.ready_job()
    second, third = (a_waiting_job(stack, clock) for _ in range(2))
    lose_slot(stack, first)
    assert stack.submit(first)["next_step"] == "queue"
    stack.finish(second)
    stack.finish(second)
    stack.finish(third)
    stack.finish(first)


def a_waiting_job(stack: Stack, clock: FakeClock) -> str:
    """Younger than all before it."""
    clock.advance(1)
    job_id = stack.create_job()
    stack.take_slot(job_id)
    return job_id


@contextmanager
def parts_that_get_lost() -> Iterator[None]:
    """A video goes up in parts, the first of which S3 does not take: the others are to be dropped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wanflow.video_upload.HELD_BYTES", 1000)
        patch.setattr(aws.s3(), "upload_part", _lose)
        yield


def _lose(**_: object) -> None:
    raise AwsUnavailable("no answer")


def lose_slot(stack: Stack, job_id: str) -> None:
    aws.dynamodb().update_item(
        TableName=stack.table,
        Key={"pk": {"S": "slots"}, "sk": {"S": "slots"}},
        UpdateExpression="REMOVE leases.#job",
        ExpressionAttributeNames={"#job": job_id},
    )


def a_batch(stack: Stack) -> None:
    owner = "alice"
    for place in ("uploads", "inbox"):
        stack.put(f"{place}/{owner}/fox.png", png())
    references = [f"s3://{stack.bucket}/{place}/{owner}/fox.png" for place in ("uploads", "inbox")]
    gone = f"s3://{stack.bucket}/uploads/{owner}/gone.png"
    rows = (wan_request(reference_urls=references), wan_request(reference_urls=[gone]))
    batch_id = upload_batch(stack, *rows)
    upload_batch(stack, *rows)
    run_rows(stack, batch_id)
    finish_batch(stack, batch_id)


def what_was_forgotten(stack: Stack, clock: FakeClock) -> None:
    """A job never started, a late video that does not come at once, waits too long, a slot that is free and unused."""
    stack.template.parameters |= {"MaxQueueSeconds": "600"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wanflow.executions.Executions.start", lambda *_: None)
        stack.create_job()
    body = wan_request(callback_url=CALLBACK, prompt="character1")
    late = drop(stack, "inbox/late.json", json.dumps(body))["job_id"]
    stack.take_slot(late)
    stack.submit(late)
    a_waiting_job(stack, clock)
    clock.advance(DEADLINE)
    stack.poll(late)
    stack.finish(late)
    clock.advance(601)
    with parts_that_get_lost():
        assert reconcile(stack)["queue_timeout"] == 1
    a_waiting_job(stack, clock)
    lose_slot(stack, late)
    clock.advance(601)
    assert reconcile(stack)["rescued"] == 1
