"""`make sam-local`: lets `sam local` run the functions against the stack of `make up`, or a deployed one (STACK=name).

It writes `template.yaml` and `env.json` in `.local/sam/`, which the environment `local` of samconfig.toml names. For
the stack of `make up` it then stays and relays, because containers cannot reach 127.0.0.1 of this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from local.build import build
from local.containers import Docker
from local.deploy import Endpoints
from local.processes import Children
from local.relay import relayed
from local.sam_files import deployed_environments, seen_from_containers, write_sam_files
from local.settings import HOST, STACK_NAME, STATE, Settings
from local.switch import chosen_stack

FOLDER = STATE / "sam"


def main(_arguments: list[str]) -> int:
    docker = Docker()
    name = os.environ.get("STACK")
    _, client = chosen_stack(os.environ)
    environments = deployed_environments(client("cloudformation"), client("lambda"), name or STACK_NAME)
    with Children() as children:
        built = build(children, Settings.from_environment())
        if name:
            write_sam_files(FOLDER, built, docker.architecture, environments)
            print(commands(skip_pull=docker.has_base_image))
            return 0
        endpoints = Endpoints(**json.loads((STATE / "endpoints.json").read_text("utf-8")))
        with within_reach(docker, endpoints) as host:
            moved = seen_from_containers(environments, endpoints.aws_endpoint, host)
            write_sam_files(FOLDER, built, docker.architecture, moved)
            print(commands(skip_pull=docker.has_base_image), flush=True)
            try:
                while True:
                    time.sleep(1)
            finally:
                print("\nStopping.", file=sys.stderr, flush=True)


@contextlib.contextmanager
def within_reach(docker: Docker, endpoints: Endpoints) -> Iterator[str]:
    """The host under which containers reach the engine and, on this machine, the Wan API."""
    addresses = [urlsplit(url) for url in (endpoints.aws_endpoint, endpoints.wan_url)]
    ports = [address.port for address in addresses if address.hostname == HOST and address.port]
    bridge = docker.bridge
    with relayed(ports, bridge.gateway, bridge.subnet) as host:
        yield host


def commands(*, skip_pull: bool) -> str:
    option = " --skip-pull-image" if skip_pull else ""
    return f"""
In another terminal, with the SAM CLI of yours or .local/envs/sam/bin/sam:

  sam local invoke PollTaskFunction --config-env local{option} --event events/poll_task/first.json
  sam local start-api --config-env local{option}
  curl -s http://127.0.0.1:3000/videos
"""
