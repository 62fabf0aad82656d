"""`GET /videos/{token}.mp4`: the CDN. No API key: the token in the link is unguessable and dies with the link."""

from __future__ import annotations

import re
from functools import partial

from .answers import spoiled_download
from .directives import DOWNLOAD, Fault
from .errors import RefusalError
from .journal import Entry
from .messages import Answer, Deferred, Request, Response
from .rules import PROMPT_CHARACTERS
from .state import State, recorded
from .tasks import COMPLETED, Task

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class LinkDeadError(RefusalError):
    """A link that is unknown or older than 24 hours; a CDN does not say which."""

    status = 403


class DownloadRoute:
    """Answers a download, whole or a range of it. The video is rendered off the event loop."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, request: Request, entry: Entry, token: str) -> Answer:
        """The video or what a fault makes of it; raises RefusalError. HEAD uses up no fault."""
        state = self._state
        task = state.tasks.by_link(token)
        if task is None or task.status != COMPLETED:
            raise LinkDeadError("this link is unknown or has expired")
        entry.task_id, entry.prompt, entry.account = task.id, task.draft.prompt, task.account.name
        fault = None
        if request.method != "HEAD":
            fault = state.faults.strike(DOWNLOAD, task.draft.prompt, task.faults, task.strikes, lambda _: True)
        if fault is not None:
            entry.fault = fault.spelled
            if fault.name in {"http", "reset", "timeout"}:
                return spoiled_download(fault, Response(0))
        return Deferred(partial(self._render, task), partial(self._finish, request, entry, task, fault))

    def _render(self, task: Task) -> bytes:
        from .video import Clip  # noqa: PLC0415 - late, like the renderer: see state.LateRenderer

        parameters = task.draft.parameters
        width, height = map(int, parameters.size.split("*"))
        store = self._state.media
        clip = Clip(
            width=width,
            height=height,
            duration_seconds=parameters.duration,
            audio=parameters.audio,
            watermark=parameters.watermark,
            prompt=task.draft.prompt[:PROMPT_CHARACTERS],
            details=_details(task),
            references=tuple(
                store.get(task.digests.get(index, "")) or b"" for index in range(len(task.draft.references))
            ),
            audio_track=store.get(task.audio_digest) if task.audio_digest else None,
        )
        return self._state.renderer.render(clip)

    def _finish(self, request: Request, entry: Entry, task: Task, fault: Fault | None, video: bytes) -> Response:
        def produce() -> Response:
            response = _ranged(request, video, task)
            if request.method == "HEAD":
                response.announced_length, response.body = len(response.body), b""
            return response if fault is None else spoiled_download(fault, response)

        return recorded(entry, produce)


def _details(task: Task) -> tuple[tuple[str, str], ...]:
    """The parameters, as they are written into the picture: the same request makes the same, cached video."""
    given = task.draft.parameters
    shown = {
        "size": given.size,
        "duration": f"{given.duration} s",
        "shot_type": given.shot_type,
        "prompt_extend": str(given.prompt_extend).lower(),
        "audio": str(given.audio).lower(),
        "watermark": str(given.watermark).lower(),
        "seed": "not given" if given.seed is None else str(given.seed),
    }
    return tuple(shown.items())


def _ranged(request: Request, video: bytes, task: Task) -> Response:
    """The whole video, the one range that is asked for (206), or 416. Several ranges in one header are ignored."""
    etag = f'"{task.link_token[:16]}"'
    headers = (("Content-Type", "video/mp4"), ("Accept-Ranges", "bytes"), ("ETag", etag))
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or match.group() == "bytes=-" or request.headers.get("if-range", etag) != etag:
        return Response(200, video, headers)
    start, end = _bounds(match[1], match[2], len(video))
    if start >= end:
        return Response(416, b"", (*headers, ("Content-Range", f"bytes */{len(video)}")))
    return Response(206, video[start:end], (*headers, ("Content-Range", f"bytes {start}-{end - 1}/{len(video)}")))


def _bounds(first: str, last: str, total: int) -> tuple[int, int]:
    if not first:
        return max(0, total - int(last)), total
    return int(first), min(total, int(last) + 1 if last else total)
