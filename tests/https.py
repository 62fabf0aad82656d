"""A https server on loopback, with a certificate that nobody trusts who was not told to."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import trustme

HOST = "loopback.example.com"
CA_FILE = "ca.pem"


@contextlib.contextmanager
def https_server(
    answer: Callable[[BaseHTTPRequestHandler], None], folder: Path, *names: str, port: int = 0
) -> Iterator[int]:
    """Lets `answer` deal with each POST; gives the port.

    Args:
        folder: where its authority's certificate goes, as CA_FILE.
        names: whom the certificate is for, HOST if nobody is named.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / CA_FILE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or (HOST,))).configure_cert(context)
    with HTTPServer(("127.0.0.1", port), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
