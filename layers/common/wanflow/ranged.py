"""A file that is read in blocks, from memory or over the network, and never more than a little of it."""

from collections.abc import Callable
from io import SEEK_CUR, SEEK_END, SEEK_SET

BLOCK_BYTES = 64 * 1024
MAX_BLOCKS = 16
"""1 MiB: headers end long before; whoever needs more is made to waste our time."""

MAX_READS = 20_000
"""The longest honest walk, over the frames of a 30 s MP3 without a summary, takes about 2,300."""


class TooScattered(Exception):
    """What is asked for lies in too many places of the file."""


class RangedFile:
    """A seekable binary file for header parsers (`read`, `seek`, `tell`), each block fetched once.

    Parsers may swallow or rename what `fetch` raises; `fault` keeps it for the caller.

    Args:
        fetch: (start, length) -> that many bytes from there on.
        size: of the whole file, in bytes.
        head: what is already there of the first block.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, head: bytes = b"") -> None:
        self.size = size
        self.fault: Exception | None = None
        self._fetch = fetch
        self._blocks: dict[int, bytes] = {0: head} if len(head) >= min(size, BLOCK_BYTES) else {}
        self._position = 0
        self._reads = 0

    @classmethod
    def of_bytes(cls, content: bytes) -> "RangedFile":
        """The same rules over bytes in memory, so that nobody walks through megabytes there either."""
        return cls(lambda start, length: content[start : start + length], len(content))

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from here on; all the rest for a negative one.

        Raises:
            TooScattered: over MAX_BLOCKS or MAX_READS.
        """
        self._reads += 1
        if self._reads > MAX_READS:
            raise self._too_scattered()
        start = min(self._position, self.size)
        end = self.size if size < 0 else min(start + size, self.size)
        parts = []
        # Block by block: a header may claim any length, so nothing of that length is made in advance.
        while start < end:
            number, offset = divmod(start, BLOCK_BYTES)
            part = self._block(number)[offset : offset + end - start]
            if not part:
                raise EOFError("the file became shorter while it was read")
            parts.append(part)
            start += len(part)
            self._position = start
        return b"".join(parts)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Move as any file does; beyond the end is allowed, before the start is an OSError."""
        origin = {SEEK_SET: 0, SEEK_CUR: self._position, SEEK_END: self.size}[whence]
        if origin + offset < 0:
            raise OSError("a file has nothing before its start")
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= MAX_BLOCKS:
                raise self._too_scattered()
            try:
                self._blocks[number] = self._fetch(number * BLOCK_BYTES, BLOCK_BYTES)
            except Exception as error:
                self.fault = error
                raise
        return self._blocks[number]

    def _too_scattered(self) -> TooScattered:
        self.fault = TooScattered()
        return self.fault
