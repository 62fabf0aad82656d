"""Everything that the simulated provider remembers, and what each route needs of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple

from .clock import VirtualClock
from .errors import RefusalError, TooManyRequestsError, UnauthorizedError
from .faults import FaultBook
from .fetching import Fetcher
from .inspection import Inspector
from .journal import Entry, Journal
from .ledger import Account, account_name
from .limits import RateLimit, real_seconds
from .media_store import MediaStore
from .messages import Answer, Request, Response
from .render_times import RenderTimes
from .settings import Settings
from .tasks import TaskBook

if TYPE_CHECKING:
    from .video import Clip

MOST_RETRY_AFTER_SECONDS = 30.0
_BEARER = "Bearer "

Given = TypeVarTuple("Given")
Produced = TypeVar("Produced", bound=Answer)


class Renderer(Protocol):
    """Makes an MP4; see video.py. Blocks, and may be called from several threads."""

    def render(self, clip: Clip) -> bytes: ...


class State:
    """The provider's memory. `reset` forgets everything but the settings.

    Three streams of randomness, so that faults with a probability do not shift the ids and times of a seeded run.
    """

    def __init__(
        self,
        settings: Settings,
        clock: VirtualClock | None = None,
        inspector: Inspector | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or VirtualClock(settings.speed)
        self.inspector = inspector or Inspector(Fetcher(settings.fetch_references))
        self.renderer = renderer or LateRenderer()
        self._forget()

    def reset(self) -> None:
        """No tasks, no journal, no ledger, no scenarios, no counts; the clock back to where it would be."""
        self.clock.reset()
        self._forget()

    def _forget(self) -> None:
        settings = self.settings
        self.ids = self._stream("ids")
        self.times = RenderTimes(settings, self._stream("times"))
        self.faults = FaultBook(self._stream("faults"))
        self.tasks = TaskBook(settings.reads)
        self.journal = Journal(settings.journal_size)
        self.media = MediaStore()
        self.accounts = {key: Account(account_name(key)) for key in settings.api_keys}
        self.submit_rate = RateLimit(settings.submits_per_second, "submits")
        self.query_rate = RateLimit(settings.queries_per_second, "status queries")

    def _stream(self, name: str) -> Random:
        seed = self.settings.seed
        return Random() if seed is None else Random(f"{seed}:{name}")  # noqa: S311 - a simulation, no secret

    def authorize(self, request: Request, entry: Entry) -> Account:
        """The account that the bearer token stands for (Wan page, Authentication); raises UnauthorizedError."""
        given = request.headers.get("authorization", "")
        usual = self.accounts.get(given[len(_BEARER) :]) if given.startswith(_BEARER) else None
        account = usual or self._of_header(given)
        entry.account = account.name
        return account

    def _of_header(self, given: str) -> Account:
        """Of a header that is not spelled in the usual way; raises UnauthorizedError."""
        scheme, _, key = given.partition(" ")
        account = self.accounts.get(key.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            what = "wrong" if key else "missing"
            raise UnauthorizedError(f"the API key is {what}: send Authorization: Bearer YOUR_API_KEY")
        return account

    def check_running(self, account: Account) -> None:
        """Raises TooManyRequestsError where the account has as many running tasks as it may."""
        most = self.settings.max_running
        if most and account.running >= most:
            wait = real_seconds(self.settings.render_seconds, self.clock.speed)
            raise TooManyRequestsError(
                f"at most {most} tasks may run at once", retry_after_seconds=min(wait, int(MOST_RETRY_AFTER_SECONDS))
            )

    def cost(self, tier: str, seconds: int) -> Decimal:
        """Unit price of the tier times seconds, in USD (Wan page, size and duration)."""
        return self.settings.prices[tier] * seconds

    def scrub(self, text: str) -> str:
        """`text` without any API key."""
        for key in self.accounts:
            text = text.replace(key, "***")
        return text


class LateRenderer:
    """The real renderer, made at the first video: its libraries would double the server's start."""

    def __init__(self) -> None:
        self._renderer: Renderer | None = None

    def render(self, clip: Clip) -> bytes:
        """See video.py."""
        if self._renderer is None:
            from .video import make_renderer  # noqa: PLC0415 - late, see above

            self._renderer = make_renderer()
        return self._renderer.render(clip)


def recorded(entry: Entry, produce: Callable[[*Given], Produced], *given: *Given) -> Produced | Response:
    """The answer of `produce`, or its refusal, noted in the journal; a deferred answer has yet to be recorded."""
    try:
        answer: Produced | Response = produce(*given)
    except RefusalError as refusal:
        entry.error_code = refusal.code
        answer = refusal.as_response()
    if isinstance(answer, Response):
        entry.status = answer.status or None
    return answer
