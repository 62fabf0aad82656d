"""Writes rules.js: what the console must know of the request's rules, taken from the layer that checks them."""

import json
from pathlib import Path
from typing import get_args

from wanflow.api import STATUSES
from wanflow.inspection import MAX_BYTES
from wanflow.parameters import MAX_SEED, PARAMETERS, Range
from wanflow.pricing import TIER_OF_SIZE, Tier
from wanflow.uploads import TYPES
from wanflow.validation import MAX_PROMPT_CHARACTERS, MAX_REFERENCES, MODEL

TARGET = Path(__file__).parent / "rules.js"


def text() -> str:
    duration = PARAMETERS["duration"]
    assert isinstance(duration, Range)  # noqa: S101 - for the type checker
    constants = {
        "MODEL": MODEL,
        "MAX_PROMPT_CHARACTERS": MAX_PROMPT_CHARACTERS,
        "MAX_REFERENCES": MAX_REFERENCES,
        "MAX_SEED": MAX_SEED,
        "SIZES": {tier: [size for size, its in TIER_OF_SIZE.items() if its == tier] for tier in get_args(Tier)},
        "DURATION": {"low": duration.low, "high": duration.high},
        "DEFAULTS": {name: rule.default for name, rule in PARAMETERS.items() if rule.default is not None},
        "UPLOADS": {mime: {"kind": kind, "ending": ending} for mime, (kind, ending) in TYPES.items()},
        "MAX_BYTES": MAX_BYTES,
        "STATUSES": STATUSES,
    }
    lines = [f"export const {name} = {json.dumps(value)};" for name, value in constants.items()]
    return "\n".join(["// Made from layers/common/wanflow by `make fmt`; do not edit.", "", *lines, ""])


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
