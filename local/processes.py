"""Child processes that cannot outlive the command that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from local import janitor
from local.errors import LocalStackError

LAST_LINES = 30
# How often in a row, a tenth of a second apart, make must look interrupted.
LOOKS = 3


class Children:
    """Starts processes in sessions of their own and has the janitor end them, whatever becomes of this process."""

    def __init__(self) -> None:
        self._started: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._janitor = subprocess.Popen(
            [sys.executable, janitor.__file__], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def delete_at_end(self, path: Path) -> None:
        self._tell(f"rm {path}")

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str], log: Path) -> None:
        """Start a process that runs until the end; its output goes to `log`."""
        self._started[name] = (self._spawn(command, env, log), log)

    def run(
        self, name: str, command: Sequence[str | Path], env: Mapping[str, str], log: Path, answer: Path | None = None
    ) -> None:
        """Run a command to its end; if it fails, show the last lines of its output.

        Its standard output goes to `answer` if there is one, else to `log` like the rest.
        """
        process = self._spawn(command, env, log, answer)
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            self._tell(f"-{process.pid}")
        if code != 0:
            raise LocalStackError(f"{name} failed (exit code {code}); the end of {log}:\n\n{tail(log)}")

    def check_alive(self) -> None:
        """Raise if a process that should still run has ended by itself."""
        for name, (process, log) in self._started.items():
            code = process.poll()
            if code is not None:
                raise LocalStackError(f"{name} ended by itself (exit code {code}); the end of {log}:\n\n{tail(log)}")

    def end(self) -> None:
        """Close the janitor's pipe and reap what it ends."""
        if self._janitor.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._janitor.stdin.close()
        while self._janitor.poll() is None:
            for process, _ in self._started.values():
                process.poll()
            time.sleep(0.02)
        for process, _ in self._started.values():
            process.wait()

    def _spawn(
        self, command: Sequence[str | Path], env: Mapping[str, str], log: Path, answer: Path | None = None
    ) -> subprocess.Popen[bytes]:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors, answer.open("wb") if answer else contextlib.nullcontext(errors) as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        self._tell(f"+{process.pid}")
        return process

    def _tell(self, line: str) -> None:
        if self._janitor.stdin is None:
            raise LocalStackError("the janitor has no pipe")
        self._janitor.stdin.write(line + "\n")
        self._janitor.stdin.flush()


def tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-LAST_LINES:])


def exit_on_signals() -> None:
    """Turn the first SIGINT, SIGTERM or SIGHUP into an orderly exit; later ones must not disturb the cleaning up."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(number: int, _frame: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, leave)


def exit_with_parent() -> None:
    """Leave when the parent (`make`) goes, dies, or was told to stop without passing it on."""
    parent = os.getppid()

    def watch() -> None:
        interrupted = 0
        while os.getppid() == parent and interrupted < LOOKS:
            time.sleep(0.1)
            interrupted = interrupted + 1 if make_is_interrupted(parent) else 0
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def make_is_interrupted(pid: int) -> bool:
    """Whether a process is a `make` that has got a SIGINT and now waits for us to end by ourselves.

    GNU make passes a SIGTERM on but not a SIGINT: it takes for granted that a terminal has sent it to all. While it
    waits it blocks SIGINT, which Linux shows in /proc. (It also does so for the instant in which it starts a command:
    hence several looks.) Elsewhere only a SIGINT to the whole group is noticed, as from a terminal.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8", errors="replace")
    except OSError:
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    blocked = int(fields.get("SigBlk", "0"), 16)
    return fields.get("Name") in {"make", "gmake"} and bool(blocked & (1 << (signal.SIGINT - 1)))
