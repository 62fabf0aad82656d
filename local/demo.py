"""`make demo`: one job from two pictures, from the first process started to the MP4 in `demo-output/`."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from local import references, report
from local.api import WanflowApi
from local.settings import ROOT, Settings
from local.stack import Stack, local_stack

OUTPUT = ROOT / "demo-output"
PROMPT = "character1 and character2 meet in a sunny park, wave at the camera and laugh"
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Finished:
    """A job that has ended, and how long the caller waited for it."""

    document: dict[str, Any]
    seconds: float


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    given = references.load(options.reference or references.EXAMPLES)
    with local_stack(Settings.from_environment()) as stack:
        request = {
            "model": "wan26_r2v",
            "input": {"prompt": options.prompt, "reference_urls": references.deliver(given, stack)},
            "parameters": {"size": options.size, "duration": options.duration},
        }
        api = WanflowApi(stack.endpoints.api_url, stack.endpoints.api_key)
        finished = run(api, request, stack)
        timeline = report.timeline(stack, finished.document)
        video = OUTPUT / f"{finished.document['id']}.mp4"
        if finished.document["status"] == "completed":
            api.download(finished.document["output"][0]["content"][0]["url"], video)
    return report.show(finished.document, finished.seconds, timeline, video)


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


def run(api: WanflowApi, request: dict[str, Any], stack: Stack) -> Finished:
    """Create the job and wait for its end behind a progress bar."""
    start = time.monotonic()
    document = api.create(request)
    with tqdm(total=100, file=sys.stderr, bar_format="  {desc:<11}|{bar:40}| {n:3.0f} %  {elapsed} ") as bar:
        while True:
            show_progress(bar, document)
            if document["status"] in report.FINAL:
                return Finished(document, time.monotonic() - start)
            stack.check_alive()
            time.sleep(POLL_SECONDS)
            document = api.get(document["id"])


def show_progress(bar: tqdm[Any], document: dict[str, Any]) -> None:
    """Move the bar; in a log file, where it cannot be drawn over, only for news."""
    is_news = bar.desc != document["status"] or document["progress"] >= bar.n + 25
    if sys.stderr.isatty() or is_news:
        bar.n = max(bar.n, document["progress"])
        bar.set_description_str(document["status"])
