"""Everything that can be set, typed, with its default: the CLI, the plugin and the tests all build one of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

FETCH_CHOICES = ("loopback", "all", "none")
DISTRIBUTIONS = ("fixed", "lognormal")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the simulated provider behaves. All seconds are virtual, all limits are per API key and 0 = off.

    `render_seconds` is the time from submit to the end of an average task (its median for lognormal), `render_sigma`
    the spread of lognormal. `render_by_size`: longer videos and bigger pictures take longer, in proportion. `workers`
    is how many tasks render at once, 0 = any number. `reads` > 0 ends a task at its n-th poll instead of by time.
    `seed` None = other ids and times in every run. Prices are USD a second of video. `public_url` starts the video
    links, empty = as the client reached us. `admin_token` guards `/_mock/`, empty = open.
    """

    api_keys: tuple[str, ...] = ("test-key",)
    submit_path: str = "/v1/videos"
    status_path: str = "/v1/videos/{id}"
    public_url: str = ""
    render_seconds: float = 3.0
    render_distribution: str = "fixed"
    render_sigma: float = 0.5
    render_by_size: bool = False
    workers: int = 0
    reads: int = 0
    speed: float = 1.0
    seed: int | None = None
    fetch_references: str = "loopback"
    submits_per_second: int = 0
    max_running: int = 0
    queries_per_second: int = 0
    prices: dict[str, Decimal] = field(default_factory=lambda: {"720P": Decimal("0.10"), "1080P": Decimal("0.15")})
    admin: bool = True
    admin_token: str = ""
    journal_size: int = 20_000
    max_body_bytes: int = 150_000_000
    """One 100 MB video as a data URI (Wan page, Video Requirements) and what stands around it."""
