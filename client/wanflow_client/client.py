"""The client: one method for each wish."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from wanflow_client.documents import FINAL, Estimate, Job, Status
from wanflow_client.errors import (
    Conflict,
    CreateUnclear,
    JobCanceled,
    JobFailed,
    NotFound,
    ServerError,
    StillRunning,
    TransferFailed,
    Unreachable,
)
from wanflow_client.request import LocalOrUrl, VideoRequest, content_type_of
from wanflow_client.transport import Patience, Transport

AnyRequest = VideoRequest | Mapping[str, Any]
"""A request: a `VideoRequest`, or the body of `POST /videos` itself, in which a `Path` stands for a local file."""

Progress = Callable[[Job], None]
DEFAULT_WAIT_SECONDS = 5.0
_PUT_AWAY_SECONDS = 15.0


class Wanflow:
    """One caller of a stack: its URL (`https://….amazonaws.com/v1`) and an API key.

    Every call is repeated on its own for `retry_seconds` where that may help (no connection, HTTP 5xx, 429 with
    Retry-After), and raises what `wanflow_client.errors` draws. Not to be shared by threads.
    """

    def __init__(
        self,
        api_url: str,
        api_key: str,
        *,
        retry_seconds: float = 60,
        timeout_seconds: float = 60,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`timeout_seconds`: for one answer. `session`: one with proxies or certificates of its own."""
        if not api_url.startswith(("http://", "https://")):
            raise ValueError(f"api_url must start with https:// or http://, not {api_url!r}")
        if not (api_key and api_key.isascii() and api_key.isprintable()):
            raise ValueError("api_key must be printable ASCII text that is not empty")
        patience = Patience(retry_seconds, sleep, monotonic)
        self._transport = Transport(api_url, api_key, session or requests.Session(), patience, timeout_seconds)
        self._sleep = sleep
        self._monotonic = monotonic

    # --- Making videos -----------------------------------------------------------------------------------------------

    def create(self, request: AnyRequest, *, idempotency_key: str | None = None) -> Job:
        """Create a job; local files are uploaded first.

        Args:
            idempotency_key: the same key always gives the same job. Without one a key is made and kept across this
                call's own retries, so that no retry makes a second job.

        Raises:
            InvalidRequest: every broken rule is named; nothing was paid.
            CreateUnclear: no answer; carries what is needed to ask again without making a second job.
        """
        body = self.prepare(request)
        key = idempotency_key if idempotency_key is not None else str(uuid.uuid4())
        try:
            job: Job = self._transport.call("POST", "/videos", body, headers={"idempotency-key": key}).body
        except (Unreachable, ServerError) as error:
            raise CreateUnclear(body, key, error) from error
        return job

    def create_and_wait(
        self, request: AnyRequest, *, progress: Progress | None = None, timeout_seconds: float | None = None
    ) -> Job:
        """`create`, then `wait`."""
        return self.wait(self.create(request), progress=progress, timeout_seconds=timeout_seconds)

    def prepare(self, request: AnyRequest) -> dict[str, Any]:
        """The request's body, with every local file uploaded and replaced by its `s3://` name."""
        body = request.body() if isinstance(request, VideoRequest) else dict(request)
        given = body.get("input")
        if not isinstance(given, Mapping):
            return body
        wan_input = dict(given)
        references = wan_input.get("reference_urls")
        if isinstance(references, list | tuple):
            wan_input["reference_urls"] = [self._delivered(each) for each in references]
        if "audio_url" in wan_input:
            wan_input["audio_url"] = self._delivered(wan_input["audio_url"])
        return {**body, "input": wan_input}

    def _delivered(self, value: Any) -> Any:
        return self.upload(value) if isinstance(value, Path) else value

    def estimate(self, request: AnyRequest) -> Estimate:
        """What a request would cost and what is wrong with it; pays nothing. Local files are uploaded."""
        estimate: Estimate = self._transport.call("POST", "/estimates", self.prepare(request)).body
        return estimate

    def upload(self, path: LocalOrUrl) -> str:
        """Put a local file into the stack's bucket.

        Returns:
            its `s3://…` name, for `references` or `audio`.

        Raises:
            BadFile: no picture, video or sound by its name.
            InvalidRequest: larger than the API takes.
        """
        file = Path(path)
        content_type = content_type_of(file)
        place = {"content_type": content_type, "bytes": file.stat().st_size}
        lent = self._transport.call("POST", "/uploads", place).body
        self._transport.post_file(lent["url"], lent["fields"], file, content_type)
        reference: str = lent["reference"]
        return reference

    # --- Jobs --------------------------------------------------------------------------------------------------------

    def get(self, job: Job | str) -> Job:
        """A job as it is now, by its id or an older document."""
        return self._get(_id_of(job))[0]

    def wait(self, job: Job | str, *, progress: Progress | None = None, timeout_seconds: float | None = None) -> Job:
        """Wait until the job has ended, asking as often as the API advises.

        Args:
            progress: called with each document, the last one included.
            timeout_seconds: how long to wait; None = until the end. The job goes on whatever happens here.

        Raises:
            JobFailed, JobCanceled: it ended without a video.
            StillRunning: `timeout_seconds` are over.
        """
        started = self._monotonic()
        while True:
            document, pause = self._get(_id_of(job))
            if progress is not None:
                progress(document)
            if document["status"] in FINAL:
                return _with_video(document)
            if timeout_seconds is not None:
                left = timeout_seconds - (self._monotonic() - started)
                if left <= 0:
                    raise StillRunning(document)
                pause = min(pause, left)
            self._sleep(pause)

    def download(self, job: Job | str, path: str | os.PathLike[str], *, number: int = 1) -> Path:
        """Download a completed job's video; the file appears whole or not at all.

        Args:
            number: which one, for a job with several.

        Raises:
            JobFailed, StillRunning: there is no video.
            TransferFailed: the bucket did not give it, or keeps it no more.
        """
        document = self.get(job)
        if document["status"] not in FINAL:
            raise StillRunning(document)
        if "output_expired_at" in _with_video(document):
            raise TransferFailed(f"job {document['id']}: its video was kept until {document['output_expired_at']}")
        urls = [content["url"] for output in document.get("output", []) for content in output["content"]]
        if not 1 <= number <= len(urls):
            raise ValueError(f"job {document['id']} has {len(urls)} videos, there is no number {number}")
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        try:
            self._transport.get_file(urls[number - 1], unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return target

    def list(self, *, status: Status | None = None, page_size: int = 50) -> Iterator[Job]:
        """This key's jobs, newest first; pages are fetched as they are needed."""
        params = {"limit": str(page_size), **({"status": status} if status is not None else {})}
        while True:
            page = self._transport.call("GET", "/videos", params=params).body
            yield from page["videos"]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job. Free before its submit; after it the provider may still finish and bill the task.

        Raises:
            Conflict: it has ended otherwise.
        """
        try:
            canceled: Job = self._transport.call("DELETE", _path(job)).body
        except Conflict:
            # An earlier try may have done it.
            canceled = self.get(job)
            if canceled["status"] != "canceled":
                raise
        return canceled

    def purge(self, job: Job | str) -> None:
        """Delete an ended job for good: its videos, its document, its record.

        A job that has ended a moment ago is still being put away; that is waited for, 15 seconds at most.

        Raises:
            Conflict: it has not ended, or its task may still run.
        """
        started = self._monotonic()
        while not self._purged(job, patient=self._monotonic() - started < _PUT_AWAY_SECONDS):
            self._sleep(1)

    def _purged(self, job: Job | str, *, patient: bool) -> bool:
        try:
            self._transport.call("DELETE", _path(job), params={"purge": "true"})
        except NotFound as error:
            # An earlier try may have done it, and its answer was lost.
            if error.tries == 1:
                raise
        except Conflict:
            if not patient or self.get(job)["status"] not in FINAL:
                raise
            return False
        return True

    def _get(self, job_id: str) -> tuple[Job, float]:
        answer = self._transport.call("GET", _path(job_id))
        return answer.body, answer.retry_after_seconds or DEFAULT_WAIT_SECONDS


def _id_of(job: Job | str) -> str:
    return job if isinstance(job, str) else job["id"]


def _path(job: Job | str) -> str:
    return f"/videos/{quote(_id_of(job), safe='')}"


def _with_video(job: Job) -> Job:
    if job["status"] == "completed":
        return job
    raise (JobCanceled if job["status"] == "canceled" else JobFailed)(job)
