"""The provider's answers, healthy ones and the ways in which a fault spoils them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .clock import iso
from .directives import Fault
from .errors import ERROR_CODES, FAILED_IN_BODY, error_body, status_word
from .messages import HTML_TYPE, Delay, Hold, LostAnswer, Reset, Response, Trickle, json_response, json_text
from .rules import PROMPT_CHARACTERS
from .tasks import Task

WRONG_LENGTH_EXTRA_BYTES = 1024
NOT_A_VIDEO = b"<!doctype html><title>Not a video</title><p>This is no MP4 file, whatever its Content-Type says.\n"

_RETRIED_STATUSES = (429, 503)
_TAKES_NO_BODY = (204, 304)


def silent(fault: Fault) -> Response:
    """No answer at all: the connection is reset, closed or held."""
    return Response(0, headers=(), effect=_SILENCE[fault.name](fault))


_SILENCE: dict[str, Callable[[Fault], Reset | LostAnswer | Hold]] = {
    "reset": lambda _: Reset(),
    "lost-answer": lambda _: LostAnswer(),
    "timeout": lambda fault: Hold(fault.seconds),
}


def refused(fault: Fault, task_id: str | None = None) -> Response:
    """The answer of a `code` or `http` fault: an error object, as a 4xx/5xx or as a 200 with status failed."""
    if fault.name == "http":
        return _http(fault)
    error = error_body(fault.code, f"{ERROR_CODES[fault.code].description} (asked for by {fault.spelled})")
    if fault.status != FAILED_IN_BODY:
        return json_response(fault.status, error)
    return json_response(FAILED_IN_BODY, {**({"id": task_id} if task_id else {}), "status": "failed", **error})


def _http(fault: Fault) -> Response:
    if fault.status in _TAKES_NO_BODY:
        return Response(fault.status, headers=())
    retry = (("Retry-After", str(int(fault.seconds))),) if fault.status in _RETRIED_STATUSES else ()
    body = error_body(status_word(fault.status), f"HTTP {fault.status} (asked for by {fault.spelled})")
    return json_response(fault.status, body, *retry)


def task_response(task: Task, status: str, result: dict[str, Any] | None = None) -> Response:
    """How a task stands; `result` is what stands between `status` and `metadata`.

    Its JSON is written by hand, which takes a tenth of an encoder's time: what came from a client goes through one.
    """
    between = f"{json_text(result)[1:-1]}," if result else ""
    text = f'{{"id":"{task.id}","status":"{status}",{between}"metadata":{_metadata(task)}}}'
    return Response(200, text.encode())


def _metadata(task: Task) -> str:
    """The provider's `metadata`: what it made of the request, the cut of the prompt and mistakes that are allowed."""
    parameters, characters = task.draft.parameters, len(task.draft.prompt)
    cut = characters > PROMPT_CHARACTERS
    warnings = task.draft.warnings()
    return (
        f'{{"created_at":"{iso(task.created_at)}","size":"{parameters.size}","duration":{parameters.duration},'
        f'"seed":{task.seed},"prompt_characters":{PROMPT_CHARACTERS if cut else characters},'
        f'"prompt_truncated":{"true" if cut else "false"},"warnings":{json_text(warnings) if warnings else "[]"}}}'
    )


def spoiled(fault: Fault, healthy: Response) -> Response:
    """A healthy JSON answer of submit or poll, broken in the way of `fault`."""
    return _SPOILERS[fault.name](fault, healthy)


def _payload(healthy: Response) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(healthy.body or b"{}")
    return payload


def _malformed(_: Fault, healthy: Response) -> Response:
    healthy.body = healthy.body[: len(healthy.body) // 2]
    return healthy


def _slow(fault: Fault, healthy: Response) -> Response:
    healthy.effect = Delay(fault.seconds)
    return healthy


def _empty(_: Fault, healthy: Response) -> Response:
    healthy.body = b""
    return healthy


def _html(fault: Fault, _: Response) -> Response:
    title = f"{fault.status} {status_word(fault.status).replace('_', ' ').title()}"
    page = f"<!doctype html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Response(fault.status, page.encode(), (HTML_TYPE,))


def _wrong_type(_: Fault, healthy: Response) -> Response:
    twisted = {"id": [_payload(healthy).get("id")], "status": 200, "output": "none", "usage": "none", "metadata": []}
    return json_response(healthy.status, twisted)


def _no_id(_: Fault, healthy: Response) -> Response:
    return _without(healthy, "id")


def _unknown_status(_: Fault, healthy: Response) -> Response:
    unfinished = _payload(_without(healthy, "output", "usage", "error"))
    return json_response(healthy.status, {**unfinished, "status": "warming_up"})


def _no_output(_: Fault, healthy: Response) -> Response:
    return _without(healthy, "output")


def _without(healthy: Response, *names: str) -> Response:
    kept = {name: value for name, value in _payload(healthy).items() if name not in names}
    return json_response(healthy.status, kept)


_SPOILERS: dict[str, Callable[[Fault, Response], Response]] = {
    "code": lambda fault, healthy: refused(fault, _payload(healthy).get("id")),
    "http": lambda fault, _: refused(fault),
    "reset": lambda fault, _: silent(fault),
    "lost-answer": lambda fault, _: silent(fault),
    "timeout": lambda fault, _: silent(fault),
    "slow": _slow,
    "empty": _empty,
    "malformed": _malformed,
    "html": _html,
    "wrong-type": _wrong_type,
    "no-id": _no_id,
    "unknown-status": _unknown_status,
    "no-output": _no_output,
}


def spoiled_download(fault: Fault, healthy: Response) -> Response:
    """A healthy video answer (its body whole), broken in the way of `fault`."""
    return _DOWNLOAD_SPOILERS[fault.name](fault, healthy)


def _cut(_: Fault, healthy: Response) -> Response:
    healthy.announced_length = len(healthy.body)
    healthy.body = healthy.body[: len(healthy.body) // 2]
    return healthy


def _wrong_length(_: Fault, healthy: Response) -> Response:
    healthy.announced_length = len(healthy.body) + WRONG_LENGTH_EXTRA_BYTES
    return healthy


def _not_mp4(_: Fault, healthy: Response) -> Response:
    return Response(200, NOT_A_VIDEO, tuple(pair for pair in healthy.headers if pair[0] == "Content-Type"))


def _trickle(fault: Fault, healthy: Response) -> Response:
    healthy.effect = Trickle(fault.seconds)
    return healthy


def _empty_download(_: Fault, healthy: Response) -> Response:
    healthy.body = b""
    return healthy


_DOWNLOAD_SPOILERS: dict[str, Callable[[Fault, Response], Response]] = {
    "http": lambda fault, _: refused(fault),
    "reset": lambda fault, _: silent(fault),
    "timeout": lambda fault, _: silent(fault),
    "slow": _trickle,
    "empty": _empty_download,
    "cut": _cut,
    "wrong-length": _wrong_length,
    "not-mp4": _not_mp4,
}
PREVENTS_CREATION = frozenset({"code", "http", "reset", "timeout"})
"""Faults of submit that strike before the request is taken; with all others the task is created, and billed."""
