"""Whether a command of the documentation can exist: asked of the tool itself, without running it.

Every program that a page uses must stand in `PROGRAMS`: an unknown one is a problem too.
"""

import contextlib
import importlib.util
import io
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

from local.settings import STATE
from tests.docs.pages import ROOT, text_of
from tests.docs.shell import Command
from wanflow_client.arguments import parse

_PARSERS = {"aws": ROOT / "tests/docs/aws_arguments.py", "sam": ROOT / "tests/docs/sam_arguments.py"}
"""What reads the command lines of a tool in the tool's own environment, .local/envs/{tool}."""


def problems(commands: Iterable[Command]) -> list[str]:
    """What is wrong, one line for each command that cannot be right."""
    found: list[str] = []
    foreign: dict[str, list[Command]] = {tool: [] for tool in _PARSERS}
    for command in dict.fromkeys(commands):
        if command.program in foreign:
            foreign[command.program].append(command)
        elif command.program not in PROGRAMS:
            found.append(f"{command}: {command.program} is not in {__name__}.PROGRAMS")
        elif problem := PROGRAMS[command.program](command.words[1:]):
            found.append(f"{command}: {problem}")
    return found + [problem for tool, used in foreign.items() for problem in _asked(tool, used)]


def _asked(tool: str, commands: list[Command]) -> list[str]:
    python = STATE / "envs" / tool / "bin" / "python"
    lines = json.dumps([command.words[1:] for command in commands])
    answer = subprocess.run([python, _PARSERS[tool]], input=lines, capture_output=True, text=True, check=True)
    pairs = zip(commands, json.loads(answer.stdout), strict=True)
    return [f"{command}: {problem}" for command, problem in pairs if problem]


def _make(words: tuple[str, ...]) -> str:
    makefile = text_of(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable:
            # They reach the recipes' shell as its variables, and STACK its command.
            if not re.search(rf"\$\$?\(?{name}\b|\b{name}=name", makefile):
                return f"the Makefile has no variable {name}"
        elif name not in targets:
            return f"the Makefile has no target {name}"
    return ""


def _wanflow(words: tuple[str, ...]) -> str:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parse(words)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


def _python(words: tuple[str, ...]) -> str:
    if words[0] != "-m":
        return "" if (ROOT / words[0]).is_file() else f"there is no {words[0]}"
    module, *rest = words[1:]
    with contextlib.suppress(ModuleNotFoundError):
        if spec := importlib.util.find_spec(module):
            folder = Path(str(spec.origin)).parent
            source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
            unknown = [word for word in rest if word.startswith("--") and f'"{word}"' not in source]
            unknown = [word for word in unknown if word != "--help"]
            return f"{module} has no {unknown}" if unknown else ""
    return f"there is no module {module}"


def _pip(words: tuple[str, ...]) -> str:
    if words[0] != "install":
        return "only `pip install` is checked"
    locked = text_of(ROOT / "requirements" / "dev.txt")
    for word in words[1:]:
        name, _, extra = word.rstrip("]").partition("[")
        if not name.startswith("."):
            if f"\n{name}==" not in locked:
                return f"{name} is not among the packages that the tests run with (requirements/dev.txt)"
        elif not (ROOT / name / "pyproject.toml").is_file():
            return f"{name} is no package"
        elif extra and extra not in tomllib.loads(text_of(ROOT / name / "pyproject.toml"))["project"][_EXTRAS]:
            return f"{name} has no extra {extra}"
    return ""


_EXTRAS = "optional-dependencies"


def _docker(words: tuple[str, ...]) -> str:
    if words[0] == "build":
        return "" if (ROOT / words[-1] / "Dockerfile").is_file() else f"{words[-1]} has no Dockerfile"
    return "" if words[0] == "run" else "only `docker build` and `docker run` are checked"


def _mock(words: tuple[str, ...]) -> str:
    return _python(("-m", "mock_server", *words))


def _fine(_words: tuple[str, ...]) -> str:
    """A program of every shell; what is wrong with it shows when it runs."""
    return ""


_OF_EVERY_SHELL = {".", "awk", "cat", "cd", "cp", "curl", "date", "echo", "eval", "export", "grep", "sed", "openssl"}

PROGRAMS: dict[str, Callable[[tuple[str, ...]], str]] = {
    "make": _make,
    "wanflow": _wanflow,
    "python": _python,
    ".venv/bin/python": _python,
    "pip": _pip,
    "docker": _docker,
    "wan-mock": _mock,
    **dict.fromkeys(_OF_EVERY_SHELL, _fine),
}
