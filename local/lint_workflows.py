"""`python -m local.lint_workflows FILE…`: statelint on workflow files.

statelint knows the States Language itself; `InputType` of a Distributed Map's reader is AWS's own (Step Functions
guide, ItemReader), so it is checked here and taken out before.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from statelint.linter import Linter  # type: ignore[import-untyped]

_INPUT_TYPES = {"CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"}


def problems(workflow: dict[str, Any]) -> list[str]:
    """Everything that is wrong with a workflow, in words."""
    found = []
    for name, state in workflow["States"].items():
        config = state.get("ItemReader", {}).get("ReaderConfig", {})
        if (kind := config.pop("InputType", "JSON")) not in _INPUT_TYPES:
            found.append(f"{name}: InputType {kind!r} is none of {', '.join(sorted(_INPUT_TYPES))}")
    return found + [str(problem) for problem in Linter.validate(workflow)]


def main(paths: list[str]) -> int:
    found = [(path, problem) for path in paths for problem in problems(json.loads(Path(path).read_text()))]
    for path, problem in found:
        print(f"{path}: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
