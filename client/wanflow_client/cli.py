"""`wanflow`: the client for the shell. Exit codes: `wanflow --help`."""

import json
import logging
import os
import shlex
import sys
import uuid
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from wanflow_client.arguments import parse
from wanflow_client.client import AnyRequest, Wanflow
from wanflow_client.documents import Job
from wanflow_client.errors import (
    ApiError,
    BadFile,
    CreateUnclear,
    JobFailed,
    ServerError,
    StillRunning,
    TransferFailed,
    Unreachable,
)
from wanflow_client.progress import shown_progress
from wanflow_client.request import VideoRequest
from wanflow_client.settings import NoStack, find_stack

DONE, NO_VIDEO, USAGE, REFUSED, NO_ANSWER, STILL_RUNNING, FILE_TROUBLE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130

# The first class that fits; ApiError comes after its subclass ServerError.
_EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (JobFailed, NO_VIDEO),
    (NoStack, USAGE),
    (ServerError, NO_ANSWER),
    (Unreachable, NO_ANSWER),
    (CreateUnclear, NO_ANSWER),
    (ApiError, REFUSED),
    (StillRunning, STILL_RUNNING),
    (BadFile, FILE_TROUBLE),
    (TransferFailed, FILE_TROUBLE),
    (OSError, FILE_TROUBLE),
    (ValueError, USAGE),
)


def run() -> NoReturn:
    """What the installed command calls."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run one command; the exit code."""
    options = parse(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    try:
        url, key = find_stack(options.api_url, options.api_key, environ, Path.cwd())
        return _CALLS[options.call](Wanflow(url, key), options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except tuple(kind for kind, _ in _EXIT_CODES) as error:
        return _fail(error, options)


# --- Calls -----------------------------------------------------------------------------------------------------------


def _submit(wanflow: Wanflow, options: Namespace) -> int:
    body = wanflow.prepare(_request(options))
    key = options.idempotency_key or str(uuid.uuid4())
    try:
        job = wanflow.create(body, idempotency_key=key)
    except (KeyboardInterrupt, CreateUnclear):
        _tell(_how_to_repeat(body, key))
        raise
    for warning in job["warnings"]:
        _tell(f"warning: {warning['field']}: {warning['message']}")
    if not (options.wait or options.output):
        _show(job, options, job["id"])
        return DONE
    _tell(f"job {job['id']}, estimated at ${job['estimate']['cost_usd']}")
    return _wait_for(wanflow, job["id"], options)


def _wait(wanflow: Wanflow, options: Namespace) -> int:
    return _wait_for(wanflow, options.id, options)


def _wait_for(wanflow: Wanflow, job_id: str, options: Namespace) -> int:
    try:
        with shown_progress() as progress:
            job = wanflow.wait(job_id, progress=progress, timeout_seconds=options.timeout)
        if options.output:
            wanflow.download(job, options.output)
    except (KeyboardInterrupt, StillRunning):
        _tell(f"\nThe job goes on. Wait on: {_how_to_wait(job_id, options)}\nStop it: wanflow cancel {job_id}")
        raise
    _show(job, options, _lines(job, options.output))
    return DONE


def _get(wanflow: Wanflow, options: Namespace) -> int:
    job = wanflow.get(options.id)
    _show(job, options, _lines(job))
    return DONE


def _download(wanflow: Wanflow, options: Namespace) -> int:
    path = wanflow.download(options.id, options.output, number=options.number)
    _show({"id": options.id, "path": str(path), "bytes": path.stat().st_size}, options, str(path))
    return DONE


def _cancel(wanflow: Wanflow, options: Namespace) -> int:
    job = wanflow.cancel(options.id)
    _show(job, options, f"{job['id']}: cancel requested" if job.get("cancel_requested") else _lines(job))
    return DONE


def _purge(wanflow: Wanflow, options: Namespace) -> int:
    wanflow.purge(options.id)
    _show({"id": options.id, "purged": True}, options, f"{options.id}: deleted")
    return DONE


def _list(wanflow: Wanflow, options: Namespace) -> int:
    jobs = wanflow.list(status=options.status, page_size=min(options.limit, 100))
    for job in islice(jobs, options.limit):
        prompt = " ".join(str(job["request"]["input"]["prompt"]).split())
        _show(
            job, options, f"{job['created_at'][:19]}  {job['id']}  {job['status']:<10}  {_cost(job):<18}  {prompt:.60}"
        )
    return DONE


def _estimate(wanflow: Wanflow, options: Namespace) -> int:
    found = wanflow.estimate(_request(options))
    cost = f"${found['cost_usd']} ({found['tier']}, {found['seconds']} s)" if found["cost_usd"] else "cost unknown"
    lines = [cost]
    lines += [f"warning: {each['field']}: {each['message']}" for each in found["warnings"]]
    lines += [f"broken rule: {each['field']}: {each['message']} ({each['code']})" for each in found["violations"]]
    _show(found, options, "\n".join(lines))
    return REFUSED if found["violations"] else DONE


def _upload(wanflow: Wanflow, options: Namespace) -> int:
    for path in options.path:
        reference = wanflow.upload(path)
        _show({"path": path, "reference": reference}, options, reference)
    return DONE


_CALLS: dict[str, Callable[[Wanflow, Namespace], int]] = {
    "submit": _submit,
    "wait": _wait,
    "get": _get,
    "download": _download,
    "cancel": _cancel,
    "purge": _purge,
    "list": _list,
    "estimate": _estimate,
    "upload": _upload,
}


# --- In and out ------------------------------------------------------------------------------------------------------


def _request(options: Namespace) -> AnyRequest:
    if options.request is not None:
        body = json.loads(sys.stdin.read() if options.request == "-" else Path(options.request).read_text("utf-8"))
        if not isinstance(body, dict):
            raise ValueError("--request must hold a JSON object")
        return body
    if options.prompt is None or not options.reference:
        raise ValueError("give --prompt and one --reference at least, or --request")
    return VideoRequest(
        prompt=options.prompt,
        references=options.reference,
        audio=options.audio,
        size=options.size,
        duration=options.duration,
        prompt_extend=options.prompt_extend,
        watermark=options.watermark,
        with_audio=options.with_audio,
        shot_type=options.shot_type,
        seed=options.seed,
        metadata=dict(options.metadata) if options.metadata else None,
        callback_url=options.callback_url,
    )


def _show(value: Mapping[str, Any], options: Namespace, text: str) -> None:
    """The result: JSON for programs, `text` for people."""
    print(json.dumps(value, ensure_ascii=False) if options.json else text, flush=True)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(error: Exception, options: Namespace) -> int:
    _tell(f"wanflow: {error}")
    if options.json:
        job = error.job if isinstance(error, JobFailed | StillRunning) else None
        print(json.dumps(job or {"error": _as_json(error)}, ensure_ascii=False), flush=True)
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))


def _as_json(error: Exception) -> dict[str, Any]:
    if isinstance(error, ApiError):
        found = {"status": error.status, "code": error.code, "message": error.message, "violations": error.violations}
        return {name: value for name, value in found.items() if value is not None}
    return {"code": type(error).__name__, "message": str(error), "violations": []}


def _how_to_wait(job_id: str, options: Namespace) -> str:
    return shlex.join(["wanflow", "wait", job_id, *(["--output", options.output] if options.output else [])])


def _how_to_repeat(body: Mapping[str, Any], key: str) -> str:
    command = shlex.join(["wanflow", "submit", "--idempotency-key", key, "--request", "-"])
    words = "The job may have been made. This gives it, and makes it only if there is none:"
    return f"\n{words}\n\n{command} <<'END'\n{json.dumps(body)}\nEND\n"


def _lines(job: Job, saved: str | None = None) -> str:
    lines = [f"{job['id']}: {job['status']}" + (f", {job['progress']} %" if "ended_at" not in job else "")]
    if "error" in job:
        lines.append(f"error     {job['error']['code']}: {job['error']['message']}")
    if "waiting" in job:
        lines.append(f"waiting   {job['waiting']['message']}")
    lines.append(f"cost      {_cost(job)}")
    if saved is not None:
        lines.append(f"video     {saved}")
    else:
        videos = [content["url"] for output in job.get("output", []) for content in output["content"]]
        lines += [f"video     {url}" for url in videos]
    if "output_expired_at" in job:
        lines.append(f"video     kept until {job['output_expired_at']}")
    return "\n".join(lines)


def _cost(job: Job) -> str:
    billed = (job.get("usage") or {}).get("cost")
    return f"${billed}" if billed is not None else f"${job['estimate']['cost_usd']} (estimated)"
