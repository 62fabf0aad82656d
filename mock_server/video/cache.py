"""A cache that is bounded by what it holds, not by how many things it holds."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class SizedCache(Generic[T]):
    """Keeps the most recently used values up to `limit_bytes` in all, as `size_of` counts them. Thread-safe.

    A value larger than the whole limit is not kept.
    """

    def __init__(self, limit_bytes: int, size_of: Callable[[T], int]) -> None:
        self._limit = limit_bytes
        self._size_of = size_of
        self._lock = Lock()
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self.held_bytes = 0

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: T) -> None:
        with self._lock:
            if key in self._values:
                return
            self._values[key] = value
            self.held_bytes += self._size_of(value)
            while self.held_bytes > self._limit:
                _, dropped = self._values.popitem(last=False)
                self.held_bytes -= self._size_of(dropped)

    def get_or_make(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made now if it is not held. Two threads may both make it; the first one's stays."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value
