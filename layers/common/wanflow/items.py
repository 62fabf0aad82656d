"""DynamoDB items as plain Python values and back."""

from typing import Any


def typed(item: dict[str, Any]) -> dict[str, Any]:
    """Plain values as the low-level client wants them. None becomes NULL."""
    from boto3.dynamodb.types import TypeSerializer  # noqa: PLC0415

    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in item.items()}


def untyped(item: dict[str, Any]) -> dict[str, Any]:
    """What the low-level client gives as plain values; numbers are Decimal."""
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415

    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}
