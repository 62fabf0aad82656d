"""A workflow file as a Mermaid flowchart: every state and every arrow between two of them, nothing by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_SHAPES = {"Choice": ('{"', '"}'), "Wait": ('("', '")')}
"""Brackets of Mermaid by the type of a state; all others do something and are boxes."""


@dataclass(frozen=True)
class Ends:
    """What a workflow file does not say: where an execution comes from, what follows its last state."""

    start: str
    arrow: str
    end: str


def draw_workflow(definition: Json, ends: Ends) -> str:
    """The picture without its fence. A state's `Catch` is left out: the text beside the picture says where it leads."""
    lines = ["flowchart TD"]
    lines.append(f'    start(["{ends.start}"]) -->|{ends.arrow}| {_id(definition["StartAt"])}')
    lines += [f"    {line}" for line in _states(definition)]
    lines += [f'    {_id(name)} --> done(["{ends.end}"])' for name in _last(definition)]
    return "\n".join(lines)


def _states(definition: Json) -> Iterator[str]:
    for name, state in definition["States"].items():
        if state["Type"] == "Map":
            yield from _map(name, state)
        else:
            left, right = _SHAPES.get(state["Type"], ('["', '"]'))
            yield f"{_id(name)}{left}{name}{right}"
        if state["Type"] == "Fail":
            yield f'{_id(name)} --> failed(["a failed execution"])'
        for target, label in _arrows(state):
            yield f"{_id(name)} -->{f'|{label}|' if label else ''} {_id(target)}"


def _map(name: str, state: Json) -> Iterator[str]:
    yield f'subgraph {_id(name)}["{name}: each row"]'
    yield from (f"    {line}" for line in _states(state["ItemProcessor"]))
    yield "end"


def _arrows(state: Json) -> Iterator[tuple[str, str]]:
    """Target and label; a choice's labels are the words of its comment (`poll: a task runs. submit: …`)."""
    told = dict(re.findall(r"(\w[\w ]*): ([^.]+)", state.get("Comment", "")))
    for choice in state.get("Choices", []):
        word = choice.get("StringEquals")
        yield choice["Next"], f'"{word}: {told[word]}"' if word else "yes"
    if "Default" in state:
        other = told.get("Anything else")
        yield state["Default"], f'"else: {other}"' if other else "no"
    if "Next" in state:
        yield state["Next"], ""


def _last(definition: Json) -> list[str]:
    return [name for name, state in definition["States"].items() if state.get("End")]


def _id(name: str) -> str:
    """`Task Ended?` -> `task_ended`. A prefix would be needed for a state called End: Mermaid has that word itself."""
    return re.sub(r"\W+", "_", name.lower()).strip("_")
