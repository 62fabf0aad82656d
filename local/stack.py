"""The whole local stack as one `with` block."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local import surroundings
from local.build import build
from local.deploy import Endpoints, deploy, endpoints
from local.errors import LocalStackError
from local.ports import require_free
from local.processes import Children
from local.settings import AWS_PORT_VARIABLE, ENGINE_PYTHON, HOST, MOCK_PORT_VARIABLE, ROOT, Settings

START_SECONDS = 60.0


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    settings: Settings
    template: Path
    """The built template."""
    outputs: Mapping[str, str]
    endpoints: Endpoints
    children: Children

    def check_alive(self) -> None:
        """Raise if the engine or the mock has ended by itself."""
        self.children.check_alive()


@contextlib.contextmanager
def local_stack(settings: Settings) -> Iterator[Stack]:
    """Start the engine and the mock, deploy the template, and end all of it afterwards, however that comes about."""
    mocked = settings.provider.is_mock
    require_free(settings.aws_port, AWS_PORT_VARIABLE, "for the local AWS engine")
    if mocked:
        require_free(settings.mock_port, MOCK_PORT_VARIABLE, "for the mock Wan API")
    with Children() as children:
        with step("starting the local AWS engine" + (" and the mock Wan API" if mocked else "")):
            start_engine(children, settings)
            if mocked:
                start_mock(children, settings)
                wait_until_up(children, f"{settings.provider.base_url}/_mock/ledger")
            wait_until_up(children, f"{settings.aws_endpoint}/_ministack/health")
        with step("building template.yaml"):
            template = build(children, settings)
        with step("deploying it"):
            outputs = deploy(children, settings, template)
        yield Stack(settings, template, outputs, endpoints(settings, outputs), children)


def start_engine(children: Children, settings: Settings) -> None:
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    for old in settings.log_dir.glob("*.log"):
        old.unlink()
    temporary = Path(tempfile.mkdtemp(prefix="wanflow-"))
    children.delete_at_end(temporary)
    children.start(
        "engine",
        [ENGINE_PYTHON, "-m", "local.engine"],
        {**surroundings.for_engine(settings, temporary), "PYTHONPATH": str(ROOT)},
        settings.log_dir / "engine.log",
    )


def start_mock(children: Children, settings: Settings) -> None:
    command = [sys.executable, "-m", "mock_server", "--host", HOST, "--port", str(settings.mock_port)]
    command += ["--render-seconds", str(settings.render_seconds), "--api-key", settings.provider.api_key]
    children.start("mock", command, {**surroundings.clean(), "PYTHONPATH": str(ROOT)}, settings.log_dir / "mock.log")


def wait_until_up(children: Children, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        children.check_alive()
        if answers(url):
            return
        time.sleep(0.1)
    raise LocalStackError(f"nobody answered at {url} within {START_SECONDS:.0f} s")


def answers(url: str) -> bool:
    """Any HTTP answer will do: somebody listens there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done and how long it took."""
    start = time.monotonic()
    print(f"  {what} ... ", end="", file=sys.stderr, flush=True)
    try:
        yield
    except BaseException:
        print("stopped", file=sys.stderr, flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
