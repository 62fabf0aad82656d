"""Items are written and read as boto3 would, which is not loaded for it."""

from decimal import Decimal, DecimalException
from typing import Any

import pytest
from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from wanflow.items import typed, untyped

numbers = st.one_of(
    st.integers(min_value=-(10**38) + 1, max_value=10**38 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.text(), numbers),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), values, max_size=6))
def test_an_item_is_what_boto3_makes_of_it_and_comes_back(item: dict[str, Any]) -> None:
    written = typed(item)
    assert written == {name: TypeSerializer().serialize(value) for name, value in item.items()}
    read = untyped(written)
    assert read == {name: TypeDeserializer().deserialize(value) for name, value in written.items()}
    assert read == item


@pytest.mark.parametrize(
    "value",
    [0.5, {1, 2}, b"bytes", object(), Decimal("NaN"), Decimal("Infinity")],
    ids=lambda value: type(value).__name__,
)
def test_what_no_item_holds_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        typed({"field": value})


@pytest.mark.parametrize("number", [10**39 + 1, Decimal("1E+127")])
def test_a_number_that_would_be_rounded_is_refused_as_boto3_does(number: Any) -> None:
    with pytest.raises(DecimalException):
        DYNAMODB_CONTEXT.create_decimal(number)
    with pytest.raises(DecimalException):
        typed({"field": number})


@pytest.mark.parametrize("value", [{"B": b"bytes"}, {"SS": ["a"]}])
def test_a_type_that_no_item_holds_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="DynamoDB's type"):
        untyped({"field": value})
