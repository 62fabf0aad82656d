"""A task's life under random requests and moves of the clock, beside a model that knows only the page's rules."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from mock_server.clock import VirtualClock
from mock_server.messages import Request, Response, encode_json, settle
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from tests.mock.doors import TinyRenderer, request_with

RENDER_SECONDS, DAY_SECONDS = 100, 24 * 3600
HEADERS = {"authorization": "Bearer test-key", "content-type": "application/json"}
COST = {"1280*720": Decimal("0.50"), "1920*1080": Decimal("0.75")}
ORDER = ("queued", "processing", "completed")


@dataclass
class Expected:
    """What must be true of a task. `code` is the one that its prompt asks for, `failed_at` when it was first told."""

    id: str
    created_at: int
    size: str
    code: str = ""
    failed: bool = False
    seen: str = "queued"
    link: str = ""


class TaskLife(RuleBasedStateMachine):
    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.all: list[Expected] = []

    @initialize()
    def start(self) -> None:
        configured = Settings(render_seconds=RENDER_SECONDS, fetch_references="none")
        self.simulator = Simulator(configured, clock=VirtualClock(0, start_at=0.0), renderer=TinyRenderer())

    def ask(self, method: str, path: str, document: Any = None) -> Response:
        body = b"" if document is None else encode_json(document)
        return settle(self.simulator.handle(Request(method, path, HEADERS, body, "", "http://wan.mock")))

    @rule(target=tasks, size=st.sampled_from(sorted(COST)), code=st.sampled_from(["", "", "001028095", "001028098"]))
    def submit(self, size: str, code: str) -> Expected:
        prompt = f"a cat [[mock:{code}]]" if code else "a cat"
        answer = self.ask("POST", "/v1/videos", request_with(prompt=prompt, size=size))
        task = Expected(json.loads(answer.body)["id"], self.now, size, code)
        self.all.append(task)
        return task

    @rule(target=tasks)
    def submit_and_lose_the_answer(self) -> Any:
        before = len(self.all)
        prompt = f"number {before} [[mock:submit:lost-answer]]"
        answer = self.ask("POST", "/v1/videos", request_with(prompt=prompt, size="1280*720"))
        assert answer.effect is not None
        newest = json.loads(self.ask("GET", "/_mock/state").body)["tasks"][0]
        self.all.append(Expected(newest["id"], self.now, "1280*720"))
        return self.all[-1]

    @rule(target=tasks)
    def submit_something_invalid(self) -> Any:
        assert self.ask("POST", "/v1/videos", request_with(references=[])).status == 400
        return multiple()

    @rule(seconds=st.sampled_from([1, 9, 10, 50, 90, 100, 3600, DAY_SECONDS - 100, DAY_SECONDS]))
    def time_passes(self, seconds: int) -> None:
        assert self.ask("POST", "/_mock/clock", {"advance": seconds}).status == 200
        self.now += seconds

    @rule(task=tasks)
    def poll(self, task: Expected) -> None:
        answer = self.ask("GET", f"/v1/videos/{task.id}")
        document = json.loads(answer.body)
        if self.now - task.created_at >= DAY_SECONDS:
            assert answer.status == 404
        elif task.code == "001028098":
            assert (answer.status, document["error"]["code"]) == (500, task.code)
        elif task.code == "001028095":
            task.failed = True
            assert (answer.status, document["status"], document["error"]["code"]) == (200, "failed", task.code)
        else:
            self.check_healthy(task, answer.status, document)

    def check_healthy(self, task: Expected, status: int, document: Any) -> None:
        assert (status, document["status"]) == (200, self.natural(task))
        assert ORDER.index(document["status"]) >= ORDER.index(task.seen)
        task.seen = document["status"]
        assert ("output" in document) == ("usage" in document) == (task.seen == "completed")
        if task.seen == "completed":
            assert Decimal(document["usage"]["cost"]) == COST[task.size]
            task.link = document["output"][0]["content"][0]["url"].removeprefix("http://wan.mock")

    @precondition(lambda self: any(task.link for task in self.all))
    @rule(data=st.data())
    def download(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from([task for task in self.all if task.link]))
        alive = self.now - task.created_at - RENDER_SECONDS < DAY_SECONDS
        assert self.ask("GET", task.link).status == (200 if alive else 403)

    def natural(self, task: Expected) -> str:
        age = self.now - task.created_at
        return "completed" if age >= RENDER_SECONDS else "processing" if age >= RENDER_SECONDS / 10 else "queued"

    def end_of(self, task: Expected) -> str:
        """How the provider's books must see the task."""
        if task.failed or (task.code == "001028095" and self.natural(task) == "completed"):
            return "failed"
        return "completed" if self.natural(task) == "completed" else "running"

    @invariant()
    def the_ledger_is_right(self) -> None:
        ledger = json.loads(self.ask("GET", "/_mock/ledger").body)
        ends = [self.end_of(task) for task in self.all]
        assert ledger["created"] == len(self.all) == sum(ledger[end] for end in ("running", "completed", "failed"))
        assert {end: ledger[end] for end in ("running", "completed", "failed")} == {
            end: ends.count(end) for end in ("running", "completed", "failed")
        }
        billed = sum(COST[task.size] for task, end in zip(self.all, ends, strict=True) if end == "completed")
        assert Decimal(ledger["billed_usd"]) == billed
        assert ledger["expired"] == sum(self.now - task.created_at >= DAY_SECONDS for task in self.all)


TaskLife.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_a_task_lives_by_the_rules_whatever_comes_in_between = TaskLife.TestCase
