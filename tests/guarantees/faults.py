"""Where the world outside can go wrong: every call that leaves a function passes one gate, which counts and breaks it.

A point is the n-th call of a run. A run is deterministic, so the n-th call of the run that recorded the points is the
n-th call of every run up to its fault. Nobody lists points by hand.
"""

import io
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import requests
from botocore.exceptions import ReadTimeoutError
from urllib3.exceptions import ProtocolError

from tests.guarantees.dynamo import refuse


class Killed(BaseException):
    """The process of a function is gone. No `except Exception` sees it, and nothing has an effect on the way out."""


class Mode(Enum):
    """How a call goes wrong."""

    KILLED_BEFORE = "killed before it"
    KILLED_AFTER = "killed after it"
    FAILED = "answered with a 5xx"
    TIMED_OUT_BEFORE = "timed out without effect"
    TIMED_OUT_AFTER = "timed out with effect"
    REPEATED = "its first answer lost, sent again by the SDK"
    CONFLICT = "met another transaction"
    NOT_CONNECTED = "could not connect"


_OF_READS = (Mode.KILLED_BEFORE, Mode.FAILED, Mode.TIMED_OUT_BEFORE)
_OF_WRITES = (*_OF_READS, Mode.KILLED_AFTER, Mode.TIMED_OUT_AFTER)
_READS = ("Get", "BatchGet", "Query", "Describe", "List", "Head", "GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that left a function, on what; `nth` counts the same call of the same function.

    `invocation` tells the runs of functions apart.
    """

    number: int
    function: str
    service: str
    operation: str
    target: str
    nth: int
    invocation: int

    def __str__(self) -> str:
        return f"{self.number}. {self.function}: {self.operation} {self.target} #{self.nth}"

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing anywhere, so that it may be left out or done twice."""
        return self.operation.startswith(_READS)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """Every way in which it can go wrong; a call without an effect cannot be lost after it."""
        if self.service in {"wan", "receiver"}:
            return (*(_OF_READS if self.is_read else _OF_WRITES), Mode.NOT_CONNECTED)
        if self.is_read:
            return _OF_READS
        repeated = () if self.operation == "TransactWriteItems" else (Mode.REPEATED,)  # it carries a token of the SDK
        conflict = (Mode.CONFLICT,) if self.operation == "TransactWriteItems" else ()
        return (*_OF_WRITES, *repeated, *conflict)


When = Callable[[Call], bool]


@dataclass(slots=True)
class Fault:
    """The first `times` calls for which `when` holds go wrong."""

    when: When
    mode: Mode
    times: int = 1
    hit: Call | None = None


@dataclass(slots=True)
class Intrusion:
    """Somebody else acts just before the first call for which `when` holds, or just after it."""

    when: When
    act: Callable[[], None]
    is_after: bool = False
    is_done: bool = False


@dataclass
class Gate:
    """What every call passes. `moment` describes what is so far, for the run that records the points."""

    observe: Callable[[], None]
    faults: list[Fault] = field(default_factory=list)
    intrusions: list[Intrusion] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    moment: Callable[[], str] | None = None
    moments: list[str] = field(default_factory=list)
    function: str = ""
    invocation: int = 0
    is_dead: bool = False
    _seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def call(self, service: str, operation: str, target: str, perform: Callable[[], Any]) -> Any:
        """Let one call through, or break it as a fault says."""
        if self.is_dead:
            raise Killed
        if not self.function:
            # Nobody's function: the test itself looks at something.
            return perform()
        self._seen[self.function, operation, target] += 1
        nth = self._seen[self.function, operation, target]
        call = Call(len(self.calls), self.function, service, operation, target, nth, self.invocation)
        self.calls.append(call)
        if self.moment is not None:
            self.moments.append(self.moment())
        self._intrude(call, is_after=False)
        for fault in self.faults:
            if fault.times and fault.when(call):
                fault.times -= 1
                fault.hit = call
                return self._break(call, fault.mode, perform)
        try:
            return perform()
        finally:
            if not call.is_read or service == "wan":
                self.observe()
            self._intrude(call, is_after=True)

    def _intrude(self, call: Call, *, is_after: bool) -> None:
        for intrusion in self.intrusions:
            if not intrusion.is_done and intrusion.is_after is is_after and intrusion.when(call):
                intrusion.is_done = True
                function, self.function = self.function, ""
                try:
                    intrusion.act()
                finally:
                    self.function = function

    def _break(self, call: Call, mode: Mode, perform: Callable[[], Any]) -> Any:
        if mode in {Mode.KILLED_AFTER, Mode.TIMED_OUT_AFTER, Mode.REPEATED}:
            # Whatever it answered, an error too, nobody heard it.
            with suppress(Exception):
                perform()
            self.observe()
        if mode in {Mode.KILLED_BEFORE, Mode.KILLED_AFTER}:
            self.is_dead = True
            raise Killed
        if mode is Mode.REPEATED:
            return perform()
        return _wan_fault(mode) if call.service in {"wan", "receiver"} else _aws_fault(call, mode)


def _aws_fault(call: Call, mode: Mode) -> None:
    if mode in {Mode.TIMED_OUT_BEFORE, Mode.TIMED_OUT_AFTER}:
        raise ReadTimeoutError(endpoint_url=f"https://{call.service}.invalid")
    if mode is Mode.CONFLICT:
        error = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": _CONFLICT}
        from botocore.exceptions import ClientError

        raise ClientError(error, call.operation)  # type: ignore[arg-type]
    code, status = {
        "dynamodb": ("ThrottlingException", 400),
        "s3": ("SlowDown", 503),
        "stepfunctions": ("ThrottlingException", 400),
    }.get(call.service, ("InternalFailure", 500))
    refuse(code, call.operation, "", status)


_CONFLICT = [{"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}, {"Code": "None"}]


def _wan_fault(mode: Mode) -> requests.Response:
    if mode is Mode.NOT_CONNECTED:
        raise requests.ConnectTimeout
    if mode is Mode.TIMED_OUT_AFTER:
        raise requests.ReadTimeout
    if mode is Mode.TIMED_OUT_BEFORE:
        raise requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError()))
    response = requests.Response()
    response.status_code = 503
    response.raw = io.BytesIO(b"Service Unavailable")
    return response
