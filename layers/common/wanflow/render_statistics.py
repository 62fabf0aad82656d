"""The render times in DynamoDB: one small item for each kind of job, read seldom and written now and then.

    pk `render_times#{kind}`, sk `render_times`    `counts` (JSON text), `last_jobs`, `updated_at`, `version`

They only say when to ask: whatever is wrong with them is logged and the documented duration is used instead. No job
fails for it, waits beyond its deadline for it, or costs more than some polls.
"""

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from wanflow import aws
from wanflow.clock import Clock, from_text, to_text
from wanflow.items import typed, untyped
from wanflow.jobs import Job
from wanflow.polling import PollSchedule
from wanflow.render_times import RenderTimes, kind_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

logger = logging.getLogger("wanflow")

REREAD_SECONDS = 300
"""How old a schedule of a warm function may be."""

LEAST_SECONDS_BETWEEN_WRITES = 1
"""A kind whose jobs end faster is sampled, so that its item never gets hot."""

_REMEMBERED_IDS = 20
_NEW_KIND = RenderTimes()


class _Stored(NamedTuple):
    """An item. `version` is as it was found, whatever it is, so that a spoiled item can be replaced; None for none."""

    times: RenderTimes = _NEW_KIND
    last_jobs: tuple[str, ...] = ()
    updated_at: datetime | None = None
    version: Any = None


class RenderStatistics:
    """What is known of each kind's render times, as poll schedules.

    Args:
        typical_seconds: the documented median, for kinds of which nothing was seen.
        monotonic: seconds that only grow, for the age of what was read.
    """

    def __init__(
        self,
        client: Callable[[], "DynamoDBClient"],
        table_name: str,
        *,
        typical_seconds: float,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._table = table_name
        self._typical_seconds = typical_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._schedules: dict[str, tuple[float, PollSchedule]] = {}
        self.documented = PollSchedule(typical_seconds)
        """The schedule for a kind of which nothing was seen; costs no read."""

    def schedule(self, job: Job) -> PollSchedule:
        """The poll schedule for a job of this kind; read again after REREAD_SECONDS. Never raises."""
        try:
            return self._schedule(kind_of(job.request))
        except Exception:
            # Whoever asks has a task at the provider: it must be polled whatever happens here.
            logger.exception("render times not read", extra={"job_id": job.id})
            return self.documented

    def _schedule(self, kind: str) -> PollSchedule:
        now = self._monotonic()
        read_at, schedule = self._schedules.get(kind, (-float("inf"), None))
        if schedule is None or now - read_at >= REREAD_SECONDS:
            schedule = PollSchedule(self._typical_seconds, self._read(kind).times)
            self._schedules[kind] = now, schedule
        return schedule

    def learn(self, job: Job) -> None:
        """Count the end of a job's task, if it was seen. Never raises; a job that ends twice counts once."""
        if job.end_seen is None:
            # Canceled, or not over by its deadline: nobody saw how long it took.
            return
        try:
            self._learn(job, kind_of(job.request), job.end_seen.after_seconds, job.end_seen.by_seconds)
        except Exception:
            # The job is over and paid for; the next one counts as well.
            logger.exception("render time not counted", extra={"job_id": job.id})

    def _learn(self, job: Job, kind: str, after_seconds: float, by_seconds: float) -> None:
        stored = self._read(kind)
        if job.id in stored.last_jobs or self._is_too_soon(stored.updated_at):
            return
        times = stored.times.observe(after_seconds, by_seconds, self._typical_seconds)
        item = {
            **_key(kind),
            "counts": json.dumps(times.as_numbers()),
            "last_jobs": [*stored.last_jobs, job.id][-_REMEMBERED_IDS:],
            "updated_at": to_text(self._clock()),
            "version": int(stored.version) + 1 if isinstance(stored.version, Decimal) else 1,
        }
        try:
            self._write(item, stored.version)
        except aws.ConditionFailed:
            # Another job of this kind ended at the same moment and was counted.
            logger.info("render time not counted: another one was", extra={"job_id": job.id})

    def _is_too_soon(self, updated_at: datetime | None) -> bool:
        least = timedelta(seconds=LEAST_SECONDS_BETWEEN_WRITES)
        return updated_at is not None and abs(self._clock() - updated_at) < least

    def _read(self, kind: str) -> _Stored:
        with aws.naming_faults("read the render times"):
            answer = self._client().get_item(TableName=self._table, Key=typed(_key(kind)))
        item = untyped(answer.get("Item", {}))
        if not item:
            return _Stored()
        try:
            return _stored(item)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("render times begin anew", extra={"kind": kind, "error": type(error).__name__})
            return _Stored(version=item.get("version"))

    def _write(self, item: dict[str, Any], seen: Any) -> None:
        """Write the item in place of the one that was read, if nobody else did."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#version)"}
        if seen is not None:
            condition = {
                "ConditionExpression": "#version = :seen",
                "ExpressionAttributeValues": typed({":seen": seen}),
            }
        with aws.writing("write the render times"):
            self._client().put_item(
                TableName=self._table,
                Item=typed(item),
                ExpressionAttributeNames={"#version": "version"},
                **condition,
            )


def _key(kind: str) -> dict[str, str]:
    return {"pk": f"render_times#{kind}", "sk": "render_times"}


def _stored(item: dict[str, Any]) -> _Stored:
    """Raises KeyError, TypeError, ValueError or AttributeError for an item that is none of ours."""
    updated_at = from_text(item["updated_at"])
    if updated_at.tzinfo is None:
        raise ValueError("updated_at has no time zone")
    return _Stored(
        times=RenderTimes.of_numbers(json.loads(item["counts"])),
        last_jobs=tuple(str(job_id) for job_id in item["last_jobs"]),
        updated_at=updated_at,
        version=item["version"],
    )
