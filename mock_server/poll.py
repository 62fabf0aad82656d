"""`GET /v1/videos/{id}`: tells how a task stands."""

from __future__ import annotations

from typing import Any

from .answers import spoiled, task_response
from .directives import POLL
from .errors import NotFoundError, error_body
from .journal import Entry
from .messages import Request, Response
from .state import State
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
        if fault is not None:
            entry.fault = fault.spelled
            if fault.ends_task:
                state.tasks.fail(task, failure_of(fault.code), entry.at)
        response = task_response(task, status, self._result(request, task, status))
        return response if fault is None else spoiled(fault, response)

    def _result(self, request: Request, task: Task, status: str) -> dict[str, Any]:
        if status == COMPLETED:
            base = self._state.settings.public_url or request.base_url
            link = f"{base}/videos/{task.link_token}.mp4"
            return {
                "output": [{"content": [{"type": "video", "url": link}], "jobId": task.id}],
                "usage": {"cost": str(task.cost_usd), "discount": 0},
            }
        return error_body(*task.failure) if status == FAILED and task.failure is not None else {}
