"""What a function's memory size does to its time and its price: `.venv/bin/python -m benchmarks.memory`.

CPU seconds of serve_api are measured here, in a fresh process: loading it, its first answer (a job is made, against a
stand-in of DynamoDB and Step Functions), and later ones. They are then scaled to Lambda's share of a processor, which
is the memory divided by 1,769 MB (AWS Lambda Developer Guide, Configure Lambda function memory), and priced at
$0.0000133334 a GB-second (arm64, us-east-1). What a function waits for DynamoDB is not in it: waiting costs the more,
the larger the function.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.cold_start import COMMON, PYTHON, build_layer, compiled, stand_in
from benchmarks.results import ROOT
from tests.template import Template

SIZES_MB = (256, 512, 1024, 1769)
ONE_PROCESSOR_MB = 1769
USD_PER_GB_SECOND = 0.0000133334
ROUNDS = 5
PROGRAM = """
import json, sys, time
from types import SimpleNamespace
began = time.process_time()
from functions.serve_api import app
loaded = time.process_time()
context = SimpleNamespace(
    function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:f",
    aws_request_id="1", get_remaining_time_in_millis=lambda: 30_000,
)
with open(sys.argv[1]) as file:
    event = json.load(file)
def answer():
    assert app.lambda_handler(event, context)["statusCode"] == 202
answer()
first = time.process_time()
for _ in range(50):
    answer()
print(json.dumps([loaded - began, first - loaded, (time.process_time() - first) / 50]), file=sys.stderr)
"""
PHASES = ("loading it", "the first answer", "a later answer")


def measure() -> list[float]:
    """Median CPU seconds of each phase."""
    event = str(ROOT / "events" / "serve_api" / "create_video.json")
    with tempfile.TemporaryDirectory() as folder, stand_in() as address:
        plain = build_layer(Path(folder) / "layer")
        layer = compiled(plain, Path(folder) / "python", [str(COMMON / "compile_layer.py")])
        environment = {
            **Template(WanApiBaseUrl="https://wan.example").environment("serve_api"),
            "PYTHONPATH": f"{layer}{os.pathsep}{ROOT}",
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        runs = []
        for _ in range(ROUNDS):
            arguments = [str(PYTHON), "-c", PROGRAM, event]
            ended = subprocess.run(arguments, check=True, cwd=ROOT, env=environment, capture_output=True, text=True)
            runs.append(json.loads(ended.stderr.splitlines()[-1]))
    return [statistics.median(phase) for phase in zip(*runs, strict=True)]


def main() -> None:
    print("| serve_api | CPU seconds here | " + " | ".join(f"{size} MB" for size in SIZES_MB) + " | $ a million |")
    print("|---" * (len(SIZES_MB) + 3) + "|")
    for phase, cpu in zip(PHASES, measure(), strict=True):
        seconds = [cpu * ONE_PROCESSOR_MB / size for size in SIZES_MB]
        # The same at every size up to a whole processor: half the time at twice the price.
        usd = seconds[-1] * ONE_PROCESSOR_MB / 1024 * USD_PER_GB_SECOND * 1e6
        shown = " | ".join(f"{each:.3f} s" for each in seconds)
        print(f"| {phase} | {cpu:.4f} | {shown} | {usd:.2f} |")


if __name__ == "__main__":
    main()
