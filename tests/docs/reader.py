"""Somebody who follows a page: a real shell in a folder of their own, into which blocks are typed as they stand."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.settings import STATE, VENV_BIN
from tests.docs.pages import ROOT, Block, fences

PATIENCE_SECONDS = 180


_AWS = """#!/bin/sh
# Version 1 of the CLI, which can be installed by pip, forgets AWS_ENDPOINT_URL for SQS.
exec "{aws}" --endpoint-url "$AWS_ENDPOINT_URL" "$@"
"""
_PIP = """#!/bin/sh
# `pip install` without the network: a folder is really installed, a published package must be here already.
case "$2" in
./*) exec "{venv}/uv" pip {install} --python "{venv}/python" "$2" ;;
*) exec "{venv}/uv" pip show --quiet --python "{venv}/python" "$2" ;;
esac
"""


class BlockFailed(AssertionError):
    """A command of a page ended with an error."""


class Shell:
    """One bash from the first block to the last: variables and functions of a block are there in the next."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._count = 0
        self.run("trap 'kill $(jobs -p) 2>/dev/null' EXIT")

    def run(self, script: str) -> str:
        """What the script printed on stdout. It ends at the first command that fails (BlockFailed)."""
        assert self._process.stdin
        assert self._process.stdout
        self._count += 1
        base = self.folder / f".block-{self._count}"
        code, out, errors = (base.with_suffix(suffix) for suffix in (".sh", ".out", ".err"))
        code.write_text(script, encoding="utf-8")
        self._process.stdin.write(f"set -euo pipefail; source {code} </dev/null >{out} 2>{errors}; echo over\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "over\n":
            raise BlockFailed(f"{script}\n--- printed\n{_text(out)}\n--- and said\n{_text(errors)}")
        return _text(out)

    def start(self, script: str) -> Path:
        """Let the last line of a script, a server, run on; the file that it prints to."""
        self.run(script.rstrip() + " &")
        return self.folder / f".block-{self._count}.out"

    def close(self) -> None:
        """End it, and the servers that were started in it."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(timeout=30)
        if self._process.stdout:
            self._process.stdout.close()


class Reader:
    """Follows one page, and remembers which blocks were typed."""

    def __init__(self, page: str, shell: Shell, elsewhere: Mapping[str, str]) -> None:
        self.page = page
        self.folder = shell.folder
        self.ran: set[str] = set()
        self._blocks = {(block.key, block.language): block for block in fences(ROOT / page)}
        self._shell = shell
        self._elsewhere = elsewhere

    def gives(self, **variables: str) -> None:
        """Set variables, as the page takes for granted."""
        for name, value in variables.items():
            self._shell.run(f"{name}='{value}'")

    def saves(self, heading: str, language: str, name: str) -> None:
        """Save a block into a file, as the page asks."""
        (self.folder / name).write_text(self._block(heading, language).code, encoding="utf-8")

    def runs(self, heading: str, **placeholders: str) -> str:
        """Type a block of commands. Placeholders such as `ID` are filled in as a person would."""
        block = self._block(heading, "sh")
        self.ran.add(block.key)
        return self._shell.run(self._filled_in(block.code, placeholders))

    def starts(self, heading: str, **placeholders: str) -> Path:
        """Type a block whose last line is a server, and go on while it runs; the file that it prints to."""
        block = self._block(heading, "sh")
        self.ran.add(block.key)
        return self._shell.start(self._filled_in(block.code, placeholders))

    def runs_until_it_works(self, heading: str) -> str:
        """The same for a block whose last line looks at something that takes a while: that line is typed again."""
        block = self._block(heading, "sh")
        self.ran.add(block.key)
        *lines, last = block.code.strip().splitlines()
        self._shell.run(self._filled_in("\n".join(lines), {}))
        return self.types_until_it_works(last)

    def types(self, line: str) -> str:
        """Type something that is not on the page."""
        return self._shell.run(self._filled_in(line, {}))

    def types_until_it_works(self, line: str) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (answer := self.types(f"{line} || true")):
            assert time.monotonic() < deadline, f"in vain: {line}"
            time.sleep(0.5)
        return answer

    def runs_python(self, heading: str, **placeholders: str) -> str:
        """Run a Python block as a file of its own."""
        code = self._filled_in(self._block(heading, "python").code, placeholders)
        (self.folder / "snippet.py").write_text(code, encoding="utf-8")
        return self._shell.run("python snippet.py")

    def _block(self, heading: str, language: str) -> Block:
        return self._blocks[f"{self.page}#{heading}", language]

    def _filled_in(self, text: str, placeholders: Mapping[str, str]) -> str:
        for there, here in {**self._elsewhere, **placeholders}.items():
            text = text.replace(there, here)
        return text


@contextlib.contextmanager
def reading(
    page: str, folder: Path, environ: Mapping[str, str], elsewhere: Mapping[str, str] | None = None
) -> Iterator[Reader]:
    """A reader of `page` in the repository's root, or what looks like it: files that commands write stay in `folder`.

    `elsewhere` maps addresses on the page to those of this test's own processes.
    """
    prepare(folder)
    path = f"{folder / 'bin'}{os.pathsep}{environ['PATH']}"
    shell = Shell(folder, {**environ, "PATH": path, "HOME": str(folder), "PYTHONPATH": str(folder / "site")})
    try:
        yield Reader(page, shell, elsewhere or {})
    finally:
        shell.close()


def prepare(folder: Path) -> None:
    """The repository's files as links, pictures by the names that the pages use, and the tools by theirs."""
    missing = [name for name in ("bash", "curl", "openssl") if shutil.which(name) is None]
    assert not missing, f"the documentation's commands need {', '.join(missing)} on this machine"
    for entry in ROOT.iterdir():
        if entry.name in {".venv", ".local"} or not entry.name.startswith((".", "client")):
            (folder / entry.name).symlink_to(entry)
    # A copy: building a package writes beside its sources.
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    shutil.copytree(ROOT / "client", folder / "client", ignore=ignored)
    shutil.copy(ROOT / "examples" / "character1.png", folder / "fox.png")
    shutil.copy(ROOT / "examples" / "melody.wav", folder / "melody.wav")
    binaries = folder / "bin"
    binaries.mkdir()
    _write_program(binaries / "aws", _AWS.format(aws=STATE / "envs" / "aws" / "bin" / "aws"))
    install = f'install --quiet --offline --no-deps --no-build-isolation --target "{folder}/site"'
    _write_program(binaries / "pip", _PIP.format(install=install, venv=VENV_BIN))
    (binaries / "wanflow").symlink_to(folder / "site" / "bin" / "wanflow")


def _write_program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
