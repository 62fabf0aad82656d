"""The provider as a pure function: `Simulator.handle(request) -> answer`. No sockets, no threads, no sleeping."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from .admin import AdminRoutes
from .clock import VirtualClock
from .directives import DOWNLOAD, POLL, SUBMIT
from .download import DownloadRoute
from .errors import MethodNotAllowedError, NotFoundError
from .inspection import Inspector
from .journal import Entry
from .messages import Answer, Request
from .poll import PollRoute
from .settings import Settings
from .state import Renderer, State, recorded
from .submit import SubmitRoute

ADMIN_PREFIX = "/_mock"
VIDEO_PREFIX, VIDEO_SUFFIX = "/videos/", ".mp4"


class _Route(NamedTuple):
    """Where a request belongs: its stage, the methods it may have, and who answers."""

    stage: str
    methods: tuple[str, ...]
    answer: Callable[[Request, Entry], Answer]


class Simulator:
    """One simulated provider. Not thread-safe: its door calls it from one thread, `Deferred.work` excepted."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: VirtualClock | None = None,
        inspector: Inspector | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self.state = State(settings or Settings(), clock, inspector, renderer)
        self._submit = SubmitRoute(self.state)
        self._poll = PollRoute(self.state)
        self._download = DownloadRoute(self.state)
        self._admin = AdminRoutes(self.state)
        given = self.state.settings
        self._submit_route = _Route(SUBMIT, ("POST",), self._submit.answer)
        self._submit_path = given.submit_path
        self._poll_prefix, _, self._poll_suffix = given.status_path.partition("{id}")

    def handle(self, request: Request) -> Answer:
        """The answer, never an exception: every refusal is an error object."""
        state = self.state
        now = state.clock.now()
        state.tasks.advance(now)
        if request.path.startswith(ADMIN_PREFIX):
            return self._admin.answer(request)
        route = self._find(request.path)
        if route is None:
            return NotFoundError(f"there is nothing at {request.path[:200]}").as_response()
        entry = state.journal.open(now, route.stage, request.method, request.path)
        if request.method not in route.methods:
            return recorded(entry, _wrong_method, route.methods)
        return recorded(entry, route.answer, request, entry)

    def _find(self, path: str) -> _Route | None:
        if path == self._submit_path:
            return self._submit_route
        if task_id := _between(path, self._poll_prefix, self._poll_suffix):
            return _Route(POLL, ("GET",), lambda request, entry: self._poll.answer(request, entry, task_id))
        if token := _between(path, VIDEO_PREFIX, VIDEO_SUFFIX):
            return _Route(
                DOWNLOAD, ("GET", "HEAD"), lambda request, entry: self._download.answer(request, entry, token)
            )
        return None


def _between(path: str, prefix: str, suffix: str) -> str:
    """What stands between prefix and suffix, if it is one segment of a path; else nothing."""
    if not path.startswith(prefix) or not path.endswith(suffix):
        return ""
    middle = path[len(prefix) : len(path) - len(suffix)]
    return "" if "/" in middle else middle


def _wrong_method(methods: tuple[str, ...]) -> NoReturn:
    raise MethodNotAllowedError(f"allowed: {', '.join(methods)}", headers=(("Allow", ", ".join(methods)),))
