"""The grammar of faults: `[[mock:CODE]]` and `[[mock:STAGE:FAULT@HOW*N]]`, inside a prompt or as a scenario's action.

A directive travels in the prompt through whatever stands between the test and this server, without a line of test code
in it. Several in one prompt apply in their order: a later one strikes when the earlier ones are used up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .errors import ERROR_CODES, FAILED_IN_BODY, InvalidRequestError

SUBMIT, POLL, DOWNLOAD = "submit", "poll", "download"
STAGES = (SUBMIT, POLL, DOWNLOAD)

TIMEOUT_SECONDS = 60.0
SLOW_SECONDS = 5.0

_EVERYWHERE = ("timeout", "slow", "reset", "empty")
_API = ("lost-answer", "malformed", "html", "wrong-type", "no-id", "unknown-status")
FAULTS_OF_STAGE: dict[str, tuple[str, ...]] = {
    SUBMIT: (*_EVERYWHERE, *_API),
    POLL: (*_EVERYWHERE, *_API, "no-output"),
    DOWNLOAD: (*_EVERYWHERE, "cut", "wrong-length", "not-mp4"),
}
"""Beside these every stage knows `http-NNN`, and submit and poll know the nine codes."""

_MARK = "[[mock:"
_DIRECTIVE = re.compile(r"\[\[mock:([^\]]*)(\]\]|)")
_ACTION = re.compile(r"(?P<name>[a-z0-9-]+)(?:@(?P<how>\d{1,4}))?(?:\*(?P<times>\d{1,9}))?")
_HTTP = re.compile(r"http-([2-5]\d\d)")
_WITH_SECONDS = ("timeout", "slow")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    `name` is a word of `FAULTS_OF_STAGE`, `code` or `http`. `code` is one of the nine for `code`; `status` is the
    HTTP status of `code`, `http` and `html`; `seconds` belongs to `timeout`, `slow` and the Retry-After of `http`.
    `times` is how often it strikes, None for "until the end". `spelled` is how it was written.
    """

    stage: str
    name: str
    spelled: str
    times: int | None
    code: str = ""
    status: int = 0
    seconds: float = 0.0

    @property
    def ends_task(self) -> bool:
        """Read at poll, this fault means that the task is over, and not billed."""
        return self.name == "code" and self.stage == POLL and ERROR_CODES[self.code].ends_task


NO_FAULTS: tuple[Fault, ...] = ()


def directives_in(prompt: str) -> tuple[Fault, ...]:
    """The faults that `prompt` asks for, in order. Raises InvalidRequestError for one that is not known."""
    if _MARK not in prompt:
        return NO_FAULTS
    return _parse_all(prompt)


@lru_cache(maxsize=1024)
def _parse_all(prompt: str) -> tuple[Fault, ...]:
    return tuple(_parse_directive(match) for match in _DIRECTIVE.finditer(prompt))


def _parse_directive(match: re.Match[str]) -> Fault:
    text, end = match.groups()
    if not end:
        raise InvalidRequestError(
            f"input.prompt: the directive {_MARK}{text[:60]} is not closed with ]]. {known_faults()}"
        )
    stage, separator, action = text.strip().lower().rpartition(":")
    fault = parse_fault(action, stage if separator else None)
    if fault is None:
        raise InvalidRequestError(f"input.prompt: unknown directive {_MARK}{text[:60]}]]. {known_faults()}")
    return fault


def parse_fault(action: str, stage: str | None = None) -> Fault | None:
    """The fault that `FAULT@HOW*N` means at `stage`; None if there is no such thing.

    Only a code may go without a stage: it has a natural one.
    """
    match = _ACTION.fullmatch(action)
    if match is None or match["times"] == "0":
        return None
    how = int(match["how"]) if match["how"] else None
    times = int(match["times"]) if match["times"] else None
    if match["name"] in ERROR_CODES:
        fault = _code_fault(match["name"], stage, how, times)
    elif stage not in STAGES:
        fault = None
    elif http := _HTTP.fullmatch(match["name"]):
        fault = _http_fault(stage, int(http[1]), how, times)
    elif match["name"] in FAULTS_OF_STAGE[stage]:
        fault = _named_fault(stage, match["name"], how, times)
    else:
        fault = None
    return fault


def _code_fault(code: str, stage: str | None, how: int | None, times: int | None) -> Fault | None:
    row = ERROR_CODES[code]
    stage = stage or row.natural_stage
    if stage not in {SUBMIT, POLL}:
        return None
    usual = row.submit_status if stage == SUBMIT else row.poll_status
    status = usual if how is None else how
    if status != FAILED_IN_BODY and not 400 <= status <= 599:
        return None
    return Fault(stage, "code", _spell(stage, code, how), times, code=code, status=status)


def _http_fault(stage: str, status: int, how: int | None, times: int | None) -> Fault:
    retry_after = 1.0 if how is None else float(how)
    spelled = _spell(stage, f"http-{status}", how)
    return Fault(stage, "http", spelled, _strikes(stage, times), status=status, seconds=retry_after)


def _named_fault(stage: str, name: str, how: int | None, times: int | None) -> Fault | None:
    spelled, times = _spell(stage, name, how), _strikes(stage, times)
    if name == "html":
        status = 502 if how is None else how
        return Fault(stage, name, spelled, times, status=status) if 200 <= status <= 599 else None
    if name in _WITH_SECONDS:
        usual = TIMEOUT_SECONDS if name == "timeout" else SLOW_SECONDS
        return Fault(stage, name, spelled, times, seconds=usual if how is None else float(how))
    return Fault(stage, name, spelled, times) if how is None else None


def _strikes(stage: str, times: int | None) -> int | None:
    """Without `*N` a fault of submit or download strikes once, a fault of poll until the end."""
    return 1 if times is None and stage != POLL else times


def _spell(stage: str, name: str, how: int | None) -> str:
    return f"{stage}:{name}" if how is None else f"{stage}:{name}@{how}"


@lru_cache(maxsize=1)
def known_faults() -> str:
    """Every directive in one sentence, for the error of an unknown one."""
    stages = "; ".join(f"{stage}: {' '.join(('http-NNN', *names))}" for stage, names in FAULTS_OF_STAGE.items())
    return (
        f"Known: [[mock:CODE]] or [[mock:STAGE:FAULT]], with @HOW and *N if wanted. STAGE is {', '.join(STAGES)}. "
        f"CODE (submit, poll) is {' '.join(ERROR_CODES)}, @HOW its HTTP status, 200 for status failed. "
        f"FAULT at {stages}. @HOW is seconds for slow, timeout and http-NNN (Retry-After), the status for html. "
        "*N is how often it strikes"
    )
