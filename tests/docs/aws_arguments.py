"""Run by the AWS CLI's own Python: reads command lines (JSON, without `aws`), says what its parsers find wrong in each.

Nothing is called: the parsers are built from the CLI's models of the services.
"""

import json
import sys
from typing import Any, NoReturn

from awscli.argparser import ArgTableArgParser
from awscli.clidriver import create_clidriver

DRIVER = create_clidriver()
SERVICES = DRIVER._get_command_table()


class Refused(Exception):
    """What a parser says instead of ending the process."""


def problem(line: list[str]) -> str | None:
    try:
        chosen, rest = _strict(DRIVER._create_parser(SERVICES)).parse_known_args(line)
        command = SERVICES[chosen.command]
        while subcommands := _subcommands(command):
            if not rest or rest[0] not in subcommands:
                return f"no such command: {' '.join(rest[:1])}"
            command, rest = subcommands[rest[0]], rest[1:]
        _, unknown = _strict(ArgTableArgParser(command.arg_table)).parse_known_args(rest)
    except Refused as error:
        return str(error).splitlines()[0]
    return f"unknown: {unknown}" if unknown else None


def _subcommands(command: Any) -> dict[str, Any]:
    """Operations of a service, or the parts of a command that the CLI adds itself, such as `s3 cp`."""
    build = getattr(command, "_get_command_table", None)
    return build() if build else getattr(command, "subcommand_table", {})


def _strict(parser: Any) -> Any:
    def error(message: str) -> NoReturn:
        raise Refused(message)

    parser.error = error
    return parser


if __name__ == "__main__":
    print(json.dumps([problem(line) for line in json.load(sys.stdin)]))
