"""Jobs at once on the local stack: what each takes beyond its waits, errors, memory; and docs/images/load.svg.

    .venv/bin/python -m benchmarks.load [--jobs 1,10,50,200]

One stack for all rounds, with slots for all jobs and two processes a function. A round sends its requests all at once
and waits for the last end. What a job takes beyond its waits is its execution's time less the time in its Wait states,
both out of its execution history: so it is functions, queues and the engine. Memory is what the stack's processes have
resident in all, looked at twice a second. Takes about three minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.descendants import descendants, watching
from benchmarks.results import ROOT, Row, command, save
from local import references
from local.demo import connect
from local.deploy import client
from local.settings import Settings
from local.stack import Stack, local_stack
from wanflow_client import FINAL, Job, VideoRequest, WanflowError

IMAGE = ROOT / "docs" / "images" / "load.svg"
MOST_SECONDS = 2.5
"""Beyond the waits, of the median job of JUDGED at once (the target of the local stack)."""
JUDGED = 50
SENDERS = 16
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Round:
    """`beyond_seconds`: of each completed job. `accept_seconds`: of each request. `errors`: what did not complete."""

    jobs: int
    all_seconds: float = 0.0
    accept_seconds: list[float] = field(default_factory=list)
    beyond_seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    peak_mb: float = 0.0

    def note_memory(self) -> None:
        self.peak_mb = max(self.peak_mb, resident_megabytes())

    def percentile(self, share: float) -> float:
        ordered = sorted(self.beyond_seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def run_round(stack: Stack, jobs: int) -> Round:
    done = Round(jobs)
    wanflow = connect(stack)
    request = VideoRequest(
        prompt="character1 waves to character2",
        references=references.load(references.EXAMPLES),
        size="1280*720",
        duration=5,
    )
    body = wanflow.prepare(request)

    def create(_: int) -> Job | None:
        began = time.perf_counter()
        try:
            return wanflow.create(body)
        except WanflowError as error:
            done.errors.append(str(error))
            return None
        finally:
            done.accept_seconds.append(time.perf_counter() - began)

    started = time.perf_counter()
    with watching(done.note_memory), ThreadPoolExecutor(min(jobs, SENDERS)) as senders:
        documents = [document for document in senders.map(create, range(jobs)) if document is not None]
        for document in documents:
            last = document
            while last["status"] not in FINAL:
                stack.check_alive()
                time.sleep(1)
                last = wanflow.get(last)
            if last["status"] != "completed":
                done.errors.append(f"{last['id']}: {last['status']} {last.get('error')}")
    done.all_seconds = time.perf_counter() - started
    done.beyond_seconds = [beyond_waits(stack, document["id"]) for document in documents]
    return done


def beyond_waits(stack: Stack, job_id: str) -> float:
    """Seconds of the job's execution that it did not spend in a Wait state."""
    workflow = client("stepfunctions", stack.settings)
    execution = stack.endpoints.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{job_id}"
    while workflow.describe_execution(executionArn=execution)["status"] == "RUNNING":
        # The record is final a moment before its execution is.
        time.sleep(0.2)
    pages = workflow.get_paginator("get_execution_history").paginate(executionArn=execution)
    events: list[dict[str, Any]] = [event for page in pages for event in page["events"]]
    waited = 0.0
    for event in events:
        sign = {"WaitStateEntered": -1, "WaitStateExited": 1}.get(event["type"], 0)
        waited += sign * event["timestamp"].timestamp()
    whole = (events[-1]["timestamp"] - events[0]["timestamp"]).total_seconds()
    return float(whole - waited)


def resident_megabytes() -> float:
    """Of the engine, its function processes and the mock."""
    pages = 0
    for process in descendants():
        with suppress(OSError):  # it has ended
            pages += int((process / "statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE_BYTES / 1e6


def draw(rounds: list[Round]) -> None:
    # Here, because matplotlib takes a second to load and a run may fail before.
    import matplotlib as mpl  # noqa: PLC0415
    import matplotlib.pyplot as plt  # noqa: PLC0415

    mpl.rcParams.update({"svg.hashsalt": "wanflow", "svg.fonttype": "none", "font.size": 9, "axes.grid": True})
    mpl.rcParams.update({"grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    numbers = [each.jobs for each in rounds]
    names = [str(number) for number in numbers]
    places = range(len(numbers))
    base = rounds[0].percentile(0.5)
    left.boxplot(
        [[seconds / base for seconds in each.beyond_seconds] for each in rounds],
        positions=list(places),
        widths=0.5,
        whis=(10, 90),
        showfliers=False,
    )
    left.set_xticks(list(places), names)
    left.set(xlabel="jobs at once", ylabel="time beyond the waits, one job alone = 1", yscale="log")
    left.set_title("Median, quartiles, 10 % and 90 %")
    right.plot(places, [each.peak_mb / rounds[0].peak_mb for each in rounds], "o-", color="tab:blue")
    right.set_xticks(list(places), names)
    right.set(xlabel="jobs at once", ylabel="peak memory of the stack, one job alone = 1", ylim=(0, None))
    right.set_title("Engine, function processes, mock")
    IMAGE.parent.mkdir(exist_ok=True)
    figure.savefig(IMAGE, metadata={"Date": None})


def rows(rounds: list[Round]) -> list[Row]:
    run, alone = command("load"), rounds[0]
    made = []
    for each in rounds:
        share = each.percentile(0.5) / MOST_SECONDS
        target = 1.0 if each.jobs == JUDGED else None
        made += [
            Row(f"local stack, {each.jobs} at once: beyond the waits, p50", share, target, "lower", "2.5 s", run),
            Row(
                f"local stack, {each.jobs} at once: beyond the waits, p90",
                each.percentile(0.9) / MOST_SECONDS,
                None,
                "lower",
                "2.5 s",
                run,
            ),
            Row(f"local stack, {each.jobs} at once: errors", len(each.errors) / each.jobs, 0.0, "lower", "jobs", run),
        ]
        if each is not alone:
            memory = each.peak_mb / alone.peak_mb
            baseline = f"{alone.jobs} at once"
            made.append(Row(f"local stack, {each.jobs} at once: peak memory", memory, None, "lower", baseline, run))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default="1,10,50,200", help="at once, one round each (%(default)s)")
    numbers = [int(number) for number in parser.parse_args().jobs.split(",")]
    settings = replace(Settings.from_environment(), parameters={"MaxConcurrentTasks": str(max(numbers))})
    with local_stack(settings) as stack:
        run_round(stack, 2)  # starts a process for each function
        rounds = []
        for number in numbers:
            each = run_round(stack, number)
            rounds.append(each)
            print(
                f"{number:4} at once: all ended after {each.all_seconds:5.1f} s; accepted in "
                f"{statistics.median(each.accept_seconds):.2f} s (p50); beyond the waits {each.percentile(0.5):.2f} s "
                f"(p50), {each.percentile(0.9):.2f} s (p90); {each.peak_mb:.0f} MB; {len(each.errors)} errors",
                flush=True,
            )
            for error in each.errors[:3]:
                print(f"     {error}")
    draw(rounds)
    save("load", rows(rounds))


if __name__ == "__main__":
    main()
