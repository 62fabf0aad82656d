"""Batch files: a malformed row spoils itself, a malformed file is told as a whole."""

import json
from typing import Any

import pytest

from wanflow.batch_file import MAX_ROW_BYTES, MAX_ROWS, Row, read_rows
from wanflow.errors import InvalidRequest

HEADER = "prompt,reference_urls,size,duration,watermark,seed,metadata.order"


def lines(*rows: str, end: str = "\n") -> list[Row]:
    return read_rows((end.join(rows) + end).encode(), is_csv=False)


def table(*rows: str, header: str = HEADER) -> list[Row]:
    return read_rows(("\n".join([header, *rows]) + "\n").encode(), is_csv=True)


def refusal(content: bytes, *, is_csv: bool = False) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_rows(content, is_csv=is_csv)
    (violation,) = caught.value.violations
    assert violation.field == "file"
    return violation.message


# --- JSON lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_line_is_a_row_with_its_number(end: str) -> None:
    rows = lines('{"a": 1}', "", "  ", '{"b": 2}', end=end)
    assert [(row.number, row.request) for row in rows] == [(1, {"a": 1}), (4, {"b": 2})]


def test_a_broken_line_spoils_itself_alone() -> None:
    good, broken, also_good = lines('{"a": 1}', '{"b": }', '{"c": 3}')
    assert (good.violations, also_good.violations) == ((), ())
    assert "column 7" in broken.violations[0].message


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_a_line_feed_ends_a_line(letter: str) -> None:
    (row,) = lines(json.dumps({"prompt": f"a{letter}b"}, ensure_ascii=letter < "\x20"))
    assert row.request == {"prompt": f"a{letter}b"}


def test_a_byte_order_mark_is_read_over() -> None:
    assert read_rows(b'\xef\xbb\xbf{"a": 1}', is_csv=False) == [Row(1, {"a": 1})]


def test_the_last_line_needs_no_end() -> None:
    assert read_rows(b'{"a": 1}\n{"b": 2}', is_csv=False)[1].request == {"b": 2}


def test_a_row_has_a_size() -> None:
    exact = '"' + "x" * (MAX_ROW_BYTES - 2) + '"'
    fits, too_large = lines(exact, exact + " ")
    assert fits.violations == ()
    assert too_large.violations[0].field == "row"
    assert too_large.request is None


@pytest.mark.parametrize(("content", "words"), [(b"", "no row"), (b"\n \n", "no row"), (b"\xff", "UTF-8")])
def test_a_file_that_is_no_batch(content: bytes, words: str) -> None:
    assert words in refusal(content)
    assert refusal(content, is_csv=True)


def test_a_batch_has_a_most() -> None:
    assert len(read_rows(b"1\n" * MAX_ROWS, is_csv=False)) == MAX_ROWS
    assert str(MAX_ROWS) in refusal(b"1\n" * (MAX_ROWS + 1))


# --- CSV -----------------------------------------------------------------------------------------------------------


def test_cells_become_the_request_that_they_stand_for() -> None:
    (row,) = table('"character1, slowly","https://x/a.png  https://x/b.png",1280*720,5,TRUE,0,4711')
    assert row.number == 1
    assert row.request == {
        "model": "wan26_r2v",
        "input": {"prompt": "character1, slowly", "reference_urls": ["https://x/a.png", "https://x/b.png"]},
        "parameters": {"size": "1280*720", "duration": 5, "watermark": True, "seed": 0},
        "metadata": {"order": "4711"},
    }


def test_an_empty_cell_is_an_absent_field() -> None:
    (row,) = table("character1,https://x/a.png,,,,,")
    assert row.request["parameters"] == {}
    assert "metadata" not in row.request


@pytest.mark.parametrize(
    ("cell", "value"),
    [("5", 5), ("-5", -5), ("05", 5), ("5.0", "5.0"), ("five", "five"), ("1e3", "1e3"), ("9" * 30, "9" * 30)],
)
def test_an_integer_is_read_and_everything_else_is_left_to_validation(cell: str, value: Any) -> None:
    (row,) = table(f"p,u,,{cell},,,")
    assert row.request["parameters"]["duration"] == value


@pytest.mark.parametrize(("cell", "value"), [("true", True), ("False", False), ("yes", "yes"), ("1", "1")])
def test_a_boolean_is_read_and_everything_else_is_left_to_validation(cell: str, value: Any) -> None:
    (row,) = table(f"p,u,,,{cell},,")
    assert row.request["parameters"]["watermark"] == value


def test_a_cell_may_span_lines() -> None:
    first, second = table('"character1\nwalks",u,,,,,', "character1,u,,,,,")
    assert first.request["input"]["prompt"] == "character1\nwalks"
    assert second.number == 2


@pytest.mark.parametrize("row", ["p,u", "p,u,,,,,,", "p"])
def test_a_row_of_another_length_spoils_itself_alone(row: str) -> None:
    broken, good = table(row, "p,u,,,,,")
    assert broken.violations[0].field == "row"
    assert good.violations == ()


@pytest.mark.parametrize("row", ['"p" x,u,,,,,', '"p"x,u,,,,,', "p," + "u" * (MAX_ROW_BYTES + 1) + ",,,,,"])
def test_a_row_that_is_no_csv_or_too_large_spoils_itself_alone(row: str) -> None:
    for rows in (table(row, "p,u,,,,,"), table("p,u,,,,,", row)[::-1]):
        broken, good = rows
        assert broken.violations[0].field == "row"
        assert good.request["input"] == {"prompt": "p", "reference_urls": ["u"]}
    assert [each.number for each in table("p,u,,,,,", row, "p,u,,,,,")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("header", "words"),
    [("prompt,colour", "unknown column"), ("prompt,prompt", "twice"), ("prompt,", "unknown column")],
)
def test_a_header_that_cannot_be_meant(header: str, words: str) -> None:
    assert words in refusal(f"{header}\np,x\n".encode(), is_csv=True)


def test_csv_that_is_none_is_told_with_its_line() -> None:
    assert "line" in refusal(f'{HEADER}\n"open,u,,,,,\n'.encode(), is_csv=True)
