"""`make storm`: hundreds of jobs on the local stack while everything breaks, then a report in numbers.

A quarter of the jobs meet a fault of the provider (asked for by a directive in the prompt), function processes are
killed at random, upload events come twice, callers repeat their calls and cancel. When all is quiet again the books of
the mock are held against the records, the bucket and the slots. The exit code is 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

import requests

from local.deploy import client
from local.errors import LocalStackError
from local.ports import free_ports
from local.settings import STATE, Settings, mock_provider
from local.stack import Stack, local_stack

FINAL = {"completed", "failed", "canceled"}
FAULTS = (
    "[[mock:submit:lost-answer]]",
    "[[mock:submit:reset]]",
    "[[mock:submit:http-503]]",
    "[[mock:submit:malformed]]",
    "[[mock:submit:001028099*2]]",
    "[[mock:submit:http-429]]",
    "[[mock:001028004]]",
    "[[mock:001028095]]",
    "[[mock:poll:http-503*2]]",
    "[[mock:poll:001028098*2]]",
    "[[mock:poll:malformed*2]]",
    "[[mock:poll:reset*2]]",
    "[[mock:poll:lost-answer*2]]",
    "[[mock:download:reset]]",
    "[[mock:download:cut]]",
    "[[mock:download:wrong-length]]",
    "[[mock:download:not-mp4]]",
    "[[mock:download:http-503]]",
)
MAY_BE_BILLED = {"submit_outcome_unknown", "canceled", "deadline_exceeded"}
"""Ends after which the provider may bill a video that nobody gets (docs/guarantees.md)."""

CALLERS = 12
KILL_EVERY_SECONDS = 2.0
PATIENCE_SECONDS = 900.0
STILL_SECONDS = 45.0
_CLIENT_TRIES = 8


@dataclass(frozen=True)
class Plan:
    """One job of the storm; its prompt tells its tasks from all others."""

    number: int
    directive: str
    by_upload: bool
    is_repeated: bool
    is_canceled: bool

    @property
    def prompt(self) -> str:
        return f"character1 in storm-{self.number:04d}. {self.directive}".strip()

    def request(self) -> dict[str, Any]:
        return {
            "model": "wan26_r2v",
            "input": {"prompt": self.prompt, "reference_urls": ["https://example.com/cat.png"]},
            "parameters": {"size": "1280*720", "duration": 2, "audio": False},
        }


def plans(jobs: int, share: float, seed: int) -> list[Plan]:
    random = Random(seed)  # noqa: S311 - no secret
    made = []
    for number in range(jobs):
        directive = random.choice(FAULTS) if random.random() < share else ""
        by_upload = number % 3 == 0
        is_canceled = not by_upload and random.random() < share / 5
        made.append(Plan(number, directive, by_upload, random.random() < share, is_canceled))
    return made


@dataclass
class Report:
    """What came of it. `broken` names every promise that did not hold."""

    jobs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    billed: int = 0
    delivered: int = 0
    documented: int = 0
    kills: int = 0
    repeats: int = 0
    reconciled: Counter[str] = field(default_factory=Counter)
    slots_held: int = 0
    watched: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"{self.jobs} jobs in {self.seconds:.0f} s; {self.kills} processes killed, {self.repeats} calls repeated"
        for end, count in sorted(self.ends.items(), key=lambda item: (-item[1], item[0])):
            yield f"  {count:5}  {end}"
        yield "tasks at the provider: " + (", ".join(f"{n} {s}" for s, n in sorted(self.tasks.items())) or "none")
        yield f"billed {self.billed} = delivered {self.delivered} + documented as perhaps billed {self.documented}"
        yield f"slots held for tasks whose end nobody knows: {self.slots_held}; watched for their end: {self.watched}"
        yield "the reconciler's work: " + (", ".join(f"{n} {w}" for w, n in sorted(self.reconciled.items())) or "none")
        yield from (f"BROKEN: {promise}" for promise in self.broken)
        yield "every promise held" if not self.broken else f"{len(self.broken)} promises broken"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make storm", usage='make storm ARGS="[options]"', description=__doc__)
    parser.add_argument("--jobs", type=int, default=300, help="how many jobs (default: %(default)s)")
    parser.add_argument("--faults", type=float, default=0.25, help="share of jobs with a fault (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another storm (default: %(default)s)")
    options = parser.parse_args(arguments)
    with storm_stack("storm") as stack:
        report = Storm(stack, plans(options.jobs, options.faults, options.seed), options.seed).run()
    print("\n".join(report.lines()))
    return 1 if report.broken else 0


@contextlib.contextmanager
def storm_stack(name: str) -> Iterator[Stack]:
    """A stack of its own: a killed function is nobody else's trouble."""
    aws_port, mock_port = free_ports(2)
    settings = Settings(
        aws_port=aws_port,
        mock_port=mock_port,
        provider=mock_provider(mock_port),
        state_dir=STATE / name,
        render_seconds=1.0,
        wait_scale=0.3,
        parameters={"JobDeadlineSeconds": "600", "MaxConcurrentTasks": "60", "PauseAfterFailures": "10"},
    )
    with local_stack(settings) as stack:
        yield stack


class Storm:
    """One storm over a running stack."""

    def __init__(self, stack: Stack, planned: list[Plan], seed: int) -> None:
        self._stack = stack
        self._plans = planned
        self._random = Random(seed)  # noqa: S311 - no secret
        self._report = Report(jobs=len(planned))
        self._stop = threading.Event()
        self._said = ""
        self._dynamodb = client("dynamodb", stack.settings)
        self._lambda = client("lambda", stack.settings)
        self._s3 = client("s3", stack.settings)
        self._sqs = client("sqs", stack.settings)

    def run(self) -> Report:
        start = time.monotonic()
        queue = self._listen_to_uploads()
        helpers = [
            threading.Thread(target=self._kill_now_and_then),
            threading.Thread(target=self._repeat, args=(queue,)),
        ]
        for helper in helpers:
            helper.start()
        try:
            with ThreadPoolExecutor(CALLERS) as pool:
                list(pool.map(self._begin, self._plans))
            self._wait_until_still()
        finally:
            self._stop.set()
            for helper in helpers:
                helper.join()
        self._reconcile_until_quiet()
        self._judge()
        self._report.seconds = time.monotonic() - start
        return self._report

    # --- The jobs ----------------------------------------------------------------------------------------------------

    def _begin(self, plan: Plan) -> None:
        if plan.by_upload:
            key = f"inbox/storm/{plan.number:04d}.json"
            self._s3.put_object(Bucket=self._stack.endpoints.bucket, Key=key, Body=json.dumps(plan.request()).encode())
            return
        answers = [self._call("POST", "/videos", plan) for _ in range(2 if plan.is_repeated else 1)]
        self._report.repeats += len(answers) - 1
        ids = {answer.json()["id"] for answer in answers}
        if len(ids) != 1:
            self._report.broken.append(f"one key made {len(ids)} jobs: {plan.prompt}")
        if plan.is_canceled:
            time.sleep(3 * (plan.number % 5) / 4)
            self._call("DELETE", f"/videos/{ids.pop()}", plan)

    def _call(self, method: str, path: str, plan: Plan) -> requests.Response:
        """As a good client does: with a key, and again after a 5xx or a lost answer."""
        headers = {"x-api-key": self._stack.endpoints.api_key, "Idempotency-Key": f"storm-{plan.number}"}
        body = plan.request() if method == "POST" else None
        for tries in range(_CLIENT_TRIES):
            with contextlib.suppress(requests.RequestException):
                url = f"{self._stack.endpoints.api_url}{path}"
                answer = requests.request(method, url, json=body, headers=headers, timeout=120)
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            time.sleep(0.2 * 2**tries)
        raise LocalStackError(f"the API did not answer {method} {path} in {_CLIENT_TRIES} tries")

    # --- What goes wrong ---------------------------------------------------------------------------------------------

    def _kill_now_and_then(self) -> None:
        """Kill one function process after the other, as an instance that goes away."""
        while not self._stop.wait(KILL_EVERY_SECONDS * (0.5 + self._random.random())):
            workers = function_processes()
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._random.choice(workers), signal.SIGKILL)
                    self._report.kills += 1

    def _listen_to_uploads(self) -> str:
        """A queue that hears of every upload too, so that its very event can be delivered a second time."""
        events = client("events", self._stack.settings)
        url: str = self._sqs.create_queue(QueueName="storm-uploads")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = json.dumps({"source": ["aws.s3"], "detail-type": ["Object Created"]})
        events.put_rule(Name="storm-uploads", EventPattern=pattern)
        events.put_targets(Rule="storm-uploads", Targets=[{"Id": "storm", "Arn": arn}])
        return url

    def _repeat(self, queue: str) -> None:
        function = next(
            each["FunctionName"]
            for each in self._lambda.list_functions()["Functions"]
            if "AcceptUpload" in each["FunctionName"]
        )
        while not self._stop.is_set():
            answer = self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                event = message["Body"].encode()
                if json.loads(event)["detail"]["object"]["key"].startswith("inbox/"):
                    self._lambda.invoke(FunctionName=function, InvocationType="Event", Payload=event)
                    self._report.repeats += 1
                self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    # --- Coming to rest ----------------------------------------------------------------------------------------------

    def _wait_until_still(self) -> None:
        """Until every job has ended, or nothing has changed for a while: the rest is the reconciler's."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        seen, since = "", time.monotonic()
        while time.monotonic() < deadline:
            self._stack.check_alive()
            jobs = self._jobs()
            now = str(sorted((job["id"], job["version"]) for job in jobs))
            if now != seen:
                seen, since = now, time.monotonic()
            ended = sum(job["status"] in FINAL for job in jobs)
            self._say(f"{ended} of {len(self._plans)} jobs have ended")
            if ended == len(self._plans) or time.monotonic() - since > STILL_SECONDS:
                return
            time.sleep(1)

    def _reconcile_until_quiet(self) -> None:
        """Run the reconciler as if its times of grace were over, until it finds nothing more to do."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for job in self._jobs():
                # What may still run is left alone: it is looked for in its own time.
                if job.get("check_after") and not job.get("watch_until"):
                    self._make_due(job["id"])
            self._say(f"the reconciler looks after {', '.join(self._left()) or 'nothing'}")
            name = self._stack.outputs["ReconcileJobsFunctionName"]
            done = json.loads(self._lambda.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())
            self._report.reconciled.update({what: n for what, n in done.items() if n and isinstance(n, int)})
            jobs = self._jobs()
            if all(job["status"] in FINAL and (job.get("watch_until") or not job.get("check_after")) for job in jobs):
                return
            time.sleep(3)

    def _left(self) -> list[str]:
        """What is still to be done, in words."""
        left = [job for job in self._jobs() if job.get("check_after") and not job.get("watch_until")]
        return [f"{count} {status}" for status, count in sorted(Counter(job["status"] for job in left).items())]

    def _say(self, what: str) -> None:
        if what != self._said:
            print(f"  {what}", file=sys.stderr, flush=True)
        self._said = what

    def _make_due(self, job_id: str) -> None:
        with contextlib.suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.update_item(
                TableName=self._stack.endpoints.table,
                Key={"pk": {"S": f"job#{job_id}"}, "sk": {"S": "job"}},
                UpdateExpression="SET check_after = :past",
                ConditionExpression="attribute_exists(check_after)",
                ExpressionAttributeValues={":past": {"S": "2000-01-01T00:00:00.000Z"}},
            )

    # --- The judgement -----------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        report, jobs = self._report, self._jobs()
        tasks = self._tasks()
        expect(report, len(jobs) == len(self._plans), f"{len(self._plans)} requests became {len(jobs)} jobs")
        by_prompt: dict[str, list[dict[str, Any]]] = {}
        for task in tasks:
            by_prompt.setdefault(task["prompt"], []).append(task)
            report.tasks[task["status"]] += 1
        report.billed = report.tasks["completed"]
        for job in jobs:
            self._judge_job(job, by_prompt.get(job["prompt"], []))
        balance = report.billed == report.delivered + report.documented
        expect(
            report,
            balance,
            f"{report.billed} tasks are billed, {report.delivered + report.documented} are accounted for",
        )
        self._judge_slots({job["id"]: job for job in jobs})

    def _judge_job(self, job: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
        report, what = self._report, f"{job['id']} ({job['status']}, {job['code']}, {job['prompt'][-40:]})"
        report.ends[f"{job['status']} {job['code']}".strip()] += 1
        report.watched += bool(job.get("watch_until"))
        paid = [task for task in tasks if task["status"] == "completed"]
        unfailed = [task for task in tasks if task["status"] != "failed"]
        expect(report, job["status"] in FINAL, f"{what} never ended")
        expect(report, len(unfailed) <= 1, f"{what} has {len(unfailed)} tasks that may be paid")
        expect(report, job["code"] != "internal_error", f"{what} ended by an error of ours")
        if job["status"] == "completed":
            report.delivered += len(paid)
            expect(report, len(paid) == 1, f"{what} is completed with {len(paid)} paid tasks")
            expect(report, self._is_whole(job), f"{what} is completed and its video is not whole")
        elif paid:
            report.documented += job["code"] in MAY_BE_BILLED
            expect(report, job["code"] in MAY_BE_BILLED, f"{what} is billed and says nothing of it")

    def _is_whole(self, job: dict[str, Any]) -> bool:
        video = job["stored"][0]
        content: bytes = self._s3.get_object(Bucket=self._stack.endpoints.bucket, Key=video["key"])["Body"].read()
        crc32 = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
        return crc32 == video["crc32"] and content[4:8] == b"ftyp"

    def _judge_slots(self, jobs: dict[str, dict[str, Any]]) -> None:
        report = self._report
        waiting = [item for item in self._items() if item["pk"].startswith("queue#")]
        expect(report, not waiting, f"{len(waiting)} tickets are left")
        leases: dict[str, str] = next((item["leases"] for item in self._items() if item["pk"] == "slots"), {})
        report.slots_held = len(leases)
        for job_id in leases:
            held_for = jobs[job_id]["code"] if job_id in jobs else "no job"
            expect(report, held_for in MAY_BE_BILLED, f"the slot of {job_id} is held for {held_for}")

    # --- What is there -----------------------------------------------------------------------------------------------

    def _items(self) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._stack.endpoints.table, ConsistentRead=True
        )
        return [{name: plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]

    def _jobs(self) -> list[dict[str, Any]]:
        jobs = [item for item in self._items() if item["pk"].startswith("job#")]
        for job in jobs:
            job["code"] = job.get("error", {}).get("code", "")
            job["prompt"] = json.loads(job["request"])["input"]["prompt"]
        return jobs

    def _tasks(self) -> list[dict[str, Any]]:
        answer = requests.get(f"{self._stack.endpoints.wan_url}/_mock/state", params={"limit": "9999"}, timeout=60)
        tasks: list[dict[str, Any]] = answer.json()["tasks"]
        return tasks


def expect(report: Report, holds: object, promise: str) -> None:
    if not holds:
        report.broken.append(promise)


def plain(value: dict[str, Any]) -> Any:
    """A typed value of DynamoDB as a plain one."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: plain(each) for name, each in content.items()}
    if kind == "L":
        return [plain(each) for each in content]
    return Decimal(content) if kind == "N" else content


def function_processes() -> list[int]:
    """The processes of the engine that run functions: its children."""
    listing = subprocess.run(["ps", "-axo", "pid=,ppid=,command="], check=True, capture_output=True, text=True).stdout
    rows = [row for line in listing.splitlines() if len(row := line.split(None, 2)) == 3]
    engines = {pid for pid, parent, command in rows if "local.engine" in command and parent == str(os.getpid())}
    return [int(pid) for pid, parent, _ in rows if parent in engines]
