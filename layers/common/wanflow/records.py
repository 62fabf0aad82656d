"""The job records: one conditional write for each move, so that whoever comes second finds out.

Every method raises `AwsUnavailable` when DynamoDB fails in a way that passes, and every move raises `RecordChanged`
when the record is not in the state that the move starts from.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wanflow import aws
from wanflow.clock import Clock, after, to_text
from wanflow.errors import ErrorInfo, NotFound, RecordChanged
from wanflow.jobs import Attempt, AttemptState, Job, Status, StoredVideo, from_item, key_of, to_item, to_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

_IS_OPEN = "#status IN (:queued, :submitting, :processing)"
_OPEN_VALUES = {":queued": "queued", ":submitting": "submitting", ":processing": "processing"}

FINISH_GRACE_SECONDS = 300
"""How long a step may take before its job counts as forgotten."""


class JobRecords:
    """The jobs in one table."""

    def __init__(self, client: Callable[[], "DynamoDBClient"], table_name: str, clock: Clock) -> None:
        self._client = client
        self._table = table_name
        self._clock = clock

    def create(self, job: Job) -> bool:
        """Write a new job; False when a job of this id is already there."""
        try:
            with aws.naming_faults("write the job's record"):
                self._client().put_item(
                    TableName=self._table, Item=_typed(to_item(job)), ConditionExpression="attribute_not_exists(pk)"
                )
        except Exception as error:
            if aws.error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def get(self, job_id: str) -> Job:
        """Read a job consistently.

        Raises:
            NotFound: there is none.
        """
        with aws.naming_faults("read the job's record"):
            answer = self._client().get_item(TableName=self._table, Key=_typed(key_of(job_id)), ConsistentRead=True)
        if "Item" not in answer:
            raise NotFound(f"no job {job_id}")
        return from_item(_untyped(answer["Item"]))

    def begin_attempt(self, job: Job) -> Attempt:
        """Note that a task is about to be submitted: the mark that makes a lost outcome visible afterwards.

        The attempt is a new one, or the last one again when it certainly created nothing.
        """
        now = to_text(self._clock())
        last = job.last_attempt
        again = last is not None and last.state == "not_created"
        if again and last is not None:
            attempt = replace(last, state="submitting", started_at=now, error=None)
            condition = f"size(attempts) = :count AND attempts[{last.number - 1}].#state = :not_created"
        else:
            attempt = Attempt(len(job.attempts) + 1, "submitting", now)
            condition = "size(attempts) = :count"
        self._move(
            job.id,
            {"status": "submitting", f"attempts[{attempt.number - 1}]": _attempt_item(attempt)},
            condition=f"{condition} AND attribute_not_exists(failure)",
            values={":count": len(job.attempts)} | ({":not_created": "not_created"} if again else {}),
        )
        return attempt

    def task_submitted(self, job_id: str, attempt: Attempt, task_id: str, deadline_seconds: int) -> Attempt:
        """Note the task's id; the deadline counts from now."""
        now = self._clock()
        deadline = after(now, deadline_seconds)
        submitted = replace(attempt, state="submitted", task_id=task_id)
        self._move_attempt(
            job_id,
            submitted,
            {
                "status": "processing",
                "submitted_at": to_text(now),
                "deadline_at": deadline,
                "check_after": after(now, deadline_seconds + FINISH_GRACE_SECONDS),
            },
        )
        return submitted

    def attempt_ended(
        self, job_id: str, attempt: Attempt, failure: ErrorInfo | None = None, *, was: AttemptState = "submitting"
    ) -> None:
        """Note how an attempt ended, and with `failure` that its job is to end for it."""
        self._move_attempt(job_id, attempt, {"failure": failure.as_dict()} if failure else {}, was=was)

    def fail(self, job_id: str, failure: ErrorInfo) -> None:
        """Note why the job is to end."""
        self._move(job_id, {"failure": failure.as_dict()}, condition="attribute_not_exists(failure)")

    def poll_unclear(self, job_id: str, error: ErrorInfo) -> None:
        self._move(job_id, {"last_poll_error": error.as_dict()})

    def task_completed(self, job_id: str, result: dict[str, Any]) -> None:
        """Keep the provider's answer: the links to fetch, the usage to book."""
        self._move(job_id, {"result": to_json(result)})

    def videos_stored(self, job_id: str, videos: list[StoredVideo]) -> None:
        items = [{"key": v.key, "bytes": v.bytes, "sha256": v.sha256} for v in videos]
        self._move(job_id, {"stored": items})

    def end(self, job_id: str, status: Status, error: ErrorInfo | None, polls: int) -> None:
        """Give the job its final state, once. It stays in `open_jobs` until `close`."""
        now = self._clock()
        values: dict[str, Any] = {"status": status, "ended_at": to_text(now), "polls": polls}
        values["check_after"] = after(now, FINISH_GRACE_SECONDS)
        if error is not None:
            values["error"] = error.as_dict()
        self._move(job_id, values)

    def close(self, job_id: str) -> None:
        """Take an ended job out of `open_jobs`: nothing is left to do."""
        self._update(job_id, "REMOVE open_shard, check_after", "attribute_exists(pk)", {}, {})

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
        changes = {**changes, "updated_at": to_text(self._clock())}
        names = {f"#{name}": name for name in changes if "[" not in name} | {"#status": "status"}
        if "#state" in condition:
            names["#state"] = "state"
        settings = [f"{name if '[' in name else '#' + name} = :set{index}" for index, name in enumerate(changes)]
        self._update(
            job_id,
            "SET " + ", ".join(settings),
            _IS_OPEN + (f" AND {condition}" if condition else ""),
            {**_OPEN_VALUES, **{f":set{i}": v for i, v in enumerate(changes.values())}, **(values or {})},
            names,
        )

    def _update(
        self, job_id: str, expression: str, condition: str, values: dict[str, Any], names: dict[str, str]
    ) -> None:
        request: dict[str, Any] = {"ExpressionAttributeValues": _typed(values)} if values else {}
        if names:
            request["ExpressionAttributeNames"] = names
        try:
            with aws.naming_faults("write the job's record"):
                self._client().update_item(
                    TableName=self._table,
                    Key=_typed(key_of(job_id)),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    **request,
                )
        except Exception as error:
            if aws.error_code(error) == "ConditionalCheckFailedException":
                raise RecordChanged(f"job {job_id} moved on meanwhile") from error
            raise


def _attempt_item(attempt: Attempt) -> dict[str, Any]:
    item: dict[str, Any] = {"state": attempt.state, "started_at": attempt.started_at, "tries": attempt.tries}
    if attempt.task_id is not None:
        item["task_id"] = attempt.task_id
    if attempt.error is not None:
        item["error"] = attempt.error.as_dict()
    return item


def _typed(item: dict[str, Any]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeSerializer  # noqa: PLC0415

    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in item.items()}


def _untyped(item: dict[str, Any]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415

    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}
