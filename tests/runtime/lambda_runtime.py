"""Lambda's side of the Runtime API, and a built function behind the runtime client that AWS's own images run.

"Using the Lambda runtime API" (Lambda guide): the client asks `GET …/invocation/next` for an event and answers with
`POST …/{request id}/response` or `…/error`; `POST /runtime/init/error` says that the handler could not be loaded.
"""

import json
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.settings import HOST, REGION, STATE

RUNTIME_PYTHON = STATE / "envs" / "runtime" / "bin" / "python"
PREFIX = "/2018-06-01/runtime/"
TRACE_ID = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"
PATIENCE_SECONDS = 60.0


class FunctionError(Exception):
    """What Lambda's caller gets instead of an answer: `kind` is the errorType."""

    def __init__(self, kind: str, message: str, trace: list[str]) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.trace = trace


class InitError(FunctionError):
    """The handler could not be loaded."""


class ProcessEnded(Exception):
    """The function's process ended without an answer."""


@dataclass(frozen=True)
class Post:
    """What the runtime client sent: the last word of the path, and the JSON."""

    kind: str
    request_id: str
    body: Any


class RuntimeApi(ThreadingHTTPServer):
    """Hands events out one at a time and takes answers in."""

    daemon_threads = True

    def __init__(self, function_arn: str, timeout_seconds: int) -> None:
        super().__init__((HOST, 0), _Handler)
        self.function_arn = function_arn
        self.timeout_seconds = timeout_seconds
        self.events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.posts: queue.Queue[Post] = queue.Queue()
        threading.Thread(target=self.serve_forever, args=(0.02,), name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two cost 40 ms each time
    server: RuntimeApi

    def do_GET(self) -> None:
        assert self.path == f"{PREFIX}invocation/next", self.path
        request_id, event = self.server.events.get()
        deadline = round((time.time() + self.server.timeout_seconds) * 1000)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", self.server.function_arn)
        self.send_header("Lambda-Runtime-Trace-Id", TRACE_ID)
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        *_, request_id, kind = self.path.removeprefix(PREFIX).split("/")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        # A body that is no JSON would reach Lambda's caller as it is: here it ends the test.
        self.server.posts.put(Post(kind, request_id, json.loads(body)))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


class LambdaFunction:
    """A built function in a process of its own. Use it as a context manager; `environment` is the template's."""

    def __init__(
        self,
        code: Path,
        layers: list[Path],
        environment: Mapping[str, str],
        log: Path,
        *,
        aws_endpoint: str,
        handler: str = "app.lambda_handler",
        timeout_seconds: int = 30,
    ) -> None:
        name = code.name
        self.log = log
        self._api = RuntimeApi(f"arn:aws:lambda:{REGION}:123456789012:function:{name}", timeout_seconds)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [RUNTIME_PYTHON, "-s", "-B", "-m", "awslambdaric", handler],
                cwd=code,
                env={
                    **_lambda_variables(name, handler),
                    "PYTHONPATH": ":".join(str(path) for path in (code, *(layer / "python" for layer in layers))),
                    "LAMBDA_TASK_ROOT": str(code),
                    "AWS_LAMBDA_RUNTIME_API": self._api.address,
                    # The one thing that AWS does not set: where AWS is.
                    "AWS_ENDPOINT_URL": aws_endpoint,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "LambdaFunction":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._api.shutdown()
        self._api.server_close()

    def invoke(self, event: Any) -> Any:
        """The answer to an event, as JSON values.

        Raises:
            FunctionError: the handler raised, or its answer is no JSON.
            InitError: the handler could not be loaded.
            ProcessEnded: the process ended.
        """
        request_id = str(uuid.uuid4())
        self._api.events.put((request_id, json.dumps(event).encode()))
        post = self._next_post()
        if post.kind == "response":
            assert post.request_id == request_id
            return post.body
        error = InitError if post.request_id == "init" else FunctionError
        raise error(post.body["errorType"], post.body["errorMessage"], post.body["stackTrace"])

    def _next_post(self) -> Post:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            ended = self._process.poll() is not None
            try:
                return self._api.posts.get(timeout=0.05)
            except queue.Empty:
                if ended:
                    raise ProcessEnded(self.log.read_text("utf-8", errors="replace")) from None
        raise TimeoutError(
            f"no answer within {PATIENCE_SECONDS:.0f} s: {self.log.read_text('utf-8', errors='replace')}"
        )


def _lambda_variables(name: str, handler: str) -> dict[str, str]:
    """ "Defined runtime environment variables" (Lambda guide), and nothing of this machine's."""
    return {
        "_HANDLER": handler,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "wanflow-function-logs",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/31/[$LATEST]0123456789abcdef",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
