"""Reading a caller's JSON: strict, bounded, and clear about what is wrong where."""

import json
from typing import Any, NoReturn

from wanflow.errors import InvalidRequest, Violation

MAX_DEPTH = 32


def parse_json(text: str | bytes) -> Any:
    """Parse a request's body.

    Raises:
        InvalidRequest: with the line and column of a syntax error.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        at = f"at line {error.lineno}, column {error.colno}"
        raise _invalid(f"is no valid JSON: {error.msg} {at}" if text else "is empty; send a JSON object") from error
    except UnicodeDecodeError as error:
        raise _invalid(f"is no valid UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise _invalid(f"is nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:
        raise _invalid("holds a number that is not finite or too long") from error
    if _depth_exceeds(value, MAX_DEPTH):
        raise _invalid(f"is nested deeper than {MAX_DEPTH} levels")
    return value


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest([Violation("body", "invalid_request", message)])


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
