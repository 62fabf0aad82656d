"""`python -m mock_server`, or `wan-mock`: the options, and a server that ends quietly."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from .http_server import HttpServer
from .settings import DISTRIBUTIONS, FETCH_CHOICES, Settings
from .simulator import Simulator

GARBAGE_THRESHOLDS = (5_000, 1_000, 100)
"""Tasks live long and form no cycles. So what is new is looked through while the processor's cache still holds it, and
what has survived that hardly ever: the usual thresholds would cost a sixth of the speed."""

_ABOUT = """\
A mock of the Wan 2.6 Reference-to-Video API. It validates, renders, fails,
limits and bills like the provider, and never costs a cent."""

_EXAMPLES = """\
Faults are asked for inside a prompt, or with POST /_mock/scenarios:
  [[mock:001028095]]           this task fails with that code
  [[mock:submit:lost-answer]]  the task is created, the answer never comes
  [[mock:poll:http-503*3]]     the first three polls get a 503

The status page is at /_mock/, everything else is in mock_server/README.md."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until SIGINT or SIGTERM. 0 = ended as asked, 1 = could not listen, 2 = wrong options."""
    options, settings = parse(arguments)
    try:
        asyncio.run(_serve(options.host, options.port, settings))
    except OSError as error:
        sys.stderr.write(f"wan-mock: cannot listen on {options.host}:{options.port}: {error.strerror or error}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def console() -> None:
    """The console script `wan-mock`."""
    sys.exit(main())


async def _serve(host: str, port: int, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    server = HttpServer(Simulator(settings))
    bound = await server.start(host, port)
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"Mock Wan server on http://{shown}:{bound} (status page: http://{shown}:{bound}/_mock/)\n")
    sys.stdout.flush()
    await ended.wait()
    await server.stop()


def parse(arguments: Sequence[str] | None = None) -> tuple[argparse.Namespace, Settings]:
    """The options (of which `host` and `port` are the server's) and the settings they make."""
    options = _parser().parse_args(arguments)
    return options, Settings(
        api_keys=tuple(options.api_key or ["test-key"]),
        submit_path=options.submit_path,
        status_path=options.status_path,
        public_url=options.public_url.rstrip("/"),
        render_seconds=options.render_seconds,
        render_distribution=options.render_distribution,
        render_sigma=options.render_sigma,
        render_by_size=options.render_by_size,
        workers=options.workers,
        reads=options.reads,
        speed=options.speed,
        seed=options.seed,
        fetch_references=options.fetch_references,
        submits_per_second=options.submits_per_second,
        max_running=options.max_running,
        queries_per_second=options.queries_per_second,
        prices={"720P": options.price_720p, "1080P": options.price_1080p},
        admin=not options.no_admin,
        admin_token=options.admin_token,
        journal_size=options.journal_size,
        max_body_bytes=options.max_body_mb * 1_000_000,
    )


def _parser() -> argparse.ArgumentParser:
    usual = Settings()
    parser = argparse.ArgumentParser(
        prog="wan-mock",
        usage="wan-mock [options]",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    way_in = parser.add_argument_group("where it listens, and who may call")
    way_in.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    way_in.add_argument("--port", type=_port, default=8787, help="port, 0 = any free one (8787)")
    way_in.add_argument("--api-key", action="append", metavar="KEY", help="a valid key; may be repeated (test-key)")
    way_in.add_argument(
        "--submit-path", type=_path, default=usual.submit_path, metavar="PATH", help="where submits go (/v1/videos)"
    )
    way_in.add_argument(
        "--status-path",
        type=_status_path,
        default=usual.status_path,
        metavar="PATH",
        help="where polls go (/v1/videos/{id})",
    )
    way_in.add_argument(
        "--public-url", default="", metavar="URL", help="what video links start with (as the client reached the server)"
    )
    way_in.add_argument("--max-body-mb", type=_positive, default=150, metavar="N", help="bigger bodies get 413 (150)")

    pace = parser.add_argument_group("time (virtual seconds)")
    pace.add_argument(
        "--render-seconds",
        type=_seconds,
        default=usual.render_seconds,
        metavar="S",
        help="from submit to the end of a task (3)",
    )
    pace.add_argument(
        "--render-distribution", choices=DISTRIBUTIONS, default="fixed", help="how these seconds spread (fixed)"
    )
    pace.add_argument("--render-sigma", type=_seconds, default=0.5, metavar="X", help="spread of lognormal (0.5)")
    pace.add_argument(
        "--render-by-size", action="store_true", help="in proportion to pixels and duration: S for 5 s of 720P"
    )
    pace.add_argument("--workers", type=_count, default=0, metavar="N", help="tasks rendered at once, 0 = any (0)")
    pace.add_argument("--reads", type=_count, default=0, metavar="N", help="end at the n-th poll instead, 0 = off (0)")
    pace.add_argument(
        "--speed", type=_seconds, default=1.0, metavar="X", help="virtual seconds per second, 0 = manual clock (1)"
    )
    pace.add_argument("--seed", type=int, metavar="N", help="same seed and requests = same ids and times")

    limits = parser.add_argument_group("limits for each key, 0 = off (upstream has 5, 5 and 20)")
    limits.add_argument("--submits-per-second", type=_count, default=0, metavar="N", help="more get a 429 (0)")
    limits.add_argument("--max-running", type=_count, default=0, metavar="N", help="tasks that have not ended yet (0)")
    limits.add_argument("--queries-per-second", type=_count, default=0, metavar="N", help="polls; more get a 429 (0)")

    media = parser.add_argument_group("media and money")
    media.add_argument(
        "--fetch-references", choices=FETCH_CHOICES, default="loopback", help="which URLs are looked into (loopback)"
    )
    media.add_argument("--price-720p", type=_money, default=usual.prices["720P"], metavar="USD", help="a second (0.10)")
    media.add_argument(
        "--price-1080p", type=_money, default=usual.prices["1080P"], metavar="USD", help="a second (0.15)"
    )

    admin = parser.add_argument_group("the routes under /_mock/")
    admin.add_argument("--admin-token", default="", metavar="TOKEN", help="asked for as bearer token or password")
    admin.add_argument("--no-admin", action="store_true", help="switch them off, but for /_mock/health")
    admin.add_argument(
        "--journal-size",
        type=_positive,
        default=usual.journal_size,
        metavar="N",
        help="requests kept in the journal (20000)",
    )
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError("must be 0 - 65535")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _money(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError("must be a decimal number") from error
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError("must start with /")
    return text


def _status_path(text: str) -> str:
    if text.count("{id}") != 1:
        raise argparse.ArgumentTypeError("must contain {id} once")
    return _path(text)
