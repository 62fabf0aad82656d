from typing import NamedTuple

"""Our errors. Class names that Step Functions sees are the contract with `ErrorEquals` in the workflow.

    WanflowError
    ├── InvalidRequest            the caller's request breaks rules; carries every violation
    ├── TooLarge                  the caller's request is over a size limit
    ├── UnsupportedMediaType      the caller's body is not JSON
    ├── NotFound                  no such job for this owner
    ├── Conflict                  the same idempotency key came with another body, or the job has ended already
    ├── BudgetExceeded            a spending limit would be passed; the message tells the numbers
    ├── RecordChanged             a conditional write lost: somebody else moved the job on
    ├── AwsUnavailable            an AWS call failed in a way that passes (workflow: retried)
    ├── DownloadFailed            the CDN failed, cut or spoiled a video (workflow: retried, then the job fails)
    └── BadSetting                the environment of a function is wrong (it fails at start)

The errors of the Wan API have a tree of their own in `wan_client`; HTTP statuses are chosen in `api` alone.
"""


class Violation(NamedTuple):
    """One broken rule: `field` is a path (`input.reference_urls[2]`), `code` the Wan code or `invalid_request`."""

    field: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


class ErrorInfo(NamedTuple):
    """What a caller is told of a failure: a provider's code (digits) or one of our words, and a sentence."""

    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


class WanflowError(Exception):
    """Root of our errors."""


class InvalidRequest(WanflowError):
    """The request breaks rules. `code` is the first Wan code among the violations, else `invalid_request`."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.message}" for v in violations))
        self.violations = violations

    @property
    def code(self) -> str:
        return next((v.code for v in self.violations if v.code.isdigit()), "invalid_request")


class TooLarge(WanflowError):
    """The request is over a size limit."""


class UnsupportedMediaType(WanflowError):
    """The body is of a type that we do not read."""


class NotFound(WanflowError):
    """No such job, or not the caller's."""


class Conflict(WanflowError):
    """The request contradicts what is already there."""


class BudgetExceeded(WanflowError):
    """The job would pass a spending limit: nothing was written or paid."""


class RecordChanged(WanflowError):
    """A conditional write found the record in another state than expected."""


class AwsUnavailable(WanflowError):
    """An AWS call failed in a way that passes: throttled, timed out, 5xx, no connection."""


class DownloadFailed(WanflowError):
    """A result could not be fetched whole; fetching it again may work."""


class BadSetting(WanflowError):
    """An environment variable is missing or holds a wrong value; the message names it."""
