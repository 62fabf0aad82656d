"""Keeps the reference media that later appear in the videos: each content once, the oldest dropped over a bound."""

from __future__ import annotations

from collections import OrderedDict

BOUND_BYTES = 64 * 1024 * 1024


class MediaStore:
    """Content by its SHA-256. What was dropped is simply missing from the picture."""

    def __init__(self, bound_bytes: int = BOUND_BYTES) -> None:
        self._bound = bound_bytes
        self._held = 0
        self._contents: OrderedDict[str, bytes] = OrderedDict()

    def put(self, digest: str, data: bytes) -> None:
        """Keep `data`, as the newest."""
        if digest in self._contents:
            self._contents.move_to_end(digest)
            return
        self._contents[digest] = data
        self._held += len(data)
        while self._held > self._bound and len(self._contents) > 1:
            self._held -= len(self._contents.popitem(last=False)[1])

    def get(self, digest: str) -> bytes | None:
        """The content, if it is still here."""
        return self._contents.get(digest)
