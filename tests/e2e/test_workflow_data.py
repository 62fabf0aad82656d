"""What travels between the states, and what does not."""

import json
import time
from datetime import datetime

from local.deploy import client
from tests.e2e.wanflow import Wanflow

MOST_BYTES = 1024


def test_the_workflow_carries_the_job_id_and_little_else(wanflow: Wanflow) -> None:
    job_id = wanflow.create("character1 carries a secret, " + "word " * 250)
    wanflow.wait(job_id)

    events = wanflow.execution_events(job_id)
    started = next(event for event in events if event["type"] == "ExecutionStarted")
    data = [
        details[name]
        for event in events
        for details in event.values()
        if isinstance(details, dict)
        for name in ("input", "output")
        if name in details
    ]

    assert json.loads(started["executionStartedEventDetails"]["input"]) == {"job_id": job_id}
    assert data
    assert max(len(each.encode()) for each in data) < MOST_BYTES
    assert not any("secret" in each for each in data)


def test_the_poll_schedule_learns_what_its_own_polls_saw(wanflow: Wanflow) -> None:
    """Of any job before, too: jobs that end in the same second are sampled."""
    job_id = wanflow.create("character1 takes a while")
    document = wanflow.wait(job_id)
    table = client("dynamodb", wanflow.stack.settings)

    def item(pk: str, sk: str) -> dict[str, dict[str, str]]:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return table.get_item(TableName=wanflow.stack.outputs["TableName"], Key=key, ConsistentRead=True).get(
            "Item", {}
        )

    after, by = (float(each["N"]) for each in item(f"job#{job_id}", "job")["end_seen"]["L"])
    submitted, ended = (datetime.fromisoformat(document[name]) for name in ("submitted_at", "ended_at"))
    assert 0 <= after < by <= (ended - submitted).total_seconds()
    until = time.monotonic() + 30
    while not (learned := item("render_times#720P-5s-images", "render_times")):
        # It is the last thing but one that finishing does.
        assert time.monotonic() < until
        time.sleep(0.2)
    assert sum(json.loads(learned["counts"]["S"]).values()) > 0.99


def test_a_failed_video_is_a_normal_ending_of_the_workflow(wanflow: Wanflow) -> None:
    job_id = wanflow.create("character1 trips [[mock:001028001]]")
    wanflow.wait(job_id)

    assert wanflow.execution_events(job_id)[-1]["type"] == "ExecutionSucceeded"
