"""EventBridge end to end: whoever has a rule hears of every final state, once, in the documented form."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.deploy import client
from tests.e2e.wanflow import Wanflow, marker, wait_until
from wanflow.finish import EVENT_TYPE

Heard = dict[str, list[dict[str, Any]]]


@pytest.fixture
def heard(wanflow: Wanflow) -> Iterator[Callable[[], Heard]]:
    """What a rule of the user's own has delivered to a queue so far: job ids and their events."""
    events, sqs = client("events", wanflow.stack.settings), client("sqs", wanflow.stack.settings)
    name = marker()
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["wanflow"], "detail-type": [EVENT_TYPE]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    found: Heard = {}

    def heard() -> Heard:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            found.setdefault(event["detail"]["job"]["id"], []).append(event)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    yield heard
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)
    sqs.delete_queue(QueueUrl=url)


def test_each_final_state_is_one_event_that_says_what_the_job_s_document_says(
    wanflow: Wanflow, heard: Callable[[], Heard]
) -> None:
    jobs = {
        wanflow.create("character1 arrives"): "completed",
        wanflow.create("character1 trips [[mock:001028001]]"): "failed",
        wanflow.create("character1 leaves"): "canceled",
    }
    canceled = list(jobs)[2]
    assert wanflow.http.delete(f"{wanflow.url}/videos/{canceled}", timeout=60).status_code == 202

    wait_until(lambda: jobs.keys() <= heard().keys())
    told = heard()

    for job_id, status in jobs.items():
        (event,) = told[job_id]
        assert (event["source"], event["detail-type"]) == ("wanflow", EVENT_TYPE)
        assert event["detail"]["id"] == f"{job_id}.{status}"
        assert event["detail"]["owner"] == wanflow.stack.outputs["ApiKeyId"]
        assert event["detail"]["job"] == json.loads(wanflow.wait_for_object(f"videos/{job_id}.json"))
    video = told[next(iter(jobs))][0]["detail"]["job"]["output"][0]["content"][0]
    assert video["url"] == f"s3://{wanflow.bucket}/{video['key']}"
