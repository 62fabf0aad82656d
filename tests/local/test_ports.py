"""A taken port is told before anything is started."""

import re
import socket

import pytest

from local.errors import LocalStackError
from local.ports import free_ports, require_free


def test_a_free_port_is_fine() -> None:
    (port,) = free_ports(1)

    require_free(port, "WANFLOW_AWS_PORT", "for the local AWS engine")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_a_taken_port_is_named_with_the_variable_that_moves_it(address: str) -> None:
    with socket.socket() as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(LocalStackError, match=re.escape(f"port {port} (for the mock)") + ".*set WANFLOW_MOCK_PORT"):
            require_free(port, "WANFLOW_MOCK_PORT", "for the mock")


def test_free_ports_are_all_different() -> None:
    assert len(set(free_ports(20))) == 20
