"""A caller's JSON: strict, bounded, and told apart by line and column."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanflow.errors import InvalidRequest
from wanflow.json_text import MAX_DEPTH, parse_json


def message(text: str | bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse_json(text)
    (violation,) = caught.value.violations
    assert (violation.field, violation.code) == ("body", "invalid_request")
    return violation.message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"model": }', "line 1, column 11"),
        ('{"a": 1,\n "b": 2\n "c": 3}', "line 3, column 2"),
        ("[1, 2", "line 1, column 6"),
        ("{} {}", "line 1, column 4"),
        ("'text'", "line 1, column 1"),
        ('{"a": 1,}', "line 1"),
    ],
)
def test_a_syntax_error_is_told_with_its_place(text: str, place: str) -> None:
    assert place in message(text)


@pytest.mark.parametrize("text", ["", b""])
def test_nothing_is_told_as_nothing(text: str | bytes) -> None:
    assert "is empty" in message(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_numbers_that_json_does_not_know_are_refused(text: str) -> None:
    assert "not finite" in message(text)


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    assert "too long" in message("9" * 5000)


@pytest.mark.parametrize("content", [b'{"a": "\xff"}', b"\xff\xfe\x00"])
def test_bytes_that_are_no_utf_8_are_refused(content: bytes) -> None:
    assert message(content)


def test_a_depth_that_is_allowed_is_read_and_one_more_is_refused() -> None:
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    assert "nested deeper" in message("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_an_abyss_is_refused_and_not_fallen_into(text: str) -> None:
    assert message(text)


def test_a_byte_order_mark_is_read_over() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_good_json_is_read_as_what_it_is(value: object) -> None:
    assert parse_json(json.dumps(value)) == value


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with suppress(InvalidRequest):
        parse_json(text)
