"""The API behind its gateway, in this process."""

import pytest

from tests.gateway import Gateway
from tests.stack import Stack


@pytest.fixture
def gateway(stack: Stack) -> Gateway:
    return Gateway(stack)
