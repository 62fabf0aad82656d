"""Batch files: one request a row, as JSON lines or as CSV. A malformed row spoils itself, not the batch.

CSV columns (a header line names them; an empty cell is an absent field):

    prompt, reference_urls (several separated by spaces), audio_url,
    size, duration, prompt_extend, watermark, audio, shot_type, seed, callback_url, metadata.NAME
"""

import csv
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

from wanflow.errors import InvalidRequest, Violation
from wanflow.json_text import parse_json
from wanflow.validation import MODEL

MAX_ROWS = 10_000
MAX_ROW_BYTES = 200 * 1024

_INPUT_COLUMNS = ("prompt", "reference_urls", "audio_url")
_INTEGER_COLUMNS = ("duration", "seed")
_BOOLEAN_COLUMNS = ("prompt_extend", "watermark", "audio")
_PARAMETER_COLUMNS = ("size", "shot_type", *_INTEGER_COLUMNS, *_BOOLEAN_COLUMNS)
_CALLBACK = "callback_url"
_METADATA = "metadata."
_BOOLEANS = {"true": True, "false": False}

# A cell that is too large spoils its row, by MAX_ROW_BYTES; the reader's own limit would end the whole file.
csv.field_size_limit(2**31 - 1)


class Row(NamedTuple):
    """One row: its number in the file (JSON lines: the line; CSV: 1 is the first after the header), and its request
    or what is wrong with it."""

    number: int
    request: Any = None
    violations: tuple[Violation, ...] = ()


def read_rows(content: bytes, *, is_csv: bool) -> list[Row]:
    """The rows of a batch file.

    Raises:
        InvalidRequest: the file as a whole is no batch: not UTF-8, no row, too many rows, a wrong CSV header.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_batch(f"is no valid UTF-8 at byte {error.start}") from error
    rows = list(_csv_rows(text) if is_csv else _json_rows(text))
    if not rows:
        raise _no_batch("holds no row")
    if len(rows) > MAX_ROWS:
        raise _no_batch(f"holds {len(rows)} rows, at most {MAX_ROWS} are allowed")
    return rows


def _json_rows(text: str) -> Iterator[Row]:
    # Only these end a line of JSON lines; str.splitlines would also split at U+2028 inside a prompt.
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            yield _json_row(number, line)


def _json_row(number: int, line: str) -> Row:
    if (size := len(line.encode(errors="replace"))) > MAX_ROW_BYTES:
        return Row(number, violations=(_too_large(size),))
    try:
        return Row(number, parse_json(line))
    except InvalidRequest as error:
        return Row(number, violations=tuple(error.violations))


def _csv_rows(text: str) -> Iterator[Row]:
    rows = _csv_lines(text)
    first = next(rows, [])
    if isinstance(first, str):
        raise _no_batch(f"is no valid CSV {first}")
    header = [name.strip() for name in first]
    _check_header(header)
    for number, cells in enumerate((cells for cells in rows if cells), start=1):
        if isinstance(cells, str):
            yield Row(number, violations=(Violation("row", "invalid_request", f"is no valid CSV {cells}"),))
        else:
            yield _csv_row(number, header, cells)


def _csv_lines(text: str) -> Iterator[list[str] | str]:
    """Each row's cells, or what is wrong with it. The reader goes on at the line after a broken one."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            told = f"at line {reader.line_num}: {error}"
            if "unexpected end" in str(error):
                # A quote was left open somewhere and swallowed all that follows: nobody knows how many rows those are.
                raise _no_batch(f"is no valid CSV {told}") from error
            yield told
            continue
        if cells is None:
            return
        yield cells


def _check_header(header: list[str]) -> None:
    if not header:
        raise _no_batch("has no header in its first line")
    known = (*_INPUT_COLUMNS, *_PARAMETER_COLUMNS, _CALLBACK)
    unknown = [name for name in header if name not in known and not name.startswith(_METADATA)]
    if unknown:
        raise _no_batch(f"has the unknown column {unknown[0][:40]!r}; known are {', '.join(known)}, metadata.NAME")
    if len(set(header)) < len(header):
        raise _no_batch("names a column twice")


def _csv_row(number: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        message = f"has {len(cells)} cells, the header has {len(header)}"
        return Row(number, violations=(Violation("row", "invalid_request", message),))
    if (size := sum(len(cell.encode(errors="replace")) for cell in cells)) > MAX_ROW_BYTES:
        return Row(number, violations=(_too_large(size),))
    filled = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
    request: dict[str, Any] = {"model": MODEL, "input": {}, "parameters": {}}
    for name, cell in filled.items():
        if name.startswith(_METADATA):
            request.setdefault("metadata", {})[name.removeprefix(_METADATA)] = cell
        elif name == _CALLBACK:
            request[name] = cell
        elif name in _INPUT_COLUMNS:
            request["input"][name] = cell.split() if name == "reference_urls" else cell
        else:
            request["parameters"][name] = _parameter(name, cell)
    return Row(number, request)


def _parameter(name: str, cell: str) -> Any:
    """A cell as the JSON value that it stands for; what stands for none stays text, which validation then names."""
    if name in _BOOLEAN_COLUMNS:
        return _BOOLEANS.get(cell.lower(), cell)
    if name in _INTEGER_COLUMNS and len(cell) < 20 and cell.removeprefix("-").isdecimal():
        return int(cell)
    return cell


def _too_large(size: int) -> Violation:
    return Violation("row", "invalid_request", f"has {size} bytes, at most {MAX_ROW_BYTES} are allowed")


def _no_batch(message: str) -> InvalidRequest:
    return InvalidRequest([Violation("file", "invalid_request", message)])
