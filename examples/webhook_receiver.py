"""A receiver of Wanflow's webhooks: verifies each, answers quickly, does each event once.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py 9000

then send a job with `"callback_url": "http://127.0.0.1:9000/"` to the local stack (a deployed one wants https).
docs/events.md tells where the secret is. Any Standard Webhooks library in any language does the same.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

MAX_BODY_BYTES = 1024 * 1024


class Receiver:
    """Takes webhooks in. `seen` would be a table with a unique key in a real service."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self.seen: set[str] = set()

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Deal with one POST; the HTTP status to answer with."""
        try:
            # The bytes as they came: JSON parsed and written anew has another signature.
            event: dict[str, Any] = self._webhook.verify(body, dict(headers))
        except (WebhookVerificationError, ValueError):
            # Not ours, or five minutes old: someone else's, or a replay of what they overheard.
            print("refused: not signed with this secret, or not just now", file=sys.stderr, flush=True)
            return 401
        event_id = {name.lower(): value for name, value in headers.items()}["webhook-id"]
        if event_id not in self.seen:
            self.handle(event)
            # Noted after the work: if that breaks, we answer 500 and the event comes again.
            self.seen.add(event_id)
        return 204

    def handle(self, event: dict[str, Any]) -> None:
        """Your work. Above a few seconds of it, put the event into a queue of yours and answer first."""
        job = event["data"]
        if event["type"] == "video.completed":
            print(f"{job['id']} is ready: {job['output'][0]['content'][0]['url']}", flush=True)
        else:
            print(f"{job['id']} {job['status']}: {job['error']['message']}", flush=True)


def serve(receiver: Receiver, port: int) -> ThreadingHTTPServer:
    """A server on loopback, still to be started."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            status = 413 if length > MAX_BODY_BYTES else receiver.receive(dict(self.headers), self.rfile.read(length))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Quiet: what is received is printed by the receiver."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    secret = os.environ.get("WEBHOOK_SECRET")
    if not secret:
        sys.exit("error: put the stack's secret into WEBHOOK_SECRET; `make up` prints that of the local stack")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    with serve(Receiver(secret), port) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"Waiting for webhooks at http://127.0.0.1:{port}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
