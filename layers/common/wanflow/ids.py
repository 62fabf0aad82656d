"""Job ids: the name of the job everywhere, the execution's name included (80 characters of [A-Za-z0-9_-])."""

import hashlib
import re
from collections.abc import Callable
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_PATTERN = "vid_[0-9a-hjkmnp-tv-z]{26}"
_ID = re.compile(ID_PATTERN)


def new_job_id(now: datetime, randbits: Callable[[int], int]) -> str:
    """A time-ordered id: 48 bits of milliseconds, then 80 random bits, in Crockford's base 32 (as a ULID)."""
    return _encode(int(now.timestamp() * 1000) << 80 | randbits(80))


def derived_job_id(owner: str, key: str) -> str:
    """The id that this owner's idempotency key always leads to.

    Its first 48 bits lie beyond the year 10800 so that no time-ordered id can meet it.
    """
    digest = hashlib.sha256(f"{len(owner)}:{owner}:{key}".encode()).digest()
    return _encode(0xFF << 120 | int.from_bytes(digest[:15], "big"))


def is_job_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def _encode(number: int) -> str:
    letters = (_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return "vid_" + "".join(letters)
