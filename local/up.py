"""`make up`: the stack in the foreground, until it is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from local.deploy import Endpoints
from local.settings import ROOT, STACK_NAME, Settings
from local.stack import Stack, local_stack


def main(_arguments: list[str]) -> int:
    settings = Settings.from_environment()
    with local_stack(settings) as stack, endpoints_files(stack):
        print(welcome(stack.endpoints, settings), flush=True)
        try:
            while True:
                stack.check_alive()
                time.sleep(1)
        finally:
            print("\nStopping.", file=sys.stderr, flush=True)


@contextlib.contextmanager
def endpoints_files(stack: Stack) -> Iterator[None]:
    """The files are there exactly as long as the stack answers."""
    files = {
        stack.settings.shell_file: shell_variables(stack),
        stack.settings.endpoints_file: json.dumps(stack.endpoints.as_dict(), indent=2) + "\n",
    }
    for path, text in files.items():
        stack.children.delete_at_end(path)
        write_private(path, text)
    try:
        yield
    finally:
        for path in files:
            path.unlink(missing_ok=True)


def shell_variables(stack: Stack) -> str:
    """What a shell sources so that the commands of the documentation work on this stack as on a deployed one."""
    endpoints = stack.endpoints
    variables = {
        "API_URL": endpoints.api_url,
        "API_KEY": endpoints.api_key,
        "BUCKET": endpoints.bucket,
        "STACK": STACK_NAME,
        "AWS_ENDPOINT_URL": endpoints.aws_endpoint,
        "AWS_DEFAULT_REGION": endpoints.region,
        # Any will do.
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def write_private(path: Path, text: str) -> None:
    """All at once, and readable by its owner only: it may hold the key of the real Wan API."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)


def welcome(endpoints: Endpoints, settings: Settings) -> str:
    request = {
        "model": "wan26_r2v",
        "input": {"prompt": "character1 waves", "reference_urls": ["https://example.com/cat.png"]},
        "parameters": {"size": "1280*720", "duration": 5},
    }
    wan_key = endpoints.wan_api_key if settings.provider.is_mock else "(from WAN_API_KEY)"
    return f"""
Wanflow is up. Ctrl-C stops it and forgets everything.

  console      {endpoints.console_url}
  API          {endpoints.api_url}
  API key      {endpoints.api_key}
  Wan API      {endpoints.wan_url}{"  (the mock)" if settings.provider.is_mock else ""}
  Wan key      {wan_key}
  AWS          {endpoints.aws_endpoint}  ({endpoints.region}; any credentials work)
  bucket       {endpoints.bucket}
  table        {endpoints.table}
  workflow     {endpoints.state_machine_arn}
  webhooks     {endpoints.webhook_secret}  (signs them)

All of this is in {shown(settings.endpoints_file)}; the functions log to {shown(settings.log_dir)}/.
`. {shown(settings.shell_file)}` in another shell makes variables of it: every command of the documentation works there.

Make a video, then ask for it by the id in the answer:

  curl -s {endpoints.api_url}/videos \\
    -H 'x-api-key: {endpoints.api_key}' -H 'content-type: application/json' \\
    -d '{json.dumps(request)}'
  curl -s {endpoints.api_url}/videos/ID -H 'x-api-key: {endpoints.api_key}'
"""


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
