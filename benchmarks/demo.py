"""`make demo` on a machine that has nothing yet, and once more: `.venv/bin/python -m benchmarks.demo`.

A copy of the committed files in a folder of its own, with an empty package cache, so that every install is downloaded
and made. Two minutes or so, and the network of this machine is in it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.results import ROOT, Row, command, save

MOST_FRESH_SECONDS = 180
MOST_AGAIN_SECONDS = 45


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def seconds_of_demo(copy: Path, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(["make", "-s", "demo"], check=True, cwd=copy, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "wanflow"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(copy)], check=True)
        # Nothing of the environment that this runs in: a make's flags, a virtual environment.
        ours = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV", "PYTHONPATH"}
        environment = {name: value for name, value in os.environ.items() if name not in ours}
        environment |= {"WANFLOW_AWS_PORT": str(free_port()), "WANFLOW_MOCK_PORT": str(free_port())}
        environment |= {"UV_CACHE_DIR": f"{folder}/cache", "PIP_NO_CACHE_DIR": "1"}
        fresh, again = (seconds_of_demo(copy, environment) for _ in range(2))
    print(f"fresh {fresh:.0f} s, again {again:.0f} s")
    run = command("demo")
    save(
        "demo",
        [
            Row("make demo: fresh, with every install", fresh / MOST_FRESH_SECONDS, 1.0, "lower", "180 s", run),
            Row("make demo: again", again / MOST_AGAIN_SECONDS, 1.0, "lower", "45 s", run),
        ],
    )


if __name__ == "__main__":
    main()
