"""Ports of this machine."""

from __future__ import annotations

import socket

from local.errors import LocalStackError
from local.settings import HOST


def require_free(port: int, variable: str, purpose: str) -> None:
    """Fail before anything is started, naming the way out."""
    with socket.socket() as probe:
        # As servers do, so that connections still closing down do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalStackError(
                f"port {port} ({purpose}) is not free: {error.strerror}. "
                f"End the process that listens there or set {variable} to another port."
            ) from error


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses right now, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
