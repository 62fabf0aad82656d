"""`POST /v1/videos`: takes a generation request."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from .answers import PREVENTS_CREATION, spoiled
from .clock import iso
from .directives import SUBMIT, Fault
from .errors import InvalidRequestError, UnsupportedTypeError
from .inspection import Inspection
from .journal import KEPT_BODY_BYTES, Entry
from .ledger import Account
from .messages import Answer, Deferred, Request, Response, json_response
from .rules import PROMPT_CHARACTERS, Draft, Reading, read
from .state import State, recorded
from .tasks import QUEUED, Task

BIG_BODY_BYTES = 65_536
"""From here on a body is read off the event loop: a 10 MB data URI takes 100 ms to decode and check."""

_NOTHING_INSPECTED = Inspection()


class _Taken(NamedTuple):
    """A submit that was taken: a task will be created, unless its media refuse it."""

    entry: Entry
    account: Account
    faults: tuple[Fault, ...]
    draft: Draft
    fault: Fault | None


class SubmitRoute:
    """Answers a submit. Order: key, rate, content type, running tasks, faults that come before the request is taken,
    validation, media, creation, faults that spoil the answer."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, request: Request, entry: Entry) -> Answer:
        """The whole way; raises RefusalError."""
        state = self._state
        account = state.authorize(request, entry)
        state.submit_rate.take(account.name, entry.at, state.clock.speed)
        _check_content_type(request)
        state.check_running(account)
        if len(request.body) <= KEPT_BODY_BYTES:
            entry.body = request.body
        follow_up = partial(self._after_reading, entry, account)
        if len(request.body) > BIG_BODY_BYTES:
            return Deferred(partial(read, request.body), follow_up)
        return follow_up(read(request.body))

    def _after_reading(self, entry: Entry, account: Account, reading: Reading) -> Answer:
        entry.prompt = reading.prompt
        fault = self._strike(account, reading)
        if fault is not None:
            entry.fault = fault.spelled
            if fault.name in PREVENTS_CREATION:
                return recorded(entry, partial(spoiled, fault, 200, {}))
        draft = reading.draft
        if draft is None:
            return recorded(entry, partial(_refuse, reading.refusal))
        taken = _Taken(entry, account, reading.faults, draft, fault)
        if self._state.inspector.wants(draft):
            return Deferred(partial(self._state.inspector.inspect, draft), partial(self._finish, taken))
        return self._finish(taken, _NOTHING_INSPECTED)

    def _strike(self, account: Account, reading: Reading) -> Fault | None:
        book = self._state.faults
        strikes = book.submit_strikes(account.name, reading.prompt) if reading.faults else {}
        valid = reading.draft is not None
        return book.strike(
            SUBMIT, reading.prompt, reading.faults, strikes, lambda fault: valid or fault.name in PREVENTS_CREATION
        )

    def _finish(self, taken: _Taken, inspection: Inspection) -> Response:
        def produce() -> Response:
            if inspection.refusal is not None:
                raise inspection.refusal
            self._state.check_running(taken.account)
            task = self._create(taken, inspection)
            taken.entry.task_id = task.id
            payload = {"id": task.id, "status": QUEUED, "metadata": metadata(task)}
            return json_response(200, payload) if taken.fault is None else spoiled(taken.fault, 200, payload)

        return recorded(taken.entry, produce)

    def _create(self, taken: _Taken, inspection: Inspection) -> Task:
        state, parameters = self._state, taken.draft.parameters
        contents = [*inspection.media.values(), *([inspection.audio] if inspection.audio else [])]
        for digest, data in contents:
            state.media.put(digest, data)
        now = state.clock.now()
        chosen_seed = state.ids.getrandbits(31)
        task = Task(
            id=f"{state.ids.getrandbits(128):032x}",
            account=taken.account,
            draft=taken.draft.without_media() if inspection.media else taken.draft,
            faults=taken.faults,
            created_at=now,
            schedule=state.times.schedule(parameters, now),
            link_token=f"{state.ids.getrandbits(128):032x}",
            seed=chosen_seed if parameters.seed is None else parameters.seed,
            cost_usd=state.cost(taken.draft.tier, parameters.duration),
            digests={index: digest for index, (digest, _) in inspection.media.items()},
            audio_digest=inspection.audio[0] if inspection.audio else None,
            doom=inspection.doom,
        )
        state.tasks.add(task)
        return task


def metadata(task: Task) -> dict[str, Any]:
    """The provider's `metadata`: what it made of the request, the cut of the prompt and mistakes that are allowed."""
    parameters, prompt = task.draft.parameters, task.draft.prompt
    return {
        "created_at": iso(task.created_at),
        "size": parameters.size,
        "duration": parameters.duration,
        "seed": task.seed,
        "prompt_characters": min(len(prompt), PROMPT_CHARACTERS),
        "prompt_truncated": len(prompt) > PROMPT_CHARACTERS,
        "warnings": task.draft.warnings(),
    }


def _check_content_type(request: Request) -> None:
    content_type = request.headers.get("content-type", "application/json")
    if content_type != "application/json":
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedTypeError(f"Content-Type must be application/json, not {media_type or 'empty'}")


def _refuse(refusal: InvalidRequestError | None) -> Response:
    raise refusal or InvalidRequestError("the request cannot be read")
