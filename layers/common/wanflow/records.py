"""The job records: one conditional write for each move, so that whoever comes second finds out.

Every method raises `AwsUnavailable` when DynamoDB fails in a way that passes, and every move raises `RecordChanged`
when the record is not in the state that the move starts from. What moves money moves it in the same transaction as
the record.
"""

import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from wanflow import aws, metrics
from wanflow.budget import settlement
from wanflow.clock import Clock, after, to_text
from wanflow.cursors import cursor_of, index_key
from wanflow.errors import AwsUnavailable, ErrorInfo, NotFound, RecordChanged
from wanflow.items import typed, untyped
from wanflow.jobs import (
    OPEN_SHARDS,
    Attempt,
    AttemptState,
    EndSeen,
    Job,
    Lane,
    Status,
    StoredVideo,
    from_item,
    key_of,
    open_shard,
    to_item,
    to_json,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryOutputTypeDef

FINISH_GRACE_SECONDS = 300
"""How long a step may take before its job counts as forgotten."""

SUBMIT_GRACE_SECONDS = 1200
"""The same for submits, which may wait for minutes between two tries."""

_IS_OPEN = "#status IN (:queued, :submitting, :processing)"
_OPEN_VALUES = {":queued": "queued", ":submitting": "submitting", ":processing": "processing"}
_CONFLICT_TRIES = 10
MOST_OPEN_PAGES = 5
"""Pages of 1 MB that are read of each shard of the open jobs: some 30,000 jobs."""

MOST_QUERIES = 20
"""Index queries for one page of a list: a rare status is looked for in that many stretches at once."""


class Page(NamedTuple):
    """One page of a list; `next_cursor` is None on the last."""

    jobs: list[Job]
    next_cursor: str | None


class OpenJob(NamedTuple):
    """An entry of the index `open_jobs`, which may lag behind the record."""

    job_id: str
    shard: str
    check_after: str
    status: Status
    lane: Lane
    created_at: str


class BudgetFull(Exception):
    """A reservation's condition failed; nothing was written."""


class JobRecords:
    """The jobs in one table."""

    def __init__(
        self,
        client: Callable[[], "DynamoDBClient"],
        table_name: str,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table_name
        self._clock = clock
        self._sleep = sleep

    # --- Reading -------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """Read a job consistently.

        Raises:
            NotFound: there is none.
        """
        with aws.naming_faults("read the job's record"):
            answer = self._client().get_item(TableName=self._table, Key=typed(key_of(job_id)), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"no job {job_id}")
        return from_item(untyped(answer["Item"]))

    def newest(self, owner: str, *, status: str | None, limit: int, cursor: str | None) -> Page:
        """An owner's jobs, newest first: found by the index, read from the table.

        Args:
            cursor: the `next_cursor` of the page before. A page may be short of `limit` and still have a next one.

        Raises:
            InvalidRequest: the cursor is none of ours.
        """
        start = index_key(owner, cursor) if cursor else None
        found: list[str] = []
        for _ in range(MOST_QUERIES):
            answer = self._query_newest(owner, status, limit - len(found), start)
            found += [untyped(item)["pk"].removeprefix("job#") for item in answer["Items"]]
            start = untyped(answer["LastEvaluatedKey"]) if "LastEvaluatedKey" in answer else None
            if start is None or len(found) == limit:
                break
        jobs = [job for job in self.get_all(found) if status in {None, job.status}]
        return Page(jobs, cursor_of(start) if start is not None else None)

    def _query_newest(
        self, owner: str, status: str | None, limit: int, start: dict[str, Any] | None
    ) -> "QueryOutputTypeDef":
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "by_owner",
            "KeyConditionExpression": "#owner = :owner",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": typed({":owner": owner}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if start is not None:
            query["ExclusiveStartKey"] = typed(start)
        if status is not None:
            query["FilterExpression"] = "#status = :status"
            query["ExpressionAttributeNames"]["#status"] = "status"
            query["ExpressionAttributeValues"] |= typed({":status": status})
        with aws.naming_faults("list the jobs"):
            return self._client().query(**query)

    def get_all(self, job_ids: list[str]) -> list[Job]:
        """Read at most 100 jobs consistently, in the order of their ids; those that are gone are left out."""
        wanted = [typed(key_of(job_id)) for job_id in job_ids]
        jobs: dict[str, Job] = {}
        while wanted:
            with aws.naming_faults("read the jobs' records"):
                answer = self._client().batch_get_item(
                    RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}
                )
            jobs |= {job.id: job for job in map(from_item, map(untyped, answer["Responses"].get(self._table, [])))}
            wanted = answer.get("UnprocessedKeys", {}).get(self._table, {"Keys": []})["Keys"]
        return [jobs[job_id] for job_id in job_ids if job_id in jobs]

    def open_jobs(self) -> list[OpenJob]:
        """What the index says of the jobs that are open, the longest due first in each shard.

        Of very many jobs those that are due last are left out.
        """
        return [job for shard in range(OPEN_SHARDS) for job in self._open_in(str(shard))]

    def _open_in(self, shard: str) -> Iterator[OpenJob]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "open_jobs",
            "KeyConditionExpression": "open_shard = :shard",
            "ExpressionAttributeValues": typed({":shard": shard}),
        }
        for _ in range(MOST_OPEN_PAGES):
            with aws.naming_faults("read the open jobs"):
                answer = self._client().query(**query)
            yield from (_open_job(untyped(item), shard) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    # --- A job's beginning and its submits -----------------------------------------------------------------------

    def create(self, job: Job, reserve: list[dict[str, Any]]) -> bool:
        """Write a new job and reserve its cost, both or neither; False when a job of this id is already there.

        Raises:
            BudgetFull: a reservation's condition failed.
        """
        put = {
            "TableName": self._table,
            "Item": typed(to_item(job)),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        failed = self._write_all([{"Put": put}, *({"Update": update} for update in reserve)])
        if 0 in failed:
            return False
        if failed:
            raise BudgetFull
        return True

    def begin_attempt(self, job: Job) -> Attempt:
        """Note that a task is about to be submitted: the mark that makes a lost outcome visible afterwards.

        The attempt is a new one, or the last one again when it certainly created nothing.
        """
        now = to_text(self._clock())
        last = job.last_attempt
        again = last is not None and last.state == "not_created"
        if again and last is not None:
            attempt = last._replace(state="submitting", started_at=now, error=None)
            condition = f"size(attempts) = :count AND attempts[{last.number - 1}].#state = :not_created"
        else:
            attempt = Attempt(len(job.attempts) + 1, "submitting", now)
            condition = "size(attempts) = :count"
        self._move(
            job.id,
            {
                "status": "submitting",
                f"attempts[{attempt.number - 1}]": _attempt_item(attempt),
                "check_after": after(self._clock(), SUBMIT_GRACE_SECONDS),
            },
            condition=f"{condition} AND attribute_not_exists(failure)",
            values={":count": len(job.attempts)} | ({":not_created": "not_created"} if again else {}),
        )
        return attempt

    def task_submitted(self, job_id: str, attempt: Attempt, task_id: str, deadline_seconds: int) -> None:
        """Note the task's id; the deadline counts from now."""
        now = self._clock()
        submitted = attempt._replace(state="submitted", task_id=task_id)
        self._move_attempt(
            job_id,
            submitted,
            {
                "status": "processing",
                "submitted_at": to_text(now),
                "deadline_at": after(now, deadline_seconds),
                "check_after": after(now, deadline_seconds + FINISH_GRACE_SECONDS),
            },
        )

    def late_outcome(self, job_id: str, attempt: Attempt) -> None:
        """Note how an attempt went whose job ended meanwhile; finish_job then settles it and has its end looked for.

        The job is open again, so that the reconciler calls finish_job should that one be through already.
        """
        changes = {
            f"attempts[{attempt.number - 1}]": _attempt_item(attempt),
            "submitted_at": attempt.started_at,
            "check_after": to_text(self._clock()),
            "open_shard": open_shard(job_id),
        }
        self._set(job_id, changes, "size(attempts) = :count", {":count": attempt.number})

    def attempt_ended(
        self,
        job_id: str,
        attempt: Attempt,
        failure: ErrorInfo | None = None,
        *,
        was: AttemptState = "submitting",
        end_seen: EndSeen | None = None,
    ) -> None:
        """Note how an attempt ended, and with `failure` that its job is to end for it."""
        changes = {"failure": failure.as_dict()} if failure else {}
        self._move_attempt(job_id, attempt, {**changes, **_end_seen_item(end_seen)}, was=was)

    # --- A job's running -----------------------------------------------------------------------------------------

    def fail(self, job_id: str, failure: ErrorInfo) -> None:
        """Note why the job is to end, unless a reason is noted already."""
        self._move(job_id, {"failure": failure.as_dict()}, condition="attribute_not_exists(failure)")

    def poll_unclear(self, job_id: str, error: ErrorInfo) -> None:
        self._move(job_id, {"last_poll_error": error.as_dict()})

    def task_completed(self, job_id: str, result: dict[str, Any], end_seen: EndSeen | None = None) -> None:
        """Keep the provider's answer: the links to fetch, the usage to book."""
        self._set(job_id, {"result": to_json(result), **_end_seen_item(end_seen)}, "attribute_exists(pk)", {})

    def videos_stored(self, job_id: str, videos: list[StoredVideo]) -> None:
        items = [{"key": v.key, "bytes": v.bytes, "crc32": v.crc32} for v in videos]
        self._set(job_id, {"stored": items}, "attribute_exists(pk)", {})

    def look_again(self, job_id: str, seconds: float) -> None:
        """Leave an open job alone for a while: it is well."""
        values = {":after": after(self._clock(), seconds)}
        self._update(job_id, "SET check_after = :after", "attribute_exists(check_after)", values, {})

    # --- A job's end ---------------------------------------------------------------------------------------------

    def end(self, job: Job, status: Status, error: ErrorInfo | None, *, polls: int, booked_usd: Decimal) -> None:
        """Give the job its final state and settle its reservation, once. It stays in `open_jobs` until `close`."""
        now = self._clock()
        changes: dict[str, Any] = {
            "status": status,
            "ended_at": to_text(now),
            "polls": polls,
            "booked_usd": booked_usd,
            "check_after": after(now, FINISH_GRACE_SECONDS),
        }
        if error is not None:
            changes["error"] = error.as_dict()
        # Nothing may have been noted since the caller read the job: the cost was computed from that.
        condition = f"{_IS_OPEN} AND #version = :seen"
        self._settle(job, changes, condition, {**_OPEN_VALUES, ":seen": job.version}, booked_usd)

    def rescue(self, job: Job, booked_usd: Decimal) -> None:
        """Turn `deadline_exceeded` into `completed`: the paid video came after all. Once."""
        now = to_text(self._clock())
        changes = {"status": "completed", "ended_at": now, "booked_usd": booked_usd, "rescued": True}
        condition = "#status = :failed AND #error.code = :deadline"
        values = {":failed": "failed", ":deadline": "deadline_exceeded"}
        self._settle(job, changes, condition, values, booked_usd, remove=("error",))

    def settle(self, job: Job, booked_usd: Decimal) -> None:
        """Correct what an ended job is booked with, once its task's end is seen."""
        condition = "attribute_exists(check_after) AND booked_usd = :booked"
        self._settle(job, {"booked_usd": booked_usd}, condition, {":booked": job.booked_usd}, booked_usd)

    def close(self, job: Job) -> None:
        """Take an ended job out of `open_jobs`: nothing is left to do. It must be as the caller read it."""
        expression = "REMOVE open_shard, check_after, watch_until"
        self._update(job.id, expression, "#version = :seen", {":seen": job.version}, {"#version": "version"})

    def forget(self, job: Job) -> None:
        """Delete the record of an ended job, as the caller read it.

        Raises:
            RecordChanged: it moved on meanwhile.
        """
        try:
            with aws.writing("delete the job's record"):
                self._client().delete_item(
                    TableName=self._table,
                    Key=typed(key_of(job.id)),
                    ConditionExpression="attribute_not_exists(check_after) AND #version = :seen",
                    ExpressionAttributeNames={"#version": "version"},
                    ExpressionAttributeValues=typed({":seen": job.version}),
                )
        except aws.ConditionFailed as error:
            raise RecordChanged(f"job {job.id} moved on meanwhile") from error

    def watch(self, job: Job, until: str, seconds: float) -> None:
        """Keep an ended job in `open_jobs` to look for the end of its task. It must be as the caller read it."""
        values = {":until": until, ":after": after(self._clock(), seconds), ":seen": job.version}
        expression = "SET watch_until = :until, check_after = :after"
        self._update(job.id, expression, "#version = :seen", values, {"#version": "version"})

    # --- How it is written ---------------------------------------------------------------------------------------

    def _move_attempt(
        self, job_id: str, attempt: Attempt, values: dict[str, Any], was: AttemptState = "submitting"
    ) -> None:
        """Write the last attempt, which must still be in the state `was`."""
        place = f"attempts[{attempt.number - 1}]"
        self._move(
            job_id,
            {place: _attempt_item(attempt), **values},
            condition=f"size(attempts) = :count AND {place}.#state = :was",
            values={":count": attempt.number, ":was": was},
        )

    def _move(
        self, job_id: str, changes: dict[str, Any], condition: str = "", values: dict[str, Any] | None = None
    ) -> None:
        """Set attributes of an open job. Keys of `changes` are attribute names or `attempts[n]`."""
        condition = f"{_IS_OPEN} AND {condition}" if condition else _IS_OPEN
        self._set(job_id, changes, condition, {**_OPEN_VALUES, **(values or {})})

    def _set(self, job_id: str, changes: dict[str, Any], condition: str, values: dict[str, Any]) -> None:
        """Change an item under a condition; its mark tells a write of ours from everybody else's."""
        mark = f"{random.getrandbits(64):016x}"
        expression, set_values, names = self._setting({**changes, "mark": mark}, condition)
        try:
            self._update(job_id, expression, condition, {**set_values, **values}, names)
        except RecordChanged:
            # boto3 sends a write again whose answer was lost, and is then refused for what it has changed itself.
            if not self._bears(job_id, mark):
                raise

    def _bears(self, job_id: str, mark: str) -> bool:
        """Whether the last write of a job's record was the one with this mark."""
        with aws.naming_faults("read the job's record"):
            answer = self._client().get_item(TableName=self._table, Key=typed(key_of(job_id)), ConsistentRead=True)
        return untyped(answer.get("Item", {})).get("mark") == mark

    def _setting(
        self, changes: dict[str, Any], condition: str, remove: tuple[str, ...] = ()
    ) -> tuple[str, dict[str, Any], dict[str, str]]:
        """The expression, values and names that set `changes`, the time of the change and the next version."""
        changes = {**changes, "updated_at": to_text(self._clock())}
        names = {f"#{name}": name for name in [*changes, *remove, "version"] if "[" not in name}
        names |= {f"#{name}": name for name in ("status", "state", "error") if f"#{name}" in condition}
        places = [name if "[" in name else f"#{name}" for name in changes]
        settings = [f"{place} = :set{index}" for index, place in enumerate(places)]
        expression = "SET " + ", ".join([*settings, "#version = #version + :step"])
        if remove:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        values = {f":set{index}": value for index, value in enumerate(changes.values())}
        return expression, {**values, ":step": 1}, names

    def _settle(
        self,
        job: Job,
        changes: dict[str, Any],
        condition: str,
        values: dict[str, Any],
        booked_usd: Decimal,
        *,
        remove: tuple[str, ...] = (),
    ) -> None:
        """Move the record and correct the budget by what was booked too much or too little, in one transaction."""
        expression, set_values, names = self._setting(changes, condition, remove)
        update = {
            "TableName": self._table,
            "Key": typed(key_of(job.id)),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": typed({**set_values, **values}),
            "ExpressionAttributeNames": names,
        }
        if self._write_all([{"Update": update}, *self._corrections(job, booked_usd)]):
            raise RecordChanged(f"job {job.id} moved on meanwhile")
        difference = booked_usd - (job.booked_usd or 0)
        if difference:
            metrics.record(metrics.COST_BOOKED, difference)

    def _corrections(self, job: Job, booked_usd: Decimal) -> list[dict[str, Any]]:
        held = job.reservation
        if held is None:
            return []
        before = held.usd if job.booked_usd is None else job.booked_usd
        difference = booked_usd - before
        scopes = held.scopes if difference else ()
        return [{"Update": settlement(self._table, held.day, scope, difference)} for scope in scopes]

    def _write_all(self, writes: list[dict[str, Any]]) -> list[int]:
        """Write all or nothing; the places of the writes whose condition failed.

        Several transactions on one budget item at once conflict: they take turns here.
        """
        for tries in range(_CONFLICT_TRIES):
            reasons = self._try_to_write_all(writes)
            failed = [place for place, reason in enumerate(reasons) if reason == "ConditionalCheckFailed"]
            if failed or not any(reason != "None" for reason in reasons):
                return failed
            self._sleep(random.random() * 0.05 * 2**tries)  # noqa: S311 - jitter
        raise AwsUnavailable("could not write the job's record: too many transactions at once")

    def _try_to_write_all(self, writes: list[dict[str, Any]]) -> list[str]:
        try:
            with aws.writing("write the job's record"):
                self._write_at_once(writes)
        except aws.ConditionFailed:
            return ["ConditionalCheckFailed"]
        except Exception as error:
            if aws.error_code(error) != "TransactionCanceledException":
                raise
            reasons = getattr(error, "response", {}).get("CancellationReasons", [])
            return [str(reason.get("Code", "None")) for reason in reasons]
        return []

    def _write_at_once(self, writes: list[dict[str, Any]]) -> None:
        """A transaction costs twice what a plain write does, so a single write is a plain one."""
        client: Any = self._client()
        if len(writes) > 1:
            client.transact_write_items(TransactItems=writes)
        elif "Put" in writes[0]:
            client.put_item(**writes[0]["Put"])
        else:
            client.update_item(**writes[0]["Update"])

    def _update(
        self, job_id: str, expression: str, condition: str, values: dict[str, Any], names: dict[str, str]
    ) -> None:
        request: dict[str, Any] = {"ExpressionAttributeValues": typed(values)} if values else {}
        if names:
            request["ExpressionAttributeNames"] = names
        try:
            with aws.writing("write the job's record"):
                self._client().update_item(
                    TableName=self._table,
                    Key=typed(key_of(job_id)),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    **request,
                )
        except aws.ConditionFailed as error:
            raise RecordChanged(f"job {job_id} moved on meanwhile") from error


def _open_job(item: dict[str, Any], shard: str) -> OpenJob:
    """What is only measured may be missing: one spoiled record must not keep every other one from being repaired."""
    check_after = item["check_after"]
    created_at = item.get("created", check_after).split("#", 1)[0]
    job_id = item["pk"].removeprefix("job#")
    status, lane = item.get("status", "queued"), item.get("lane", "interactive")
    return OpenJob(job_id, shard, check_after, status, lane, created_at)


def _end_seen_item(end_seen: EndSeen | None) -> dict[str, Any]:
    if end_seen is None:
        return {}
    return {"end_seen": [Decimal(f"{seconds:.3f}") for seconds in (end_seen.after_seconds, end_seen.by_seconds)]}


def _attempt_item(attempt: Attempt) -> dict[str, Any]:
    item: dict[str, Any] = {"state": attempt.state, "started_at": attempt.started_at, "tries": attempt.tries}
    if attempt.task_id is not None:
        item["task_id"] = attempt.task_id
    if attempt.error is not None:
        item["error"] = attempt.error.as_dict()
    return item
