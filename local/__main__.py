"""`python -m local COMMAND`: what the Makefile's commands of the same names run."""

from __future__ import annotations

import sys
from collections.abc import Callable

from local import demo, keys, mock, recovery, sam_local, sam_local_test, storm, switch, teardown, up, watched
from local.errors import LocalStackError
from local.processes import exit_on_signals, exit_with_parent


def take_screenshots(arguments: list[str]) -> int:
    # Imported by the command that needs it: Playwright is large.
    from local import screenshots  # noqa: PLC0415

    return screenshots.main(arguments)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "up": up.main,
    "demo": demo.main,
    "mock": mock.main,
    "key": keys.main,
    "pause": switch.pause,
    "resume": switch.resume,
    "free-slot": recovery.free_slot,
    "restore": recovery.restore,
    "teardown": teardown.main,
    "screenshots": take_screenshots,
    "deploy": watched.main,
    "storm": storm.main,
    "sam-local": sam_local.main,
    "sam-local-test": sam_local_test.main,
}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: python -m local {' | '.join(COMMANDS)}", file=sys.stderr)
        return 2
    exit_on_signals()
    exit_with_parent()
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except LocalStackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
