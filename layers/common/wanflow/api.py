"""The HTTPS API: one method for each call (design.md, HTTPS API)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response

from wanflow.accept import Intake
from wanflow.answers import breakdown, json_response, no_such_path, refuse
from wanflow.cancel import Canceller
from wanflow.clock import Clock, from_text
from wanflow.documents import job_document, output_gone_since
from wanflow.errors import ErrorInfo, InvalidRequest, NotFound, UnsupportedMediaType, Violation, WanflowError
from wanflow.executions import Executions
from wanflow.files import Files
from wanflow.gate import SubmitGate
from wanflow.ids import is_job_id
from wanflow.jobs import Job, Source, to_json
from wanflow.json_text import parse_json
from wanflow.observability import correlate, name_request
from wanflow.owners import Owners
from wanflow.polling import phase_of
from wanflow.purge import Purger
from wanflow.records import JobRecords
from wanflow.render_statistics import RenderStatistics
from wanflow.uploads import Uploads

MAX_KEY_CHARACTERS = 255
MAX_LIMIT = 100
DEFAULT_LIMIT = 20
STATUSES = ("queued", "submitting", "processing", "completed", "failed", "canceled")
REQUEST_ID_HEADER = "X-Request-Id"
_LOCAL_OWNER = "local"
_BEFORE_SUBMIT_SECONDS = 10
_PREFLIGHT_SECONDS = 7200
"""How long a browser need not ask again; Chromium keeps no answer for longer."""


class Api:
    """Answers the calls of one REST API."""

    def __init__(
        self,
        intake: Intake,
        executions: Executions,
        canceller: Canceller,
        purger: Purger,
        uploads: Uploads,
        owners: Owners,
        records: JobRecords,
        files: Files,
        gate: SubmitGate,
        *,
        render_statistics: RenderStatistics,
        cors_origins: tuple[str, ...],
        result_retention_days: int,
        clock: Clock,
    ) -> None:
        self._intake = intake
        self._executions = executions
        self._canceller = canceller
        self._purger = purger
        self._uploads = uploads
        self._owners = owners
        self._records = records
        self._files = files
        self._gate = gate
        self._render_statistics = render_statistics
        self._result_retention_days = result_retention_days
        self._clock = clock
        self._app = APIGatewayRestResolver(serializer=to_json, cors=_cors(cors_origins))
        self._app.post("/videos")(self.create_video)
        self._app.get("/videos/<job_id>")(self.get_video)
        self._app.delete("/videos/<job_id>")(self.delete_video)
        self._app.get("/videos")(self.list_videos)
        self._app.post("/uploads")(self.create_upload)
        self._app.post("/estimates")(self.estimate)
        self._app.get("/openapi.json")(self.describe)
        self._app.not_found(no_such_path)
        self._app.exception_handler(WanflowError)(refuse)
        self._app.exception_handler(Exception)(breakdown)

    def serve(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Answer one proxy event of API Gateway; the answer names the call as the log does."""
        request_id = str(event["requestContext"]["requestId"])
        name_request(request_id)
        answer: dict[str, Any] = self._app.resolve(event, context)
        answer["multiValueHeaders"][REQUEST_ID_HEADER] = [request_id]
        # Answers hold links that open without a key: no cache on the way or in the browser may keep one.
        answer["multiValueHeaders"]["Cache-Control"] = ["no-store"]
        return answer

    def create_video(self) -> Response[str]:
        """`POST /videos`: 202 and the job, 200 for a repeated key."""
        accepted = self._intake.register(self._json_body(), self._owner, Source("api"), key=self._idempotency_key())
        self._executions.start_job(accepted.job)
        status = HTTPStatus.ACCEPTED if accepted.is_new else HTTPStatus.OK
        return self._job_response(status, accepted.job, {"Location": self._location(accepted.job)})

    def get_video(self, job_id: str) -> Response[str]:
        """`GET /videos/{id}`: the job, for its owner alone."""
        job = self._own_job(job_id)
        return self._job_response(HTTPStatus.OK, job, waiting=self._waiting([job]))

    def delete_video(self, job_id: str) -> Response[str]:
        """`DELETE /videos/{id}`: 202 cancel, 409 when the job has ended; with `?purge=true` its data, 204."""
        self._know_query("purge")
        purge = self._flag("purge")
        job = self._own_job(job_id)
        if purge:
            self._purger.purge(job)
            return Response(HTTPStatus.NO_CONTENT, body="")
        return self._job_response(HTTPStatus.ACCEPTED, self._canceller.cancel(job))

    def list_videos(self) -> Response[str]:
        """`GET /videos?status=&limit=&cursor=`: own jobs, newest first."""
        self._know_query("status", "limit", "cursor")
        limit, status = self._limit(), self._status()
        page = self._records.newest(self._owner(), status=status, limit=limit, cursor=self._query("cursor"))
        waiting = self._waiting(page.jobs)
        videos = [self._document(job, waiting) for job in page.jobs]
        return json_response(HTTPStatus.OK, {"videos": videos, "next_cursor": page.next_cursor})

    def create_upload(self) -> Response[str]:
        """`POST /uploads`: where to POST a file to, and the name to put into a request."""
        upload = self._uploads.create(self._json_body(), self._owner)
        return json_response(HTTPStatus.CREATED, upload)

    def estimate(self) -> Response[str]:
        """`POST /estimates`: what a request would cost and what is wrong with it; pays nothing."""
        return json_response(HTTPStatus.OK, self._intake.estimate(self._json_body(), self._owner))

    def describe(self) -> Response[str]:
        """`GET /openapi.json`: the contract; needs no key."""
        # Imported by the call that needs it: most never do.
        from wanflow.openapi import document  # noqa: PLC0415

        return json_response(HTTPStatus.OK, document())

    def _query(self, name: str) -> str | None:
        return self._app.current_event.query_string_parameters.get(name)

    def _know_query(self, *known: str) -> None:
        """Refuse a query parameter that would do nothing: with `?purg=true` a job would be canceled."""
        unknown = sorted(set(self._app.current_event.query_string_parameters) - set(known))
        message = f"is unknown here; known are {', '.join(known)}"
        if unknown:
            raise InvalidRequest([Violation(name[:60] or "query", "invalid_request", message) for name in unknown])

    def _flag(self, name: str) -> bool:
        text = self._query(name) or "false"
        if text not in {"true", "false"}:
            # `?purge=1` must not cancel a job that was to be deleted.
            raise InvalidRequest([Violation(name, "invalid_request", "must be true or false")])
        return text == "true"

    def _limit(self) -> int:
        text = self._query("limit") or str(DEFAULT_LIMIT)
        if not (text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
            raise InvalidRequest([Violation("limit", "invalid_request", f"must be an integer from 1 to {MAX_LIMIT}")])
        return int(text)

    def _status(self) -> str | None:
        status = self._query("status")
        if status is not None and status not in STATUSES:
            message = f"must be one of {', '.join(STATUSES)}"
            raise InvalidRequest([Violation("status", "invalid_request", message)])
        return status

    def _own_job(self, job_id: str) -> Job:
        if not is_job_id(job_id):
            raise NotFound("no such video")
        correlate(job_id)
        try:
            job = self._records.get(job_id)
        except NotFound as error:
            raise NotFound("no such video") from error
        if job.owner != self._owner():
            # The same words: another's job must not be told from none.
            raise NotFound("no such video")
        return job

    def _job_response(
        self,
        status: HTTPStatus,
        job: Job,
        headers: dict[str, str] | None = None,
        waiting: ErrorInfo | None = None,
    ) -> Response[str]:
        headers = dict(headers or {})
        if not job.is_final:
            headers["Retry-After"] = str(self._news_in_seconds(job))
        return json_response(status, self._document(job, waiting), headers)

    def _document(self, job: Job, waiting: ErrorInfo | None) -> dict[str, Any]:
        return job_document(
            job,
            self._files.link,
            self._progress(job),
            waiting=waiting if job.has_no_task else None,
            # A link to what is gone would only promise it.
            output_expired_at=output_gone_since(job, self._result_retention_days, self._clock()),
        )

    def _waiting(self, jobs: Sequence[Job]) -> ErrorInfo | None:
        """What keeps jobs from being submitted, read only when one of these has to be."""
        return self._gate.read().waiting() if any(job.has_no_task for job in jobs) else None

    def _news_in_seconds(self, job: Job) -> int:
        """When the next poll will have told something new; soon, while the job is still to be submitted."""
        if job.submitted_at is None:
            return min(_BEFORE_SUBMIT_SECONDS, self._render_statistics.documented.news_in_seconds(0))
        schedule = self._render_statistics.schedule(job)
        return schedule.news_in_seconds(self._elapsed_seconds(job), phase=phase_of(job.id))

    def _progress(self, job: Job) -> int:
        if job.is_final or job.submitted_at is None:
            return 0
        return self._render_statistics.schedule(job).progress(self._elapsed_seconds(job))

    def _elapsed_seconds(self, job: Job) -> float:
        return (self._clock() - from_text(job.submitted_at)).total_seconds() if job.submitted_at else 0

    def _json_body(self) -> Any:
        event = self._app.current_event
        # `sam local start-api` asks for no key, and a browser lets any page POST there what has no type.
        unnamed = "application/json" if event.request_context.identity.api_key_id else "no type"
        content_type = event.headers.get("content-type", unnamed).split(";")[0].strip().lower()
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
        if not (0 < len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()):
            message = f"must have 1 to {MAX_KEY_CHARACTERS} printable ASCII characters"
            raise InvalidRequest([Violation("Idempotency-Key", "invalid_request", message)])
        return key

    def _owner(self) -> str:
        """Whose the API key is: the gateway lets nobody in without one; `sam local start-api` knows no keys."""
        key_id = self._app.current_event.request_context.identity.api_key_id
        return self._owners.of_key(key_id) if key_id else _LOCAL_OWNER

    def _location(self, job: Job) -> str:
        stage = self._app.current_event.request_context.stage
        return f"/{stage}/videos/{job.id}"


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    """What web pages of these origins may do: everything that a program may."""
    if not origins:
        return None
    first, *others = origins
    return CORSConfig(
        first,
        extra_origins=others,
        allow_headers=["Idempotency-Key"],
        expose_headers=["Location", "Retry-After", REQUEST_ID_HEADER],
        max_age=_PREFLIGHT_SECONDS,
    )
