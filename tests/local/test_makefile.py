"""What the Makefile hands to its commands."""

import subprocess
from pathlib import Path

import pytest

from local.settings import ROOT

HOSTILE = """a"; touch owned; "`touch owned`'$$(touch owned)"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """In place of the environment's: a Python that prints its arguments, a line each."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "variables", "arguments"),
    [
        ("key", ("NAME", "REVOKE"), 2),
        ("free-slot", ("JOB",), 1),
        ("restore", ("FROM",), 1),
    ],
)
def test_what_is_given_reaches_the_command_as_it_is_and_no_shell_reads_it(
    tools: Path, command: str, variables: tuple[str, ...], arguments: int
) -> None:
    given = [f"{name}={HOSTILE}" for name in variables]
    make = ["make", "--no-print-directory", "--old-file=.venv/.installed", "-f", str(ROOT / "Makefile"), command]
    done = subprocess.run(
        [*make, f"VENV={tools}", *given], cwd=tools, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    # make reads `$$` as `$`.
    assert done.stdout.splitlines() == ["-m", "local", command, *[HOSTILE.replace("$$", "$")] * arguments]
    assert not (tools / "owned").exists()


def test_a_name_that_only_the_shell_has_is_no_owner(tools: Path) -> None:
    """Some systems keep the machine's name in NAME."""
    make = ["make", "--no-print-directory", "--old-file=.venv/.installed", "-f", str(ROOT / "Makefile"), "key"]
    done = subprocess.run(
        [*make, f"VENV={tools}"],
        cwd=tools,
        env={"NAME": "laptop", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["-m", "local", "key", "", ""]
