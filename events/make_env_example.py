"""Writes env.example.json: what `sam local … --env-vars` takes, for a stack of `make up`. Part of `make fmt`.

Names of resources are examples; `make sam-local` writes a file with the real ones.
"""

import json
from pathlib import Path

from local.deploy import parameters
from local.sam_files import seen_from_containers
from local.settings import Settings
from tests.template import ACCOUNT, Template

TARGET = Path(__file__).with_name("env.example.json")
# This machine, as a container in Docker's default network sees it.
BRIDGE = "172.17.0.1"


def example_environment() -> dict[str, dict[str, str]]:
    """Logical id of each function -> its variables."""
    settings = Settings.from_environment({})
    template = Template(**parameters(settings))
    for queue in template.of_type("AWS::SQS::Queue"):
        template.physical[queue] = f"{settings.aws_endpoint}/{ACCOUNT}/{template.ref(queue)}"
    environments = {function: template.environment(folder) for folder, function in template.functions().items()}
    return seen_from_containers(environments, settings.aws_endpoint, BRIDGE)


if __name__ == "__main__":
    TARGET.write_text(json.dumps(example_environment(), indent=2) + "\n", encoding="utf-8")
