"""The one place where requests go out, and where they are repeated."""

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.exceptions import ChunkedEncodingError, ConnectionError, ContentDecodingError, SSLError, Timeout  # noqa: A004
from urllib3.filepost import encode_multipart_formdata

from wanflow_client.errors import TransferFailed, Unreachable, WanflowError, api_error

logger = logging.getLogger("wanflow_client")
T = TypeVar("T")

CONNECT_SECONDS = 10.0
CHUNK_BYTES = 1 << 16
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 10.0
_NO_ANSWER = (ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A call that succeeded: its JSON (None without a body) and the wait that it asked for."""

    body: Any
    retry_after_seconds: float | None


@dataclass(slots=True)
class Patience:
    """Repeats what may pass, for `retry_seconds` at most."""

    retry_seconds: float
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic

    def until_done(self, attempt: Callable[[], T]) -> T:
        """`attempt`'s result; its error when that will not pass, or not in time."""
        started, tries = self.monotonic(), 0
        while True:
            tries += 1
            try:
                return attempt()
            except WanflowError as error:
                error.tries = tries
                wait = _wait_seconds(tries, error.retry_after_seconds)
                if not error.is_passing or self.monotonic() - started + wait > self.retry_seconds:
                    raise
                logger.warning("%s; trying again in %.1f s", error, wait)
                self.sleep(wait)


def _wait_seconds(tries: int, retry_after_seconds: float | None) -> float:
    """Exponential backoff with full jitter, and never less than was asked for."""
    ceiling = min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0**tries)
    return max(retry_after_seconds or 0.0, random.uniform(0.1, ceiling))  # noqa: S311 - no secret


class Transport:
    """Calls the API with its key, and the bucket without."""

    def __init__(
        self, api_url: str, api_key: str, session: requests.Session, patience: Patience, timeout_seconds: float
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._api_key = api_key
        self._session = session
        self._timeout = (CONNECT_SECONDS, timeout_seconds)
        self._patience = patience

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call of the API, repeated while it may help. Only for calls that are harmless when made twice.

        Raises:
            ApiError: it was refused.
            Unreachable: no answer.
        """
        data = None if body is None else json.dumps(body).encode()
        told = {"x-api-key": self._api_key, "content-type": "application/json", **(headers or {})}

        def attempt() -> Answer:
            # No redirects: the API has none, and the key must not travel to another host.
            with self._send(method, self._api_url + path, data=data, params=params, headers=told) as response:
                return _read_answer(response)

        return self._patience.until_done(attempt)

    def post_file(self, url: str, fields: Mapping[str, str], path: Path, content_type: str) -> None:
        """Upload a file by a presigned POST, without holding it in memory.

        Raises:
            TransferFailed: the bucket refused it, or could not be reached.
        """

        def attempt() -> None:
            body = FileForm(fields, path, content_type)
            headers = {"content-type": body.content_type}
            with _naming_transfer(path.name), self._send("POST", url, data=body, headers=headers) as response:
                _check_transfer(response, f"upload of {path.name}")

        self._patience.until_done(attempt)

    def get_file(self, url: str, path: Path) -> None:
        """Download into `path`, whole or with an error.

        Raises:
            TransferFailed: the bucket did not give it, or less than it announced.
        """
        as_it_is = {"accept-encoding": "identity"}

        def attempt() -> None:
            with _naming_transfer(path.name), self._send("GET", url, stream=True, headers=as_it_is) as response:
                _check_transfer(response, f"download to {path.name}")
                _save(response, path)

        self._patience.until_done(attempt)

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        # `auth` keeps a .netrc entry from adding an Authorization header that a presigned URL would not survive.
        options |= {"timeout": self._timeout, "allow_redirects": False, "auth": _unchanged}
        try:
            return self._session.request(method, url, **options)
        except SSLError as error:
            raise Unreachable(f"no trusted connection: {error}", is_passing=False) from error
        except _NO_ANSWER as error:
            raise Unreachable(f"no answer: {type(error).__name__}") from error


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _read_answer(response: requests.Response) -> Answer:
    wait = _retry_after(response)
    if response.status_code == 204:
        return Answer(None, wait)
    try:
        body: Any = response.json()
    except requests.exceptions.JSONDecodeError as error:
        if response.ok:
            # Something in between answered, not the API.
            raise Unreachable(f"HTTP {response.status_code} without readable JSON") from error
        body = response.text
    if not 200 <= response.status_code < 300:
        raise api_error(response.status_code, body, wait)
    return Answer(body, wait)


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


@contextmanager
def _naming_transfer(name: str) -> Iterator[None]:
    try:
        yield
    except Unreachable as error:
        failed = TransferFailed(f"{name}: {error}")
        failed.is_passing = error.is_passing
        raise failed from error


def _check_transfer(response: requests.Response, what: str) -> None:
    if not 200 <= response.status_code < 300:
        raise TransferFailed(f"{what}: HTTP {response.status_code} {response.text[:300]}", response.status_code)


def _save(response: requests.Response, path: Path) -> None:
    size = 0
    try:
        with path.open("wb") as file:
            for chunk in response.iter_content(CHUNK_BYTES):
                size += file.write(chunk)
    except _NO_ANSWER as error:
        raise TransferFailed(f"download to {path.name} was cut after {size} bytes") from error
    announced = response.headers.get("Content-Length")
    if announced is not None and int(announced) != size:
        raise TransferFailed(f"download to {path.name} has {size} bytes instead of {announced}")


class FileForm:
    """A multipart form with one file, read while it is sent: its length is known, its content never held."""

    def __init__(self, fields: Mapping[str, str], path: Path, content_type: str) -> None:
        # Built with a mark in the file's place, then cut there. The bucket wants the file last.
        mark = b"\0content of the file\0"
        form: list[tuple[str, str | tuple[str, bytes, str]]] = [*fields.items()]
        form.append(("file", (path.name, mark, content_type)))
        whole, self.content_type = encode_multipart_formdata(form)
        self._head, self._tail = whole.split(mark)
        self._path = path
        self._length = len(self._head) + path.stat().st_size + len(self._tail)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        yield self._tail
