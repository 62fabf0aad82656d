"""One batch of many rows, some of them bad, on the local stack: `.venv/bin/python -m benchmarks.big_batch`.

Puts a file of `--rows` rows under inbox/, `--bad` of them broken in one way or another, waits for the last verdict in
outbox/, and holds it against the mock's books and the bucket: every good row is a video, every bad one is named with
the field that is wrong, the provider got exactly one task for each good row, and never more at once than
`BatchConcurrency` says. Prints the figures; the exit code is 1 when a promise does not hold. `--running` uses the stack
that `make up` runs, where nothing else may go on meanwhile; otherwise it starts one and takes it down.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import requests

from local.deploy import Endpoints, client
from local.errors import LocalStackError
from local.settings import STACK_NAME, Settings
from local.stack import local_stack

PARAMETERS = {"size": "1280*720", "duration": 2, "audio": False}
USD_PER_ROW = Decimal("0.20")
"""Two seconds of 720P at the default price, which is also the mock's."""

PATIENCE_SECONDS = 3600.0
_LOOK_SECONDS = 2.0


@dataclass
class Report:
    """What came of it. `broken` names every promise that did not hold."""

    rows: int
    bad: int
    totals: dict[str, int] = field(default_factory=dict)
    fields: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    billed_usd: Decimal = Decimal(0)
    videos: int = 0
    file_bytes: int = 0
    verdict_bytes: int = 0
    accepted_seconds: float = 0.0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"{self.rows} rows ({self.file_bytes:,} bytes), {self.bad} of them bad, in {self.seconds:.0f} s"
        yield f"  first verdict after {self.accepted_seconds:.1f} s, the last one has {self.verdict_bytes:,} bytes"
        yield "  verdict: " + ", ".join(f"{count} {what}" for what, count in self.totals.items())
        yield "  named in the bad rows: " + ", ".join(f"{n} {name}" for name, n in sorted(self.fields.items()))
        yield (
            f"  at the provider: {sum(self.tasks.values())} tasks ({_counts(self.tasks)}), "
            f"at most {self.most_at_once} at once, billed ${self.billed_usd:.2f}"
        )
        yield f"  in the bucket: {self.videos} videos"
        yield from (f"BROKEN: {promise}" for promise in self.broken)
        yield "every promise held" if not self.broken else f"{len(self.broken)} promises broken"

    def expect(self, holds: object, promise: str) -> None:
        if not holds:
            self.broken.append(promise)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_batch", description="One big batch, judged.")
    parser.add_argument("--rows", type=int, default=1000, help="rows of the file (default: %(default)s)")
    parser.add_argument("--bad", type=int, default=50, help="how many of them are bad (default: %(default)s)")
    parser.add_argument("--running", action="store_true", help="use the stack that `make up` runs")
    options = parser.parse_args()
    if not 0 <= options.bad <= options.rows:
        parser.error("--bad must be from 0 to --rows")
    with running_stack() if options.running else own_stack() as (settings, endpoints):
        report = run(settings, endpoints, options.rows, options.bad)
        most = int(_parameter(settings, "BatchConcurrency"))
    report.expect(report.most_at_once <= most, f"{report.most_at_once} tasks at once instead of {most}")
    print("\n".join(report.lines()))
    return 1 if report.broken else 0


@contextlib.contextmanager
def own_stack() -> Iterator[tuple[Settings, Endpoints]]:
    # Deadlines are for providers; here a task may have to wait for one of the few processes of this machine.
    parameters = {"JobDeadlineSeconds": "3600"}
    with local_stack(replace(Settings.from_environment(), parameters=parameters)) as stack:
        yield stack.settings, stack.endpoints


@contextlib.contextmanager
def running_stack() -> Iterator[tuple[Settings, Endpoints]]:
    settings = Settings.from_environment()
    try:
        told = json.loads(settings.endpoints_file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LocalStackError("no local stack is running (make up)") from error
    yield settings, Endpoints(**told)


def run(settings: Settings, endpoints: Endpoints, rows: int, bad: int) -> Report:
    """Send one batch and judge what came of it."""
    scene = f"batch-{uuid.uuid4().hex[:12]}"
    report = Report(rows, bad)
    wrong = bad_rows(rows, bad)
    content = "".join(f"{line(number, wrong.get(number), scene)}\n" for number in range(1, rows + 1)).encode()
    s3, key = client("s3", settings), f"inbox/{scene}.jsonl"
    start = time.monotonic()
    s3.put_object(Bucket=endpoints.bucket, Key=key, Body=content)
    report.file_bytes = len(content)
    verdict = _wait(s3, endpoints, f"outbox/{scene}.jsonl.result.json", report, start)
    report.seconds = time.monotonic() - start
    _judge(report, verdict, wrong)
    _judge_provider(report, endpoints, scene)
    _judge_bucket(report, s3, endpoints, verdict)
    return report


# --- The file --------------------------------------------------------------------------------------------------------

KINDS = ("body", "input.prompt", "input.reference_urls", "parameters.size", "parameters.seconds", "model")
"""The fields that are wrong in the bad rows, in turn."""


def bad_rows(rows: int, bad: int) -> dict[int, str]:
    """Number of a bad row -> the field that is wrong there; spread over the file."""
    return {1 + index * rows // bad: KINDS[index % len(KINDS)] for index in range(bad)}


def line(number: int, wrong: str | None, scene: str) -> str:
    """One row; the mock does not fetch what is not on loopback."""
    references = ["https://example.com/fox.png"]
    given: dict[str, Any] = {
        "model": "wan26_r2v",
        "input": {"prompt": f"character1 walks past number {number:05d}, {scene}", "reference_urls": references},
        "parameters": dict(PARAMETERS),
    }
    if wrong == "body":
        return json.dumps(given)[:-1]
    if wrong == "input.prompt":
        given["input"]["prompt"] = " "
    if wrong == "input.reference_urls":
        given["input"]["reference_urls"] = references * 6
    if wrong == "parameters.size":
        given["parameters"]["size"] = "640*480"
    if wrong == "parameters.seconds":
        given["parameters"]["seconds"] = 5
    if wrong == "model":
        given["model"] = "wan25"
    return json.dumps(given)


# --- Coming to rest --------------------------------------------------------------------------------------------------


def _wait(s3: Any, endpoints: Endpoints, key: str, report: Report, start: float) -> dict[str, Any]:
    """The last verdict; meanwhile how many tasks ran at once at the provider."""
    said = ""
    while time.monotonic() - start < PATIENCE_SECONDS:
        books = requests.get(f"{endpoints.wan_url}/_mock/ledger", timeout=60).json()
        report.most_at_once = max(report.most_at_once, int(books["running"]))
        verdict = read_verdict(s3, endpoints.bucket, key)
        if verdict is not None and not report.accepted_seconds:
            report.accepted_seconds = time.monotonic() - start
        if verdict is not None and verdict["status"] != "running":
            report.verdict_bytes = len(json.dumps(verdict))
            return verdict
        now = f"{books['completed']} completed, {books['running']} running at the provider"
        if now != said:
            print(f"  {time.monotonic() - start:5.0f} s: {now}", file=sys.stderr, flush=True)
        said = now
        time.sleep(_LOOK_SECONDS)
    raise LocalStackError(f"the batch has no last verdict after {PATIENCE_SECONDS:.0f} s")


def read_verdict(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    """What stands in outbox/ by now, if anything does."""
    try:
        verdict: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None
    return verdict


# --- The judgement ---------------------------------------------------------------------------------------------------


def _judge(report: Report, verdict: dict[str, Any], wrong: dict[int, str]) -> None:
    good = report.rows - report.bad
    report.totals = verdict.get("totals", {})
    report.expect(verdict["status"] == "ended", f"the verdict says {verdict['status']}: {verdict.get('error')}")
    wanted = {what: count for what, count in (("completed", good), ("refused", report.bad)) if count}
    report.expect(report.totals == {"rows": report.rows, **wanted}, f"the totals are {report.totals}")
    rows = verdict.get("rows", [])
    report.expect(
        [row["row"] for row in rows] == list(range(1, report.rows + 1)), "the rows are not all there, in order"
    )
    named = {row["row"]: row["violations"][0]["field"] for row in rows if row["status"] == "refused"}
    report.fields.update(named.values())
    odd = {
        number: (wrong.get(number), named.get(number))
        for number in wrong | named
        if wrong.get(number) != named.get(number)
    }
    report.expect(not odd, f"rows whose wrong field is not the one named: {odd}")


def _judge_provider(report: Report, endpoints: Endpoints, scene: str) -> None:
    good = report.rows - report.bad
    query = {"limit": "999999"}
    tasks = requests.get(f"{endpoints.wan_url}/_mock/state", params=query, timeout=120).json()["tasks"]
    ours = [task for task in tasks if scene in task["prompt"]]
    report.tasks.update(task["status"] for task in ours)
    report.billed_usd = USD_PER_ROW * report.tasks["completed"]
    report.expect(len(ours) == good, f"the provider got {len(ours)} tasks for {good} good rows")
    report.expect(len({task["prompt"] for task in ours}) == good, "a row has two tasks, another none")


def _judge_bucket(report: Report, s3: Any, endpoints: Endpoints, verdict: dict[str, Any]) -> None:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=endpoints.bucket, Prefix="videos/")
    sizes = {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}
    wanted = [f"videos/{row['job_id']}.mp4" for row in verdict.get("rows", []) if row["status"] == "completed"]
    report.videos = sum(sizes.get(key, 0) > 0 for key in wanted)
    report.expect(report.videos == len(wanted), f"{len(wanted) - report.videos} completed rows have no video")


def _parameter(settings: Settings, name: str) -> str:
    """What the stack was deployed with."""
    told = client("cloudformation", settings).describe_stacks(StackName=STACK_NAME)["Stacks"][0]["Parameters"]
    return next(str(each["ParameterValue"]) for each in told if each["ParameterKey"] == name)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counter.items())) or "none"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LocalStackError as error:
        sys.exit(f"error: {error}")
