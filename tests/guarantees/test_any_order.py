"""Random lives of several jobs at once: whatever happens in whatever order, no promise is broken at any moment.

Callers, the schedule, the operator, EventBridge's repetitions, dying processes and failing calls take turns at random;
some of them in the middle of a running function. What must hold at every moment is watched by the world itself.
"""

import json
import logging
from contextlib import ExitStack

import hypothesis
from hypothesis import HealthCheck, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.guarantees.checks import check_rest
from tests.guarantees.faults import Fault, Intrusion, Mode
from tests.guarantees.scenarios import request
from tests.guarantees.world import a_world

PARAMETERS = {
    "MaxConcurrentTasks": "2",
    "MaxQueueSeconds": "3600",
    "JobDeadlineSeconds": "120",
    "PauseAfterFailures": "2",
    "DailyBudgetUsd": "4",
    "DailyBudgetPerOwnerUsd": "3",
}
DIRECTIVES = (
    "",
    "",
    "[[mock:poll:001028095*1]]",
    "[[mock:submit:001028099]]",
    "[[mock:submit:lost-answer]]",
    "[[mock:submit:http-503]]",
    "[[mock:submit:http-429]]",
    "[[mock:poll:001028098*4]]",
    "[[mock:download:cut]]",
)
SOME = strategies.integers(0, 30)


class Lives(RuleBasedStateMachine):
    """A stack with two slots, a small budget and everybody at work on it."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.world = self._open.enter_context(
            a_world(mock={"render_seconds": 60.0}, level=logging.WARNING, **PARAMETERS)
        )
        self.accepted: dict[str, str] = {}
        self.uploads = 0

    @initialize(duplicates=strategies.booleans())
    def begin(self, duplicates: bool) -> None:
        self.world.duplicates = duplicates

    # --- Callers -----------------------------------------------------------------------------------------------------

    @rule(directive=strategies.sampled_from(DIRECTIVES), owner=strategies.sampled_from(["alice", "bob"]))
    def create(self, directive: str, owner: str) -> None:
        key = f"key-{len(self.accepted)}"
        body = request(f"{key}.", directive)
        answer = self.world.call_until_answered("POST", "/videos", body, owner=owner, headers={"Idempotency-Key": key})
        if answer.status in {200, 202}:
            self.accepted[key] = answer.body["id"]
        else:
            assert answer.status in {402, 503, 502}

    @rule(which=SOME)
    def repeat(self, which: int) -> None:
        if self.accepted:
            key, job_id = list(self.accepted.items())[which % len(self.accepted)]
            body = json.loads(json.dumps(self.world.job(job_id).request))
            answer = self.world.call(
                "POST", "/videos", body, owner=self.world.job(job_id).owner, headers={"Idempotency-Key": key}
            )
            # 409: the record's request has the defaults filled in, so it is another body. Never a new job.
            assert answer.status in {409, 502, 503}, answer.body

    @rule(directive=strategies.sampled_from(DIRECTIVES))
    def upload(self, directive: str) -> None:
        self.uploads += 1
        body = request(f"upload-{self.uploads}.", directive)
        self.world.upload(f"inbox/carol/{self.uploads}.json", json.dumps(body).encode())

    @rule(which=SOME)
    def cancel(self, which: int) -> None:
        jobs = self.world.jobs()
        if jobs:
            job = jobs[which % len(jobs)]
            answer = self.world.call("DELETE", f"/videos/{job.id}", owner=job.owner)
            assert answer.status in {202, 409, 502, 503}, answer.body

    # --- Time, the schedule, the operator ----------------------------------------------------------------------------

    @rule(times=strategies.integers(1, 12))
    def go_on(self, times: int) -> None:
        for _ in range(times):
            self.world.run_next()

    @rule(seconds=strategies.sampled_from([1, 30, 100, 300, 1300, 4000]))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule()
    def reconcile(self) -> None:
        self.world.reconcile()

    @rule(paused=strategies.booleans())
    def switch(self, paused: bool) -> None:
        self.world.set_paused(paused)

    @rule(which=SOME, is_deaf=strategies.booleans())
    def stop(self, which: int, is_deaf: bool) -> None:
        names = sorted(self.world.workflows.executions)
        if names:
            self.world.is_deaf = is_deaf
            self.world.workflows.stop_execution(executionArn=f"x:{names[which % len(names)]}")
            self.world.is_deaf = False

    # --- What goes wrong ---------------------------------------------------------------------------------------------

    @rule(mode=strategies.sampled_from(Mode), ahead=strategies.integers(0, 25))
    def break_a_call(self, mode: Mode, ahead: int) -> None:
        number = len(self.world.gate.calls) + ahead
        self.world.gate.faults.append(Fault(lambda call: call.number == number and mode in call.modes, mode))

    @rule(
        ahead=strategies.integers(0, 25), is_after=strategies.booleans(), which=SOME, reconciles=strategies.booleans()
    )
    def intrude(self, ahead: int, is_after: bool, which: int, reconciles: bool) -> None:
        number = len(self.world.gate.calls) + ahead
        act = self.reconcile if reconciles else lambda: self.cancel(which)
        self.world.gate.intrusions.append(Intrusion(lambda call: call.number == number, act, is_after))

    # --- What must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_broken_at_any_moment(self) -> None:
        assert self.world.broken == []

    def teardown(self) -> None:
        with self._open:
            world = self.world
            world.gate.faults.clear()
            world.gate.intrusions.clear()
            world.set_paused(False)
            world.settle()
            # Several faults in a row may use up the retries of an event; the reconciler does its work then.
            check_rest(world, may_lose_events=True)
            assert set(self.accepted.values()) <= {job.id for job in world.jobs()}, "an accepted job is lost"
            assert len(set(self.accepted.values())) == len(self.accepted)


TestLives = Lives.TestCase
TestLives.settings = hypothesis.settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
