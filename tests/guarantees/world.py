"""A whole stack in one process, in virtual time: the real handlers and workflow file, a provider, the AWS between.

Nothing sleeps and nothing is random: the same scenario makes the same calls in the same order. A job's life takes
milliseconds, so that thousands of lives with something broken in each can be lived in a minute.
"""

import heapq
import importlib
import io
import json
import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import cache
from random import Random
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
import requests
import responses
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from mock_server.clock import VirtualClock
from mock_server.responses_door import InProcessMock
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from mock_server.tasks import Task
from tests.fakes import NOON, FakeClock, FakeLambdaContext, TinyRenderer
from tests.guarantees.clients import Client, FastBucket, FastBus, FastQueues, FastSecrets, target_of
from tests.guarantees.dynamo import FastTable
from tests.guarantees.faults import Gate, Killed
from tests.guarantees.stepfunctions import LambdaError, StepFunctions
from tests.permissions import PermissionGuard
from tests.stack import OWNER, WAN_KEY, WAN_URL, Answer, clear_wiring, definition, proxy_event
from tests.template import Template
from wanflow import aws, wiring
from wanflow.clock import from_text
from wanflow.errors import WanflowError
from wanflow.items import untyped
from wanflow.jobs import Job, from_item
from wanflow.observability import logger
from wanflow.records import JobRecords

ASYNC_RETRY_SECONDS = (60, 120)
"""Lambda tries an asynchronous invocation twice more (MaximumRetryAttempts in template.yaml)."""

SCHEDULE_SECONDS = 300
RECEIVER_URL = "https://hooks.example.com/wanflow"
WEBHOOK_KEY = "c2lnbi13ZWJob29rcy13aXRoLXRoaXMtc2VjcmV0"
MACHINE = "GenerateVideoStateMachine"
_ALLOWED: set[tuple[Any, ...]] = set()
"""Calls that were found allowed before."""

_GUARD_NAMES = {"stepfunctions": "sfn", "secretsmanager": "secrets-manager"}


@cache
def template_of(parameters: tuple[tuple[str, str], ...]) -> Template:
    """One template for each set of parameters: reading it takes longer than a job's life."""
    return Template(WanApiBaseUrl=WAN_URL, **dict(parameters))


@cache
def environment_of(parameters: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The variables of all functions together: their values never contradict each other."""
    template = template_of(parameters)
    merged: dict[str, str] = {}
    for folder in template.functions():
        for name, value in template.environment(folder).items():
            assert merged.setdefault(name, value) == value, f"{name} differs between functions"
    return merged


@cache
def _definition_of(parameters: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(definition(template_of(parameters), MACHINE))
    return found


@cache
def _table_of(parameters: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    return template_of(parameters).properties("JobsTable")


@cache
def _folders_of(parameters: tuple[tuple[str, str], ...]) -> dict[str, str]:
    template = template_of(parameters)
    return {template.arn(name): folder for folder, name in template.functions().items()}


@cache
def _renderer() -> TinyRenderer:
    return TinyRenderer()


@cache
def _guard() -> PermissionGuard:
    return PermissionGuard(botocore.session.Session())


class World:
    """One stack.

    Args:
        mock: settings of the provider (mock_server.settings).
        level: least level of what is logged.
        parameters: parameters of template.yaml.
    """

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        *,
        mock: dict[str, Any] | None = None,
        level: int = logging.INFO,
        **parameters: str,
    ) -> None:
        self.patch = patch
        self._parameters = tuple(sorted(parameters.items()))
        self.template = template_of(self._parameters)
        self.gate = Gate(observe=self._observe)
        self.clock = FakeClock(NOON)
        self.table = FastTable(_table_of(self._parameters))
        self.bucket = FastBucket()
        self.bus = FastBus()
        self.workflows = StepFunctions(
            _definition_of(self._parameters), invoke=self._invoke_step, later=self.later, broken=self._tell_of_broken
        )
        self.queues = FastQueues(self._send_message)
        self.webhooks: list[str] = []
        """The ids of all webhooks that a receiver took, in order."""
        self.dead_letters: list[str] = []
        self.log = io.StringIO()
        self.lost_events: list[tuple[str, dict[str, Any]]] = []
        self.broken: list[str] = []
        """Promises that did not hold at some moment. A list, because code under test may catch an exception."""
        self.statuses: dict[str, list[str]] = {}
        """Every status that each job was ever in, in order."""
        self.duplicates = False
        """Whether EventBridge delivers every event twice."""
        self.is_deaf = False
        """Whether the event of a broken execution is lost."""
        self._agenda: list[tuple[float, int, Callable[[], None], Callable[[], bool]]] = []
        self._entries = 0
        self._uploads = 0
        self._messages = 0
        self.invocations = 0
        self._folders = _folders_of(self._parameters)
        self._install(patch, mock or {}, level)

    def _install(self, patch: pytest.MonkeyPatch, mock: dict[str, Any], level: int) -> None:
        for name, value in environment_of(self._parameters).items():
            if os.environ.get(name) != value:
                patch.setenv(name, value)
        made_at = self.clock.now - timedelta(days=90)
        secrets = {
            self.template.ref("WanApiKeySecret"): WAN_KEY,
            self.template.ref("WebhookSecret"): WEBHOOK_KEY,
        }
        backends = {
            "sqs": self.queues,
            "dynamodb": self.table,
            "s3": self.bucket,
            "stepfunctions": self.workflows,
            "eventbridge": self.bus,
            "secretsmanager": FastSecrets(secrets, made_at),
        }
        known = {name for name, value in vars(aws).items() if hasattr(value, "cache_clear")} - {"session"}
        assert known == set(backends), f"clients of wanflow.aws that are not known here: {known ^ set(backends)}"
        for name, backend in backends.items():
            client = Client(name, backend, self.gate, self._check_permission)
            patch.setattr(aws, name, lambda client=client: client)
        patch.setattr(wiring, "utc_now", self.clock)
        patch.setattr(wiring, "random", Random(7))  # noqa: S311
        patch.setattr(wiring, "secrets", SimpleNamespace(randbits=Random(7).getrandbits))  # noqa: S311
        patch.setattr(wiring, "time", SimpleNamespace(monotonic=self._seconds))
        patch.setattr(JobRecords.__init__, "__defaults__", (lambda _seconds: None,))
        clear_wiring()
        self._open_provider(patch, mock)
        patch.setattr(logger.registered_handler, "stream", self.log)
        domain = logging.getLogger("wanflow")
        patch.setattr(domain, "propagate", False)
        # Not patched: a logger remembers which levels it lets through until `setLevel` is called.
        domain.setLevel(level)

    def _open_provider(self, patch: pytest.MonkeyPatch, mock: dict[str, Any]) -> None:
        virtual = VirtualClock(speed=0, start_at=self.clock.now.timestamp())
        self.clock.follower = virtual
        settings = Settings(**{"api_keys": (WAN_KEY,), "fetch_references": "none", "seed": 1, **mock})
        self.video = _renderer().video
        self.provider = Simulator(settings, clock=virtual, renderer=_renderer())
        self._door = InProcessMock(url=WAN_URL, simulator=self.provider)
        self.tasks: dict[str, Task] = {}
        """Every task that the provider ever made; its own books forget after a day."""
        send = requests.Session.send

        def gated(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            method = str(request.method)
            service = "wan" if str(request.url).startswith(WAN_URL) else "receiver"
            answer: requests.Response = self.gate.call(
                service, method, _place(request), lambda: send(session, request, **options)
            )
            return answer

        patch.setattr(requests.Session, "send", gated)

    def open_door(self, requests_mock: responses.RequestsMock) -> None:
        """Put the provider on the line, and whoever receives webhooks."""
        self._door.install(requests_mock)
        requests_mock.add_callback("POST", RECEIVER_URL, callback=self._receive)

    def _receive(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        self.webhooks.append(str(request.headers["webhook-id"]))
        return 204, {}, ""

    def _seconds(self) -> float:
        return self.clock.now.timestamp()

    # --- Time --------------------------------------------------------------------------------------------------------

    def later(self, seconds: float, act: Callable[[], None], still: Callable[[], bool] = lambda: True) -> None:
        """Run something after so many virtual seconds, if it `still` matters then."""
        self._entries += 1
        moment = self.clock.now.timestamp() + seconds
        heapq.heappush(self._agenda, (moment, self._entries, act, still))

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let everything happen that will happen by itself, in the order of time."""
        while self._agenda and not until():
            moment, _, act, still = self._agenda[0]
            # The backstop of two weeks: nobody waits for it, the reconciler comes first.
            if moment - self.clock.now.timestamp() > 7 * 86400:
                return
            heapq.heappop(self._agenda)
            if still():
                self._advance_to(moment)
                act()

    def run_next(self) -> None:
        """Let the next thing happen that will happen by itself."""
        left = iter([False])
        self.run(until=lambda: next(left, True))

    def wait(self, seconds: float) -> None:
        """Let everything happen that is due within so many seconds."""
        end = self.clock.now.timestamp() + seconds
        self.run(until=lambda: not self._agenda or self._agenda[0][0] > end)
        self._advance_to(end)

    def _advance_to(self, moment: float) -> None:
        seconds = moment - self.clock.now.timestamp()
        if seconds > 0:
            self.clock.advance(seconds)

    def settle(self, most: int = 300) -> None:
        """Run, and call the reconciler whenever something is due, until nothing is left to do."""
        self.run()
        idle = 1
        for _ in range(most):
            due = self._next_due(idle * SCHEDULE_SECONDS)
            self._advance_to(due if due is not None else self.clock.now.timestamp())
            before = self.moment()
            self.reconcile()
            self.run()
            if due is None:
                return
            # Where it only looked, its next runs would only look too: it may as well come later.
            idle = 1 if self.moment() != before else min(2 * idle, 16)
        raise AssertionError(f"not quiet after {most} runs of the reconciler")

    def _next_due(self, pause_seconds: float) -> float | None:
        """The moment, at least so many seconds away, from which on the reconciler has something to do."""
        moments = [from_text(job.check_after) for job in self.jobs() if job.check_after is not None]
        moments += [from_text(until) for until in self.leases().values()]
        control = self.item("control", "submits")
        if self.tickets() and control.get("blocked_until"):
            moments.append(from_text(control["blocked_until"]))
        if not moments:
            return None
        return max(min(moments) + timedelta(seconds=1), self.clock.now + timedelta(seconds=pause_seconds)).timestamp()

    # --- Functions ---------------------------------------------------------------------------------------------------

    def invoke(self, folder: str, event: dict[str, Any]) -> Any:
        """Call a function's handler; raises LambdaError."""
        app = importlib.import_module(f"functions.{folder}.app")
        # Powertools keeps the request on a class: another process would not share it.
        request = vars(BaseRouter).get("current_event")
        self.invocations += 1
        outer = self.gate.function, self.gate.invocation
        self.gate.function, self.gate.invocation = folder, self.invocations
        try:
            answer = app.lambda_handler(json.loads(json.dumps(event)), FakeLambdaContext())
            return json.loads(json.dumps(answer))
        except Killed:
            self.gate.is_dead = False
            # The next call meets a fresh process.
            clear_wiring()
            raise LambdaError("Runtime.ExitError", "the process is gone") from None
        except Exception as error:
            if not isinstance(error, WanflowError):
                # An error that nobody meant to raise: a bug of the layer, or of this harness.
                self.broken.append("".join(traceback.format_exception(error)))
            raise LambdaError(type(error).__name__, str(error)) from error
        finally:
            self.gate.function, self.gate.invocation = outer
            if request is not None:
                BaseRouter.current_event = request

    def _invoke_step(self, arn: str, payload: dict[str, Any]) -> Any:
        return self.invoke(self._folders[arn], payload)

    def deliver(self, folder: str, event: dict[str, Any], tries: int = 0) -> None:
        """An asynchronous invocation, with Lambda's retries."""
        try:
            self.invoke(folder, event)
        except LambdaError:
            if tries < len(ASYNC_RETRY_SECONDS):
                self.later(ASYNC_RETRY_SECONDS[tries], lambda: self.deliver(folder, event, tries + 1))
            else:
                self.lost_events.append((folder, event))

    def _send_message(self, queue_url: str, body: str) -> None:
        if queue_url == self.template.ref("WebhookDeadLetters"):
            self.dead_letters.append(body)
            return
        self._messages += 1
        message = {
            "messageId": f"message-{self._messages}",
            "receiptHandle": f"receipt-{self._messages}",
            "body": body,
            "attributes": {"SentTimestamp": str(int(self.clock.now.timestamp() * 1000))},
        }
        for _ in range(2 if self.duplicates else 1):
            self.later(1, lambda: self._deliver_message(message, 1))

    def _deliver_message(self, message: dict[str, Any], tries: int) -> None:
        """A message comes to its function; what that does not finish comes again when it is visible again."""
        attributes = {**message["attributes"], "ApproximateReceiveCount": str(tries)}
        try:
            answer = self.invoke("deliver_webhook", {"Records": [{**message, "attributes": attributes}]})
            is_done = not answer["batchItemFailures"]
        except LambdaError:
            is_done = False
        if not is_done:
            usual = int(self.template.properties("WebhookQueue")["VisibilityTimeout"])
            hidden = self.queues.hidden_seconds.pop(message["receiptHandle"], usual)
            self.later(hidden, lambda: self._deliver_message(message, tries + 1))

    def _tell_of_broken(self, name: str, status: str) -> None:
        for _ in range(0 if self.is_deaf else 2 if self.duplicates else 1):
            self.later(1, lambda: self.deliver("finish_job", {"job_id": name, "execution_status": status}))

    def reconcile(self) -> None:
        """One run of the schedule; what breaks comes again at the next."""
        try:
            self.invoke("reconcile_jobs", {})
        except LambdaError:
            self.later(SCHEDULE_SECONDS, self.reconcile)

    # --- What callers do ---------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """One HTTP call; a function that dies is the gateway's 502."""
        try:
            return Answer(self.invoke("serve_api", proxy_event(method, path, body, **options)))
        except LambdaError:
            return Answer({"statusCode": 502})

    def call_until_answered(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """As a good client does: after a 5xx, again, with the same key."""
        for _ in range(3):
            answer = self.call(method, path, body, **options)
            if answer.status < 500:
                return answer
        return answer

    def create(self, body: Any, key: str, owner: str = OWNER) -> str:
        """A job of the API; its id."""
        answer = self.call_until_answered("POST", "/videos", body, owner=owner, headers={"Idempotency-Key": key})
        assert answer.status in {200, 202}, (answer.status, answer.body)
        return str(answer.body["id"])

    def cancel(self, job_id: str, owner: str = OWNER) -> int:
        """The status of the answer."""
        return self.call_until_answered("DELETE", f"/videos/{job_id}", owner=owner).status

    def upload(self, key: str, content: bytes) -> None:
        """A file appears under inbox/, and EventBridge tells of it."""
        self.bucket.put_object(Bucket=self.template.ref("VideosBucket"), Key=key, Body=content)
        self._uploads += 1
        event = {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {
                "bucket": {"name": self.template.ref("VideosBucket")},
                "object": {"key": key, "size": len(content), "sequencer": f"{self._uploads:016X}"},
            },
        }
        for _ in range(2 if self.duplicates else 1):
            self.later(1, lambda: self.deliver("accept_upload", event))

    def set_paused(self, paused: bool) -> None:
        """The operator's switch, as `make pause` writes it."""
        self.table.update_item(
            Key={"pk": {"S": "control"}, "sk": {"S": "submits"}},
            UpdateExpression="SET paused = :paused",
            ExpressionAttributeValues={":paused": {"BOOL": paused}},
        )

    # --- What is there -----------------------------------------------------------------------------------------------

    def jobs(self) -> list[Job]:
        found = sorted((key, item) for key, item in self.table.items.items() if key[0].startswith("job#"))
        return [from_item(untyped(item)) for _, item in found]

    def job(self, job_id: str) -> Job:
        return from_item(untyped(self.table.items[f"job#{job_id}", "job"]))

    def item(self, pk: str, sk: str) -> dict[str, Any]:
        return untyped(self.table.items.get((pk, sk), {}))

    def leases(self) -> dict[str, str]:
        found: dict[str, str] = self.item("slots", "slots").get("leases", {})
        return found

    def tickets(self) -> list[tuple[str, str]]:
        return sorted(key for key in self.table.items if key[0].startswith("queue#"))

    def committed(self) -> dict[tuple[str, str], Decimal]:
        """(day, scope) -> US dollars."""
        budgets = [key for key in self.table.items if key[0].startswith("budget#")]
        return {(pk.removeprefix("budget#"), sk): self.item(pk, sk)["committed"] for pk, sk in budgets}

    def tasks_of(self, job: Job) -> list[Task]:
        """The provider's tasks for a job; prompts tell jobs apart."""
        return [task for task in self.tasks.values() if task.draft.prompt == job.request["input"]["prompt"]]

    @property
    def capacity(self) -> int:
        return int(self.template.parameters["MaxConcurrentTasks"])

    def limit_of(self, scope: str) -> Decimal:
        """The daily budget of a scope in US dollars, 0 for none."""
        name = "DailyBudgetUsd" if scope == "all" else "DailyBudgetPerOwnerUsd"
        return Decimal(self.template.parameters[name])

    def _check_permission(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Nothing is done on any way through the code, broken or not, that the template does not allow."""
        point = (self._parameters, self.gate.function, operation, target_of(params))
        if not self.gate.function or self.gate.is_dead or point in _ALLOWED:
            return
        try:
            if "taskToken" in params:
                # A token says nothing; the permission is on the machine that gave it.
                params = {"stateMachineArn": self.template.arn(MACHINE)}
            with _guard().watching(self.template, self.gate.function):
                _guard().note_call(_GUARD_NAMES.get(service, service), operation, params)
            _ALLOWED.add(point)
        except AssertionError as error:
            self.broken.append(str(error))

    # --- What must hold at every moment ------------------------------------------------------------------------------

    def _observe(self) -> None:
        """After every call of anybody: no promise is broken, not even for a moment."""
        for task in self.provider.state.tasks.newest(2):
            self.tasks.setdefault(task.id, task)
        running = sum(account.running for account in self.provider.state.accounts.values())
        self.expect(running <= self.capacity, f"{running} tasks run at the provider, {self.capacity} may")
        for (pk, sk), item in self.table.items.items():
            if pk.startswith("job#"):
                self._observe_status(pk.removeprefix("job#"), item)
            elif pk == "slots":
                leases = len(item["leases"]["M"])
                self.expect(leases <= self.capacity, f"{leases} leases for {self.capacity} slots")
            elif pk.startswith("budget#"):
                committed = Decimal(item["committed"]["N"])
                self.expect(committed >= 0, f"{committed} are committed of {pk}")
                limit = self.limit_of(sk)
                self.expect(not limit or committed <= limit, f"{committed} are committed of {limit}")

    def moment(self) -> str:
        """What is so, without names and times: two points with the same moment are the same point."""
        found = self.jobs()
        jobs = [
            (job.status, [a.state for a in job.attempts], job.failure and job.failure.code, job.source.kind)
            for job in found
        ]
        flags = [
            (bool(job.result), bool(job.stored), job.is_open, bool(job.watch_until), job.rescued, bool(job.reservation))
            for job in found
        ]
        ends = [execution.status for execution in self.workflows.executions.values()]
        due = [job.check_after is not None and from_text(job.check_after) <= self.clock.now for job in found]
        return str(
            (jobs, flags, ends, due, len(self.leases()), len(self.tickets()), self.item("control", "submits").keys())
        )

    def expect(self, holds: bool, promise: str) -> None:
        if not holds:
            self.broken.append(promise)

    def _observe_status(self, job_id: str, item: dict[str, Any]) -> None:
        seen = self.statuses.setdefault(job_id, [])
        status = item["status"]["S"]
        if seen and seen[-1] == status:
            return
        seen.append(status)
        if status == "completed":
            # Not only in the end: whoever reads `completed` finds the bytes.
            for video in item["stored"]["L"]:
                there = self.bucket.objects.get(video["M"]["key"]["S"]) == self.video
                self.expect(there, f"{job_id} is completed and its video is not whole")


def _place(request: requests.PreparedRequest) -> str:
    """`/videos` of the CDN, or `/v1` of the API."""
    return "/" + str(request.path_url).split("/")[1]


@contextmanager
def a_world(**settings: Any) -> Iterator[World]:
    """An empty stack with its provider, for the time of the block."""
    domain = logging.getLogger("wanflow")
    before = domain.level
    with pytest.MonkeyPatch.context() as patch, responses.RequestsMock(assert_all_requests_are_fired=False) as line:
        try:
            world = World(patch, **settings)
            world.open_door(line)
            yield world
        finally:
            domain.setLevel(before)
            clear_wiring()
