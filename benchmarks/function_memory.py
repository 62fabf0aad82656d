"""What each function holds in memory at most, beside its `MemorySize`.

    .venv/bin/python -m benchmarks.function_memory

Each function is given the most that it may be given, on the local stack: jobs with five references of 9 MB each, which
go to the provider as `data:` (`ReferenceDelivery`), answered to a callback; a request of 5 MB with its references in
it; a batch file of 10,000 rows and 60 MB, ten of them good; the console's page; a pass of the reconciler. Meanwhile the
peak of resident memory of each function's processes is read, which hold the same code and libraries as on Lambda, under
another Python. Takes about a minute.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import requests
from PIL import Image

from benchmarks.big_batch import read_verdict
from benchmarks.descendants import descendants, watching
from benchmarks.results import Row, command, save
from local.demo import connect
from local.deploy import client
from local.settings import Settings
from local.stack import Stack, local_stack
from tests.template import Template
from wanflow_client import VideoRequest

JOBS = 4
REFERENCES = 5
PICTURE_SIDE = 1750
"""Pixels: noise of this size is a BMP of 9.2 MB, and a reference may have 10."""
INLINE_SIDE = 500
"""Five of 0.75 MB: those in a request may have 4 MB in all."""
ROWS, GOOD_ROWS = 10_000, 10
ROW_BYTES = 6_000
MOST_SHARE = 0.75
"""Of `MemorySize`: the rest is for another Python and for what grows."""
PATIENCE_SECONDS = 300
_FUNCTION = re.compile(rb"AWS_LAMBDA_FUNCTION_NAME=\w+?-(\w+Function)-")


def main() -> None:
    peaks: dict[str, float] = {}
    template = Template(WanApiBaseUrl="https://wan.example")
    settings = replace(Settings.from_environment(), parameters={"ReferenceDelivery": "data_uri"})
    with local_stack(settings) as stack, watching(partial(note_peaks, peaks)), receiver() as callback:
        with ThreadPoolExecutor(2) as both:
            for work in (both.submit(run_jobs, stack, callback), both.submit(run_batch, stack)):
                work.result()
        requests.get(stack.endpoints.api_url + "/", timeout=60).raise_for_status()
        invoke(stack, template.functions()["reconcile_jobs"])
    functions = template.functions()
    never = {folder for folder, function in functions.items() if function not in peaks}
    assert not never, f"never called: {never}"
    found = {folder: (peaks[functions[folder]], memory_megabytes(template, folder)) for folder in sorted(functions)}
    for folder, (peak, size) in found.items():
        print(f"{folder:20}{peak:6.0f} MB of {size}")
    save("function_memory", [row(folder, peak, size) for folder, (peak, size) in found.items()])


def memory_megabytes(template: Template, folder: str) -> int:
    """`MemorySize` of a function, which the template gives for all where it does not give it for one."""
    usual = template.raw["Globals"]["Function"]["MemorySize"]
    return int(template.properties(template.functions()[folder]).get("MemorySize", usual))


def row(folder: str, peak: float, size: int) -> Row:
    name = f"memory of {folder}, at most"
    return Row(name, peak / size, MOST_SHARE, "lower", f"its {size} MB", command("function_memory"))


# --- What is asked of the functions ----------------------------------------------------------------------------------


def run_jobs(stack: Stack, callback: str) -> None:
    """A few jobs with the largest references; raises when one does not complete."""
    wanflow = connect(stack)
    folder = stack.settings.log_dir
    paths = [folder / f"reference{number}.bmp" for number in range(REFERENCES)]
    for path in paths:
        path.write_bytes(noise(PICTURE_SIDE))
    prompt = "character1 to character5 wave"
    body = wanflow.prepare(VideoRequest(prompt=prompt, references=paths, size="1920*1080", duration=15))
    inline = [f"data:image/bmp;base64,{base64.b64encode(noise(INLINE_SIDE)).decode()}"] * REFERENCES
    bodies = [*[body] * JOBS, {**body, "input": {"prompt": prompt, "reference_urls": inline}}]
    jobs = [wanflow.create({**each, "callback_url": callback}) for each in bodies]
    for job in jobs:
        wanflow.wait(job, timeout_seconds=PATIENCE_SECONDS)
    assert list(wanflow.list())


def noise(side: int) -> bytes:
    """A picture that no compression makes smaller."""
    picture = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    buffer = BytesIO()
    picture.save(buffer, "BMP")
    return buffer.getvalue()


def run_batch(stack: Stack) -> None:
    """A batch as large as it may be; raises when its last verdict does not come."""
    s3, bucket = client("s3", stack.settings), stack.endpoints.bucket
    rows = "".join(f"{line(number)}\n" for number in range(ROWS))
    s3.put_object(Bucket=bucket, Key="inbox/large.jsonl", Body=rows.encode())
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        time.sleep(2)
        if (verdict := read_verdict(s3, bucket, "outbox/large.jsonl.result.json")) and verdict["status"] != "running":
            assert verdict["totals"]["completed"] == GOOD_ROWS, verdict["totals"]
            return
    raise TimeoutError("the batch did not end")


def line(number: int) -> str:
    """A row, most of it prompt; only every thousandth is good."""
    good = number % (ROWS // GOOD_ROWS) == 0
    return json.dumps(
        {
            "model": "wan26_r2v",
            "input": {
                "prompt": f"character1 {number} ".ljust(ROW_BYTES, "x"),
                "reference_urls": ["https://example.com/a.png"],
            },
            "parameters": {"size": "1280*720", "duration": 2 if good else 99},
        }
    )


def invoke(stack: Stack, logical_id: str) -> None:
    functions = client("lambda", stack.settings).list_functions()["Functions"]
    (name,) = [each["FunctionName"] for each in functions if logical_id in each["FunctionName"]]
    answer = client("lambda", stack.settings).invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


@contextmanager
def receiver() -> Iterator[str]:
    """The address of a server that takes every webhook."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()


# --- What they hold --------------------------------------------------------------------------------------------------


def note_peaks(peaks: dict[str, float]) -> None:
    """Megabytes of the largest process of each function so far, by the function's logical id."""
    for process in descendants():
        try:
            function = _FUNCTION.search((process / "environ").read_bytes())
            status = (process / "status").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue  # it has ended
        if function and "VmHWM:" in status:
            peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
            logical_id = function[1].decode()
            peaks[logical_id] = max(peak, peaks.get(logical_id, 0.0))


if __name__ == "__main__":
    main()
