"""The Wan API over HTTP: submit a task, ask for it, open its video. No waiting, no polling, no retry: the workflow's.

    WanError                      `info`: the code and message to tell; `retry_after_seconds` where the provider said so
    ├── SubmitError
    │   ├── TaskNotCreated        certainly no task exists
    │   │   ├── SubmitRejected    ... and the same request will never be taken
    │   │   ├── SubmitThrottled   ... because of HTTP 429: try again later
    │   │   └── SubmitFailed      ... try again
    │   └── SubmitOutcomeUnknown  nobody can know; sending it again may pay twice
    ├── PollError
    │   ├── PollUnclear           no answer about the task: ask again
    │   └── TaskGone              HTTP 404: the provider knows the task no more
    └── ResultRefused             HTTP 403, 404 or 410 from the CDN, a link that may not be followed, a giant

What is known and what is not is decided here and nowhere else (wan_api.md, Money; Wan page, Error Codes).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError

from wanflow import metrics
from wanflow.connections import ForbiddenAddress, never_connected
from wanflow.errors import AwsUnavailable, DownloadFailed, ErrorInfo
from wanflow.results import video_urls

INTERNAL_GENERATION_ERROR = "001028095"
RESULT_PARSING_ERROR = "001028096"
HTTP_ERROR_RESPONSE = "001028097"
STATUS_CHECK_ERROR = "001028098"
TASK_CREATION_ERROR = "001028099"
REQUEST_CODES = frozenset({"001028001", "001028002", "001028003", "001028004"})
GENERATION_FAILED_CODES = frozenset({INTERNAL_GENERATION_ERROR, RESULT_PARSING_ERROR})
"""At poll: this task is over and unpaid, a fresh one may be submitted."""

_NOT_CREATED_CODES = REQUEST_CODES | {INTERNAL_GENERATION_ERROR, TASK_CREATION_ERROR}
_STILL_OPEN_CODES = frozenset({HTTP_ERROR_RESPONSE, STATUS_CHECK_ERROR})
_ID_FIELDS = ("id", "task_id", "taskId", "jobId")
_LINK_OVER = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_MAX_BODY_BYTES = 1024 * 1024
_CHUNK_BYTES = 512 * 1024
MAX_VIDEO_BYTES = 1024**3
MAX_RESULT_BYTES = 64 * 1024
_MAX_MESSAGE_CHARACTERS = 500

T = TypeVar("T")
# The special before the general: requests derives the first two from ConnectionError and Timeout.
_FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (requests.ConnectTimeout, "no connection in time"),
    (requests.exceptions.SSLError, "TLS failed"),
    (requests.Timeout, "nothing came in time"),
    (requests.exceptions.ChunkedEncodingError, "the answer was cut off"),
    (requests.ConnectionError, "the connection failed or broke"),
)
SessionFactory = Callable[[], requests.Session]


class WanError(Exception):
    """Root of what can go wrong between us and the provider."""

    def __init__(self, info: ErrorInfo, retry_after_seconds: int | None = None) -> None:
        super().__init__(f"{info.code}: {info.message}")
        self.info = info
        self.retry_after_seconds = retry_after_seconds


class SubmitError(WanError):
    """A submit did not give a task id."""


class TaskNotCreated(SubmitError):
    """Certainly no task was created: nothing will be billed."""


class SubmitRejected(TaskNotCreated):
    """The provider will never take this request."""


class SubmitThrottled(TaskNotCreated):
    """HTTP 429."""


class SubmitFailed(TaskNotCreated):
    """The provider or the way to it failed before a task was created."""


class SubmitOutcomeUnknown(SubmitError):
    """The request went out and no usable answer came: a task may exist and be billed."""


class PollError(WanError):
    """A poll did not tell the task's status."""


class PollUnclear(PollError):
    """Ask again: the task may be well."""


class TaskGone(PollError):
    """HTTP 404 for a task that was there."""


class ResultRefused(WanError):
    """The CDN does not serve this link, now or ever."""


class Unauthorized(Exception):
    """HTTP 401: the key was refused. Never leaves this module."""


class SubmittedTask(NamedTuple):
    task_id: str
    status: str


class WanTask(NamedTuple):
    """What a poll told: `running`, `completed` with `result`, or `failed` with `error`.

    `result` is {`output`, `usage`, `metadata`} as the provider sent it, numbers as Decimal.
    """

    state: Literal["running", "completed", "failed"]
    status: str
    result: dict[str, Any] | None = None
    error: ErrorInfo | None = None


class ResultBody(NamedTuple):
    """An opened video: its bytes as they come, and the length that the CDN announced (None: it did not).

    `chunks` raises DownloadFailed when the CDN cuts or stalls.
    """

    chunks: Iterator[bytes]
    announced_bytes: int | None


class Timeouts(NamedTuple):
    """Seconds: to connect, and between two pieces of the answer."""

    connect_seconds: float = 5
    submit_seconds: float = 50
    poll_seconds: float = 10
    download_seconds: float = 20
    whole_download_seconds: float = 600


class WanClient:
    """A thin client.

    Args:
        open_session: makes a fresh session; each call uses its own, so that a socket gone stale while Lambda slept
            never becomes a submit of unknown outcome.
        open_public_session: makes one that reaches public addresses only; for results that lie elsewhere than the API.
        read_key: gives the API key; called with True after an HTTP 401 to read it anew.
    """

    def __init__(
        self,
        open_session: SessionFactory,
        read_key: Callable[[bool], str],
        *,
        open_public_session: SessionFactory,
        monotonic: Callable[[], float],
        base_url: str,
        submit_path: str = "/v1/videos",
        status_path: str = "/v1/videos/{id}",
        timeouts: Timeouts | None = None,
    ) -> None:
        self._open_session = open_session
        self._open_public_session = open_public_session
        self._read_key = read_key
        self._monotonic = monotonic
        self._origin = _origin(base_url)
        self._submit_url = base_url + submit_path
        self._status_url = base_url + status_path
        self._timeouts = timeouts or Timeouts()

    def prepare(self) -> None:
        """Read the API key, unless it is known.

        Raises:
            AwsUnavailable: it cannot be read; nothing was sent.
        """
        self._read_key(False)

    def submit(self, request: dict[str, Any]) -> SubmittedTask:
        """Create a task from {`model`, `input`, `parameters`}; POSTs once (again only after a 401, with a fresh key).

        Raises:
            SubmitError: one of its three kinds of TaskNotCreated, or SubmitOutcomeUnknown.
        """
        try:
            with self._timed(metrics.SUBMIT_LATENCY):
                return self._with_fresh_key(lambda key: self._submit_once(request, key))
        except Unauthorized as error:
            raise SubmitRejected(ErrorInfo("provider_unauthorized", _NO_KEY)) from error
        except AwsUnavailable as error:
            # The key ran out since `prepare`, or was refused: the POST before it created nothing.
            raise SubmitFailed(ErrorInfo("provider_unauthorized", "the API key could not be read anew")) from error

    def get_task(self, task_id: str) -> WanTask:
        """Ask once how a task is.

        Raises:
            PollUnclear: ask again.
            TaskGone: the provider does not know it.
        """
        try:
            with self._timed(metrics.POLL_LATENCY):
                return self._with_fresh_key(lambda key: self._get_task_once(task_id, key))
        except Unauthorized as error:
            raise PollUnclear(ErrorInfo("provider_unauthorized", _NO_KEY)) from error

    @contextmanager
    def open_result(self, url: str) -> Iterator["ResultBody"]:
        """Open a video's CDN URL for streaming; no key goes there.

        Raises:
            ResultRefused: 403, 404 or 410; no https; an address that is not public; more than MAX_VIDEO_BYTES.
            DownloadFailed: anything else that may pass.
        """
        # The operator chose the API's own host, be it a mock on loopback; everything else must be public https.
        own = _origin(url) == self._origin
        if not own and not url.startswith("https://"):
            raise ResultRefused(ErrorInfo("result_unavailable", "the provider's link is no https link"))
        timeout = (self._timeouts.connect_seconds, self._timeouts.download_seconds)
        # identity: the length that the CDN announces must be the length of the video.
        headers = {"Accept-Encoding": "identity"}
        with (self._open_session if own else self._open_public_session)() as session:
            try:
                response = session.get(url, headers=headers, stream=True, timeout=timeout, allow_redirects=False)
            except ForbiddenAddress as error:
                raise ResultRefused(ErrorInfo("result_unavailable", f"the provider's result: {error}")) from error
            except requests.RequestException as error:
                raise DownloadFailed(f"the CDN did not answer ({_name(error)})") from error
            with response:
                if response.status_code in _LINK_OVER:
                    message = f"the provider's CDN answered HTTP {response.status_code}"
                    raise ResultRefused(ErrorInfo("result_unavailable", message))
                if response.status_code != HTTPStatus.OK:
                    raise DownloadFailed(f"the CDN answered HTTP {response.status_code}")
                announced = _announced_bytes(response)
                if announced is not None and announced > MAX_VIDEO_BYTES:
                    raise _too_large()
                end = self._monotonic() + self._timeouts.whole_download_seconds
                yield ResultBody(_chunks(response, lambda: self._monotonic() < end), announced)

    @contextmanager
    def _timed(self, metric: metrics.Metric) -> Iterator[None]:
        """Measure what the provider takes to answer, or to fail."""
        start = self._monotonic()
        try:
            yield
        finally:
            metrics.record(metric, round((self._monotonic() - start) * 1000))

    def _with_fresh_key(self, call: Callable[[str], T]) -> T:
        try:
            return call(self._read_key(False))
        except Unauthorized:
            return call(self._read_key(True))

    def _submit_once(self, request: dict[str, Any], key: str) -> SubmittedTask:
        timeout = (self._timeouts.connect_seconds, self._timeouts.submit_seconds)
        with self._open_session() as session:
            try:
                response = session.post(
                    self._submit_url,
                    json=request,
                    headers=_headers(key),
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                )
                answer = _Answer.read(response)
            except requests.RequestException as error:
                raise _submit_fault(error, session) from error
        return _judge_submit(answer)

    def _get_task_once(self, task_id: str, key: str) -> WanTask:
        url = self._status_url.replace("{id}", quote(task_id, safe=""))
        timeout = (self._timeouts.connect_seconds, self._timeouts.poll_seconds)
        with self._open_session() as session:
            try:
                response = session.get(url, headers=_headers(key), timeout=timeout, allow_redirects=False, stream=True)
                answer = _Answer.read(response)
            except requests.RequestException as error:
                raise PollUnclear(ErrorInfo("no_answer", f"no answer to a status query ({_name(error)})")) from error
        return _judge_poll(answer)


_NO_KEY = "the provider refused the API key (HTTP 401); put the right one into the secret"


class _Answer(NamedTuple):
    """An answer of the provider, read whole: `body` is None when it is no JSON object."""

    http_status: int
    body: dict[str, Any] | None
    retry_after_seconds: int | None

    @classmethod
    def read(cls, response: requests.Response) -> "_Answer":
        with response:
            content = b""
            for chunk in response.iter_content(64 * 1024):
                content += chunk
                if len(content) > _MAX_BODY_BYTES:
                    break
        return cls(response.status_code, _parse(content), _retry_after(response.headers.get("Retry-After")))

    @property
    def error(self) -> ErrorInfo | None:
        """The error object, the same in a 4xx/5xx body and in a 200 with status failed."""
        error = self.body.get("error") if self.body is not None else None
        if not isinstance(error, dict):
            return None
        code, message = error.get("code"), error.get("message")
        return ErrorInfo(_short(code, 64), _short(message, _MAX_MESSAGE_CHARACTERS)) if code else None

    @property
    def status(self) -> str:
        status = self.body.get("status") if self.body is not None else None
        return status.lower() if isinstance(status, str) else ""

    @property
    def task_id(self) -> str | None:
        for name in _ID_FIELDS:
            value = self.body.get(name) if self.body is not None else None
            if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
                return str(value)
        return None

    def info(self) -> ErrorInfo:
        """What to tell: the provider's own words, or the HTTP status."""
        return self.error or ErrorInfo("provider_error", f"the provider answered HTTP {self.http_status}")


def _judge_submit(answer: _Answer) -> SubmittedTask:
    """Known or unknown (wan_api.md, Money). Codes 096 and 097 leave it open even in a 4xx: the safe reading."""
    if answer.http_status == HTTPStatus.UNAUTHORIZED:
        raise Unauthorized
    code = answer.error.code if answer.error else ""
    if code in _NOT_CREATED_CODES:
        raise _not_created(answer, code)
    if 400 <= answer.http_status < 500 and code not in {RESULT_PARSING_ERROR, HTTP_ERROR_RESPONSE}:
        raise _not_created(answer, code)
    if 200 <= answer.http_status < 300 and answer.task_id and not code:
        return SubmittedTask(answer.task_id, answer.status)
    if 200 <= answer.http_status < 300 and not code:
        reason = "readable JSON" if answer.body is None else "a task id"
        raise SubmitOutcomeUnknown(
            ErrorInfo(RESULT_PARSING_ERROR, f"HTTP {answer.http_status} without {reason}"), answer.retry_after_seconds
        )
    raise SubmitOutcomeUnknown(answer.info(), answer.retry_after_seconds)


def _not_created(answer: _Answer, code: str) -> TaskNotCreated:
    if answer.http_status == HTTPStatus.TOO_MANY_REQUESTS:
        return SubmitThrottled(answer.info(), answer.retry_after_seconds)
    is_client_fault = 400 <= answer.http_status < 500
    kind = SubmitRejected if is_client_fault or code in REQUEST_CODES else SubmitFailed
    return kind(answer.info(), answer.retry_after_seconds)


def _submit_fault(error: requests.RequestException, session: requests.Session) -> SubmitError:
    """No answer came: did the request go out?"""
    if isinstance(error, requests.ConnectTimeout) or _has_cause(error) or never_connected(session):
        return SubmitFailed(ErrorInfo("provider_unreachable", f"no connection to the provider ({_name(error)})"))
    message = f"the request went out and no whole answer came ({_name(error)})"
    return SubmitOutcomeUnknown(ErrorInfo("no_answer", message))


def _has_cause(error: BaseException | None) -> bool:
    """Whether the connection was refused or the name not found, as urllib3 wraps it."""
    for _ in range(8):
        if error is None:
            return False
        if isinstance(error, NewConnectionError | NameResolutionError):
            return True
        reason = getattr(error, "reason", None) or next(iter(error.args), None)
        error = reason if isinstance(reason, BaseException) else error.__cause__
    return False


def _judge_poll(answer: _Answer) -> WanTask:
    """The code beats the status, the status beats the HTTP status (wan_api.md, Error codes)."""
    if answer.http_status == HTTPStatus.UNAUTHORIZED:
        raise Unauthorized
    code = answer.error.code if answer.error else ""
    if code in GENERATION_FAILED_CODES:
        return WanTask("failed", answer.status, error=answer.info())
    if code in _STILL_OPEN_CODES:
        raise PollUnclear(answer.info(), answer.retry_after_seconds)
    if answer.http_status == HTTPStatus.NOT_FOUND:
        raise TaskGone(ErrorInfo("result_unavailable", "the provider does not know the task any more (HTTP 404)"))
    if answer.http_status != HTTPStatus.OK:
        raise PollUnclear(answer.info(), answer.retry_after_seconds)
    if answer.body is None:
        raise PollUnclear(ErrorInfo(RESULT_PARSING_ERROR, "the status answer is no JSON object"))
    return _task(answer, answer.body)


def _task(answer: _Answer, body: dict[str, Any]) -> WanTask:
    if answer.status == "failed":
        error = answer.error or ErrorInfo("generation_failed", "the provider failed the task and gave no code")
        return WanTask("failed", "failed", error=error)
    if answer.status != "completed":
        return WanTask("running", answer.status)
    result = _bounded({name: body.get(name) for name in ("output", "usage", "metadata")})
    if not video_urls(result):
        raise PollUnclear(ErrorInfo(RESULT_PARSING_ERROR, "the task is completed, but its output holds no video"))
    return WanTask("completed", "completed", result=result)


def _bounded(result: dict[str, Any]) -> dict[str, Any]:
    """A result that fits into a record (400 KB) and an event (256 KB), without its metadata if it must be.

    Raises:
        PollUnclear: it is too large without them, too.
    """
    if (size := _json_bytes(result)) <= MAX_RESULT_BYTES:
        return result
    smaller = {**result, "metadata": {"left_out_bytes": size}}
    if _json_bytes(smaller) > MAX_RESULT_BYTES:
        message = f"the status answer has {size} bytes, more than {MAX_RESULT_BYTES}"
        raise PollUnclear(ErrorInfo(RESULT_PARSING_ERROR, message))
    return smaller


def _json_bytes(value: object) -> int:
    return len(json.dumps(value, default=str))


def _chunks(response: requests.Response, in_time: Callable[[], bool]) -> Iterator[bytes]:
    size = 0
    try:
        for chunk in response.iter_content(_CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_VIDEO_BYTES:
                raise _too_large()
            if not in_time():
                raise DownloadFailed("the CDN sends too slowly")
            yield chunk
    except requests.RequestException as error:
        raise DownloadFailed(f"the CDN broke off ({_name(error)})") from error


def _too_large() -> ResultRefused:
    return ResultRefused(ErrorInfo("result_unavailable", f"the provider's video has more than {MAX_VIDEO_BYTES} bytes"))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a URL; ("", None, None) for one that cannot be read."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port


def _announced_bytes(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _retry_after(text: str | None) -> int | None:
    """Seconds; the header's date form is not used by rate limits and counts as absent."""
    return min(int(text), 3600) if text is not None and text.strip().isdecimal() else None


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Accept": "application/json", "Connection": "close"}


def _short(value: object, limit: int) -> str:
    return str(value if value is not None else "")[:limit]


def _name(error: BaseException) -> str:
    """A fault in words, without its own text: that may hold a URL with a signature in it."""
    return next((words for kind, words in _FAULTS if isinstance(error, kind)), type(error).__name__)
