"""The HTTPS API of the stack, called as a user's program would call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

from local.errors import LocalStackError


class WanflowApi:
    """One caller: a stack's URL and an API key."""

    def __init__(self, api_url: str, api_key: str) -> None:
        self._url = api_url
        self._session = requests.Session()
        self._session.trust_env = False  # loopback needs neither a proxy nor a .netrc
        self._session.headers["x-api-key"] = api_key

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = self._session.post(f"{self._url}/videos", json=request, timeout=60)
        if answer.status_code != 202:
            raise LocalStackError(refusal(answer))
        return json_object(answer)

    def get(self, job_id: str) -> dict[str, Any]:
        answer = self._session.get(f"{self._url}/videos/{job_id}", timeout=60)
        if answer.status_code != 200:
            raise LocalStackError(refusal(answer))
        return json_object(answer)

    def download(self, url: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the session: a presigned URL carries its own rights and must not get the API key.
        with requests.get(url, stream=True, timeout=60) as answer, path.open("wb") as file:
            answer.raise_for_status()
            for chunk in answer.iter_content(1 << 16):
                file.write(chunk)


def json_object(answer: requests.Response) -> dict[str, Any]:
    document: dict[str, Any] = answer.json()
    return document


def refusal(answer: requests.Response) -> str:
    """The API's own words, one line for each violation."""
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"the API answered HTTP {answer.status_code}: {answer.text[:500]}"
    lines = [f"the API answered HTTP {answer.status_code} {error['code']}: {error['message']}"]
    lines += [f"  {each['field']}: {each['message']} ({each['code']})" for each in error.get("violations", [])]
    return "\n".join(lines)
