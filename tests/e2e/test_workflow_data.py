"""What travels between the states, and what does not."""

import json

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


def test_a_failed_video_is_a_normal_ending_of_the_workflow(wanflow: Wanflow) -> None:
    job_id = wanflow.create("character1 trips [[mock:001028001]]")
    wanflow.wait(job_id)

    assert wanflow.execution_events(job_id)[-1]["type"] == "ExecutionSucceeded"
