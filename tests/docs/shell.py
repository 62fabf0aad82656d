"""Shell text, parsed as bash does (tree-sitter-bash), so that what it runs can be looked up before it runs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser


@dataclass(frozen=True)
class Command:
    """One simple command, wherever it stands: in a pipe, in `$(…)`, in a function."""

    words: tuple[str, ...]
    """Without quotes; what the shell would put in stays as it is written: `$NAME`, `$(…)`."""

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return " ".join(self.words)


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


def _root(script: str) -> Node:
    return _parser().parse(script.encode()).root_node


def is_well_formed(script: str) -> bool:
    return not _root(script).has_error


def commands(script: str) -> list[Command]:
    """Every command of a script, in the order of the text."""
    found = (Command(tuple(_words(node))) for node in _nodes(_root(script)) if node.type == "command")
    return [command for command in found if command.words]


def functions(script: str) -> set[str]:
    """The names of the functions that a script defines."""
    nodes = (node for node in _nodes(_root(script)) if node.type == "function_definition")
    return {_source(name) for node in nodes if (name := node.child_by_field_name("name"))}


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _words(command: Node) -> Iterator[str]:
    for child in command.named_children:
        if child.type not in {"variable_assignment", "file_redirect", "heredoc_redirect", "herestring_redirect"}:
            yield _value(child)


def _value(node: Node) -> str:
    if node.type in {"command_name", "concatenation"}:
        return "".join(_value(child) for child in node.children)
    if node.type == "raw_string":
        return _source(node)[1:-1]
    if node.type == "string":
        return re.sub(r"\\([\"\\$`])", r"\1", _source(node)[1:-1])
    if node.type == "word":
        return re.sub(r"\\(.)", r"\1", _source(node))
    return _source(node)


def _source(node: Node) -> str:
    return (node.text or b"").decode()
