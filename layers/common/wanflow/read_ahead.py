"""Reading ahead: the next pieces of a video come in while the last ones go out."""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
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
    waiting: SimpleQueue[bytes | _End] = SimpleQueue()
    # One entry for each piece that may still be put there. queue.Queue counts by itself, but in Python: it is slower.
    room: SimpleQueue[None] = SimpleQueue()
    for _ in range(most):
        room.put(None)
    left = Event()
    reader = Thread(target=_read, args=(pieces, waiting, room, left), daemon=True)
    reader.start()
    try:
        yield _pieces(waiting, room)
    finally:
        left.set()
        room.put(None)
        reader.join()


def _read(
    pieces: Iterator[bytes], waiting: "SimpleQueue[bytes | _End]", room: "SimpleQueue[None]", left: Event
) -> None:
    end = _End(None)
    try:
        for piece in pieces:
            room.get()
            if left.is_set():
                return
            waiting.put(piece)
    except BaseException as error:
        end = _End(error)
    waiting.put(end)


def _pieces(waiting: "SimpleQueue[bytes | _End]", room: "SimpleQueue[None]") -> Iterator[bytes]:
    while not isinstance(piece := waiting.get(), _End):
        room.put(None)
        yield piece
    if piece.error is not None:
        raise piece.error
