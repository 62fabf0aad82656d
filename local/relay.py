"""Lets containers reach servers that listen on 127.0.0.1 alone.

A container's own 127.0.0.1 is not this machine's. The relay listens on the address that Docker's bridge gives this
machine and takes connections from that bridge's subnet and from this machine only, so that the servers stay out of
every other network's reach.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from local.containers import Bridge
from local.errors import LocalStackError
from local.settings import HOST

CHUNK_BYTES = 65536
# The name that Docker Desktop gives containers for the machine; it leads to 127.0.0.1 there.
DESKTOP_HOST = "host.docker.internal"


@contextlib.contextmanager
def relayed(ports: Iterable[int], bridge: Bridge) -> Iterator[str]:
    """The host under which containers reach `ports` of 127.0.0.1.

    Docker Desktop's bridge is in a machine of its own, and its containers need no relay.
    """
    with contextlib.ExitStack() as relays:
        try:
            for port in ports:
                relays.enter_context(Relay((bridge.gateway, port), port, bridge.subnet))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise LocalStackError(
                    f"port {port} of {bridge.gateway}, Docker's bridge, is not free: {error}"
                ) from error
            yield DESKTOP_HOST
            return
        yield bridge.gateway


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections from `subnet` to `address` on to `port` of 127.0.0.1. Serves while its context lasts."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], port: int, subnet: str) -> None:
        self._subnet = ipaddress.ip_network(subnet)
        self.port = port
        super().__init__(address, _Passage)

    def __enter__(self) -> Relay:
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True, name="relay").start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def verify_request(self, _request: Any, client_address: Any) -> bool:
        address = client_address[0]
        # This machine itself follows links that containers gave it.
        return ipaddress.ip_address(address) in self._subnet or is_own(address)


def is_own(address: str) -> bool:
    """Whether this machine has the address: only then can a socket be bound to it."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


class _Passage(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.server.port)) as inside:
            back = threading.Thread(target=pass_on, args=(inside, self.request), daemon=True)
            back.start()
            pass_on(self.request, inside)
            back.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy until the source ends, and tell the target that it did."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
