"""The HTTPS API. The domain raises; here, and only here, errors become HTTP statuses."""

import logging
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from wanflow.accept import Intake
from wanflow.cancel import Canceller
from wanflow.clock import Clock, from_text
from wanflow.documents import job_document
from wanflow.errors import (
    AwsUnavailable,
    BudgetExceeded,
    Conflict,
    InvalidRequest,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    Violation,
    WanflowError,
)
from wanflow.files import Files
from wanflow.ids import is_job_id
from wanflow.jobs import Job, Source, to_json
from wanflow.json_text import parse_json
from wanflow.polling import PollSchedule
from wanflow.records import JobRecords

logger = logging.getLogger("wanflow")

MAX_KEY_CHARACTERS = 255
_LOCAL_OWNER = "local"
_TOP_CODE: dict[type[WanflowError], tuple[HTTPStatus, str]] = {
    InvalidRequest: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    NotFound: (HTTPStatus.NOT_FOUND, "not_found"),
    Conflict: (HTTPStatus.CONFLICT, "conflict"),
    BudgetExceeded: (HTTPStatus.PAYMENT_REQUIRED, "budget_exceeded"),
    TooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large"),
    UnsupportedMediaType: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
    AwsUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
}


class Api:
    """Answers the calls of one REST API."""

    def __init__(
        self,
        intake: Intake,
        canceller: Canceller,
        records: JobRecords,
        files: Files,
        *,
        schedule: PollSchedule,
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._canceller = canceller
        self._records = records
        self._files = files
        self._schedule = schedule
        self._clock = clock
        self._app = APIGatewayRestResolver(serializer=to_json)
        self._app.post("/videos")(self.create_video)
        self._app.get("/videos/<job_id>")(self.get_video)
        self._app.delete("/videos/<job_id>")(self.cancel_video)
        self._app.not_found(_no_such_path)
        self._app.exception_handler(WanflowError)(_refuse)
        self._app.exception_handler(Exception)(_break)

    def serve(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one proxy event of API Gateway."""
        return self._app.resolve(event, context)

    def create_video(self) -> Response[str]:
        """`POST /videos`: 202 and the job, 200 for a repeated key."""
        accepted = self._intake.accept(self._json_body(), self._owner(), Source("api"), key=self._idempotency_key())
        status = HTTPStatus.ACCEPTED if accepted.is_new else HTTPStatus.OK
        return self._job_response(status, accepted.job, {"Location": self._location(accepted.job)})

    def get_video(self, job_id: str) -> Response[str]:
        """`GET /videos/{id}`: the job, for its owner alone."""
        job = self._own_job(job_id)
        return self._job_response(HTTPStatus.OK, job)

    def cancel_video(self, job_id: str) -> Response[str]:
        """`DELETE /videos/{id}`: 202; 409 when the job has ended."""
        job = self._canceller.cancel(self._own_job(job_id))
        return self._job_response(HTTPStatus.ACCEPTED, job)

    def _own_job(self, job_id: str) -> Job:
        if not is_job_id(job_id):
            raise NotFound("no such video")
        try:
            job = self._records.get(job_id)
        except NotFound as error:
            raise NotFound("no such video") from error
        if job.owner != self._owner():
            # The same words: another's job must not be told from none.
            raise NotFound("no such video")
        return job

    def _job_response(self, status: HTTPStatus, job: Job, headers: dict[str, str] | None = None) -> Response[str]:
        now = self._clock()
        if job.is_final:
            return _json_response(status, job_document(job, self._files.link), headers)
        elapsed = (now - from_text(job.submitted_at)).total_seconds() if job.submitted_at else 0
        # About when the next poll will have told something new.
        retry_after = self._schedule.wait_seconds(elapsed, remaining_seconds=60)
        document = job_document(job, self._files.link, self._schedule.progress(elapsed))
        return _json_response(status, document, {**(headers or {}), "Retry-After": str(retry_after)})

    def _json_body(self) -> Any:
        event = self._app.current_event
        content_type = event.headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if content_type != "application/json" and not content_type.endswith("+json"):
            raise UnsupportedMediaType("send the request as application/json")
        try:
            text = event.decoded_body or ""
        except ValueError as error:
            raise InvalidRequest([Violation("body", "invalid_request", "is no valid base64 or UTF-8")]) from error
        return parse_json(text)

    def _idempotency_key(self) -> str | None:
        key = self._app.current_event.headers.get("idempotency-key")
        if key is None:
            return None
        if not (0 < len(key) <= MAX_KEY_CHARACTERS and key.isprintable()):
            message = f"must have 1 to {MAX_KEY_CHARACTERS} printable characters"
            raise InvalidRequest([Violation("Idempotency-Key", "invalid_request", message)])
        return key

    def _owner(self) -> str:
        """The API key's id: the gateway lets nobody in without one; `sam local start-api` knows no keys."""
        return self._app.current_event.request_context.identity.api_key_id or _LOCAL_OWNER

    def _location(self, job: Job) -> str:
        stage = self._app.current_event.request_context.stage
        return f"/{stage}/videos/{job.id}"


def _json_response(status: HTTPStatus, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response[str]:
    return Response(status, content_type="application/json", body=to_json(body), headers=dict(headers or {}))


def _refuse(error: WanflowError) -> Response[str]:
    status, code = next((told for kind, told in _TOP_CODE.items() if isinstance(error, kind)), _INTERNAL)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request failed", extra={"error": type(error).__name__}, exc_info=error)
    message, violations = str(error), []
    if isinstance(error, InvalidRequest):
        code = error.code
        violations = [violation.as_dict() for violation in error.violations]
        message = "the request breaks a rule" if len(violations) == 1 else f"the request breaks {len(violations)} rules"
        message += "; nothing was submitted or paid"
    elif status is HTTPStatus.INTERNAL_SERVER_ERROR:
        message = "something broke on our side"
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return _json_response(status, {"error": {"code": code, "message": message, "violations": violations}}, headers)


_INTERNAL = (HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error")


def _break(error: Exception) -> Response[str]:
    """A bug: logged whole, told as nothing but that."""
    logger.error("unexpected error", extra={"error": type(error).__name__}, exc_info=error)
    body = {"error": {"code": "internal_error", "message": "something broke on our side", "violations": []}}
    return _json_response(HTTPStatus.INTERNAL_SERVER_ERROR, body)


def _no_such_path(_error: NotFoundError) -> Response[str]:
    return _refuse(NotFound("no such path or method"))
