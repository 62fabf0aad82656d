"""No child outlives the command that started it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.errors import LocalStackError
from local.processes import Children
from local.settings import ROOT
from tests.local.waiting import eventually, process_exists

SLEEPER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def grandchild(log: Path) -> int:
    eventually(lambda: log.exists() and log.read_text().strip().isdecimal(), "the sleeper has started")
    return int(log.read_text())


def test_children_and_their_children_end_with_the_block(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Children() as children:
        children.start("sleeper", [sys.executable, "-c", SLEEPER], os.environ, log)
        pid = grandchild(log)
        assert process_exists(pid)

    eventually(lambda: not process_exists(pid), "the grandchild is gone")


def test_a_child_that_ignores_sigterm_is_ended_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{SLEEPER}"
    with Children() as children:
        children.start("stubborn", [sys.executable, "-c", stubborn], os.environ, log)
        pid = grandchild(log)

    eventually(lambda: not process_exists(pid), "the grandchild is gone")


def test_everything_goes_when_the_command_itself_is_killed(tmp_path: Path) -> None:
    log, folder = tmp_path / "log", tmp_path / "folder"
    folder.mkdir()
    script = f"""
import os, sys, time
from pathlib import Path
from local.processes import Children
children = Children()
children.delete_at_end(Path({str(folder)!r}))
children.start("sleeper", [sys.executable, "-c", {SLEEPER!r}], os.environ, Path({str(log)!r}))
time.sleep(600)
"""
    command = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    pid = grandchild(log)

    command.send_signal(signal.SIGKILL)
    command.wait()

    eventually(lambda: not process_exists(pid) and not folder.exists(), "the grandchild and the folder are gone")


def test_a_command_that_fails_shows_the_end_of_its_output(tmp_path: Path) -> None:
    fails = "import sys; print('what went wrong'); sys.exit(3)"
    with Children() as children, pytest.raises(LocalStackError, match=r"exit code 3(.|\n)*what went wrong"):
        children.run("sam build", [sys.executable, "-c", fails], os.environ, tmp_path / "log")


def test_a_server_that_ends_by_itself_is_noticed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Children() as children:
        children.start("engine", [sys.executable, "-c", "print('no port for me')"], os.environ, log)
        eventually(lambda: "port" in log.read_text(), "the server has said why")

        def noticed() -> bool:
            try:
                children.check_alive()
            except LocalStackError as error:
                return "engine ended by itself" in str(error) and "no port for me" in str(error)
            return False

        eventually(noticed, "the end of the server is noticed")
