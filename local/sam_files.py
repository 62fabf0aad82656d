"""What `sam local` needs to run the functions against a deployed stack: a template and an environment.

`sam local` cannot resolve variables that refer to resources, and hands a function only those that its template
declares. So the environment is what the deployed functions have, and the template is the built one with
`AWS_ENDPOINT_URL` declared (for a local stack) and the machine's processor as the default of `Architecture`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.build import SOURCE_KEYS

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"


@dataclass(frozen=True)
class SamFiles:
    """For `sam local … --template FILE --env-vars FILE`."""

    template: Path
    env_vars: Path


def write_sam_files(
    folder: Path, built: Path, architecture: str, environments: Mapping[str, Mapping[str, str]]
) -> SamFiles:
    """Write both files into `folder`."""
    files = SamFiles(folder / "template.yaml", folder / "env.json")
    folder.mkdir(parents=True, exist_ok=True)
    files.template.write_text(template_for_sam_local(built, architecture), "utf-8")
    files.env_vars.write_text(json.dumps(environments, indent=2) + "\n", "utf-8")
    return files


def template_for_sam_local(built: Path, architecture: str) -> str:
    # Built templates hold no short intrinsics such as `!Ref`: `sam build` writes them out.
    template = yaml.safe_load(built.read_text("utf-8"))
    template["Globals"]["Function"]["Environment"]["Variables"][ENDPOINT_VARIABLE] = ""
    template["Parameters"]["Architecture"]["Default"] = architecture
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for key in SOURCE_KEYS & properties.keys():
            properties[key] = str((built.parent / properties[key]).resolve())
    return yaml.safe_dump(template, sort_keys=False, allow_unicode=True)


def deployed_environments(cloudformation: Any, functions: Any, stack_name: str) -> dict[str, dict[str, str]]:
    """Logical id of each function of a stack -> its variables, asked of boto3 clients."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    names = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    return {
        logical_id: functions.get_function_configuration(FunctionName=name).get("Environment", {}).get("Variables", {})
        for logical_id, name in sorted(names.items())
    }


def seen_from_containers(
    environments: Mapping[str, Mapping[str, str]], aws_endpoint: str, host: str
) -> dict[str, dict[str, str]]:
    """The same for a stack on this machine: its addresses as containers reach them, and where AWS is."""

    def moved(value: str) -> str:
        return value.replace("http://127.0.0.1:", f"http://{host}:").replace("http://localhost:", f"http://{host}:")

    return {
        function: {name: moved(value) for name, value in {**variables, ENDPOINT_VARIABLE: aws_endpoint}.items()}
        for function, variables in environments.items()
    }
