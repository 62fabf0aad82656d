"""Runs every benchmark in a process of its own, one after the other: `make bench`.

Each writes its own part of docs/performance.md. `.venv/bin/python -m benchmarks NAME...` runs some. One that fails is
named at the end and hides no other; its last good results stay, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks import results

BENCHMARKS = (
    "store",
    "cold_start",
    "polling",
    "job_cost",
    "load",
    "function_memory",
    "mock_server",
    "mock_video",
    "demo",
    "scaling",
)
"""In the order in which they run: `benchmarks/NAME.py` each, which writes `benchmarks/results/NAME.json`."""

BY_NAME_ALONE = ("suite",)
"""What takes too long for a run of all: every test."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Runs benchmarks and writes the table.")
    names = (*BENCHMARKS, *BY_NAME_ALONE)
    parser.add_argument("names", nargs="*", choices=(*names, []), help=f"{', '.join(names)} (all but the last)")
    failed = [name for name in parser.parse_args().names or BENCHMARKS if not _ran(name)]
    print(f"\ntable: {results.PAGE.relative_to(results.ROOT)}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _ran(name: str) -> bool:
    print(f"\n== {name}", flush=True)
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False, cwd=results.ROOT)
    print(f"   {name}: {time.monotonic() - started:.0f} s", flush=True)
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
