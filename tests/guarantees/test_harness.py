"""The harness itself: its AWS answers as moto does, and its checks see what they are there to see."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.guarantees.checks import check_rest
from tests.guarantees.faults import Call, Mode
from tests.guarantees.scenarios import SCENARIOS, one, request
from tests.guarantees.world import World, a_world
from wanflow import aws

_SHOWN = ("Item", "Items", "LastEvaluatedKey", "Responses", "ContentLength", "ContentRange", "Body")
_WORDS = (
    "happy",
    "095 and",
    "cancel while queued",
    "cancel during",
    "then rescue",
    "webhook",
    "breaker",
    "deaf",
    "hand",
)


@pytest.fixture
def moto() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize("name", [s.name for s in SCENARIOS if any(word in s.name for word in _WORDS)])
def test_the_table_and_the_bucket_answer_every_call_as_moto_does(name: str) -> None:
    scenario = next(each for each in SCENARIOS if each.name == name)
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    with a_world(mock=scenario.mock, **scenario.parameters) as world:
        _make_resources(world, dynamodb, s3)
        compared: list[tuple[str, Any, Any]] = []
        _compare(world.table, dynamodb, compared)
        _compare(world.bucket, s3, compared)
        scenario.wounds(world)
        scenario.play(world)
        world.settle()
    assert len(compared) > 30
    different = [f"{call}: {ours} is not {theirs}" for call, ours, theirs in compared if ours != theirs]
    assert different == []


def _make_resources(world: World, dynamodb: Any, s3: Any) -> None:
    properties = world.template.properties("JobsTable")
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    dynamodb.create_table(TableName=world.template.ref("JobsTable"), **{name: properties[name] for name in names})
    s3.create_bucket(Bucket=world.template.ref("VideosBucket"))


def _compare(backend: Any, client: Any, compared: list[tuple[str, Any, Any]]) -> None:
    """Every call to the backend goes to the client too; both outcomes are kept."""
    is_inside = False

    def both(name: str, ours: Callable[..., Any]) -> Callable[..., Any]:
        def call(**params: Any) -> Any:
            nonlocal is_inside
            if is_inside:
                return ours(**params)
            is_inside = True
            try:
                theirs = _outcome(lambda: getattr(client, name)(**params))
                mine = _outcome(lambda: ours(**params))
                compared.append((f"{name} {params}", _plain(mine), _plain(theirs)))
            finally:
                is_inside = False
            if isinstance(mine, ClientError):
                raise mine
            return mine

        return call

    for name in dir(backend):
        if not name.startswith(("_", "generate_", "items", "objects", "parts")) and "multipart" not in name:
            setattr(backend, name, both(name, getattr(backend, name)))


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        answer = call()
    except ClientError as error:
        return error
    if "Body" in answer:
        # A stream is read once; both sides have to read it.
        content = answer["Body"].read()
        answer = {**answer, "Body": _Again(content)}
    return answer


class _Again(io.BytesIO):
    """A body that is still known after the reader has closed it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Again) and self.content == other.content

    __hash__ = None  # type: ignore[assignment]


def _plain(outcome: Any) -> Any:
    if isinstance(outcome, ClientError):
        reasons = [reason["Code"] for reason in outcome.response.get("CancellationReasons", [])]
        return outcome.response["Error"]["Code"], reasons
    shown = {name: outcome[name] for name in _SHOWN if name in outcome}
    return _comparable(shown)


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"N"}:
            return Decimal(value["N"])
        return {name: _comparable(each) for name, each in value.items()}
    return [_comparable(each) for each in value] if isinstance(value, list) else value


def test_a_call_that_the_harness_does_not_know_is_an_error() -> None:
    with a_world(), pytest.raises(AssertionError, match="is not known here"):
        aws.dynamodb().create_table(TableName="new")


def test_a_quiet_world_leaves_no_silence_behind() -> None:
    """Loggers remember what they let through: other tests in this process read their log."""
    domain = logging.getLogger("wanflow")
    before = domain.isEnabledFor(logging.INFO)
    with a_world(level=logging.ERROR) as world:
        one()(world)
        world.settle()
    assert domain.isEnabledFor(logging.INFO) == before


def test_the_same_scenario_makes_the_same_calls_in_the_same_order() -> None:
    lives: list[list[Call]] = []
    for _ in range(2):
        with a_world() as world:
            one()(world)
            world.settle()
            lives.append(world.gate.calls)
    assert lives[0] == lives[1]


def _pay_twice(world: World) -> None:
    task = next(iter(world.tasks.values()))
    world.tasks["another"] = task


def _lose_video(world: World) -> None:
    key = next(key for key in world.bucket.objects if key.endswith(".mp4"))
    world.bucket.objects[key] = world.video[:-1]


def _forget_event(world: World) -> None:
    world.bus.details.clear()


def _keep_slot(world: World) -> None:
    world.table.items["slots", "slots"]["leases"] = {"M": {"somebody": {"S": "2030"}}}


def _spend_more(world: World) -> None:
    (key,) = (key for key in world.table.items if key[0].startswith("budget#") and key[1] == "all")
    world.table.items[key]["committed"] = {"N": "1"}


def _end_twice(world: World) -> None:
    world.statuses[world.jobs()[0].id] += ["failed"]


def _leave_ticket(world: World) -> None:
    world.table.items["queue#batch", "x"] = {}


def _log_secret(world: World) -> None:
    world.log.write("test-key")


def _change_document(world: World) -> None:
    key = next(key for key in world.bucket.objects if key.endswith(".json"))
    document = json.loads(world.bucket.objects[key])
    world.bucket.objects[key] = json.dumps({**document, "status": "failed"}).encode()


def _reopen(world: World) -> None:
    item = world.table.items[f"job#{world.jobs()[0].id}", "job"]
    item["check_after"] = {"S": "2030"}


def _count_twice(world: World) -> None:
    (key,) = (key for key in world.table.items if key[0].startswith("render_times#"))
    jobs = world.table.items[key]["last_jobs"]["L"]
    world.table.items[key]["last_jobs"] = {"L": [*jobs, *jobs]}


SPOILERS = [_pay_twice, _lose_video, _forget_event, _keep_slot, _spend_more, _end_twice, _leave_ticket, _log_secret]
SPOILERS += [_change_document, _reopen, _count_twice]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__.strip("_"))
def test_a_broken_promise_is_seen(spoil: Callable[[World], None]) -> None:
    with a_world(DailyBudgetUsd="100") as world:
        one()(world)
        world.settle()
        check_rest(world)
        spoil(world)
        with pytest.raises(AssertionError):
            check_rest(world)


def test_a_task_beyond_the_slots_is_seen_when_it_is_made() -> None:
    with a_world(MaxConcurrentTasks="1", mock={"render_seconds": 600.0}) as world:
        for word in ("one", "two"):
            world.create(request(word), word)
        world.wait(60)
        # Somebody takes the lease of a running task away: the next job gets the slot.
        world.table.items["slots", "slots"]["leases"] = {"M": {}}
        world.reconcile()
        world.wait(60)
        assert any("2 tasks run at the provider" in promise for promise in world.broken)


def test_every_call_can_go_wrong_in_several_ways() -> None:
    read = Call(0, "poll_task", "dynamodb", "GetItem", "job", 1, 1)
    write = Call(0, "poll_task", "dynamodb", "UpdateItem", "job", 1, 1)
    submit = Call(0, "submit_task", "wan", "POST", "/v1", 1, 1)
    assert Mode.KILLED_AFTER not in read.modes
    assert {Mode.KILLED_AFTER, Mode.REPEATED, Mode.TIMED_OUT_AFTER} < set(write.modes)
    assert {Mode.NOT_CONNECTED, Mode.TIMED_OUT_AFTER} < set(submit.modes)
