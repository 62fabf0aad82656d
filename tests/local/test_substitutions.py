"""Every `${Name}` of a workflow file is filled in by the template, and the template fills in nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.build import PlainLoader
from local.settings import ROOT

TEMPLATE = yaml.load((ROOT / "template.yaml").read_text("utf-8"), Loader=PlainLoader)  # noqa: S506
MACHINES = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::StateMachine"
}


@pytest.mark.parametrize("properties", MACHINES.values(), ids=MACHINES)
def test_the_placeholders_of_a_workflow_are_exactly_the_templates_substitutions(properties: dict[str, Any]) -> None:
    text = (ROOT / properties["DefinitionUri"]).read_text("utf-8")

    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(properties["DefinitionSubstitutions"])


def test_every_workflow_file_is_deployed() -> None:
    files = {path.relative_to(ROOT) for path in (ROOT / "statemachine").glob("*")}

    assert files == {Path(properties["DefinitionUri"]) for properties in MACHINES.values()}
