"""DynamoDB items as plain Python values and back.

boto3 can do this too, but importing it takes a sixth longer than botocore alone, in every cold start. A test holds this
to what boto3 does.
"""

from collections.abc import Mapping
from decimal import Clamped, Context, Decimal, Inexact, Overflow, Rounded, Underflow
from typing import Any

# What a number of DynamoDB can hold (Developer Guide, Data types: Number): 38 digits, from 1E-130 to 9.99…E+125.
_NUMBERS = Context(Emin=-128, Emax=126, prec=38, traps=[Clamped, Overflow, Inexact, Rounded, Underflow])


def typed(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as the low-level client wants them. None becomes NULL.

    Raises:
        TypeError: a value that no item of ours holds: a float, a set, a class of its own.
        decimal.DecimalException: a number that DynamoDB would have to round.
    """
    return {name: _typed(value) for name, value in item.items()}


def untyped(item: Mapping[str, Any]) -> dict[str, Any]:
    """What the low-level client gives as plain values; numbers are Decimal.

    Raises:
        TypeError: a type that no item of ours holds: binary data, a set.
    """
    return {name: _untyped(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | Decimal):
        number = _NUMBERS.create_decimal(value)
        if not number.is_finite():
            raise TypeError("DynamoDB holds no infinity and no NaN")
        return {"N": str(number)}
    if isinstance(value, Mapping):
        return {"M": typed(value)}
    if isinstance(value, list | tuple):
        return {"L": [_typed(each) for each in value]}
    raise TypeError(f"no item of ours holds a {type(value).__name__}")


def _untyped(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "NULL":
            return None
        case "BOOL" | "S":
            return content
        case "N":
            return _NUMBERS.create_decimal(content)
        case "M":
            return untyped(content)
        case "L":
            return [_untyped(each) for each in content]
    raise TypeError(f"no item of ours holds DynamoDB's type {kind}")
