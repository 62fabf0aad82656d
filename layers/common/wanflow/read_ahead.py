"""Reading ahead: the next pieces of a video come in while the last ones go out."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from threading import Event, Thread


class _End:
    """Behind the last piece; `error` is what ended the pieces too early."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def read_ahead(pieces: Iterator[bytes], most: int) -> Iterator[Iterator[bytes]]:
    """The same pieces, read by a thread of its own; at most `most` wait in memory, and one more in each hand.

    What `pieces` raises is raised in its place. The thread has ended when the block is left, however that comes about:
    nobody reads any more from a connection that is closed then.
    """
    waiting: Queue[bytes | _End] = Queue(most)
    left = Event()
    reader = Thread(target=_read, args=(pieces, waiting, left), daemon=True)
    reader.start()
    try:
        yield _pieces(waiting)
    finally:
        left.set()
        while reader.is_alive():
            # It may wait for room.
            with suppress(Empty):
                waiting.get(timeout=0.05)


def _read(pieces: Iterator[bytes], waiting: "Queue[bytes | _End]", left: Event) -> None:
    end = _End(None)
    try:
        for piece in pieces:
            waiting.put(piece)
            if left.is_set():
                return
    except BaseException as error:
        end = _End(error)
    waiting.put(end)


def _pieces(waiting: "Queue[bytes | _End]") -> Iterator[bytes]:
    while not isinstance(piece := waiting.get(), _End):
        yield piece
    if piece.error is not None:
        raise piece.error
