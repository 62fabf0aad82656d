"""Time: UTC, to the millisecond, as text that sorts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """ISO 8601 with milliseconds and `Z`: one width, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


def after(moment: datetime, seconds: float) -> str:
    """The text of `moment` plus `seconds`."""
    return to_text(moment + timedelta(seconds=seconds))
