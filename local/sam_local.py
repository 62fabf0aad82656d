"""`make sam-local`: lets `sam local` run the functions against the stack of `make up`, or a deployed one (STACK=name).

It writes `template.yaml` and `env.json` in `.local/sam/`, which the environment `local` of samconfig.toml names. For
a stack on this machine it then stays and relays, because containers cannot reach this machine's 127.0.0.1.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable

from local.build import build
from local.containers import Docker
from local.processes import Children
from local.relay import relayed
from local.sam_files import deployed_environments, seen_from_containers, write_sam_files
from local.settings import STACK_NAME, STATE, Settings
from local.switch import chosen_stack

FOLDER = STATE / "sam"
ON_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost):(\d+)")


def main(_arguments: list[str]) -> int:
    docker = Docker()
    _, client = chosen_stack(os.environ)
    cloudformation = client("cloudformation")
    environments = deployed_environments(cloudformation, client("lambda"), os.environ.get("STACK") or STACK_NAME)
    with Children() as children:
        built = build(children, Settings.from_environment())
    endpoint = str(cloudformation.meta.endpoint_url)
    if not loopback_ports([endpoint]):
        write_sam_files(FOLDER, built, docker.architecture, environments)
        print(commands(skip_pull=docker.has_base_image))
        return 0
    ports = loopback_ports([endpoint, *(value for variables in environments.values() for value in variables.values())])
    with relayed(sorted(ports), docker.bridge) as host:
        write_sam_files(FOLDER, built, docker.architecture, seen_from_containers(environments, endpoint, host))
        print(commands(skip_pull=docker.has_base_image), flush=True)
        try:
            while True:
                time.sleep(1)
        finally:
            print("\nStopping.", file=sys.stderr, flush=True)


def loopback_ports(texts: Iterable[str]) -> set[int]:
    """The ports of this machine that URLs in the texts lead to."""
    return {int(port) for text in texts for port in ON_LOOPBACK.findall(text)}


def commands(*, skip_pull: bool) -> str:
    option = " --skip-pull-image" if skip_pull else ""
    return f"""
In another terminal, with the SAM CLI of yours or .local/envs/sam/bin/sam:

  sam local invoke PollTaskFunction --config-env local{option} --event events/poll_task/first.json
  sam local start-api --config-env local{option}
  curl -s http://127.0.0.1:3000/videos
"""
