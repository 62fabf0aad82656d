"""`make mock`: the mock Wan API alone."""

from __future__ import annotations

import os
import runpy
import sys

from local.ports import require_free
from local.settings import HOST, MOCK_API_KEY, MOCK_PORT_VARIABLE, port


def main(arguments: list[str]) -> int:
    chosen = port(os.environ, MOCK_PORT_VARIABLE, 8787)
    require_free(chosen, MOCK_PORT_VARIABLE, "for the mock Wan API")
    sys.argv = ["mock_server", "--host", HOST, "--port", str(chosen), "--api-key", MOCK_API_KEY, *arguments]
    runpy.run_module("mock_server", run_name="__main__", alter_sys=True)
    return 0
