"""Clean up after a command of the local stack, however that command ended.

A small process beside each command. It reads from a pipe that only the command holds the other end of:

    +123        a process group was started        -123        it has ended
    rm PATH     a file or folder to delete at the end

When the pipe closes, because the command finished, crashed or was killed, it ends every group still listed and
deletes the paths. It has a session of its own, so a Ctrl-C in the terminal does not reach it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

GRACE_SECONDS = 3.0


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    paths: list[Path] = []
    for line in sys.stdin:
        word = line.rstrip("\n")
        if word.startswith("+"):
            groups.add(int(word[1:]))
        elif word.startswith("-"):
            groups.discard(int(word[1:]))
        elif word.startswith("rm "):
            paths.append(Path(word[3:]))
    end_groups(groups)
    for path in paths:
        delete(path)


def end_groups(groups: set[int]) -> None:
    """Ask first, then insist. All groups at once, so the grace is paid once."""
    deadline = time.monotonic() + GRACE_SECONDS
    left = {group for group in groups if send(group, signal.SIGTERM)}
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {group for group in left if send(group, 0)}
    for group in left:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Whether the group was there to receive the signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


if __name__ == "__main__":
    main()
