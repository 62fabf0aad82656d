"""`make demo`: one job from two pictures, from the first process started to the MP4 in `demo-output/`."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import requests

from local import references, report
from local.errors import LocalStackError
from local.settings import ROOT, Settings
from local.stack import Stack, local_stack
from wanflow_client import Job, JobFailed, VideoRequest, Wanflow, WanflowError
from wanflow_client.progress import shown_progress

OUTPUT = ROOT / "demo-output"
PROMPT = "character1 and character2 meet in a sunny park, wave at the camera and laugh"


@dataclass(frozen=True)
class Finished:
    """A job that has ended, and how long the caller waited for it."""

    document: dict[str, Any]
    seconds: float


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    given = references.load(options.reference or references.EXAMPLES)
    request = VideoRequest(prompt=options.prompt, references=given, size=options.size, duration=options.duration)
    with local_stack(Settings.from_environment()) as stack:
        wanflow = connect(stack)
        try:
            finished = run(wanflow, request, stack)
            timeline = report.timeline(stack, finished.document)
            video = OUTPUT / f"{finished.document['id']}.mp4"
            if finished.document["status"] == "completed":
                wanflow.download(finished.document["id"], video)
        except WanflowError as error:
            raise LocalStackError(str(error)) from error
    return report.show(finished.document, finished.seconds, timeline, video)


def connect(stack: Stack) -> Wanflow:
    session = requests.Session()
    session.trust_env = False  # loopback needs no proxy
    return Wanflow(stack.endpoints.api_url, stack.endpoints.api_key, session=session)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo", description="Make one video on the local stack.", usage='make demo ARGS="[options]"'
    )
    parser.add_argument("--prompt", default=PROMPT, help="what happens; character1 is the first reference, and so on")
    parser.add_argument(
        "--reference", action="append", metavar="PATH", help="a picture or video (or its URL); up to five times"
    )
    parser.add_argument("--size", default="1280*720", help="width*height of the video (default: %(default)s)")
    parser.add_argument("--duration", type=int, default=5, help="its seconds, 2 to 15 (default: %(default)s)")
    return parser.parse_args(arguments)


def run(wanflow: Wanflow, request: VideoRequest, stack: Stack) -> Finished:
    """Create the job and wait for its end behind a progress bar."""
    start = time.monotonic()
    job = wanflow.create(request)
    with shown_progress() as show:

        def progress(document: Job) -> None:
            stack.check_alive()
            show(document)

        try:
            document = wanflow.wait(job, progress=progress)
        except JobFailed as error:
            document = error.job
    return Finished(dict(document), time.monotonic() - start)
