"""Every command of the documentation can exist, and none escapes: each block is run, or looked up for a reason."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.classes import CHECKED, RUN
from tests.docs.pages import PAGES, ROOT, Block, fences, inline_code, name_of
from tests.docs.shell import Command, commands, functions, is_well_formed
from tests.docs.tools import PROGRAMS, problems

LANGUAGES = {"sh", "json", "python", "csv", "mermaid", ""}
"""`sh`: here and in tests/e2e/test_docs.py. `mermaid`: test_pictures.py. `json`, `csv`, `python`: test_examples.py.
Without a name: what is shown, not typed."""

PROGRAM_NAMES = {*PROGRAMS, "aws", "sam"}

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def scripts() -> Iterator[Block]:
    return (block for page in PAGES for block in fences(page) if block.language == "sh")


def test_every_block_of_commands_is_run_or_looked_up_for_a_reason() -> None:
    keys = [block.key for block in scripts()]
    unknown = [key for key in keys if key not in RUN and key not in CHECKED]
    assert unknown == [], "put them into RUN or CHECKED of tests/docs/classes.py"
    assert not RUN & set(CHECKED)
    assert {*RUN, *CHECKED} <= set(keys), "no such block any more: take it out of tests/docs/classes.py"


@each_page
def test_every_block_has_a_language_that_something_checks(page: Path) -> None:
    for block in fences(page):
        assert block.language in LANGUAGES, f"{name_of(page)}, line {block.line}"
        first = block.code.split(maxsplit=1)[0]
        assert block.language or first not in PROGRAM_NAMES, f"{name_of(page)}, line {block.line}: commands are `sh`"


@each_page
def test_every_block_of_commands_is_good_shell(page: Path) -> None:
    for block in fences(page):
        assert block.language != "sh" or is_well_formed(block.code), f"{name_of(page)}, line {block.line}"


@pytest.fixture(scope="module")
def found() -> list[str]:
    """What is wrong with the commands of all pages and with those of `IMPOSSIBLE`: each tool is asked once."""
    used: list[Command] = []
    for block in scripts():
        own = functions(block.code)
        used += [command for command in commands(block.code) if command.program not in own]
    used += [command for page in PAGES for command in inline_commands(page)]
    return problems([*used, *(command for line in IMPOSSIBLE for command in commands(line))])


def test_every_command_of_every_page_can_exist(found: list[str]) -> None:
    assert [problem for problem in found if not problem.startswith(tuple(f"{line}: " for line in IMPOSSIBLE))] == []


def inline_commands(page: Path) -> Iterator[Command]:
    """Whole commands in backquotes, such as `make pause`; a lone word is a name."""
    for text in inline_code(page):
        if " " in text and text.split()[0] in PROGRAM_NAMES and "…" not in text:
            yield from (command for command in commands(text) if len(command.words) > 1)


def test_every_setting_of_samconfig_is_an_option_of_its_command() -> None:
    environments = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    assert environments.pop("version") == 0.1
    lines = []
    for commands_of_one in environments.values():
        for command, settings in commands_of_one.items():
            # `global` is for every command that knows the option; `local_invoke` is `sam local invoke`.
            name = "deploy" if command == "global" else command.replace("local_", "local ").replace("_", "-")
            lines += [f"sam {name} --{key.replace('_', '-')}" for key in settings["parameters"]]
    assert problems(command for line in lines for command in commands(line)) == []


IMPOSSIBLE = {
    "make nonsense": "no target nonsense",
    "make demo NONSENSE=1": "no variable NONSENSE",
    "wanflow submit --nonsense": "nonsense",
    "python -m mock_server --nonsense": "has no ['--nonsense']",
    "python nonsense.py": "no nonsense.py",
    "pip install ./client[nonsense]": "no extra nonsense",
    "pip install nonsense": "nonsense is not among",
    "docker build nonsense": "no Dockerfile",
    "nonsense": "not in tests.docs.tools.PROGRAMS",
    "aws s3 cpp a b": "no such command: cpp",
    "aws dynamodb get-item --table-name x": "--key",
    "aws sqs delete-message --queue-url x --receipt-handle y --nonsense 1": "unknown: ['--nonsense', '1']",
    "aws nonsense": "Invalid choice",
    "sam nonsense": "no such command: nonsense",
    "sam local nonsense": "no such command: nonsense",
    "sam build --nonsense": "unknown: ['--nonsense']",
}
"""Commands with a mistake each, and what must be said about it."""


@pytest.mark.parametrize("line", IMPOSSIBLE)
def test_a_command_that_cannot_exist_is_found(found: list[str], line: str) -> None:
    (problem,) = (problem for problem in found if problem.startswith(f"{line}: "))
    assert IMPOSSIBLE[line] in problem


def test_commands_inside_of_others_are_found() -> None:
    found = commands(
        """f() { cat "$1"; }; X="$(aws s3 ls | sed 's/a b/c/')" make demo ARGS="--duration 5" && f <<< y"""
    )
    assert [command.words for command in found] == [
        ("cat", "$1"),
        ("make", "demo", "ARGS=--duration 5"),
        ("aws", "s3", "ls"),
        ("sed", "s/a b/c/"),
        ("f",),
    ]
