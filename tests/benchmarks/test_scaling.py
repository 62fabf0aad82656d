"""The simulation of many waiting jobs: it uses the real slots, and its table answers as the one held to moto does."""

from random import Random

import pytest

from benchmarks.scaling import (
    Outcome,
    Simulation,
    SortedTable,
    arriving_jobs,
    batch_share,
    drain,
    drain_with_deaths,
    mixed,
    overtakings,
    waiting_jobs,
)
from tests.fakes import FakeClock
from tests.guarantees.dynamo import FastTable
from wanflow.gate import SubmitGate
from wanflow.items import typed
from wanflow.slots import Slots, Ticket

KEYS = {
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [],
}


def test_the_sorted_table_answers_as_the_fast_one() -> None:
    random = Random(3)  # noqa: S311
    tables = FastTable(KEYS), SortedTable()
    for _ in range(400):
        key = {"pk": f"queue#{random.randrange(2)}", "sk": f"{random.randrange(40):03}"}
        is_put = random.random() < 0.6
        for table in tables:
            if is_put:
                table.put_item(TableName="jobs", Item=typed({**key, "token": "t"}))
            else:
                table.delete_item(TableName="jobs", Key=typed(key))
    for partition in ("queue#0", "queue#1"):
        assert pages(tables[0], partition) == pages(tables[1], partition)


def pages(table: FastTable, partition: str) -> list[list[str]]:
    found: list[list[str]] = []
    start: dict[str, object] = {}
    while True:
        answer = table.query(
            TableName="jobs",
            KeyConditionExpression="pk = :lane",
            ExpressionAttributeValues=typed({":lane": partition}),
            Limit=7,
            **start,
        )
        found.append([item["sk"]["S"] for item in answer["Items"]])
        if "LastEvaluatedKey" not in answer:
            return found
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def check_everybody_ran_once(outcome: Outcome) -> None:
    assert all(job.ended_at is not None for job in outcome.jobs)
    assert all(job.starts == 1 for job in outcome.jobs)
    assert outcome.most_running <= outcome.capacity


def test_a_queue_drains_in_order_and_never_above_its_slots() -> None:
    outcome = drain(300, capacity=10)
    check_everybody_ran_once(outcome)
    assert overtakings(outcome) == 0
    assert 1 < outcome.drained_seconds / outcome.ideal_seconds < 1.3


def test_lost_hand_overs_are_delivered_again_and_nobody_runs_twice() -> None:
    outcome = drain_with_deaths(300, capacity=10, share=0.2)
    check_everybody_ran_once(outcome)
    assert outcome.killed > 0
    assert outcome.reconciled["redelivered"] > 0


def test_more_interactive_jobs_than_slots_leave_the_batch_its_fifth() -> None:
    outcome = mixed(600, capacity=10, load=1.2)
    check_everybody_ran_once(outcome)
    assert batch_share(outcome) == pytest.approx(0.2, abs=0.02)


def test_the_same_options_give_the_same_numbers() -> None:
    jobs = [waiting_jobs(40, "batch"), list(arriving_jobs(40, rate=0.05, seconds=600))]
    again = [waiting_jobs(40, "batch"), list(arriving_jobs(40, rate=0.05, seconds=600))]
    first = Simulation([*jobs[0], *jobs[1]], capacity=4, kill_share=0.1).run()
    second = Simulation([*again[0], *again[1]], capacity=4, kill_share=0.1).run()
    assert [job.ended_at for job in first.jobs] == [job.ended_at for job in second.jobs]


def test_a_free_slot_goes_past_a_whole_page_of_tickets_that_have_one(clock: FakeClock) -> None:
    """Hand-overs that died leave their tickets at the head of the lane, more of them than one page holds."""
    table = SortedTable()
    woken: list[str] = []

    class Sleepers:
        def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803 - boto3's own names
            woken.append(taskToken)

    client: object = table
    gate = SubmitGate(lambda: client, "jobs", threshold=0, clock=clock)  # type: ignore[arg-type, return-value]
    sleepers: object = Sleepers()
    slots = Slots(
        lambda: client,  # type: ignore[arg-type, return-value]
        "jobs",
        lambda: sleepers,  # type: ignore[arg-type, return-value]
        gate,
        capacity=41,
        lease_seconds=1000,
        clock=clock,
    )
    leases = {f"job-{number}": "2027-01-01T00:00:00.000Z" for number in range(40)}
    table.put_item(TableName="jobs", Item=typed({"pk": "slots", "sk": "slots", "leases": leases, "turn": 40}))
    for number in range(40):
        ticket = Ticket("interactive", f"{number:03}", f"job-{number}", f"token-{number}")
        table.put_item(
            TableName="jobs", Item=typed({**ticket.key, "job_id": ticket.job_id, "token": ticket.token, "polls": 0})
        )
    slots.queue(Ticket("interactive", "999", "job-999", "token-999"))
    assert woken == ["token-999"]
