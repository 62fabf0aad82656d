"""What goes over the wire, as types. `GET /openapi.json` describes every field."""

from typing import Any, Literal, NotRequired, TypedDict

Status = Literal["queued", "submitting", "processing", "completed", "failed", "canceled"]
FINAL: frozenset[str] = frozenset({"completed", "failed", "canceled"})


class Violation(TypedDict):
    """A broken rule, or a warning: `field` is a path such as `input.reference_urls[2]`."""

    field: str
    code: str
    message: str


class ErrorInfo(TypedDict):
    """Why a job failed: a Wan code (digits) or a word, and a sentence."""

    code: str
    message: str


class Content(TypedDict):
    """One video. `url` can be read for about an hour; ask for the job again to get a new one."""

    type: str
    url: str
    key: NotRequired[str]


class Output(TypedDict):
    """What one task at the provider made."""

    content: list[Content]
    jobId: NotRequired[str]


class Usage(TypedDict):
    """What the provider billed: `cost` in US dollars, as text."""

    cost: NotRequired[str]
    discount: NotRequired[float]


class Cost(TypedDict):
    """US dollars, as text: `1.00`."""

    cost_usd: str


class Attempt(TypedDict):
    """A task that was asked for; `unknown`: it may exist and be billed. `task_id` is there once it is known."""

    state: Literal["submitting", "submitted", "not_created", "unknown", "failed"]
    started_at: str
    task_id: NotRequired[str]
    error: NotRequired[ErrorInfo]


class Job(TypedDict):
    """A job document. Times are ISO 8601 in UTC."""

    id: str
    status: Status
    progress: int
    created_at: str
    updated_at: str
    request: dict[str, Any]
    estimate: Cost
    warnings: list[Violation]
    metadata: dict[str, str]
    attempts: list[Attempt]
    polls: int
    submitted_at: NotRequired[str]
    ended_at: NotRequired[str]
    output: NotRequired[list[Output]]
    output_expired_at: NotRequired[str]
    usage: NotRequired[Usage | None]
    provider_metadata: NotRequired[Any]
    rescued: NotRequired[bool]
    waiting: NotRequired[ErrorInfo]
    cancel_requested: NotRequired[bool]
    error: NotRequired[ErrorInfo]


class Estimate(TypedDict):
    """What a request would cost; `cost_usd`, `tier` and `seconds` are None where the request leaves them unclear."""

    cost_usd: str | None
    tier: Literal["720P", "1080P"] | None
    seconds: int | None
    warnings: list[Violation]
    violations: list[Violation]
