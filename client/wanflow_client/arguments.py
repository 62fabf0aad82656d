"""The command line of `wanflow`."""

import argparse
from collections.abc import Sequence
from typing import get_args

from wanflow_client.documents import Status

EPILOG = """\
exit codes:
  0    done; with a wait: the video is there
  1    the job ended without a video: failed or canceled
  2    the command line is wrong, or no stack or key is known
  3    the API refused: rules, budget, key, no such job, throttle
  4    the API did not answer; for `submit` the message says how to go on without making a second job
  5    --timeout is over (or a download came too early) and the job still runs
  6    a file could not be read, written, uploaded or downloaded
  130  stopped with Ctrl-C; the job goes on
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    return _parser().parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wanflow",
        description="Makes videos on a Wanflow stack.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    calls = parser.add_subparsers(dest="call", required=True, metavar="CALL")
    _add_submit(calls)
    _add_job_calls(calls)
    _add_request(
        _add(calls, "estimate", "say what a video would cost and what is wrong with the request; pays nothing")
    )
    listing = _add(calls, "list", "list this key's jobs, newest first")
    listing.add_argument("--status", choices=get_args(Status), help="only jobs of this status")
    listing.add_argument("--limit", type=_positive, default=20, help="how many at most (default: %(default)s)")
    upload = _add(calls, "upload", "put files into the stack's bucket and print their s3:// names")
    upload.add_argument("path", nargs="+", help="pictures, videos or sounds")
    return parser


def _add(calls: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, what: str) -> argparse.ArgumentParser:
    call = calls.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False)
    call.add_argument(
        "--api-url", metavar="URL", help="the stack's API (else WANFLOW_API_URL, else .local/endpoints.json)"
    )
    call.add_argument("--api-key", metavar="KEY", help="its key (else WANFLOW_API_KEY, which no process list shows)")
    call.add_argument(
        "--json", action="store_true", help="one JSON object a line on stdout; words for people on stderr"
    )
    return call


def _add_submit(calls: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    submit = _add(calls, "submit", "make a video; prints the job's id")
    _add_request(submit)
    submit.add_argument("--idempotency-key", metavar="KEY", help="the same key always gives the same job")
    submit.add_argument("--wait", action="store_true", help="wait for the video")
    _add_wait(submit, "with --output: wait and save the video there")


def _add_request(call: argparse.ArgumentParser) -> None:
    call.add_argument("--prompt", help="what happens; character1 is the first reference, and so on")
    call.add_argument("--reference", action="append", metavar="FILE|URL", help="a picture or video; up to five times")
    call.add_argument("--audio", metavar="FILE|URL", help="the sound (wav or mp3)")
    call.add_argument("--size", metavar="W*H", help="width*height, such as 1280*720")
    call.add_argument("--duration", type=int, metavar="SECONDS", help="2 to 15")
    call.add_argument("--seed", type=int)
    call.add_argument("--shot-type", choices=["single", "multi"])
    for name, what in (
        ("prompt-extend", "let the provider write the prompt out"),
        ("watermark", 'put "AI Generated" into the lower right'),
        ("with-audio", "make the video with sound"),
    ):
        call.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=what)
    call.add_argument("--metadata", action="append", metavar="NAME=VALUE", type=_pair, help="kept with the job")
    call.add_argument("--callback-url", metavar="URL", help="gets a signed POST when the job has ended")
    call.add_argument("--request", metavar="FILE", help="the whole request as JSON instead of the options; - = stdin")


def _add_job_calls(calls: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    _add(calls, "get", "show a job").add_argument("id")
    wait = _add(calls, "wait", "wait until a job has ended")
    wait.add_argument("id")
    _add_wait(wait, "save the video there")
    download = _add(calls, "download", "save a completed job's video")
    download.add_argument("id")
    download.add_argument("output", metavar="PATH")
    download.add_argument("--number", type=_positive, default=1, help="which one, for a job with several")
    _add(calls, "cancel", "cancel a job").add_argument("id")
    _add(calls, "purge", "delete an ended job for good, its videos included").add_argument("id")


def _add_wait(call: argparse.ArgumentParser, output: str) -> None:
    call.add_argument("--output", metavar="PATH", help=output)
    call.add_argument("--timeout", type=float, metavar="SECONDS", help="stop waiting after so long; the job goes on")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 at least")
    return number


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value
