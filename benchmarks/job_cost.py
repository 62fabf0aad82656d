"""What a job costs beyond its video: `PYTHONPATH=client .venv/bin/python -m benchmarks.job_cost`.

Runs jobs on the local stack and prices them at the list prices of us-east-1. State transitions, function calls and
their seconds are counted in the execution histories, log bytes in the functions' logs. What an execution history does
not show (DynamoDB, S3, EventBridge, X-Ray) is read off the code, on the safe side. Takes as long as the jobs do: about
three minutes for renders of 150 seconds. Free tiers are left out.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from decimal import Decimal

from local import references
from local.demo import connect
from local.deploy import client
from local.settings import Settings
from local.stack import Stack, local_stack
from wanflow_client import FINAL, Job, VideoRequest

MEMORY_GB = Decimal("0.5")
"""`MemorySize` of every function in template.yaml."""

USD = {
    "state transition": Decimal("0.000025"),
    "Lambda call": Decimal("0.0000002"),
    "Lambda GB-second (arm64)": Decimal("0.0000133334"),
    "API request (REST)": Decimal("0.0000035"),
    "DynamoDB write unit": Decimal("0.000000625"),
    "DynamoDB read unit": Decimal("0.000000125"),
    "S3 PUT": Decimal("0.000005"),
    "S3 GET": Decimal("0.0000004"),
    "EventBridge event": Decimal("0.000001"),
    "X-Ray trace": Decimal("0.000005"),
    "log GB": Decimal("0.50"),
}
"""List prices, us-east-1: the AWS pricing page of each service."""

WRITE_UNITS = 45
"""accept 4, take 7, submit 9, poll and store 6, finish 11 (records.py, slots.py; indexes counted), 8 for budgets."""

READ_UNITS = 40
"""Each function reads the record once or twice; slots, tickets and the gate are read at every hand-over."""

S3_PUTS = 4
"""The video, its document, and two small inline references; a video over 8 MB is one more for each 8 MB."""

EVENTS = 5
"""The job's own event, and S3's for four objects: charged here although AWS events are free or opt-in."""

TRACES = 3
"""Accept, workflow, an answer to the caller: all of them sampled, which happens only at a low rate."""


@dataclass(frozen=True)
class Counted:
    """One job: states by name in their order, seconds in its functions, and its polls."""

    states: list[str]
    function_seconds: float
    function_calls: int
    polls: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.job_cost", description=__doc__.splitlines()[0])
    parser.add_argument("--render-seconds", type=float, default=150, help="seconds of one render (%(default)s)")
    parser.add_argument("--jobs", type=int, default=3, help="jobs at once (%(default)s)")
    options = parser.parse_args()
    settings = replace(Settings.from_environment(), render_seconds=options.render_seconds)
    with local_stack(settings) as stack:
        jobs = run(stack, options.jobs)
        counted = [count(stack, job) for job in jobs]
        log_bytes = sum(path.stat().st_size for path in settings.log_dir.glob("wanflow-*.log")) / len(jobs)
    show(counted, log_bytes, options.render_seconds)


def run(stack: Stack, jobs: int) -> list[Job]:
    """Create the jobs and ask for each until it has ended."""
    wanflow = connect(stack)
    pictures = references.load(references.EXAMPLES)
    prompt = "character1 waves to character2"
    request = VideoRequest(prompt=prompt, references=pictures, size="1280*720", duration=5)
    body = wanflow.prepare(request)
    documents = [wanflow.create(body) for _ in range(jobs)]
    while any(document["status"] not in FINAL for document in documents):
        stack.check_alive()
        time.sleep(5)
        documents = [d if d["status"] in FINAL else wanflow.get(d) for d in documents]
    failed = [document for document in documents if document["status"] != "completed"]
    if failed:
        raise SystemExit(f"a job failed: {failed[0].get('error')}")
    return documents


def count(stack: Stack, document: Job) -> Counted:
    workflow = client("stepfunctions", stack.settings)
    execution = stack.endpoints.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{document['id']}"
    pages = workflow.get_paginator("get_execution_history").paginate(executionArn=execution)
    events = [event for page in pages for event in page["events"]]
    states = [event["stateEnteredEventDetails"]["name"] for event in events if event["type"].endswith("StateEntered")]
    seconds, calls, since = 0.0, 0, events[0]["timestamp"]
    for event in events:
        if event["type"] == "TaskScheduled":
            since, calls = event["timestamp"], calls + 1
        elif event["type"] == "TaskSucceeded":
            seconds += (event["timestamp"] - since).total_seconds()
    return Counted(states, seconds, calls, document["polls"])


def show(jobs: list[Counted], log_bytes: float, render_seconds: float) -> None:
    def mean(values: list[float]) -> Decimal:
        return Decimal(str(round(sum(values) / len(values), 2)))

    transitions = mean([len(job.states) for job in jobs])
    calls = mean([job.function_calls for job in jobs])
    polls = mean([job.polls for job in jobs])
    # The caller asks as often as we do: Retry-After follows the poll schedule. One call more creates the job.
    requests = polls + 1
    gigabyte_seconds = (mean([job.function_seconds for job in jobs]) + requests * Decimal("0.2")) * MEMORY_GB
    rows = [
        ("state transition", transitions),
        ("Lambda call", calls + requests),
        ("Lambda GB-second (arm64)", gigabyte_seconds),
        ("API request (REST)", requests),
        ("DynamoDB write unit", Decimal(WRITE_UNITS)),
        ("DynamoDB read unit", READ_UNITS + polls + requests),
        ("S3 PUT", Decimal(S3_PUTS)),
        ("S3 GET", Decimal(4)),
        ("EventBridge event", Decimal(EVENTS)),
        ("X-Ray trace", Decimal(TRACES)),
        ("log GB", Decimal(log_bytes) / 10**9),
    ]
    print(f"{len(jobs)} jobs, renders of {render_seconds:g} s, {polls} polls each. The states of the first:\n")
    print("  " + " > ".join(jobs[0].states) + "\n")
    print(f"  {'':<26}{'a job':>12}{'$ per 1,000 jobs':>20}")
    total = Decimal(0)
    for name, amount in rows:
        cost = amount * USD[name] * 1000
        total += cost
        print(f"  {name:<26}{amount:>12.6g}{cost:>20.4f}")
    print(f"  {'all':<26}{'':>12}{total:>20.4f}")


if __name__ == "__main__":
    main()
