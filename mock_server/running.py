"""A mock Wan server in a thread of this process, and a handle to steer it: for tests in Python."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from .http_server import HttpServer
from .settings import Settings
from .simulator import Simulator

_START_SECONDS = 10.0


class MockRequestError(Exception):
    """The mock refused to be steered like this; the message is its own."""


class Control:
    """Steers a mock at `url` over its `/_mock/` routes, wherever it runs; `admin_token` if it was started with one."""

    def __init__(self, url: str, admin_token: str = "") -> None:
        self.url = url
        self._admin_token = admin_token
        self._opener = build_opener(ProxyHandler({}))

    def ledger(self) -> dict[str, Any]:
        """`{created, running, completed, failed, expired, billed_usd, keys}`; money is a decimal string in USD."""
        return self.call("GET", "/_mock/ledger")

    def state(self) -> dict[str, Any]:
        """Clock, ledger, scenarios and the newest tasks."""
        return self.call("GET", "/_mock/state")

    def requests(self, **filters: str | int) -> list[dict[str, Any]]:
        """The journal's entries that fulfil every filter (stage, status, prompt, task_id...), oldest first."""
        query = f"?{urlencode(filters)}" if filters else ""
        entries: list[dict[str, Any]] = self.call("GET", f"/_mock/requests{query}")["requests"]
        return entries

    def scenario(self, action: str, *, stage: str = "", prompt: str = "", nth: int = 1, **options: Any) -> str:
        """Arm a fault and return the scenario's id. `options`: times, probability."""
        match = {"prompt": prompt, "nth": nth, **({"stage": stage} if stage else {})}
        return str(self.call("POST", "/_mock/scenarios", {"match": match, "action": action, **options})["id"])

    def advance(self, seconds: float) -> None:
        """Let virtual time pass at once."""
        self.call("POST", "/_mock/clock", {"advance": seconds})

    def verify(self, **expected: str | int) -> None:
        """Raises AssertionError with a readable mismatch: `verify(stage="submit", prompt="cat", count=1)`."""
        answer = self.call("POST", "/_mock/verify", expected, refusals=(409,))
        if not answer.get("verified"):
            raise AssertionError(answer.get("message") or answer["error"]["message"])

    def reset(self) -> None:
        """Forget all tasks, requests, scenarios and counts."""
        self.call("POST", "/_mock/reset")

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, refusals: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """One call of an admin route; raises MockRequestError, except for a status in `refusals`."""
        headers = {"Content-Type": "application/json"}
        if self._admin_token:
            headers["Authorization"] = f"Bearer {self._admin_token}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310 - always http
        try:
            with self._opener.open(request, timeout=_START_SECONDS) as answer:
                text = answer.read()
        except HTTPError as refusal:
            text = refusal.read()
            if refusal.code not in refusals:
                raise MockRequestError(f"HTTP {refusal.code}: {text.decode(errors='replace')}") from refusal
        document: dict[str, Any] = json.loads(text)
        return document


class RunningMock(Control):
    """A real HTTP server on a free loopback port. Use it as a context manager, or call `stop`."""

    def __init__(self, settings: Settings | None = None, simulator: Simulator | None = None) -> None:
        self.simulator = simulator or Simulator(settings)
        self.settings = self.simulator.state.settings
        self.api_key = self.settings.api_keys[0]
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mock-wan-server", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the mock Wan server did not start")
        super().__init__(f"http://127.0.0.1:{self._port}", self.settings.admin_token)

    def __enter__(self) -> RunningMock:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and its thread."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = HttpServer(self.simulator)
        self._port = await server.start("127.0.0.1", 0)
        self._ready.set()
        await self._ended.wait()
        await server.stop()
