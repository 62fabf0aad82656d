"""`POST /v1/videos`: takes a generation request."""

from __future__ import annotations

from functools import partial
from random import Random

from .answers import PREVENTS_CREATION, spoiled, task_response
from .directives import SUBMIT, Fault
from .errors import InvalidRequestError, UnsupportedTypeError
from .inspection import Inspection
from .journal import KEPT_BODY_BYTES, Entry
from .ledger import Account
from .messages import Answer, Deferred, Request, Response
from .rules import Draft, Reading, read
from .state import State, recorded
from .tasks import QUEUED, Task

BIG_BODY_BYTES = 65_536
"""From here on a body is read off the event loop: a 10 MB data URI takes 100 ms to decode and check."""

_NOTHING_INSPECTED = Inspection()


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
        size = len(request.body)
        if size <= KEPT_BODY_BYTES:
            entry.body = request.body
        if size > BIG_BODY_BYTES:
            return Deferred(
                partial(read, request.body),
                lambda reading: recorded(entry, self._after_reading, entry, account, reading),
            )
        return self._after_reading(entry, account, read(request.body))

    def _after_reading(self, entry: Entry, account: Account, reading: Reading) -> Answer:
        entry.prompt = reading.prompt
        fault = self._strike(account, reading)
        if fault is not None:
            entry.fault = fault.spelled
            if fault.name in PREVENTS_CREATION:
                return spoiled(fault, Response(200))
        draft = reading.draft
        if draft is None:
            raise reading.refusal or InvalidRequestError("the request cannot be read")
        inspector, faults = self._state.inspector, reading.faults
        if inspector.wants(draft):
            return Deferred(
                partial(inspector.inspect, draft),
                lambda found: recorded(entry, self._finish, entry, account, fault, faults, draft, found),
            )
        return self._finish(entry, account, fault, faults, draft, _NOTHING_INSPECTED)

    def _strike(self, account: Account, reading: Reading) -> Fault | None:
        book = self._state.faults
        if not book.may_strike(reading.faults):
            return None
        strikes = book.submit_strikes(account.name, reading.prompt) if reading.faults else {}
        valid = reading.draft is not None
        return book.strike(
            SUBMIT, reading.prompt, reading.faults, strikes, lambda fault: valid or fault.name in PREVENTS_CREATION
        )

    def _finish(
        self,
        entry: Entry,
        account: Account,
        fault: Fault | None,
        faults: tuple[Fault, ...],
        draft: Draft,
        inspection: Inspection,
    ) -> Response:
        """`fault` strikes now, `faults` are all that the prompt asks for."""
        if inspection.refusal is not None:
            raise inspection.refusal
        self._state.check_running(account)
        task = self._create(account, faults, draft, inspection)
        entry.task_id = task.id
        response = task_response(task, QUEUED)
        return response if fault is None else spoiled(fault, response)

    def _create(self, account: Account, faults: tuple[Fault, ...], draft: Draft, inspection: Inspection) -> Task:
        state, parameters = self._state, draft.parameters
        now = state.clock.now()
        seed = state.ids.getrandbits(31)
        task_id, link_token = _new_id(state.ids), _new_id(state.ids)
        schedule = state.times.schedule(parameters, now)
        if parameters.seed is not None:
            seed = parameters.seed
        cost_usd = state.cost(draft.tier, parameters.duration)
        task = Task(task_id, account, draft, faults, now, schedule, link_token, seed, cost_usd)
        if inspection is not _NOTHING_INSPECTED:
            self._take_over(task, inspection)
        state.tasks.add(task)
        return task

    def _take_over(self, task: Task, inspection: Inspection) -> None:
        """What was found in the media: it goes into the video, or it ends the task."""
        store = self._state.media
        task.doom = inspection.doom
        for index, (digest, data) in inspection.media.items():
            store.put(digest, data)
            task.digests[index] = digest
        if inspection.audio is not None:
            task.audio_digest, audio = inspection.audio
            store.put(task.audio_digest, audio)
        task.draft = task.draft.without_media()


def _new_id(randomness: Random) -> str:
    return randomness.getrandbits(128).to_bytes(16, "big").hex()


def _check_content_type(request: Request) -> None:
    content_type = request.headers.get("content-type", "application/json")
    if content_type != "application/json":
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedTypeError(f"Content-Type must be application/json, not {media_type or 'empty'}")
