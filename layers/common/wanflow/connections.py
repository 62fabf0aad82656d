"""Sessions to the outside: one that can tell whether a connection ever stood, one that goes to public addresses only.

A TLS error can mean "the handshake failed" (nothing was sent) or "the answer broke" (the request was taken), and
requests raises the same class for both. So the connection itself notes a failed connect: money hangs on it.
"""

import ipaddress
import socket
import threading
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class ForbiddenAddress(Exception):
    """A name led to an address that is not public: private, link-local, loopback, a metadata service."""


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


class _PublicOnlyHTTPS(HTTPSConnection):
    """Looks at the address that was really connected to, so that no second DNS answer can slip in between."""

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()
        address = ipaddress.ip_address(connected.getpeername()[0])
        address = getattr(address, "ipv4_mapped", None) or address
        if not address.is_global or address.is_multicast:
            connected.close()
            raise ForbiddenAddress("the link leads to an address that is not public")
        return connected


class _Cutter:
    """Cuts a connection after some seconds. It has a handle of its own, because TLS takes the first one away."""

    def __init__(self, connected: socket.socket, seconds: float) -> None:
        self._handle = connected.dup()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        with suppress(OSError):
            self._handle.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        self._timer.cancel()
        self._handle.close()


class _PublicOnlyAdapter(HTTPAdapter):
    def __init__(self, most_seconds: float | None) -> None:
        self._most_seconds = most_seconds
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        most_seconds = self._most_seconds

        class CutHTTPS(_PublicOnlyHTTPS):
            cutter: _Cutter | None = None

            def _new_conn(self) -> socket.socket:
                connected = super()._new_conn()
                if most_seconds is not None:
                    self.cutter = _Cutter(connected, most_seconds)
                return connected

            def close(self) -> None:
                super().close()
                if self.cutter is not None:
                    self.cutter.let_go()

        class CutPool(HTTPSConnectionPool):
            ConnectionCls = CutHTTPS

        self.poolmanager.pool_classes_by_scheme = {"https": CutPool}


def open_session() -> requests.Session:
    """A fresh session that follows no proxy, no .netrc (it would replace the key) and keeps the note on connecting."""
    return _session(_ConnectNotingAdapter(), ("https://", "http://"))


def open_public_session(most_seconds: float | None = None) -> requests.Session:
    """A fresh session for links that others gave us: https only, and only to public addresses.

    Args:
        most_seconds: the life of a connection; whoever answers little by little is cut off then.

    A request raises `ForbiddenAddress` for any other address, before a byte is sent.
    """
    return _session(_PublicOnlyAdapter(most_seconds), ("https://",))


def _session(adapter: HTTPAdapter, schemes: tuple[str, ...]) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    for scheme in schemes:
        session.mount(scheme, adapter)
    return session


def never_connected(session: requests.Session) -> bool:
    """Whether the last connection of this session certainly failed before a byte of the request was sent."""
    adapter = session.adapters.get("https://")
    return isinstance(adapter, _ConnectNotingAdapter) and adapter.connect_failed
