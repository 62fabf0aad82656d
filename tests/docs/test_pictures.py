"""The pictures are what docs/make_diagrams.py makes of the workflow files and the template, and show all of them."""

import json
import re
from typing import Any

import pytest

from docs.draw_workflow import Ends, draw_workflow
from docs.make_diagrams import PICTURES, with_picture
from tests.docs.pages import README, ROOT, blocks, text_of
from tests.template import Template

WORKFLOWS = sorted((ROOT / "statemachine").glob("*.asl.json"))


@pytest.mark.parametrize("source", PICTURES)
def test_every_picture_is_up_to_date(source: str) -> None:
    page, draw = PICTURES[source]
    assert text_of(page) == with_picture(text_of(page), source, draw()), "run `make fmt`"


def test_every_workflow_has_a_picture() -> None:
    assert {path.name for path in WORKFLOWS} <= set(PICTURES)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_s_picture_has_every_state_and_every_arrow(path: Any) -> None:
    definition = json.loads(path.read_text(encoding="utf-8"))
    names, drawn = _read(draw_workflow(definition, Ends("start", "then", "end")))
    states = dict(_states(definition))
    assert set(names.values()) == set(states)
    arrows = {(name, target) for name, state in states.items() for target in _targets(state)}
    assert {(names[a], names[b]) for a, b in drawn if a in names and b in names} == arrows
    assert {names[b] for a, b in drawn if a == "start"} == {definition["StartAt"]}
    assert {names[a] for a, b in drawn if b == "done"} == {n for n, s in definition["States"].items() if s.get("End")}


def _read(picture: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """States by the picture's short names, and its arrows between short names."""
    names = dict(
        re.findall(r"""^ *(?:subgraph )?(\w+)[\[{(]"(?:<b>)?([^"]+?)(?:: each row)?"[\]})]$""", picture, re.MULTILINE)
    )
    bare = re.sub(r"\|[^|]*\||\(\[[^\]]*\]\)", "", picture)
    return names, set(re.findall(r"(\w+) *--> *(\w+)", bare))


def _states(definition: Any) -> list[tuple[str, Any]]:
    found = []
    for name, state in definition["States"].items():
        found += [(name, state), *_states(state.get("ItemProcessor", {"States": {}}))]
    return found


def _targets(state: Any) -> set[str]:
    choices = {choice["Next"] for choice in state.get("Choices", [])}
    return choices | {state[key] for key in ("Next", "Default") if key in state}


def test_every_state_that_breaks_goes_to_finish_job_as_the_readme_says() -> None:
    states = json.loads(text_of(ROOT / "statemachine" / "generate_video.asl.json"))["States"]
    working = {name: state for name, state in states.items() if state["Type"] == "Task" and name != "Finish Job"}
    assert {catch["Next"] for state in working.values() for catch in state["Catch"]} == {"Finish Job"}
    assert "A state that breaks goes to Finish Job too" in " ".join(text_of(README).split())


def test_the_picture_of_the_stack_has_every_function_and_every_store_of_the_template() -> None:
    template = Template()
    (picture,) = blocks(ROOT / "docs" / "architecture.md", "mermaid")
    assert set(template.functions()) <= set(re.findall(r"\w+", picture))
    kinds = ("Serverless::Api", "Serverless::StateMachine", "DynamoDB::Table", "S3::Bucket", "SQS::Queue")
    boxes = {name for kind in kinds for name in template.of_type(f"AWS::{kind}")}
    assert boxes <= set(re.findall(r"^ *(\w+)[\[(]", picture, re.MULTILINE))


def test_every_arrow_of_the_stack_joins_two_boxes() -> None:
    (picture,) = blocks(ROOT / "docs" / "architecture.md", "mermaid")
    boxes = set(re.findall(r"(\w+)[\[(]+\"", picture))
    bare = re.sub(r"""\|"[^"]*"\||[\[(]+"[^"]*"[\])]+(:::\w+)?""", "", picture)
    arrows = re.findall(r"^ *(\w+) *-(?:-|\.-)> *(\w+)$", bare, re.MULTILINE)
    assert len(arrows) == picture.count("->")
    assert {end for arrow in arrows for end in arrow} == boxes, "a box without an arrow, or an arrow to nothing"


def test_a_page_without_a_place_for_its_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must have <!-- Drawn from x"):
        with_picture("no place", "x", "flowchart TD")
