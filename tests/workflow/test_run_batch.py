"""run_batch.asl.json: each row becomes a job and is waited for; what becomes of one row stops no other."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.permissions import PermissionGuard
from tests.template import Template
from tests.workflow.engine import Breaks, Engine, Run, Script, engine

BUCKET, ITEMS = "bucket", "batches/bat_1/items.jsonl"
GIVEN = {
    "batch_id": "bat_1",
    "owner": "alice",
    "identity": "bucket/inbox/alice/a.jsonl/1",
    "bucket": BUCKET,
    "items_key": ITEMS,
    "concurrency": 1,
}
TOTALS = {"rows": 3, "completed": 3}
JOBS = "GenerateVideoStateMachine"
ENDED: dict[str, Any] = {"status": "completed"}


@pytest.fixture(scope="module")
def batch(permission_guard: PermissionGuard) -> Iterator[Engine]:
    with engine(Template(WanApiBaseUrl="http://wan.mock"), "RunBatchStateMachine") as made:
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield made


def put_rows(*rows: int) -> None:
    items = [{"row": row, "request": {"model": "wan26_r2v"}} for row in rows]
    # An array instead of lines: see engine.py.
    boto3.client("s3").put_object(Bucket=BUCKET, Key=ITEMS, Body=json.dumps(items).encode())


def started(run: Run) -> list[str]:
    return sorted(parameters["Name"] for parameters in run.inputs_of(JOBS))


def job(name: str) -> dict[str, Any]:
    return {"job_id": name}


def test_every_row_is_accepted_run_and_told(batch: Engine) -> None:
    put_rows(1, 2, 3)
    script: Script = {"accept_row": [job("vid_1"), job("vid_2"), job("vid_3")], JOBS: [ENDED] * 3}
    run = batch.run({**script, "finish_batch": [TOTALS]}, GIVEN)
    assert run.status == "SUCCEEDED"
    assert run.output == TOTALS
    rows = run.inputs_of("accept_row")
    assert sorted(row["item"]["row"] for row in rows) == [1, 2, 3]
    shared = {name: GIVEN[name] for name in ("batch_id", "owner", "identity")}
    assert all({name: row[name] for name in shared} == shared for row in rows)
    assert started(run) == ["vid_1", "vid_2", "vid_3"]
    assert all(json.loads(given["Input"]) == {"job_id": given["Name"]} for given in run.inputs_of(JOBS))
    assert run.inputs_of("finish_batch") == [{"batch_id": "bat_1"}]


def test_a_refused_row_starts_nothing(batch: Engine) -> None:
    put_rows(1, 2)
    script: Script = {"accept_row": [{"job_id": None}, job("vid_2")], JOBS: [ENDED]}
    run = batch.run({**script, "finish_batch": [TOTALS]}, GIVEN)
    assert run.status == "SUCCEEDED"
    assert started(run) == ["vid_2"]


@pytest.mark.parametrize("error", ["ExecutionAlreadyExists", "ExecutionFailed", "AccessDenied"])
def test_a_job_that_was_started_before_or_breaks_stops_no_other(batch: Engine, error: str) -> None:
    put_rows(1, 2)
    script: Script = {"accept_row": [job("vid_1"), job("vid_2")], JOBS: [Breaks(error), ENDED]}
    run = batch.run({**script, "finish_batch": [TOTALS]}, GIVEN)
    assert run.status == "SUCCEEDED"
    assert started(run) == ["vid_1", "vid_2"]


def test_step_functions_own_throttling_is_waited_out(batch: Engine) -> None:
    put_rows(1)
    script: Script = {"accept_row": [job("vid_1")], JOBS: [Breaks("ThrottlingException")] * 2 + [ENDED]}
    run = batch.run({**script, "finish_batch": [TOTALS]}, GIVEN)
    assert run.status == "SUCCEEDED"
    assert started(run) == ["vid_1"] * 3


def test_a_row_that_no_one_can_take_up_stops_no_other(batch: Engine) -> None:
    put_rows(1, 2)
    script: Script = {"accept_row": [Breaks("KeyError"), job("vid_2")], JOBS: [ENDED]}
    run = batch.run({**script, "finish_batch": [TOTALS]}, GIVEN)
    assert run.status == "SUCCEEDED"
    assert started(run) == ["vid_2"]


def test_passing_faults_are_retried(batch: Engine) -> None:
    put_rows(1)
    fault = Breaks("AwsUnavailable")
    script: Script = {"accept_row": [fault, fault, job("vid_1")], JOBS: [ENDED]}
    run = batch.run({**script, "finish_batch": [fault, fault, TOTALS]}, GIVEN)
    assert run.status == "SUCCEEDED"
    assert len(run.inputs_of("accept_row")) == 3
    assert len(run.inputs_of("finish_batch")) == 3


def test_a_map_that_breaks_as_a_whole_is_told_and_is_a_failed_execution(batch: Engine) -> None:
    run = batch.run({"finish_batch": [TOTALS]}, {**GIVEN, "items_key": "batches/bat_1/missing.jsonl"})
    assert run.status == "FAILED"
    assert run.inputs_of("finish_batch") == [{"batch_id": "bat_1"}]


def test_a_batch_without_a_valid_row_is_just_told(batch: Engine) -> None:
    put_rows()
    run = batch.run({"finish_batch": [TOTALS]}, GIVEN)
    assert run.status == "SUCCEEDED"
    assert run.inputs_of("accept_row") == []
