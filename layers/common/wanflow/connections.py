"""Sessions to the outside that can tell whether a connection ever stood.

A TLS error can mean "the handshake failed" (nothing was sent) or "the answer broke" (the request was taken), and
requests raises the same class for both. So the connection itself notes a failed connect: money hangs on it.
"""

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _ConnectNotingAdapter(HTTPAdapter):
    """Notes in `connect_failed` that TCP or TLS could not be set up. Never retries."""

    def __init__(self) -> None:
        self.connect_failed = False
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        adapter = self

        class NotingHTTP(HTTPConnection):
            def connect(self) -> None:
                with _Noting(adapter):
                    super().connect()

        class NotingHTTPS(HTTPSConnection):
            def connect(self) -> None:
                with _Noting(adapter):
                    super().connect()

        class HTTPPool(HTTPConnectionPool):
            ConnectionCls = NotingHTTP

        class HTTPSPool(HTTPSConnectionPool):
            ConnectionCls = NotingHTTPS

        self.poolmanager.pool_classes_by_scheme = {"http": HTTPPool, "https": HTTPSPool}


class _Noting:
    def __init__(self, adapter: _ConnectNotingAdapter) -> None:
        self._adapter = adapter

    def __enter__(self) -> None:
        self._adapter.connect_failed = False

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        self._adapter.connect_failed = kind is not None


def open_session() -> requests.Session:
    """A fresh session that follows no proxy, no .netrc (it would replace the key) and keeps the note on connecting."""
    session = requests.Session()
    session.trust_env = False
    adapter = _ConnectNotingAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def never_connected(session: requests.Session) -> bool:
    """Whether the last connection of this session certainly failed before a byte of the request was sent."""
    adapter = session.adapters.get("https://")
    return isinstance(adapter, _ConnectNotingAdapter) and adapter.connect_failed
