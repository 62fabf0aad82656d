"""What was asked of the provider's three routes, newest last. Holds no key."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .clock import iso
from .directives import STAGES
from .errors import InvalidRequestError

KEPT_BODY_BYTES = 4096
LISTED_IN_MISMATCH = 10
NO_ANSWER = "none"
"""The status of a request that was never answered, as a filter."""


@dataclass(slots=True)
class Entry:
    """One request.

    `at` is the virtual moment in seconds since the epoch; `status` the HTTP status, None where no answer was sent;
    `fault` what was done to it, if anything; `account` the key's fingerprint, None for an unknown key; `prompt` the
    task's; `body` the request's, if it is short.
    """

    number: int
    at: float
    stage: str
    method: str
    path: str
    status: int | None = None
    account: str | None = None
    task_id: str | None = None
    fault: str | None = None
    prompt: str | None = None
    error_code: str | None = None
    body: bytes | None = None

    def as_json(self, scrub: Callable[[str], str]) -> dict[str, Any]:
        """The entry for a reader; `scrub` takes keys out of whatever the client itself wrote."""
        return {
            "number": self.number,
            "at": iso(self.at),
            "stage": self.stage,
            "method": self.method,
            "path": scrub(self.path),
            "status": self.status,
            "account": self.account,
            "task_id": self.task_id,
            "fault": self.fault,
            "error_code": self.error_code,
            "prompt": None if self.prompt is None else scrub(self.prompt),
            "body": None if self.body is None else scrub(self.body.decode(errors="replace")),
        }

    def line(self, scrub: Callable[[str], str]) -> str:
        """The entry in one line, for a mismatch."""
        outcome = self.status if self.status is not None else "no answer"
        fault = f" [{self.fault}]" if self.fault else ""
        prompt = "" if self.prompt is None else f' "{scrub(self.prompt)[:80]}"'
        return f"#{self.number} {self.method} {scrub(self.path)} -> {outcome}{fault}{prompt}"


_FILTERS: dict[str, Callable[[Entry, str], bool]] = {
    "stage": lambda entry, wanted: entry.stage == wanted,
    "method": lambda entry, wanted: entry.method == wanted.upper(),
    "status": lambda entry, wanted: str(entry.status or NO_ANSWER) == wanted,
    "account": lambda entry, wanted: entry.account == wanted,
    "task_id": lambda entry, wanted: entry.task_id == wanted,
    "fault": lambda entry, wanted: wanted in (entry.fault or ""),
    "error_code": lambda entry, wanted: entry.error_code == wanted,
    "prompt": lambda entry, wanted: wanted in (entry.prompt or ""),
}
FILTERS = tuple(_FILTERS)
_SHAPES = {"stage": re.compile("|".join(STAGES)), "status": re.compile(rf"[1-5]\d\d|{NO_ANSWER}")}


def check_filter(name: str, wanted: str) -> None:
    """Raises InvalidRequestError for a filter that is unknown, or that no entry could ever fulfil."""
    if name not in FILTERS:
        raise InvalidRequestError(f"unknown filter {name[:60]!r}; known: {', '.join(FILTERS)}")
    if name in _SHAPES and not _SHAPES[name].fullmatch(wanted):
        raise InvalidRequestError(f"{name} must match {_SHAPES[name].pattern}")


class Journal:
    """The last `size` requests. `dropped` counts the ones that are gone."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._seen = 0

    @property
    def dropped(self) -> int:
        """How many entries were pushed out by newer ones."""
        return self._seen - len(self._entries)

    def open(self, at: float, stage: str, method: str, path: str) -> Entry:
        """A new entry, to be filled in while the request is answered."""
        self._seen += 1
        entry = Entry(self._seen, at, stage, method, path)
        self._entries.append(entry)
        return entry

    def matching(self, wanted: Mapping[str, str]) -> Iterator[Entry]:
        """The entries that fulfil every filter of `wanted` (names: `FILTERS`), oldest first."""
        return (entry for entry in self._entries if all(_FILTERS[name](entry, value) for name, value in wanted.items()))
