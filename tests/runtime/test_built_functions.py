"""The functions as `sam build` leaves them, under the runtime client of AWS's own images, without a container.

Each runs in a process of its own with only what Lambda gives it: its folder, the built layer, the runtime client and
boto3, and the environment of the template. The rest of AWS is moto, over HTTP.
"""

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.server import ThreadedMotoServer

from local.build import build
from local.example_events import (
    ANSWERS,
    IN_THE_FILES,
    INBOX,
    JOB,
    PARAMETERS,
    Scene,
    complaint,
    event_for,
    example_events,
)
from local.processes import Children
from local.settings import HOST, Settings
from mock_server.running import RunningMock
from mock_server.settings import Settings as MockSettings
from tests.permissions import PermissionGuard
from tests.runtime.lambda_runtime import FunctionError, InitError, LambdaFunction, ProcessEnded
from tests.stack import WAN_KEY, make_resources
from tests.template import ROOT, Template
from wanflow import aws

pytestmark = [
    # All of it shares the processes that are started once.
    pytest.mark.xdist_group("runtime"),
    pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric, the runtime client, exists for Linux only"),
]

STEPS_OF_A_JOB = (
    "take_slot/first",
    "submit_task/first",
    "poll_task/first",
    "store_result/completed",
    "finish_job/ended",
)


class BuiltFunctions:
    """Every function of the template, started and waiting for events."""

    def __init__(self, template: Template, built: Path, aws_endpoint: str, logs: Path) -> None:
        self.template = template
        self._built = built
        self._aws_endpoint = aws_endpoint
        self._logs = logs
        self._running = ExitStack()
        self._functions = {folder: self._running.enter_context(self.start(folder)) for folder in template.functions()}

    def start(self, folder: str, **options: Any) -> LambdaFunction:
        """A function in a new process; `options` replace what the template gives it."""
        given: dict[str, Any] = {
            "code": ROOT / str(self.template.properties(self.template.functions()[folder])["CodeUri"]),
            "layers": [self._built / layer for layer in self.template.layers(folder)],
            "environment": self.template.environment(folder),
            "log": self._logs / f"{folder}.log",
            "aws_endpoint": self._aws_endpoint,
        }
        return LambdaFunction(**(given | options))

    def _layers(self, folder: str) -> list[Path]:
        # SAM puts a function's own layers behind those of all functions.
        own = self.template.raw["Resources"][self.template.functions()[folder]]["Properties"].get("Layers", [])
        layers = [*self.template.raw["Globals"]["Function"]["Layers"], *own]
        return [self._built / layer["Ref"] for layer in layers]

    def invoke(self, name: str, scene: Scene) -> Any:
        """The answer to the event `function/variant`."""
        return self._functions[name.partition("/")[0]].invoke(event_for(name, scene))

    def log_lines(self, folder: str) -> list[str]:
        return self._functions[folder].log.read_text("utf-8").splitlines()

    def end(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningMock]:
    with RunningMock(MockSettings(api_keys=(WAN_KEY,), fetch_references="none", render_seconds=0)) as running:
        yield running


@pytest.fixture(scope="module")
def aws_endpoint(permission_guard: PermissionGuard) -> Iterator[str]:
    """An AWS account in the memory of this process, which the processes of the functions reach over HTTP."""
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        server = ThreadedMotoServer(HOST, 0, verbose=False)
        server.start()
        yield "http://{}:{}".format(*server.get_host_and_port())
        server.stop()


@pytest.fixture(scope="module")
def functions(
    provider: RunningMock, aws_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuiltFunctions]:
    with Children() as children:
        built = build(children, Settings.from_environment({}))
    template = Template(WanApiBaseUrl=provider.url, **PARAMETERS)
    make_resources(template)
    for key, content in INBOX.items():
        aws.s3().put_object(Bucket=template.ref("VideosBucket"), Key=key, Body=content)
    started = BuiltFunctions(template, built.parent, aws_endpoint, tmp_path_factory.mktemp("logs"))
    yield started
    started.end()


@pytest.fixture(scope="module")
def receiver() -> Iterator[str]:
    """A receiver of webhooks that takes everything; its address."""
    with ThreadingHTTPServer((HOST, 0), _TakesEverything) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}/"
        server.shutdown()


class _TakesEverything(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


@pytest.fixture(scope="module")
def steps(functions: BuiltFunctions) -> Mapping[str, Any]:
    """The answers to the events of one job, from its making to its end, in this order."""
    created = functions.invoke("serve_api/create_video", IN_THE_FILES)
    scene = Scene(json.loads(created["body"])["id"], "", "", "")
    answers = {"serve_api/create_video": created}
    for name in STEPS_OF_A_JOB:
        answers[name] = functions.invoke(name, scene)
    return answers


@pytest.fixture(scope="module")
def scene(functions: BuiltFunctions, steps: Mapping[str, Any], receiver: str) -> Scene:
    """The job that has completed, a batch that was taken in, the bucket and the receiver."""
    batch = functions.invoke("accept_upload/batch_jsonl", IN_THE_FILES)
    bucket = functions.template.ref("VideosBucket")
    return Scene(steps["finish_job/ended"]["job_id"], batch["job_id"], bucket, receiver)


def test_one_job_goes_its_whole_way(steps: Mapping[str, Any], provider: RunningMock) -> None:
    assert steps["serve_api/create_video"]["statusCode"] == 202
    assert steps["take_slot/first"] is None
    ways = [steps[name]["next_step"] for name in STEPS_OF_A_JOB if "next_step" in (steps[name] or {})]
    assert ways == ["poll", "store", "finish"]
    assert steps["finish_job/ended"]["status"] == "completed"
    assert provider.ledger()["completed"] == 1


def test_every_event_has_an_expected_answer() -> None:
    assert sorted(ANSWERS) == sorted(example_events()), "local/example_events.py says what each event is answered with"


@pytest.mark.parametrize("name", example_events())
def test_every_example_event_is_answered(functions: BuiltFunctions, scene: Scene, name: str) -> None:
    assert not complaint(name, functions.invoke(name, scene))


@pytest.mark.parametrize("name", [*STEPS_OF_A_JOB, "finish_batch/batch"])
def test_a_job_that_is_not_there_is_an_error_with_a_name(functions: BuiltFunctions, name: str) -> None:
    with pytest.raises(FunctionError) as caught:
        functions.invoke(name, IN_THE_FILES)
    # The class's bare name: what `ErrorEquals` in the workflow compares with.
    assert caught.value.kind == "NotFound"
    assert "06f9c6t2rw0000000000000000" in caught.value.message
    assert "app.py" in "".join(caught.value.trace)


def test_a_log_line_is_written_once_as_json_and_names_job_and_request(
    functions: BuiltFunctions, steps: Mapping[str, Any]
) -> None:
    (polled,) = [line for line in functions.log_lines("poll_task") if "task polled" in line]
    entry = json.loads(polled)
    assert entry["function_name"] == "poll_task"
    assert entry["correlation_id"] == entry["job_id"] == steps["poll_task/first"]["job_id"]
    assert len(entry["function_request_id"]) == 36


# --- What the check catches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"layers": []}, "Runtime.ImportModuleError", "No module named 'aws_lambda_powertools'"),
        ({"handler": "app.handle"}, "Runtime.HandlerNotFound", "Handler 'handle' missing on module 'app'"),
        ({"handler": "main.lambda_handler"}, "Runtime.ImportModuleError", "No module named 'main'"),
    ],
    ids=["no layer", "another handler", "another module"],
)
def test_a_function_that_cannot_be_loaded_is_an_init_error(
    functions: BuiltFunctions, tmp_path: Path, options: dict[str, Any], kind: str, message: str
) -> None:
    with functions.start("poll_task", log=tmp_path / "log", **options) as broken, pytest.raises(InitError) as caught:
        broken.invoke({})
    assert caught.value.kind == kind
    assert message in caught.value.message


@pytest.mark.parametrize("folder", ["serve_api", "poll_task"])
def test_a_variable_that_is_not_set_is_named(functions: BuiltFunctions, tmp_path: Path, folder: str) -> None:
    environment = functions.template.environment(folder)
    without = {name: value for name, value in environment.items() if name != "TABLE_NAME"}
    event = event_for(f"{folder}/{'get_video' if folder == 'serve_api' else 'first'}", IN_THE_FILES)
    with (
        functions.start(folder, log=tmp_path / "log", environment=without) as broken,
        pytest.raises(FunctionError) as caught,
    ):
        broken.invoke(event)
    assert caught.value.kind == "BadSetting"
    assert "TABLE_NAME is not set" in caught.value.message


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("return {1, 2}", FunctionError),
        ("raise SystemExit(3)", ProcessEnded),
    ],
)
def test_a_handler_that_answers_nothing_is_heard_of(
    functions: BuiltFunctions, tmp_path: Path, source: str, error: type[Exception]
) -> None:
    (tmp_path / "app.py").write_text(f"def lambda_handler(event, context):\n    {source}\n")
    with functions.start("poll_task", code=tmp_path, log=tmp_path / "log") as broken, pytest.raises(error):
        broken.invoke({})


def test_job_ids_of_the_answers_are_compared_as_a_whole() -> None:
    assert JOB.fullmatch(IN_THE_FILES.job_id)
    assert complaint("poll_task/first", {"job_id": "vid_x", "next_step": "finish", "wait_seconds": 0, "polls": 0})
    assert complaint("serve_api/get_video", {"statusCode": 500, "body": ""}).startswith(
        "statusCode should be 200, got 500"
    )
    assert complaint("take_slot/first", {}) == "null was expected, got {}"
