"""One job in virtual time: the real handlers and the real workflow file, and every call that leaves a function.

The world of the guarantee tests, in which an hour's render takes a moment. DynamoDB is counted in capacity units as
"DynamoDB read and write capacity" defines them: sizes of items, indexes, and twice for transactions.
"""

from __future__ import annotations

import base64
import io
import logging
import math
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import png, wan_request
from tests.guarantees.dynamo import FastTable
from tests.guarantees.world import World, a_world

_INDEXES = {"by_owner": ("owner", "created", "status"), "open_jobs": ("open_shard", "check_after")}
Item = dict[str, Any]


@dataclass
class Units:
    """DynamoDB capacity units."""

    reads: float = 0
    writes: float = 0


@dataclass(frozen=True)
class Lived:
    """What one job did. `calls` counts (function, service, operation)."""

    states: list[str]
    polls: int
    units: Units
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count(self, service: str, *operations: str) -> int:
        return sum(n for (_, of, operation), n in self.calls.items() if of == service and operation in operations)


def live(render_seconds: float) -> Lived:
    """One job of a stack that made another kind of video before: functions are warm, and no render times are known.

    It has budgets and two inline references.
    """
    deadline = str(round(render_seconds) + 3600)
    parameters = {"JobDeadlineSeconds": deadline, "DailyBudgetUsd": "1000", "DailyBudgetPerOwnerUsd": "1000"}
    # Metrics are lines on stdout (CloudWatch embedded metric format).
    with (
        redirect_stdout(io.StringIO()),
        a_world(mock={"render_seconds": render_seconds}, level=logging.WARNING, **parameters) as world,
    ):
        _make(world, "1920*1080")
        units = Units()
        _meter(world.table, units)
        before = len(world.gate.calls)
        job_id = _make(world, "1280*720")
        job = world.job(job_id)
        if job.status != "completed":
            raise RuntimeError(f"the job ended as {job.status}: {job.error}")
        calls = Counter((call.function, call.service, call.operation) for call in world.gate.calls[before:])
        return Lived(list(world.workflows.executions[job_id].visits), job.polls, units, calls)


def _make(world: World, video_size: str) -> str:
    pictures = [_inline(png(400, 400)), _inline(png(500, 400))]
    body = wan_request(prompt="character1 waves to character2", reference_urls=pictures)
    body["parameters"] = {"size": video_size, "duration": 5}
    job_id = world.create(body, f"key-{video_size}")
    world.run()
    return job_id


def _inline(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


# --- Capacity units ----------------------------------------------------------------------------------------------


def _meter(table: FastTable, units: Units) -> None:
    """Count every call of `table` from now on; a transaction is written call by call, each of them twice."""
    factor = [1]

    def writes(name: str, key_of: Callable[[Item], Item]) -> None:
        perform = getattr(table, name)

        def metered(**request: Any) -> Any:
            key = table._key(key_of(request))
            before = dict(table.items.get(key, {}))
            answer = perform(**request)
            units.writes += factor[0] * write_units(before, table.items.get(key, {}))
            return answer

        setattr(table, name, metered)

    for name in ("update_item", "delete_item"):
        writes(name, lambda request: request["Key"])
    writes("put_item", lambda request: request["Item"])
    transact, get, query = table.transact_write_items, table.get_item, table.query

    def transacted(**request: Any) -> Any:
        factor[0] = 2
        try:
            return transact(**request)
        finally:
            factor[0] = 1

    def got(**request: Any) -> Any:
        answer = get(**request)
        units.reads += read_units([answer.get("Item", {})], consistent=request.get("ConsistentRead", False))
        return answer

    def queried(**request: Any) -> Any:
        answer = query(**request)
        units.reads += read_units(answer["Items"], consistent=request.get("ConsistentRead", False))
        return answer

    for name, method in {"transact_write_items": transacted, "get_item": got, "query": queried}.items():
        setattr(table, name, method)


def write_units(before: Item, after: Item) -> int:
    """Of one write: a unit for each KB of the larger of the two, and what its indexes take."""
    table = max(1, math.ceil(max(size(before), size(after)) / 1024))
    return table + sum(_index_units(before, after, names) for names in _INDEXES.values())


def _index_units(before: Item, after: Item, names: tuple[str, ...]) -> int:
    """An entry that appears, changes or goes is one write; one whose key changes is two: out and in."""
    old, new = ({name: item.get(name) for name in names} for item in (before, after))
    if old == new:
        return 0
    was, is_there = (all(entry[name] is not None for name in names[:2]) for entry in (old, new))
    key_changed = any(old[name] != new[name] for name in names[:2])
    return 2 if was and is_there and key_changed else int(was or is_there)


def read_units(items: list[Item], *, consistent: bool) -> float:
    """Of one read: a unit for each 4 KB together, half of it when it need not be consistent."""
    blocks = max(1, math.ceil(sum(map(size, items)) / 4096))
    return blocks if consistent else blocks / 2


def size(item: Item) -> int:
    """Bytes of an item: its names and its values, as text; a little more than DynamoDB counts."""
    return sum(len(name) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "M":
        return 3 + sum(len(name) + 1 + _value_size(each) for name, each in held.items())
    if kind == "L":
        return 3 + sum(1 + _value_size(each) for each in held)
    return len(str(held).encode())
