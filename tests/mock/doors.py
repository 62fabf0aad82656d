"""One client for both doors of the mock, and one shape for whatever comes back, so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.client import RemoteDisconnected
from typing import Any

import requests

from mock_server.settings import Settings
from mock_server.simulator import Simulator

PATIENCE_SECONDS = 30.0
"""Long, since a busy machine answers late. A test that waits for a timeout is impatient instead."""
IMPATIENCE_SECONDS = 0.4
HTTP, IN_PROCESS = "over HTTP", "in process"


class TinyRenderer:
    """Stands in for the real renderer: a video is its own description."""

    def render(self, clip: Any) -> bytes:
        return b"\0\0\0\x18ftypmp42" + repr((clip.width, clip.height, clip.duration_seconds, clip.prompt)).encode() * 20


@dataclass(frozen=True)
class Outcome:
    """What a caller sees: an answer, or how the transport failed (`broken`: reset, closed, timeout, cut)."""

    status: int = 0
    json: Any = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict, compare=False)
    broken: str = ""

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])


class Door:
    """A mock Wan server as a client sees it."""

    def __init__(self, name: str, url: str, simulator: Simulator) -> None:
        self.name = name
        self.url = url
        self.simulator = simulator

    def call(
        self, method: str, path: str, *, key: str | None = "test-key", impatient: bool = False, **options: Any
    ) -> Outcome:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key}")
        timeout = IMPATIENCE_SECONDS if impatient else PATIENCE_SECONDS
        url = path if path.startswith("http") else f"{self.url}{path}"
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    method, url, headers=headers, timeout=timeout, allow_redirects=False, **options
                )
        except requests.RequestException as error:
            return Outcome(broken=how_it_broke(error))
        return Outcome(answer.status_code, json_of(answer), answer.content, dict(answer.headers))

    def submit(self, document: Any, **options: Any) -> Outcome:
        return self.call("POST", "/v1/videos", json=document, **options)

    def submit_prompt(self, prompt: str, **options: Any) -> Outcome:
        return self.submit(request_with(prompt=prompt), **options)

    def created(self, document: Any) -> str:
        return str(self.submit(document).json["id"])

    def poll(self, task_id: str, **options: Any) -> Outcome:
        return self.call("GET", f"/v1/videos/{task_id}", **options)

    def link(self, task_id: str) -> str:
        return str(self.poll(task_id).json["output"][0]["content"][0]["url"])

    def download(self, link: str, **options: Any) -> Outcome:
        return self.call("GET", link, key=None, **options)

    def admin(self, method: str, path: str, document: Any = None, **options: Any) -> Outcome:
        given = {} if document is None else {"json": document}
        return self.call(method, f"/_mock/{path}", key=None, **given, **options)

    def ledger(self) -> Any:
        return self.admin("GET", "ledger").json

    def advance(self, seconds: float) -> None:
        assert self.admin("POST", "clock", {"advance": seconds}).status == 200


def how_it_broke(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "timeout"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "cut"
    causes = " ".join(repr(argument) for argument in error.args)
    return (
        "closed" if RemoteDisconnected.__name__ in causes else "reset" if "ConnectionResetError" in causes else causes
    )


def json_of(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def request_with(
    *, prompt: Any = "character1 walks", references: Any = ("https://example.com/a.png",), **parameters: Any
) -> dict[str, Any]:
    """A valid request, but for what is given."""
    given = list(references) if isinstance(references, tuple) else references
    document: dict[str, Any] = {"model": "wan26_r2v", "input": {"prompt": prompt, "reference_urls": given}}
    return {**document, "parameters": parameters} if parameters else document


def with_input(**fields: Any) -> dict[str, Any]:
    """A valid request with more, or other, fields in `input`."""
    document = request_with()
    document["input"].update(fields)
    return document


def quick(**changes: Any) -> Settings:
    """Tasks of ten virtual seconds."""
    return Settings(**{"render_seconds": 10.0, "seed": 7, **changes})
