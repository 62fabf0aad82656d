"""`/_mock/...`: look into the simulated provider and steer it. Never journaled, never limited."""

from __future__ import annotations

import base64
import binascii
import hmac
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from .clock import iso
from .directives import known_faults
from .errors import (
    ConflictError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    RefusalError,
    UnauthorizedError,
)
from .journal import FILTERS, LISTED_IN_MISMATCH, check_filter
from .ledger import ledger_json
from .messages import HTML_TYPE, Request, Response, json_response
from .rules import parse_json
from .state import State
from .status_page import status_page
from .tasks import Task

HEALTH_PATH = "/_mock/health"
SCENARIO_PREFIX = "/_mock/scenarios/"
SHOWN_TASKS = 100
MOST_ENTRIES = 1000
_LAST_MOMENT = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

_Handler = Callable[[Request], Response]


class AdminRoutes:
    """One handler a path and method. `admin_token` may come as a bearer token, or as the password of a browser."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._handlers: dict[str, dict[str, _Handler]] = {
            "/_mock": {"GET": self._page},
            "/_mock/": {"GET": self._page},
            HEALTH_PATH: {"GET": self._health},
            "/_mock/ledger": {"GET": self._ledger},
            "/_mock/state": {"GET": self._show_state},
            "/_mock/requests": {"GET": self._requests},
            "/_mock/verify": {"POST": self._verify},
            "/_mock/scenarios": {"GET": self._scenarios, "POST": self._arm, "DELETE": self._disarm_all},
            "/_mock/clock": {"GET": self._clock, "POST": self._move_clock},
            "/_mock/reset": {"POST": self._reset},
        }

    def answer(self, request: Request) -> Response:
        """The answer, never an exception."""
        try:
            return self._find(request)(request)
        except RefusalError as refusal:
            return refusal.as_response()

    def _find(self, request: Request) -> _Handler:
        settings = self._state.settings
        if request.path != HEALTH_PATH:
            if not settings.admin:
                raise NotFoundError("the admin routes are switched off")
            if settings.admin_token:
                _check_token(request, settings.admin_token)
        handlers = self._handlers.get(request.path)
        if handlers is None and request.path.startswith(SCENARIO_PREFIX):
            handlers = {"DELETE": self._disarm}
        if handlers is None:
            raise NotFoundError(f"there is nothing at {request.path[:200]}; known: {', '.join(self._handlers)}")
        handler = handlers.get(request.method)
        if handler is None:
            allowed = ", ".join(handlers)
            raise MethodNotAllowedError(f"allowed: {allowed}", headers=(("Allow", allowed),))
        return handler

    def _page(self, _: Request) -> Response:
        return Response(200, status_page(self._state, SHOWN_TASKS).encode(errors="replace"), (HTML_TYPE,))

    def _health(self, _: Request) -> Response:
        return json_response(200, {"status": "ok"})

    def _ledger(self, _: Request) -> Response:
        return json_response(200, ledger_json(self._state.accounts.values()))

    def _show_state(self, request: Request) -> Response:
        state = self._state
        limit = _limit(_query(request, ("limit",)), SHOWN_TASKS)
        return json_response(
            200,
            {
                "clock": self._clock_json(),
                "ledger": ledger_json(state.accounts.values()),
                "scenarios": [scenario.as_json() for scenario in state.faults.scenarios()],
                "tasks_in_memory": len(state.tasks),
                "tasks": [self._task_json(task) for task in state.tasks.newest(limit)],
            },
        )

    def _task_json(self, task: Task) -> dict[str, Any]:
        state = self._state
        return {
            "id": task.id,
            "account": task.account.name,
            "status": state.tasks.status_at(task, state.clock.now()),
            "expired": task.expired,
            "error": task.failure._asdict() if task.failure else None,
            "created_at": iso(task.created_at),
            "ends_at": iso(task.schedule.ends_at),
            "ended_at": iso(task.ended_at) if task.ended_at is not None else None,
            "reads": task.reads,
            "cost_usd": str(task.cost_usd),
            "faults": [fault.spelled for fault in task.faults],
            "prompt": state.scrub(task.draft.prompt),
        }

    def _requests(self, request: Request) -> Response:
        wanted = _query(request, (*FILTERS, "limit"))
        limit = _limit(wanted, MOST_ENTRIES)
        for name, value in wanted.items():
            check_filter(name, value)
        journal, scrub = self._state.journal, self._state.scrub
        entries = list(journal.matching(wanted))
        listed = [entry.as_json(scrub) for entry in entries[-limit:]]
        return json_response(200, {"count": len(entries), "dropped": journal.dropped, "requests": listed})

    def _verify(self, request: Request) -> Response:
        document = parse_json(request.body)
        bounds = {name: _whole(document.pop(name), name) for name in _BOUND_WORDS if name in document}
        if not bounds:
            raise InvalidRequestError("say how many: count, at_least or at_most")
        wanted = _filters(document)
        journal = self._state.journal
        if journal.dropped:
            raise ConflictError(
                f"the journal has dropped {journal.dropped} requests: reset first, or raise --journal-size"
            )
        found = list(journal.matching(wanted))
        verified = _within(len(found), bounds)
        expected = " and ".join(f"{_BOUND_WORDS[name]} {bound}" for name, bound in bounds.items())
        what = ", ".join(f"{name} {value!r}" for name, value in wanted.items()) or "any"
        lines = [f"expected {expected} requests with {what}, found {len(found)}"]
        if not verified:
            others = found or list(journal.matching({}))
            lines[0] += (
                ":" if found else "; the last requests of all were:" if others else "; no request has come at all"
            )
            lines += [f"  {entry.line(self._state.scrub)}" for entry in others[-LISTED_IN_MISMATCH:]]
        answer = {"verified": verified, "found": len(found), "message": "\n".join(lines)}
        return json_response(200 if verified else 409, answer)

    def _scenarios(self, _: Request) -> Response:
        armed = [scenario.as_json() for scenario in self._state.faults.scenarios()]
        return json_response(200, {"scenarios": armed, "grammar": known_faults()})

    def _arm(self, request: Request) -> Response:
        return json_response(201, self._state.faults.arm(parse_json(request.body)).as_json())

    def _disarm(self, request: Request) -> Response:
        if not self._state.faults.disarm(request.path.removeprefix(SCENARIO_PREFIX)):
            raise NotFoundError("there is no such scenario")
        return Response(204, headers=())

    def _disarm_all(self, _: Request) -> Response:
        self._state.faults.disarm_all()
        return Response(204, headers=())

    def _clock(self, _: Request) -> Response:
        return json_response(200, self._clock_json())

    def _clock_json(self) -> dict[str, Any]:
        clock = self._state.clock
        now = clock.now()
        return {"now": iso(now), "epoch_seconds": round(now, 3), "speed": clock.speed}

    def _move_clock(self, request: Request) -> Response:
        document = parse_json(request.body)
        if len(document) != 1 or not set(document) <= set(_CLOCK_MOVES):
            raise InvalidRequestError("say one of advance (seconds), set (ISO 8601 or epoch seconds), speed (factor)")
        ((name, value),) = document.items()
        try:
            _CLOCK_MOVES[name](self._state, value)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidRequestError(f"{name}: {error}") from error
        self._state.tasks.advance(self._state.clock.now())
        return json_response(200, self._clock_json())

    def _reset(self, _: Request) -> Response:
        self._state.reset()
        return json_response(200, {"status": "reset"})


_BOUND_WORDS = {"count": "exactly", "at_least": "at least", "at_most": "at most"}


def _within(found: int, bounds: dict[str, int]) -> bool:
    exact, least, most = (bounds.get(name) for name in ("count", "at_least", "at_most"))
    return (exact is None or found == exact) and (least is None or found >= least) and (most is None or found <= most)


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidRequestError(f"{name} must be an integer, 0 or more")
    return value


def _filters(document: dict[str, Any]) -> dict[str, str]:
    for name, value in document.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InvalidRequestError(f"{name[:60]!r} must be a string")
        check_filter(name, str(value))
    return {name: str(value) for name, value in document.items()}


def _query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    wanted = dict(parse_qsl(request.query, keep_blank_values=True))
    for name in wanted:
        if name not in known:
            raise InvalidRequestError(f"unknown query parameter {name[:60]!r}; known: {', '.join(known)}")
    return wanted


def _limit(wanted: dict[str, str], usual: int) -> int:
    given = wanted.pop("limit", str(usual))
    if not (given.isascii() and given.isdigit() and 1 <= len(given) <= 6 and int(given) > 0):
        raise InvalidRequestError("limit must be an integer, 1 - 999999")
    return int(given)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("must be a number")
    return float(value)


def _advance(state: State, value: object) -> None:
    seconds = _seconds(value)
    if state.clock.now() + seconds > _LAST_MOMENT:
        raise ValueError("the calendar ends in the year 9999")
    state.clock.advance(seconds)


def _set(state: State, value: object) -> None:
    moment = _moment(value) if isinstance(value, str) else _seconds(value)
    _advance(state, moment - state.clock.now())


def _moment(text: str) -> float:
    given = datetime.fromisoformat(text)
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


def _set_speed(state: State, value: object) -> None:
    speed = _seconds(value)
    if speed > 1e6:
        raise ValueError("the speed is at most 1000000")
    state.clock.set_speed(speed)


_CLOCK_MOVES: dict[str, Callable[[State, object], None]] = {"advance": _advance, "set": _set, "speed": _set_speed}


def _check_token(request: Request, token: str) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        given = _password(given)
    if not hmac.compare_digest(given.encode(errors="replace"), token.encode(errors="replace")):
        raise UnauthorizedError(
            "the admin token is missing or wrong: send Authorization: Bearer TOKEN",
            headers=(("WWW-Authenticate", 'Basic realm="mock"'),),
        )


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
