"""What a job costs beyond its video: `PYTHONPATH=client .venv/bin/python -m benchmarks.job_cost`.

Runs jobs on the local stack and prices them at the list prices of us-east-1, without free tiers. State transitions,
function calls and their seconds are counted in the execution histories, log bytes in the functions' logs. What a
history does not show (DynamoDB, S3, EventBridge) is counted call by call in virtual time (job_calls.py), and so are
renders that nobody wants to wait for; that both went the same way is checked. About five minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal

from benchmarks.job_calls import Lived, live
from benchmarks.poll_optimum import fixed, means
from benchmarks.polling import MAIN, TYPICAL_SECONDS, judge, known
from benchmarks.results import Row, command, save
from local import references
from local.demo import connect
from local.deploy import client
from local.settings import Settings
from local.stack import Stack, local_stack
from wanflow.polling import PollSchedule
from wanflow.render_times import RenderTimes
from wanflow_client import FINAL, Job, VideoRequest

DURATIONS = (5, 150, 600, 3600)
"""Seconds of a render, in virtual time."""

FIXED_LOOP_SECONDS = 5
"""The baseline: a workflow that waits this long between two polls; only its polls are priced."""

LIMIT_USD, PUBLISHED_BASELINE_USD = Decimal("1.2"), Decimal("2.6")
"""For 1,000 jobs of the main case: what all of it may cost, beside what the fixed loop's polls cost."""

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
    "log MB": Decimal("0.0005"),
}
"""List prices, us-east-1: the AWS pricing page of each service."""

TRACES = 3
"""Accept, workflow, an answer to the caller: all of them sampled, which happens only at a low rate."""

ANSWER_SECONDS = Decimal("0.2")
"""Of `serve_api` for one request."""

_COMMAND = f"PYTHONPATH=client {command('job_cost')}"


@dataclass(frozen=True)
class Counted:
    """What the execution histories of some jobs show."""

    render_seconds: float
    states: list[list[str]]
    """Of each job, in their order."""
    seconds: dict[str, float]
    """A state's function, the median of its runs: the first ones start cold, and other programs run beside."""
    log_bytes_a_call: float


@dataclass(frozen=True)
class Bill:
    """One job: amounts by the names of USD."""

    amounts: dict[str, Decimal]

    @property
    def usd(self) -> Decimal:
        """For 1,000 jobs."""
        return 1000 * sum((amount * USD[name] for name, amount in self.amounts.items()), Decimal(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--render-seconds", type=float, nargs="+", default=[5, 150], help="on the local stack (5 150)")
    parser.add_argument("--jobs", type=int, default=3, help="jobs at once (%(default)s)")
    options = parser.parse_args()
    counted = [on_local_stack(seconds, options.jobs) for seconds in options.render_seconds]
    lived = {seconds: live(seconds) for seconds in DURATIONS}
    for run_ in counted:
        check_alike(run_, live(run_.render_seconds))
    seconds = {name: statistics.fmean(run_.seconds[name] for run_ in counted) for name in counted[0].seconds}
    log_bytes = statistics.fmean(run_.log_bytes_a_call for run_ in counted)
    show_states(lived[150], seconds)
    bills = {duration: bill(job, seconds, log_bytes) for duration, job in lived.items()}
    show_bills(bills, lived)
    save("job_cost", rows(bills, lived))


# --- On the local stack ------------------------------------------------------------------------------------------


def on_local_stack(render_seconds: float, jobs: int) -> Counted:
    settings = replace(
        Settings.from_environment(),
        render_seconds=render_seconds,
        # The mock's renders are of one length; the schedule is to go by the documented one, as on AWS.
        parameters={
            "TypicalRenderSeconds": str(TYPICAL_SECONDS),
            "JobDeadlineSeconds": str(round(render_seconds) + 3600),
        },
    )
    with local_stack(settings) as stack:
        histories = [history(stack, document) for document in run(stack, jobs)]
        log_bytes = sum(path.stat().st_size for path in settings.log_dir.glob("wanflow-*.log"))
    spent: dict[str, list[float]] = defaultdict(list)
    for name, seconds in (call for _, calls in histories for call in calls):
        spent[name].append(seconds)
    states = [states for states, _ in histories]
    print(f"{jobs} jobs of {render_seconds:g} s on the local stack. The states of the first:\n")
    print("  " + " > ".join(states[0]) + "\n")
    typical = {name: statistics.median(each) for name, each in spent.items()}
    return Counted(render_seconds, states, typical, log_bytes / sum(map(len, spent.values())))


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


def history(stack: Stack, document: Job) -> tuple[list[str], list[tuple[str, float]]]:
    """The states that a job entered, and the seconds of each call of a state's function."""
    workflow = client("stepfunctions", stack.settings)
    execution = stack.endpoints.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{document['id']}"
    pages = workflow.get_paginator("get_execution_history").paginate(executionArn=execution)
    events = [event for page in pages for event in page["events"]]
    states: list[str] = []
    calls: list[tuple[str, float]] = []
    since = events[0]["timestamp"]
    for event in events:
        if event["type"].endswith("StateEntered"):
            states.append(event["stateEnteredEventDetails"]["name"])
        elif event["type"] == "TaskScheduled":
            since = event["timestamp"]
        elif event["type"] == "TaskSucceeded":
            calls.append((states[-1], (event["timestamp"] - since).total_seconds()))
    return states, calls


def check_alike(counted: Counted, virtual: Lived) -> None:
    """Raises SystemExit when a job in virtual time enters other states, or polls more than once more or less."""
    expected = Counter(virtual.states)
    for states in counted.states:
        found = Counter(states)
        polls = abs(found["Poll Task"] - expected["Poll Task"])
        others = {name for name in found | expected if found[name] != expected[name]}
        if polls > 1 or not others <= {"Wait Before Poll", "Poll Task", "Task Ended?"}:
            raise SystemExit(f"{counted.render_seconds:g} s: virtual time differs from the local stack in {others}")


# --- Prices ------------------------------------------------------------------------------------------------------


def bill(job: Lived, seconds: dict[str, float], log_bytes_a_call: float) -> Bill:
    calls = [name for name in job.states if name in seconds]
    # The caller asks as often as we do: Retry-After follows the poll schedule. One call more creates the job.
    requests = Decimal(job.polls + 1)
    function_seconds = Decimal(sum(seconds[name] for name in calls)) + requests * ANSWER_SECONDS
    puts = job.count("s3", "PutObject", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload")
    return Bill(
        {
            "state transition": Decimal(len(job.states)),
            "Lambda call": len(calls) + requests,
            "Lambda GB-second (arm64)": function_seconds * MEMORY_GB,
            "API request (REST)": requests,
            "DynamoDB write unit": Decimal(job.units.writes),
            # A unit for the record at each of the caller's questions.
            "DynamoDB read unit": Decimal(job.units.reads) + requests,
            "S3 PUT": Decimal(puts),
            # The provider's, for the references.
            "S3 GET": Decimal(job.count("s3", "GetObject") + 2),
            # S3 tells EventBridge of each object: charged here although AWS events are free or opt-in.
            "EventBridge event": Decimal(job.count("eventbridge", "PutEvents") + puts),
            "X-Ray trace": Decimal(TRACES),
            "log MB": Decimal(log_bytes_a_call) * (len(calls) + requests) / 10**6,
        }
    )


def with_polls(polls: float, bills: dict[int, Bill], lived: dict[int, Lived]) -> Decimal:
    """US dollars for 1,000 jobs that are polled so often; costs are linear in the polls."""
    short, long = DURATIONS[0], DURATIONS[2]
    a_poll = (bills[long].usd - bills[short].usd) / (lived[long].polls - lived[short].polls)
    return bills[short].usd + (Decimal(polls) - lived[short].polls) * a_poll


def rows(bills: dict[int, Bill], lived: dict[int, Lived]) -> list[Row]:
    """The main case against the polls of a fixed loop alone, and each duration against all of a fixed loop."""
    loop = 1000 * 3 * Decimal(means(MAIN.ended, fixed(FIXED_LOOP_SECONDS)).polls) * USD["state transition"]
    cases = {"nothing seen": RenderTimes(), "known": known(MAIN)}
    polls = {name: judge(MAIN, PollSchedule(TYPICAL_SECONDS, times)).polls for name, times in cases.items()}
    print(f"\nMain case, 1,000 jobs: a fixed {FIXED_LOOP_SECONDS} s loop ${loop:.2f} in polls alone; ours in all")
    found = []
    for name, each in polls.items():
        ours = with_polls(each, bills, lived)
        print(f"  {name}: {each:.1f} polls, ${ours:.2f}")
        baseline = f"a poll every {FIXED_LOOP_SECONDS} s, the polls alone"
        target = float(LIMIT_USD / PUBLISHED_BASELINE_USD)
        found.append(Row(f"job cost, sigma 0.5, {name}", float(ours / loop), target, "lower", baseline, _COMMAND))
    for seconds, bill_ in bills.items():
        theirs = with_polls(seconds / FIXED_LOOP_SECONDS, bills, lived)
        baseline = f"a poll every {FIXED_LOOP_SECONDS} s, in all"
        found.append(Row(f"job cost, {seconds} s", float(bill_.usd / theirs), None, "lower", baseline, _COMMAND))
    return found


def show_states(job: Lived, seconds: dict[str, float]) -> None:
    """What each state costs each time, and how often a job of 150 s is in it."""
    print(f"\n  {'a state':<22}{'times':>7}{'seconds':>10}{'$ for 1,000 times':>20}")
    for name, times in Counter(job.states).items():
        spent = Decimal(seconds.get(name, 0))
        a_call = USD["Lambda call"] + spent * MEMORY_GB * USD["Lambda GB-second (arm64)"] if name in seconds else 0
        print(f"  {name:<22}{times:>7}{spent:>10.2f}{1000 * (USD['state transition'] + a_call):>20.4f}")


def show_bills(bills: dict[int, Bill], lived: dict[int, Lived]) -> None:
    print(f"\n  {'a render of':<26}" + "".join(f"{seconds:>12} s         " for seconds in bills))
    print(f"  {'polls':<26}" + "".join(f"{lived[seconds].polls:>14}         " for seconds in bills))
    print(f"  {'':<26}" + "      a job  $ per 1,000" * len(bills))
    for name, price in USD.items():
        cells = [(each.amounts[name], 1000 * each.amounts[name] * price) for each in bills.values()]
        print(f"  {name:<26}" + "".join(f"{amount:>11.3g}{usd:>13.4f}" for amount, usd in cells))
    print(f"  {'all':<26}" + "".join(f"{'':>11}{each.usd:>13.4f}" for each in bills.values()))


if __name__ == "__main__":
    main()
