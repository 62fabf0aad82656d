"""How far a job is, for a person: a bar where tqdm is installed, else a line for each step."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wanflow_client.documents import Job


@contextmanager
def shown_progress() -> Iterator[Callable[[Job], None]]:
    """A callback for `wait` that shows each document on stderr."""
    try:
        from tqdm import tqdm  # noqa: PLC0415 - an extra
    except ImportError:
        yield _Lines()
        return
    form = "  {desc:<12}|{bar:40}| {n:3.0f} %  {elapsed}{postfix}"
    with tqdm(total=100, file=sys.stderr, bar_format=form) as bar:

        def show(job: Job) -> None:
            bar.set_description_str(job["status"], refresh=False)
            bar.set_postfix_str(_reason(job), refresh=False)
            bar.n = max(bar.n, job["progress"])
            bar.refresh()

        yield show


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def __call__(self, job: Job) -> None:
        line = ", ".join(filter(None, [f"  {job['status']}, {job['progress']} %", _reason(job)]))
        if line != self._last:
            print(line, file=sys.stderr, flush=True)
        self._last = line


def _reason(job: Job) -> str:
    """Why nothing moves, if the API says so."""
    return job["waiting"]["message"] if "waiting" in job else ""
