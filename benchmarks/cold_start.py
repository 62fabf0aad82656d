"""The first answer of serve_api from a fresh process, beside the usual function and the bare interpreter.

    .venv/bin/python -m benchmarks.cold_start [--rounds 7]

The layer is built as `sam build` builds it, with bytecode for this Python where it would have some for Lambda's. The
usual function (usual_function.py: Powertools, pydantic, two clients made at import) has the same libraries as pip
installs them, with the bytecode of all. Both run in the engine's environment, which has botocore, boto3 and pydantic. A
valid request is written and started against a stand-in of DynamoDB and Step Functions that answers at once. Every start
is a process of its own, the kinds take turns, and the figure is the least of the CPU seconds, which other processes
disturb least: a cold start computes, it does not wait. For comparison: a layer without bytecode, which each start would
compile anew, because /opt cannot be written.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from benchmarks.results import ROOT, Row, command, save
from tests.template import Template

COMMON = ROOT / "layers" / "common"
MOST_LAYER_BYTES = 1_800_000
PYTHON = ROOT / ".local" / "envs" / "engine" / "bin" / "python"
USUAL = "Powertools, pydantic, two clients made at import"
PROGRAM = """
import importlib, json, sys
from types import SimpleNamespace
module, event, status = sys.argv[1:]
context = SimpleNamespace(
    function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:f",
    aws_request_id="1", get_remaining_time_in_millis=lambda: 30_000,
)
with open(event) as file:
    answer = importlib.import_module(module).lambda_handler(json.load(file), context)
assert answer["statusCode"] == int(status), answer
if status == "400":
    loaded = "botocore.session" in sys.modules
    assert loaded == (module != "functions.serve_api.app"), "a refused request must not load botocore"
"""
REQUESTS = {"an invalid request": ("create_video_invalid", "400"), "a job": ("create_video", "202")}


@contextmanager
def stand_in() -> Iterator[str]:
    """The address of a server that takes whatever DynamoDB and Step Functions are asked."""
    answers = {
        "StartExecution": {"executionArn": "arn:aws:states:us-east-1:123456789012:execution:m:e", "startDate": 1}
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps(answers.get(self.headers["x-amz-target"].rpartition(".")[2], {})).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def build_layer(folder: Path) -> Path:
    """The layer, as the Makefile builds it for `sam build`, but without the bytecode of another Python."""
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    make = ["make", "-s", "-C", str(COMMON), "build-CommonLayer", f"ARTIFACTS_DIR={folder}"]
    subprocess.run(make, check=True, env=environment, stdout=subprocess.DEVNULL)
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    return folder / "python"


def install_libraries(folder: Path) -> Path:
    """The layer's libraries whole, as pip installs them."""
    install = [str(ROOT / ".venv" / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON)]
    subprocess.run([*install, "--target", str(folder), "-r", str(COMMON / "requirements.txt")], check=True)
    return folder


def compiled(layer: Path, place: Path, program: list[str]) -> Path:
    """A copy of the layer with this Python's bytecode, made by a program that takes its folder."""
    copy = Path(shutil.copytree(layer, place))
    subprocess.run([str(PYTHON), "-B", *program, str(copy)], check=True)
    return copy


def packed_bytes(layer: Path) -> int:
    """As Lambda gets it."""
    return Path(shutil.make_archive(str(layer.parent / "packed"), "zip", layer.parent, layer.name)).stat().st_size


def cpu_seconds(arguments: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(PYTHON), *arguments], check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(rounds: int) -> tuple[dict[tuple[str, str], float], int]:
    """The least CPU seconds by kind and request, and the bytes of the packed layer."""
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, stand_in() as address:
        plain, whole = build_layer(Path(folder) / "layer"), install_libraries(Path(folder) / "whole")
        ready = compiled(plain, Path(folder) / "ours" / "python", [str(COMMON / "compile_layer.py")])
        everything = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        kinds = {
            USUAL: (compiled(whole, Path(folder) / "usual", everything), "benchmarks.usual_function"),
            "serve_api": (ready, "functions.serve_api.app"),
            "serve_api without bytecode": (plain, "functions.serve_api.app"),
        }
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
            **Template(WanApiBaseUrl="https://wan.example").environment("serve_api"),
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        subprocess.run([str(PYTHON), "-m", "compileall", "-q", "functions", "benchmarks"], check=True, cwd=ROOT)
        for _ in range(rounds):
            found.setdefault(("bare interpreter", ""), []).append(cpu_seconds(["-c", ""], environment))
            for told, (event, status) in REQUESTS.items():
                for kind, (layer, module) in kinds.items():
                    path = {"PYTHONPATH": f"{layer}{os.pathsep}{ROOT}"}
                    arguments = ["-c", PROGRAM, module, str(ROOT / "events" / "serve_api" / f"{event}.json"), status]
                    found.setdefault((kind, told), []).append(cpu_seconds(arguments, environment | path))
        size = packed_bytes(ready)
    return {key: min(values) for key, values in found.items()}, size


def rows(found: dict[tuple[str, str], float], layer_bytes: int) -> list[Row]:
    run = command("cold_start")
    made = []
    for told in REQUESTS:
        usual, ours = found[USUAL, told], found["serve_api", told]
        without = found["serve_api without bytecode", told]
        made += [
            Row(f"cold start of serve_api: {told}", ours / usual, 0.75, "lower", USUAL, run),
            Row(f"cold start of serve_api: {told}", ours / without, None, "lower", "the same without bytecode", run),
        ]
    bare = found["bare interpreter", ""] / found[USUAL, "a job"]
    return [
        *made,
        Row("cold start of the bare interpreter", bare, None, "lower", USUAL, run),
        Row("the layer, zipped, with its bytecode", layer_bytes / MOST_LAYER_BYTES, 1.0, "lower", "1.8 MB", run),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="(%(default)s)")
    found, layer_bytes = measure(parser.parse_args().rounds)
    for (kind, told), seconds in found.items():
        print(f"{kind:50}{told:20}{seconds * 1000:8.0f} CPU ms")
    print(f"layer: {layer_bytes:,} bytes")
    save("cold_start", rows(found, layer_bytes))


if __name__ == "__main__":
    main()
