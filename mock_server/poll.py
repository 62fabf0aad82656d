"""`GET /v1/videos/{id}`: tells how a task stands."""

from __future__ import annotations

from typing import Any

from .answers import spoiled
from .directives import POLL
from .errors import NotFoundError, error_body
from .journal import Entry
from .messages import Request, Response, json_response
from .state import State
from .submit import metadata
from .tasks import COMPLETED, FAILED, Task, failure_of


class PollRoute:
    """Answers a poll. Order: key, rate, the task (of this key, and not expired), faults."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, request: Request, entry: Entry, task_id: str) -> Response:
        """The task's state or what a fault makes of it; raises RefusalError."""
        state = self._state
        account = state.authorize(request, entry)
        state.query_rate.take(account.name, entry.at, state.clock.speed)
        task = state.tasks.get(task_id)
        if task is None or task.account is not account:
            raise NotFoundError("there is no such task, or it is older than 24 hours")
        entry.task_id, entry.prompt = task.id, task.draft.prompt
        return self._tell(request, entry, task)

    def _tell(self, request: Request, entry: Entry, task: Task) -> Response:
        state = self._state
        status = state.tasks.read(task, entry.at)
        fault = state.faults.strike(
            POLL,
            task.draft.prompt,
            task.faults,
            task.strikes,
            lambda fault: fault.name != "no-output" or status == COMPLETED,
        )
        if fault is None:
            return json_response(200, self._payload(request, task, status))
        entry.fault = fault.spelled
        if fault.ends_task:
            state.tasks.fail(task, failure_of(fault.code), entry.at)
        return spoiled(fault, 200, self._payload(request, task, status))

    def _payload(self, request: Request, task: Task, status: str) -> dict[str, Any]:
        payload: dict[str, Any] = {"id": task.id, "status": status}
        if status == COMPLETED:
            base = self._state.settings.public_url or request.base_url
            link = f"{base}/videos/{task.link_token}.mp4"
            payload["output"] = [{"content": [{"type": "video", "url": link}], "jobId": task.id}]
            payload["usage"] = {"cost": str(task.cost_usd), "discount": 0}
        elif status == FAILED and task.failure is not None:
            payload |= error_body(*task.failure)
        payload["metadata"] = metadata(task)
        return payload
