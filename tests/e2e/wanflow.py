"""What the end-to-end tests speak: plain HTTP to the API and to the mock's books, boto3 to the rest of the stack."""

import base64
import io
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import HTTPServer
from typing import Any

import av
import requests
from PIL import Image

from local.deploy import client
from local.keys import open_keys
from local.settings import STACK_NAME
from local.stack import Stack

FINAL = {"completed", "failed", "canceled"}
# Generous: on a busy machine a job may wait long for one of the few function processes.
PATIENCE_SECONDS = 240


def jpeg(colour: str = "teal") -> bytes:
    """A picture as small as the Wan API takes."""
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def picture(colour: str = "teal") -> str:
    """The same as a data URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(colour)).decode()}"


@dataclass(frozen=True)
class VideoFacts:
    width: int
    height: int
    seconds: float
    has_sound: bool


def read_video(content: bytes) -> VideoFacts:
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        seconds = round((container.duration or 0) / av.time_base, 2)
        return VideoFacts(stream.width, stream.height, seconds, bool(container.streams.audio))


class Wanflow:
    """A running stack and one caller of it."""

    def __init__(self, stack: Stack, api_key: str = "") -> None:
        self.stack = stack
        self.url = stack.endpoints.api_url
        self.bucket = stack.endpoints.bucket
        self.http = requests.Session()
        self.http.headers["x-api-key"] = api_key or stack.endpoints.api_key
        self.s3 = client("s3", stack.settings)
        self.workflows = client("stepfunctions", stack.settings)

    def key_of(self, owner: str) -> str:
        """A new API key of this owner."""
        keys = open_keys(self.stack.outputs, lambda service: client(service, self.stack.settings), STACK_NAME)
        return keys.make(owner)[1]

    def as_owner(self, owner: str) -> "Wanflow":
        """The same stack, called by somebody else."""
        return Wanflow(self.stack, self.key_of(owner))

    @staticmethod
    def request(prompt: str, **parameters: Any) -> dict[str, Any]:
        chosen = {"size": "1280*720", "duration": 2, "audio": False, **parameters}
        return {
            "model": "wan26_r2v",
            "input": {"prompt": prompt, "reference_urls": [picture()]},
            "parameters": chosen,
        }

    def post(self, request: dict[str, Any], **headers: str) -> requests.Response:
        return self.http.post(f"{self.url}/videos", json=request, headers=headers, timeout=60)

    def create(self, prompt: str, **parameters: Any) -> str:
        answer = self.post(self.request(prompt, **parameters))
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def get(self, job_id: str) -> dict[str, Any]:
        answer = self.http.get(f"{self.url}/videos/{job_id}", timeout=60)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def videos(self, **query: str) -> dict[str, Any]:
        """One page of the caller's jobs."""
        answer = self.http.get(f"{self.url}/videos", params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    @staticmethod
    def until_settled(call: Callable[[], requests.Response]) -> requests.Response:
        """Repeat a call that is refused while a job is just being put away."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := call()).status_code == 409 and time.monotonic() < deadline:
            time.sleep(0.3)
        return answer

    def wait(self, job_id: str) -> dict[str, Any]:
        """The job document once the job has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (document := self.get(job_id))["status"] not in FINAL:
            assert time.monotonic() < deadline, f"{job_id} is still {document['status']}"
            time.sleep(0.3)
        return document

    def upload(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def wait_for_object(self, key: str, containing: bytes = b"") -> bytes:
        """The object's content once it is there and says what is waited for."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=key).get("Contents", [])
            content: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() if found else b""
            if found and containing in content:
                return content
            assert time.monotonic() < deadline, f"{key}: {content!r}"
            time.sleep(0.3)

    def execution_events(self, job_id: str) -> list[dict[str, Any]]:
        """All that is in the history of an execution, once it has ended: its job is final a moment before."""
        arn = self.stack.endpoints.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{job_id}"
        wait_until(lambda: self.workflows.describe_execution(executionArn=arn)["status"] != "RUNNING")
        pages = self.workflows.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def submits(self, marker: str) -> list[dict[str, Any]]:
        """The submits that reached the provider with this text in their prompt, from the mock's journal."""
        query = {"stage": "submit", "prompt": marker, "limit": "1000"}
        answer = requests.get(f"{self.stack.endpoints.wan_url}/_mock/requests", params=query, timeout=60).json()
        assert answer["dropped"] == 0, "the mock's journal is too small for this test"
        entries: list[dict[str, Any]] = answer["requests"]
        return entries

    def tasks(self, marker: str) -> list[dict[str, Any]]:
        """The tasks that the provider created for prompts with this text, from the mock's books."""
        answer = requests.get(f"{self.stack.endpoints.wan_url}/_mock/state", params={"limit": "1000"}, timeout=60)
        return [task for task in answer.json()["tasks"] if marker in task["prompt"]]


def marker() -> str:
    """A word that tells one test's prompts from all others."""
    return f"scene-{uuid.uuid4().hex[:12]}"


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def listening(server: HTTPServer) -> Iterator[None]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
