"""Every test, as `make test` runs them: `.venv/bin/python -m benchmarks.suite`. It takes long: no part of `make bench`.

It also says what each folder of tests costs in seconds of its tests, set-up and tear-down, which is close to CPU time
on a machine that does nothing else.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.results import ROOT, Row, command, save

MOST_SECONDS = 360


def folder_seconds(report: Path) -> dict[str, float]:
    seconds: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest's own report
        folder = ".".join(case.attrib["classname"].split(".")[:2])
        seconds[folder] += float(case.attrib["time"])
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        started = time.perf_counter()
        environment = {**os.environ, "PYTEST_ADDOPTS": f"-q --junit-xml={report}"}
        subprocess.run(["make", "-s", "test"], check=True, cwd=ROOT, env=environment)
        seconds = time.perf_counter() - started
        for name, spent in folder_seconds(report).items():
            print(f"{name:24}{spent:8.1f} s")
    save("suite", [Row("make test", seconds / MOST_SECONDS, 1.0, "lower", "360 s", command("suite"))])


if __name__ == "__main__":
    main()
