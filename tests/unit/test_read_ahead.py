"""Reading ahead changes nothing of what is read, and leaves no reader behind."""

import threading
from collections.abc import Iterator

import pytest

from wanflow.errors import DownloadFailed
from wanflow.read_ahead import read_ahead


def numbered(count: int, read: list[int]) -> Iterator[bytes]:
    for number in range(count):
        read.append(number)
        yield bytes([number])


def test_every_piece_comes_once_and_in_order() -> None:
    with read_ahead(numbered(200, []), 3) as pieces:
        assert b"".join(pieces) == bytes(range(200))


def test_no_more_is_read_than_may_wait() -> None:
    read: list[int] = []
    with read_ahead(numbered(200, read), 3) as pieces:
        for number, piece in enumerate(pieces):
            assert piece == bytes([number])
            # Three wait, and the reader holds the next.
            assert len(read) <= number + 1 + 3 + 1


def test_what_breaks_the_pieces_is_raised_behind_the_last_good_one() -> None:
    def broken() -> Iterator[bytes]:
        yield b"good"
        raise DownloadFailed("cut")

    got = []
    with pytest.raises(DownloadFailed, match="cut"), read_ahead(broken(), 3) as pieces:
        got.extend(iter(lambda: next(pieces), b"no such piece"))
    assert got == [b"good"]


def test_whoever_leaves_early_leaves_no_reader_behind() -> None:
    before = threading.active_count()
    with read_ahead(numbered(200, []), 3) as pieces:
        assert next(pieces) == b"\0"
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
