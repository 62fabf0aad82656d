"""The provider's error codes as this mock raises them, and the refusals it answers with.

    RefusalError                 any answer that is an error object; carries status, code, message, headers
    ├── InvalidRequestError      400; one of 001028001-004, else 001028099 with the field named in the message
    ├── UnauthorizedError        401
    ├── NotFoundError            404
    ├── MethodNotAllowedError    405
    ├── ConflictError            409
    ├── BodyTooLargeError        413
    ├── UnsupportedTypeError     415
    └── TooManyRequestsError     429, with Retry-After

The table of codes is the mock's own on purpose: shared with a client, it would hide a shared mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from .messages import Response, json_response

FAILED_IN_BODY = 200
"""The delivery of a code as HTTP 200 with `"status": "failed"` and the error object in the body."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the Wan page's "Error Codes", and how the mock delivers it.

    `natural_stage` is where a bare `[[mock:CODE]]` strikes. `submit_status` and `poll_status` are the usual HTTP
    statuses; 200 means "200 with status failed". `ends_task`: read at poll, the task itself is over and never billed.
    """

    code: str
    description: str
    natural_stage: str
    submit_status: int
    poll_status: int
    ends_task: bool = True


NOT_AN_ARRAY_OF_1_TO_5 = "001028001"
TOO_MANY_IMAGES = "001028002"
TOO_MANY_VIDEOS = "001028003"
BAD_REFERENCE = "001028004"
GENERATION_ERROR = "001028095"
CREATION_ERROR = "001028099"

ERROR_CODES = {
    row.code: row
    for row in (
        ErrorCode(NOT_AN_ARRAY_OF_1_TO_5, "reference_urls must be an array with 1-5 items", "submit", 400, 200),
        ErrorCode(TOO_MANY_IMAGES, "reference_urls can contain maximum 5 images", "submit", 400, 200),
        ErrorCode(TOO_MANY_VIDEOS, "reference_urls can contain maximum 3 videos", "submit", 400, 200),
        ErrorCode(BAD_REFERENCE, "Invalid reference URL format", "submit", 400, 200),
        ErrorCode(GENERATION_ERROR, "Internal generation error", "poll", 500, 200),
        ErrorCode("001028096", "Result parsing error", "poll", 500, 200),
        ErrorCode("001028097", "HTTP error response", "poll", 502, 502, ends_task=False),
        ErrorCode("001028098", "Status check error", "poll", 500, 500, ends_task=False),
        ErrorCode(CREATION_ERROR, "Task creation error", "submit", 500, 200),
    )
}


def error_body(code: str, message: str) -> dict[str, dict[str, str]]:
    """`{"error": {"code", "message"}}`, the one shape of every error (Wan page, Response Format)."""
    return {"error": {"code": code, "message": message}}


class RefusalError(Exception):
    """The request is answered with an error object and changes nothing."""

    status = 400

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or self.status
        self.code = code or status_word(self.status)
        self.headers = headers

    def as_response(self) -> Response:
        """The refusal as an HTTP answer."""
        return json_response(self.status, error_body(self.code, self.message), *self.headers)


class InvalidRequestError(RefusalError):
    """A rule of the Wan page is broken; without a code of its own the rule is 001028099."""

    def __init__(self, message: str, *, code: str = CREATION_ERROR) -> None:
        super().__init__(message, code=code)


class UnauthorizedError(RefusalError):
    """The API key is missing or wrong."""

    status = 401


class NotFoundError(RefusalError):
    """No such path, task or scenario."""

    status = 404


class MethodNotAllowedError(RefusalError):
    """The path exists, the method does not."""

    status = 405


class ConflictError(RefusalError):
    """What was asked for contradicts the mock's state."""

    status = 409


class BodyTooLargeError(RefusalError):
    """The body is over the server's cap."""

    status = 413


class UnsupportedTypeError(RefusalError):
    """The body is not announced as JSON."""

    status = 415


class TooManyRequestsError(RefusalError):
    """A limit of the account; `retry_after_seconds` is whole real seconds."""

    status = 429

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message, headers=(("Retry-After", str(retry_after_seconds)),))


_STABLE_WORDS = {413: "payload_too_large", 414: "uri_too_long", 416: "range_not_satisfiable", 422: "unprocessable"}
"""Python 3.13 renamed these phrases."""


def status_word(status: int) -> str:
    """A code in words for an HTTP status (`service_unavailable`), which nobody takes for one of the provider's."""
    if status in _STABLE_WORDS:
        return _STABLE_WORDS[status]
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        return f"http_{status}"
    return "".join(letter if letter.isalnum() else "_" for letter in phrase.lower())
