"""`make sam-local-test`: every example event, and one whole job, through functions in containers.

The stack is the local one, with a mock of its own; `sam local` runs the functions in the containers that AWS's runtime
lives in. Nothing is left behind: no process, no container, no image but AWS's own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from local import references, surroundings
from local.containers import Docker, NoDockerError
from local.deploy import client
from local.errors import LocalStackError
from local.example_events import IN_THE_FILES, INBOX, PARAMETERS, Scene, complaint, event_for, example_events
from local.ports import free_ports
from local.relay import relayed
from local.sam_files import SamFiles, deployed_environments, seen_from_containers, write_sam_files
from local.settings import HOST, ROOT, SAM, STACK_NAME, STATE, Settings, mock_provider
from local.stack import Stack, local_stack, wait_until_up
from wanflow_client import Job, VideoRequest, Wanflow, WanflowError

NO_DOCKER = 3
"""The exit code when there is no Docker: nothing was tested, which is neither a pass nor a failure."""

FUNCTIONS = ROOT / "functions"
PATIENCE_SECONDS = 300.0
# Their answers name the job and the batch that the other events are about.
FIRST = ("serve_api/create_video", "accept_upload/batch_jsonl")


def main(_arguments: list[str]) -> int:
    try:
        docker = Docker()
    except NoDockerError as error:
        print(
            f"Nothing was tested: {error}\n"
            "`sam local` runs functions in containers. Start Docker, or set DOCKER_HOST, and try again.\n"
            "Without Docker, `make test` runs the same events under the same runtime client.",
            file=sys.stderr,
        )
        return NO_DOCKER
    start = time.monotonic()
    with (
        docker.left_as_found(FUNCTIONS),
        local_stack(settings()) as stack,
        relayed([stack.settings.aws_port, stack.settings.mock_port], docker.bridge) as host,
    ):
        sam = SamLocal(stack, sam_files(stack, docker, host), skip_pull=docker.has_base_image)
        made = one_job(sam)
        wrong = every_event(sam, host)
    seconds = time.monotonic() - start
    print(f"\n{made}")
    print(f"{len(example_events()) - len(wrong)} of {len(example_events())} events answered as expected")
    print(f"{seconds:.0f} s in all")
    return 1 if wrong else 0


def settings() -> Settings:
    """A stack beside any other, with a mock: an example event must never cost anything."""
    aws_port, mock_port = free_ports(2)
    return Settings(
        aws_port=aws_port,
        mock_port=mock_port,
        provider=mock_provider(mock_port),
        state_dir=STATE / "sam-local-test",
        render_seconds=1.0,
        parameters=PARAMETERS,
    )


def sam_files(stack: Stack, docker: Docker, host: str) -> SamFiles:
    own = (client("cloudformation", stack.settings), client("lambda", stack.settings))
    environments = seen_from_containers(deployed_environments(*own, STACK_NAME), stack.endpoints.aws_endpoint, host)
    return write_sam_files(stack.settings.state_dir / "sam", stack.template, docker.architecture, environments)


@dataclass(frozen=True)
class SamLocal:
    """`sam local` against one stack."""

    stack: Stack
    files: SamFiles
    skip_pull: bool

    def command(self, *words: str | Path) -> list[str | Path]:
        command: list[str | Path] = [SAM, "local", *words, "--template", self.files.template]
        command += ["--env-vars", self.files.env_vars, "--region", self.stack.endpoints.region]
        # A user's own samconfig.toml must not steer this.
        command += ["--config-file", self.stack.settings.state_dir / "samconfig.toml"]
        return [*command, "--skip-pull-image"] if self.skip_pull else command

    @property
    def environment(self) -> Mapping[str, str]:
        return surroundings.for_sam(self.stack.settings)

    def invoke(self, name: str, scene: Scene) -> Any:
        """The answer to the event `function/variant`."""
        folder, _, variant = name.partition("/")
        own = self.stack.settings.state_dir / "events" / f"{folder}.{variant}.json"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(json.dumps(event_for(name, scene)), "utf-8")
        function = "".join(word.capitalize() for word in folder.split("_")) + "Function"
        log = self.stack.settings.log_dir / f"sam-local-{folder}-{variant}.log"
        answer = own.with_suffix(".answer")
        self.stack.children.run(
            f"sam local invoke ({name})",
            self.command("invoke", function, "--event", own),
            self.environment,
            log,
            answer,
        )
        try:
            return json.loads(answer.read_text("utf-8"))
        except json.JSONDecodeError as error:
            raise LocalStackError(f"{name}: the answer is no JSON; see {answer} and {log}") from error

    def start_api(self) -> str:
        """The address of an API that lives as long as the stack."""
        (port,) = free_ports(1)
        self.stack.children.start(
            "sam local start-api",
            self.command("start-api", "--host", HOST, "--port", str(port), "--warm-containers", "LAZY"),
            self.environment,
            self.stack.settings.log_dir / "sam-local-start-api.log",
        )
        address = f"http://{HOST}:{port}"
        wait_until_up(self.stack.children, address)
        return address


def one_job(sam: SamLocal) -> str:
    """Make a video by the API in a container; what became of it in a sentence."""
    start = time.monotonic()
    session = requests.Session()
    session.trust_env = False  # loopback needs no proxy
    # `sam local` asks for no key.
    wanflow = Wanflow(sam.start_api(), "local", session=session)
    request = VideoRequest(prompt="character1 and character2 wave", references=references.load(references.EXAMPLES))
    video = sam.stack.settings.state_dir / "video.mp4"
    try:
        job = wanflow.wait(wanflow.create(request), progress=told)
        wanflow.download(job["id"], video)
    except WanflowError as error:
        raise LocalStackError(f"the job through `sam local start-api` failed: {error}") from error
    took = time.monotonic() - start
    return f"one job through `sam local start-api`: {job['status']}, {video.stat().st_size:,} bytes, {took:.0f} s"


def told(job: Job) -> None:
    print(f"  {job['id']}  {job['status']}", flush=True)


def every_event(sam: SamLocal, host: str) -> list[str]:
    """Invoke a function with each event; the names of those that were answered otherwise than expected."""
    endpoints = sam.stack.endpoints
    for key, content in INBOX.items():
        client("s3", sam.stack.settings).put_object(Bucket=endpoints.bucket, Key=key, Body=content)
    # Only loopback may be called over http, and no receiver is on a container's: the message becomes a dead letter.
    scene = replace(IN_THE_FILES, bucket=endpoints.bucket, receiver=f"http://{host}/")
    made, taken_in = (tried(sam, name, scene) for name in FIRST)
    scene = replace(scene, job_id=json.loads(made.answer["body"])["id"], batch_id=taken_in.answer["job_id"])
    wait_for_the_end(sam.stack, scene.job_id)
    others = [tried(sam, name, scene) for name in example_events() if name not in FIRST]
    return [attempt.name for attempt in (made, taken_in, *others) if attempt.complaint]


@dataclass(frozen=True)
class Attempt:
    """An event, what it was answered with, and what is wrong with that."""

    name: str
    answer: Any
    complaint: str


def tried(sam: SamLocal, name: str, scene: Scene) -> Attempt:
    start = time.monotonic()
    answer = sam.invoke(name, scene)
    wrong = complaint(name, answer)
    print(f"  {name:<36} {time.monotonic() - start:5.1f} s  {wrong or 'as expected'}", flush=True)
    return Attempt(name, answer, wrong)


def wait_for_the_end(stack: Stack, job_id: str) -> None:
    """Wait until the job's workflow, which the stack runs without containers, has ended."""
    arn = stack.endpoints.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{job_id}"
    workflows = client("stepfunctions", stack.settings)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (status := workflows.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        stack.check_alive()
        if time.monotonic() > deadline:
            raise LocalStackError(f"the workflow of {job_id} did not end within {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.5)
    if status != "SUCCEEDED":
        raise LocalStackError(f"the workflow of {job_id} ended as {status}")
