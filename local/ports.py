"""Ports of this machine."""

from __future__ import annotations

import random
import socket

from local.errors import LocalStackError
from local.settings import HOST

# Below what systems take for outgoing connections (Linux from 32768, macOS from 49152): a port from there may be gone
# before a server has bound it.
FIRST, LAST = 15000, 32000


def require_free(port: int, variable: str, purpose: str) -> None:
    """Fail before anything is started, naming the way out."""
    try:
        bind(port)
    except OSError as error:
        raise LocalStackError(
            f"port {port} ({purpose}) is not free: {error.strerror}. "
            f"End the process that listens there or set {variable} to another port."
        ) from error


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses right now, all different."""
    found: list[int] = []
    for port in random.sample(range(FIRST, LAST), LAST - FIRST):
        if len(found) == count:
            return found
        try:
            bind(port)
        except OSError:
            continue
        found.append(port)
    raise LocalStackError(f"no {count} ports are free between {FIRST} and {LAST}")


def bind(port: int) -> None:
    """Raise OSError unless a server could listen there."""
    with socket.socket() as probe:
        # As servers do, so that connections still closing down do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
