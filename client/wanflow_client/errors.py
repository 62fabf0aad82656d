"""What can go wrong.

    WanflowError
    ├── ApiError               the API refused: `status`, `code`, `message`, `violations`
    │   ├── InvalidRequest     400, 413, 415: nothing was submitted or paid; `violations` names every broken rule
    │   ├── BudgetExceeded     402: a spending limit of the stack would be passed
    │   ├── Forbidden          401, 403: no valid API key
    │   ├── NotFound           404: no such job, or not this key's
    │   ├── Conflict           409: the job has ended already, or the idempotency key came with another request
    │   ├── TooManyRequests    429: the key's throttle or quota, longer than `retry_seconds`
    │   └── ServerError        5xx, longer than `retry_seconds`
    ├── Unreachable            no readable answer for `retry_seconds`
    ├── CreateUnclear          the same while a job was created; says how to find out without making a second one
    ├── TransferFailed         the bucket did not take an upload or did not give a download
    ├── BadFile                a local file that is no picture, video or sound that the API takes
    ├── StillRunning           the job has not ended yet: `job`
    └── JobFailed              the job ended without a video: `job`, with the reason in `job["error"]`
        └── JobCanceled        because it was canceled

Files that cannot be read or written raise `OSError` as ever.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from wanflow_client.documents import Job, Violation


class WanflowError(Exception):
    """Root of the client's errors.

    `is_passing`: the same call may succeed later. `retry_after_seconds`: when, if the API said so. `tries`: how often
    it was made.
    """

    is_passing = False
    retry_after_seconds: float | None = None
    tries = 1


class ApiError(WanflowError):
    """The API refused a call. `code` is a Wan code (digits) or a word, `violations` every broken rule."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        violations: Sequence[Violation] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.violations = list(violations)
        self.retry_after_seconds = retry_after_seconds
        # A quota that is used up has no Retry-After: waiting a moment does not help.
        self.is_passing = status >= 500 or (status == 429 and retry_after_seconds is not None)
        super().__init__(status, code, message)

    def __str__(self) -> str:
        lines = [f"HTTP {self.status} {self.code}: {self.message}"]
        lines += [f"  {each['field']}: {each['message']} ({each['code']})" for each in self.violations]
        return "\n".join(lines)


class InvalidRequest(ApiError):
    """The request breaks rules."""


class BudgetExceeded(ApiError):
    """A spending limit would be passed."""


class Forbidden(ApiError):
    """No valid API key."""


class NotFound(ApiError):
    """No such job of this key."""


class Conflict(ApiError):
    """The request contradicts what is already there."""


class TooManyRequests(ApiError):
    """Too many requests for this key."""


class ServerError(ApiError):
    """Something broke on the API's side."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Forbidden,
    402: BudgetExceeded,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    415: InvalidRequest,
    429: TooManyRequests,
}


def api_error(status: int, body: Any, retry_after_seconds: float | None) -> ApiError:
    """The error for an answer; `body` is its JSON, or its text where that is none."""
    kind = ServerError if status >= 500 else _BY_STATUS.get(status, ApiError)
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return kind(status, "unknown", str(body)[:500] or "an answer without a body", (), retry_after_seconds)
    message, violations = str(error.get("message", "")), error.get("violations") or []
    return kind(status, str(error.get("code", "unknown")), message, violations, retry_after_seconds)


class Unreachable(WanflowError):
    """There was no answer, or none that could be read."""

    def __init__(self, message: str, *, is_passing: bool = True) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class CreateUnclear(WanflowError):
    """Nobody knows whether the job was created.

    `create(error.request, idempotency_key=error.idempotency_key)` gives that job, or makes it if there is none.
    """

    def __init__(self, request: Mapping[str, Any], idempotency_key: str, cause: WanflowError) -> None:
        super().__init__(f"nobody knows whether the job was created ({cause})")
        self.request = request
        self.idempotency_key = idempotency_key


class TransferFailed(WanflowError):
    """An upload to the bucket or a download from it failed. `status` is None when there was no answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.is_passing = status is None or status >= 500


class BadFile(WanflowError, ValueError):
    """A local file whose name ends like none that the API takes."""


class StillRunning(WanflowError):
    """The job has not ended: `wait` took longer than its `timeout_seconds`, or `download` came too early."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job['id']} is still {job['status']}")
        self.job = job


class JobFailed(WanflowError):
    """The job ended without a video."""

    def __init__(self, job: Job) -> None:
        error = job.get("error") or {"code": "unknown", "message": "no reason given"}
        super().__init__(f"job {job['id']} {job['status']}: {error['code']} {error['message']}")
        self.job = job


class JobCanceled(JobFailed):
    """The job was canceled."""
