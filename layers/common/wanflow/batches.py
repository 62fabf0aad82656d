"""Batches: a file of many requests becomes many jobs, run by a Distributed Map in the batch lane.

batches/{id}/items.jsonl       the valid rows, {`row`, `request`} each: what the map reads
batches/{id}/plan.json         every row: its job's id, or its violations
batches/{id}/refused/{row}.json  why a row was refused when its turn came (its budget, its references)
"""

import json
import logging
from typing import Any

from wanflow.accept import Intake, keyed_job_id
from wanflow.batch_file import Row, read_rows
from wanflow.callbacks import CallbackRule
from wanflow.errors import BudgetExceeded, InvalidRequest, NotFound, TooLarge, Violation
from wanflow.executions import Executions
from wanflow.files import Files, owner_of_inbox_key, verdict_key
from wanflow.ids import derived_job_id
from wanflow.jobs import Job, Source
from wanflow.records import JobRecords
from wanflow.validation import validate

logger = logging.getLogger("wanflow")

MAX_BATCH_BYTES = 64 * 1024 * 1024
_JOBS_READ = 100


class BatchIntake:
    """Splits batch files and starts their maps."""

    def __init__(self, files: Files, executions: Executions, *, concurrency: int, callbacks: CallbackRule) -> None:
        self._files = files
        self._executions = executions
        self._concurrency = concurrency
        self._callbacks = callbacks

    def accept_batch(self, key: str, identity: str) -> str:
        """Split the file, write its first verdict, start its map; the batch's id. Twice is harmless.

        Raises:
            InvalidRequest, TooLarge, NotFound: the file as a whole is no batch.
        """
        owner = owner_of_inbox_key(key)
        batch_id = derived_job_id(owner, f"batch:{identity}").replace("vid_", "bat_")
        if self._executions.status(batch_id) is not None:
            return batch_id
        content = self._files.get(key, MAX_BATCH_BYTES)
        if content is None:
            raise TooLarge(f"a batch file has at most {MAX_BATCH_BYTES} bytes")
        rows = [self._check(row, owner) for row in read_rows(content, is_csv=key.lower().endswith(".csv"))]
        plan = {"id": batch_id, "key": key, "rows": [_planned(row, owner, identity) for row in rows]}
        valid = [row for row in rows if not row.violations]
        self._files.put(items_key(batch_id), _lines(valid), "application/jsonl")
        self._files.put_json(plan_key(batch_id), plan)
        self._files.put_json(verdict_key(key), verdict(plan, {}, {}, "running" if valid else "ended"))
        logger.info("batch accepted", extra={"batch_id": batch_id, "rows": len(rows), "valid": len(valid)})
        if not valid:
            # Nothing to run, and nobody to write another verdict.
            return batch_id
        self._executions.start(
            batch_id,
            {
                "batch_id": batch_id,
                "owner": owner,
                "identity": identity,
                "bucket": self._files.bucket,
                "items_key": items_key(batch_id),
                "concurrency": self._concurrency,
            },
        )
        return batch_id

    def _check(self, row: Row, owner: str) -> Row:
        if row.violations:
            return row
        try:
            request = validate(row.request, self._files.of_owner(owner), self._callbacks)
        except InvalidRequest as error:
            return Row(row.number, violations=tuple(error.violations))
        inline = [index for index, reference in enumerate(request.references) if reference.content is not None]
        message = "a batch row holds no data: reference; put the file under uploads/ and name it as s3://"
        violations = [Violation(f"input.reference_urls[{index}]", "invalid_request", message) for index in inline]
        return Row(row.number, row.request, tuple(violations))


class BatchRows:
    """The steps of a batch's map."""

    def __init__(self, intake: Intake, records: JobRecords, files: Files) -> None:
        self._intake = intake
        self._records = records
        self._files = files

    def accept_row(self, batch_id: str, owner: str, identity: str, item: dict[str, Any]) -> dict[str, Any]:
        """Register the job of one row; its map then starts it.

        Returns:
            {`job_id`: or None when the row was refused}.
        """
        number = int(item["row"])
        try:
            accepted = self._intake.register(
                item["request"], owner, _SOURCE, key=_row_key(identity, number), lane="batch"
            )
        except (InvalidRequest, BudgetExceeded) as error:
            self._files.put_json(refused_key(batch_id, number), _refusal(error))
            return {"job_id": None}
        return {"job_id": accepted.job.id}

    def finish_batch(self, batch_id: str) -> dict[str, Any]:
        """Write the last verdict: every row with its job's end.

        Returns:
            the verdict's `totals`.
        """
        plan = json.loads(self._files.get(plan_key(batch_id), MAX_BATCH_BYTES) or b"{}")
        ids = [row["job_id"] for row in plan["rows"] if "job_id" in row]
        jobs: dict[str, Job] = {}
        for start in range(0, len(ids), _JOBS_READ):
            jobs |= {job.id: job for job in self._records.get_all(ids[start : start + _JOBS_READ])}
        missing = [row["row"] for row in plan["rows"] if "job_id" in row and row["job_id"] not in jobs]
        refused = {number: self._read_refusal(batch_id, number) for number in missing}
        document = verdict(plan, jobs, refused, "ended")
        self._files.put_json(verdict_key(plan["key"]), document)
        totals: dict[str, Any] = document["totals"]
        logger.info("batch ended", extra={"batch_id": batch_id, "totals": totals})
        return totals

    def _read_refusal(self, batch_id: str, number: int) -> dict[str, Any]:
        try:
            content = self._files.get(refused_key(batch_id, number), MAX_BATCH_BYTES)
        except NotFound:
            content = None
        if content is None:
            return {"error": {"code": "internal_error", "message": "the row was never taken up"}}
        refusal: dict[str, Any] = json.loads(content)
        return refusal


# A row's verdict is part of its batch's: the jobs have none of their own.
_SOURCE = Source("s3")


def verdict(
    plan: dict[str, Any], jobs: dict[str, Job], refused: dict[int, dict[str, Any]], status: str
) -> dict[str, Any]:
    """What outbox/ says of a batch: {`id`, `status`, `rows`, `totals`}."""
    rows = [_told(row, jobs.get(row.get("job_id", "")), refused.get(row["row"])) for row in plan["rows"]]
    totals: dict[str, int] = {"rows": len(rows)}
    for row in rows:
        totals[row["status"]] = totals.get(row["status"], 0) + 1
    return {"id": plan["id"], "status": status, "rows": rows, "totals": totals}


def _told(row: dict[str, Any], job: Job | None, refusal: dict[str, Any] | None) -> dict[str, Any]:
    if "violations" in row:
        return {**row, "status": "refused"}
    if refusal is not None:
        return {"row": row["row"], "status": "refused", **refusal}
    told = {**row, "status": job.status if job else "queued"}
    return {**told, "error": job.error.as_dict()} if job and job.error else told


def _planned(row: Row, owner: str, identity: str) -> dict[str, Any]:
    if row.violations:
        return {"row": row.number, "violations": [violation.as_dict() for violation in row.violations]}
    return {"row": row.number, "job_id": keyed_job_id(owner, _SOURCE, _row_key(identity, row.number))}


def _row_key(identity: str, number: int) -> str:
    return f"{identity}#{number}"


def _refusal(error: InvalidRequest | BudgetExceeded) -> dict[str, Any]:
    if isinstance(error, InvalidRequest):
        return {"violations": [violation.as_dict() for violation in error.violations]}
    return {"error": {"code": "budget_exceeded", "message": str(error)}}


def _lines(rows: list[Row]) -> bytes:
    """JSON lines in ASCII: a reader may take U+2028 for the end of a line."""
    return b"".join(json.dumps({"row": row.number, "request": row.request}).encode() + b"\n" for row in rows)


def items_key(batch_id: str) -> str:
    return f"batches/{batch_id}/items.jsonl"


def plan_key(batch_id: str) -> str:
    return f"batches/{batch_id}/plan.json"


def refused_key(batch_id: str, number: int) -> str:
    return f"batches/{batch_id}/refused/{number}.json"
