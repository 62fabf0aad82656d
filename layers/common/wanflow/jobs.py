"""A job and its record in DynamoDB: what is remembered, and the conditional writes that move it on.

One item a job: `pk` = `job#{id}`, `sk` = `job`. While the job is open the item also carries `open_shard` and
`check_after`, which put it into the sparse index `open_jobs`: the time after which somebody should look after it.
Nested documents (the request, the provider's answer) are kept as JSON text: a provider's number or an empty key can
then never make a write fail.
"""

import json
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from wanflow.errors import ErrorInfo

Status = Literal["queued", "submitting", "processing", "completed", "failed", "canceled"]
AttemptState = Literal["submitting", "submitted", "not_created", "unknown", "failed"]
Lane = Literal["interactive", "batch"]
FINAL: frozenset[str] = frozenset({"completed", "failed", "canceled"})
OPEN_SHARDS = 8


class Attempt(NamedTuple):
    """One task that we asked for. `tries` counts the POSTs that certainly created nothing before."""

    number: int
    state: AttemptState
    started_at: str
    tries: int = 0
    task_id: str | None = None
    error: ErrorInfo | None = None


class EndSeen(NamedTuple):
    """What is known of how long a task took: it ran at one poll and was over at the next, seconds after its submit."""

    after_seconds: float
    by_seconds: float


class StoredVideo(NamedTuple):
    """A video in the bucket: its key, its length, its CRC32 as S3 writes it (Base64 of four bytes)."""

    key: str
    bytes: int
    crc32: str


class Source(NamedTuple):
    """Where a job came from: the API, or an object under inbox/ whose verdict goes to `verdict_key`."""

    kind: Literal["api", "s3"]
    verdict_key: str | None = None


class Reservation(NamedTuple):
    """What a job holds of the daily budget: the day (UTC, `2026-11-23`), the scopes, US dollars."""

    day: str
    scopes: tuple[str, ...]
    usd: Decimal


class Job(NamedTuple):
    """Everything that is remembered of a job. Times are ISO 8601 text in UTC, money is Decimal US dollars.

    `failure` is the reason for which the job will end, noted by the step that found it; `error` is what it ended with.
    `result` is the provider's {`output`, `usage`, `metadata`}. `booked_usd` is what it has cost as far as anyone can
    know. `end_seen` is for the poll schedule. `version` counts the moves. `watch_until` is set on a job that is over
    while its task may still run: until then the end is looked for.
    """

    id: str
    owner: str
    status: Status
    created_at: str
    updated_at: str
    fingerprint: str
    request: dict[str, Any]
    estimate_usd: Decimal
    source: Source
    metadata: dict[str, str]
    callback_url: str | None = None
    warnings: tuple[dict[str, str], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    submitted_at: str | None = None
    deadline_at: str | None = None
    last_poll_error: ErrorInfo | None = None
    failure: ErrorInfo | None = None
    result: dict[str, Any] | None = None
    stored: tuple[StoredVideo, ...] = ()
    error: ErrorInfo | None = None
    polls: int = 0
    ended_at: str | None = None
    check_after: str | None = None
    lane: Lane = "interactive"
    reservation: Reservation | None = None
    booked_usd: Decimal | None = None
    watch_until: str | None = None
    rescued: bool = False
    end_seen: EndSeen | None = None
    version: int = 1

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_open(self) -> bool:
        """Whether something is left to do for it, if only the last steps of finishing."""
        return self.check_after is not None

    @property
    def last_attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def has_no_task(self) -> bool:
        """Whether it has not ended, and the provider has no task of it, as far as anyone knows."""
        last = self.last_attempt
        return not self.is_final and self.failure is None and (last is None or last.state in {"not_created", "failed"})

    @property
    def task_id(self) -> str | None:
        """The id of the task that is waited for."""
        return self.attempts[-1].task_id if self.attempts else None


def key_of(job_id: str) -> dict[str, str]:
    return {"pk": f"job#{job_id}", "sk": "job"}


def open_shard(job_id: str) -> str:
    """Which part of `open_jobs` the job is in: spread evenly, so that no part gets hot."""
    return str(sum(job_id.encode()) % OPEN_SHARDS)


def to_item(job: Job) -> dict[str, Any]:
    """The item of a new job, as plain values (no DynamoDB types)."""
    return {
        **key_of(job.id),
        "id": job.id,
        "owner": job.owner,
        "created": f"{job.created_at}#{job.id}",
        "status": job.status,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "fingerprint": job.fingerprint,
        "request": to_json(job.request),
        "estimate_usd": job.estimate_usd,
        "source": {"kind": job.source.kind, "verdict_key": job.source.verdict_key},
        "metadata": to_json(job.metadata),
        "warnings": to_json(list(job.warnings)),
        "attempts": [],
        "open_shard": open_shard(job.id),
        "check_after": job.check_after,
        "lane": job.lane,
        "version": job.version,
        **({"callback_url": job.callback_url} if job.callback_url else {}),
        **({"reservation": _reservation_item(job.reservation)} if job.reservation else {}),
    }


def from_item(item: dict[str, Any]) -> Job:
    """The job of an item, as plain values."""
    return Job(
        id=item["id"],
        owner=item["owner"],
        status=item["status"],
        created_at=item["created_at"],
        updated_at=item["updated_at"],
        fingerprint=item["fingerprint"],
        request=json.loads(item["request"]),
        estimate_usd=item["estimate_usd"],
        source=Source(**item["source"]),
        metadata=json.loads(item["metadata"]),
        callback_url=item.get("callback_url"),
        warnings=tuple(json.loads(item["warnings"])),
        attempts=tuple(_attempt(number, attempt) for number, attempt in enumerate(item["attempts"], start=1)),
        submitted_at=item.get("submitted_at"),
        deadline_at=item.get("deadline_at"),
        last_poll_error=_error(item.get("last_poll_error")),
        failure=_error(item.get("failure")),
        result=json.loads(item["result"], parse_float=Decimal) if "result" in item else None,
        stored=tuple(StoredVideo(v["key"], int(v["bytes"]), v["crc32"]) for v in item.get("stored", ())),
        error=_error(item.get("error")),
        polls=int(item.get("polls", 0)),
        ended_at=item.get("ended_at"),
        check_after=item.get("check_after"),
        lane=item["lane"],
        reservation=_reservation(item.get("reservation")),
        booked_usd=item.get("booked_usd"),
        watch_until=item.get("watch_until"),
        rescued=bool(item.get("rescued", False)),
        end_seen=EndSeen(*map(float, item["end_seen"])) if "end_seen" in item else None,
        version=int(item["version"]),
    )


def _reservation_item(reservation: Reservation) -> dict[str, Any]:
    return {"day": reservation.day, "scopes": list(reservation.scopes), "usd": reservation.usd}


def _reservation(item: dict[str, Any] | None) -> Reservation | None:
    return Reservation(item["day"], tuple(item["scopes"]), item["usd"]) if item else None


def _attempt(number: int, item: dict[str, Any]) -> Attempt:
    return Attempt(
        number=number,
        state=item["state"],
        started_at=item["started_at"],
        tries=int(item["tries"]),
        task_id=item.get("task_id"),
        error=_error(item.get("error")),
    )


def _error(item: dict[str, str] | None) -> ErrorInfo | None:
    return ErrorInfo(item["code"], item["message"]) if item else None


def to_json(value: object) -> str:
    """JSON text; a Decimal becomes the number that it is."""
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> float | int | str:
    if isinstance(value, Decimal):
        number = float(value)
        return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else number
    raise TypeError(f"{type(value).__name__} is no JSON value")
