"""Which stack the command talks to, and with which key."""

import json
from collections.abc import Mapping
from pathlib import Path

URL_VARIABLE = "WANFLOW_API_URL"
KEY_VARIABLE = "WANFLOW_API_KEY"
LOCAL_FILE = Path(".local", "endpoints.json")
"""Written by `make up`, there as long as the local stack runs."""


class NoStack(Exception):
    """It was not said which stack to talk to."""


def find_stack(
    api_url: str | None, api_key: str | None, environ: Mapping[str, str], directory: Path
) -> tuple[str, str]:
    """URL and key: from the options, else from the environment, else both from the local stack under `directory`."""
    url = api_url or environ.get(URL_VARIABLE)
    key = api_key or environ.get(KEY_VARIABLE)
    if url is None and (found := _local_stack(directory)) is not None:
        # The pair belongs together: a key from the environment would be another stack's.
        return found[0], api_key or found[1]
    if not url:
        raise NoStack(f"no stack: set {URL_VARIABLE} and {KEY_VARIABLE}, or run `make up` and stay in its folder")
    if not key:
        raise NoStack(f"no API key: set {KEY_VARIABLE}")
    return url, key


def _local_stack(directory: Path) -> tuple[str, str] | None:
    try:
        endpoints = json.loads((directory / LOCAL_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return endpoints["api_url"], endpoints["api_key"]
