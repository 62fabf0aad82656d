"""Copying a video from the CDN into the bucket, beside curl piped to curl and two usual ways with boto3.

    .venv/bin/python -m benchmarks.store [--sizes 10,100,500] [--rounds 10]

A CDN and an S3 that throws everything away run on this machine, each in a process of its own. Ours is the pipeline's
own code: `WanClient.open_result` into `Files.store_video`, CRC32 on the way. Every way and every round has a fresh
process, the ways take turns, and the best round of each counts. Its clock runs from the first request to the last
answer, after one small video; of the two curls, the start of their processes is subtracted. Added memory is the peak of
resident memory during the copy less what was resident before it, and the largest of the rounds.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from benchmarks.results import ROOT, Row, command, save

MEGABYTE = 1_000_000
MOST_START_SECONDS = 0.02
"""A pipe that takes no longer than this beyond the start of its processes tells nothing."""

MOST_ADDED_MB = 10.0
WAYS = ("wanflow", "requests .content + put_object", "upload_fileobj")
CURL = "curl piped to curl"
BUCKET = "sink"


# --- The CDN and the sink: each a process ----------------------------------------------------------------------------


def serve(answer: Callable[[socket.socket, str, str, dict[str, str], bytes], None]) -> None:
    """An HTTP server with a thread for each connection; prints its port and runs until it is killed."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        line, _ = listener.accept()
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve_line, args=(line, answer), daemon=True).start()


def _serve_line(line: socket.socket, answer: Callable[[socket.socket, str, str, dict[str, str], bytes], None]) -> None:
    with line, suppress(ConnectionError):
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                received = line.recv(65_536)
                if not received:
                    return
                rest += received
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
            method, path, _ = first.split(" ")
            answer(line, method, path, headers, rest)
            rest = b""


def serve_cdn(folder: Path) -> None:
    """Sends the files of a folder."""

    def answer(line: socket.socket, _method: str, path: str, _headers: dict[str, str], _rest: bytes) -> None:
        with (folder / path.removeprefix("/")).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % size)
            line.sendfile(file)

    serve(answer)


def serve_sink() -> None:
    """As much of S3 as an upload needs. Bodies are read and dropped."""
    room = threading.local()

    def answer(line: socket.socket, method: str, path: str, headers: dict[str, str], rest: bytes) -> None:
        if "100-continue" in headers.get("expect", ""):
            line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        left = int(headers.get("content-length", "0")) - len(rest)
        buffer = room.__dict__.setdefault("buffer", memoryview(bytearray(1 << 20)))
        while left > 0:
            received = line.recv_into(buffer[: min(left, len(buffer))])
            if not received:
                return
            left -= received
        body = b""
        if method == "POST":
            kind = "InitiateMultipartUpload" if path.endswith("?uploads") else "CompleteMultipartUpload"
            body = f"<{kind}Result><UploadId>1</UploadId><ETag>1</ETag></{kind}Result>".encode()
        head = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n'
        line.sendall(head % len(body) + body)

    serve(answer)


@contextmanager
def server(kind: str, folder: str = "") -> Iterator[str]:
    """The address of a server in a process of its own."""
    arguments = [sys.executable, "-m", "benchmarks.store", "--serve", kind, "--folder", folder]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


# --- One copy: in a process of its own -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Copied:
    """`added_mb`: megabytes of memory above what was there before; 0 where nobody looked."""

    seconds: float
    cpu_seconds: float
    added_mb: float


def copy_by_wanflow(url: str) -> str:
    from wanflow import aws  # noqa: PLC0415
    from wanflow.connections import open_public_session, open_session  # noqa: PLC0415
    from wanflow.files import Files  # noqa: PLC0415
    from wanflow.wan_client import WanClient  # noqa: PLC0415

    wan = WanClient(
        open_session,
        lambda _: "key",
        open_public_session=open_public_session,
        monotonic=time.monotonic,
        base_url=url.rpartition("/")[0],
        submit_path="/v1/videos",
        status_path="/v1/videos/{id}",
    )
    with wan.open_result(url) as body:
        return Files(aws.s3, BUCKET).store_video("video.mp4", body.chunks, body.announced_bytes).crc32


def copy_by_content(url: str) -> str:
    import boto3  # noqa: PLC0415
    import requests  # noqa: PLC0415

    content = requests.get(url, timeout=60).content
    boto3.client("s3").put_object(Bucket=BUCKET, Key="video.mp4", Body=content)
    return crc32_text(zlib.crc32(content))


def copy_by_upload_fileobj(url: str) -> str:
    """No checksum: it would have to read everything once more."""
    import boto3  # noqa: PLC0415
    import requests  # noqa: PLC0415

    with requests.get(url, timeout=60, stream=True) as response:
        boto3.client("s3").upload_fileobj(cast("IO[bytes]", response.raw), BUCKET, "video.mp4")
    return ""


def copy_once(way: str, small: str, url: str) -> None:
    """Print what a copy took, after a small one that loads everything."""
    copies = dict(zip(WAYS, (copy_by_wanflow, copy_by_content, copy_by_upload_fileobj), strict=True))
    copies[way](small)
    before = _resident_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    cpu, started = time.process_time(), time.perf_counter()
    checksum = copies[way](url)
    seconds = time.perf_counter() - started
    copied = Copied(seconds, time.process_time() - cpu, _resident_mb("VmHWM") - before)
    print(json.dumps(asdict(copied) | {"crc32": checksum}))


def _resident_mb(field: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{field}:")[1].split()[0]) * 1024 / MEGABYTE


def by_wanflow_or_boto(way: str, cdn: str, sink: str, megabytes: int, expected: str) -> Copied:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "PYTHONPATH": os.pathsep.join((str(ROOT / "layers" / "common"), os.environ.get("PYTHONPATH", ""))),
        "AWS_ENDPOINT_URL_S3": sink,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    arguments = [
        sys.executable,
        "-m",
        "benchmarks.store",
        "--copy",
        way,
        "--urls",
        f"{cdn}/small",
        f"{cdn}/{megabytes}",
    ]
    ended = subprocess.run(arguments, stdout=subprocess.PIPE, check=True, text=True, cwd=ROOT, env=environment)
    told = json.loads(ended.stdout)
    assert told.pop("crc32") in {"", expected}, "the checksum is wrong"
    return Copied(**told)


def by_curl(cdn: str, sink: str, size: int) -> Copied:
    # Without these headers curl would wait for leave to send, and send in chunks, which the sink had to take apart.
    quiet = f"-H 'Expect:' -H 'Transfer-Encoding:' -H 'Content-Length: {size}'"
    return _timed(f"curl -sf {cdn}/{size // MEGABYTE} | curl -sf {quiet} -T - {sink}/{BUCKET}/video.mp4")


def start_of_curls() -> Copied:
    """Two of them that only say what they are."""
    return _timed("curl -V | curl -V")


def _timed(pipe: str) -> Copied:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["bash", "-o", "pipefail", "-c", pipe], check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Copied(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 0)


# --- All of it -------------------------------------------------------------------------------------------------------


def write_video(path: Path, size: int) -> str:
    """A file that begins as an MP4 does and then is noise; its CRC32."""
    checksum = 0
    with path.open("wb") as file:
        left = size
        block = b"\0\0\0\x18ftypisom" + os.urandom(MEGABYTE)
        while left:
            part = block[: min(left, len(block))]
            file.write(part)
            checksum = zlib.crc32(part, checksum)
            left -= len(part)
    return crc32_text(checksum)


def crc32_text(value: int) -> str:
    """As S3 writes it."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def measure(megabytes: list[int], rounds: int) -> dict[tuple[str, int], list[Copied]]:
    """All rounds by way and size."""
    found: dict[tuple[str, int], list[Copied]] = {}
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of its own is made there
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        write_video(Path(folder) / "small", 6 * MEGABYTE)
        checksums = {size: write_video(Path(folder) / str(size), size * MEGABYTE) for size in megabytes}
        with server("cdn", folder) as cdn, server("sink") as sink:
            for size, checksum in checksums.items():
                starts: list[Copied] = []
                curl: list[Copied] = []
                for _ in range(rounds):
                    starts.append(start_of_curls())
                    curl.append(by_curl(cdn, sink, size * MEGABYTE))
                    for way in WAYS:
                        found.setdefault((way, size), []).append(by_wanflow_or_boto(way, cdn, sink, size, checksum))
                if (pipe := _less(_fastest(curl), _fastest(starts))).seconds > MOST_START_SECONDS:
                    found[CURL, size] = [pipe]
    return found


def _fastest(copies: list[Copied]) -> Copied:
    return min(copies, key=lambda copied: copied.seconds)


def _less(curl: Copied, start: Copied) -> Copied:
    """A copy without the start of its two processes, for which a function does not wait either."""
    return Copied(curl.seconds - start.seconds, curl.cpu_seconds - start.cpu_seconds, 0)


def show(found: dict[tuple[str, int], list[Copied]]) -> None:
    print(f"{'':34}{'MB':>5}{'MB/s':>9}{'CPU s':>8}{'added MB':>10}")
    for (way, size), copies in found.items():
        fastest = _fastest(copies)
        added = max(copied.added_mb for copied in copies)
        print(f"{way:34}{size:>5}{size / fastest.seconds:>9.0f}{fastest.cpu_seconds:>8.2f}{added:>10.1f}")


def rows(found: dict[tuple[str, int], list[Copied]]) -> list[Row]:
    run = command("store")
    sizes = sorted({size for _, size in found})

    def seconds(way: str, size: int) -> float:
        return min(copied.seconds for copied in found[way, size])

    def added(way: str, size: int) -> float:
        return max(copied.added_mb for copied in found[way, size])

    made = []
    for size in sizes:
        for way in (CURL, *WAYS[1:]):
            if (way, size) not in found:
                continue
            target = 1.0 if way == CURL and size == 100 else None
            ratio = seconds(way, size) / seconds(WAYS[0], size)
            made.append(Row(f"store, {size} MB: throughput", ratio, target, "higher", way, run))
    for size in sizes:
        share = max(0.0, added(WAYS[0], size)) / MOST_ADDED_MB
        made.append(Row(f"store, {size} MB: added peak memory", share, 1.0, "lower", "10 MB", run))
        for way in WAYS[1:]:
            ratio = max(0.0, added(WAYS[0], size)) / added(way, size)
            made.append(Row(f"store, {size} MB: added peak memory", ratio, None, "lower", way, run))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10,100,500", help="megabytes (%(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--serve", choices=("cdn", "sink"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--copy", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--urls", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve == "cdn":
        serve_cdn(options.folder)
    elif options.serve == "sink":
        serve_sink()
    elif options.copy:
        copy_once(options.copy, *options.urls)
    else:
        found = measure([int(size) for size in options.sizes.split(",")], options.rounds)
        print(f"{datetime.now(UTC):%Y-%m-%d}, best of {options.rounds}")
        show(found)
        save("store", rows(found))


if __name__ == "__main__":
    main()
