"""Run by the SAM CLI's own Python: reads command lines (JSON, without `sam`), says what its parsers find wrong in each.

The commands and options are looked up, not run.
"""

import json
import sys

import click
from samcli.cli.context import Context
from samcli.cli.main import cli


def problem(line: list[str]) -> str | None:
    command: click.Command = cli
    rest = line
    while isinstance(command, click.Group):
        if not rest:
            return None  # a group by itself, such as `sam local`, lists its commands
        found = command.get_command(click.Context(command, obj=Context()), rest[0])
        if found is None:
            return f"no such command: {rest[0]}"
        command, rest = found, rest[1:]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in known]
    return f"unknown: {unknown}" if unknown else None


if __name__ == "__main__":
    print(json.dumps([problem(line) for line in json.load(sys.stdin)]))
