"""One local stack for all end-to-end tests: the real template, built and deployed, on ports that are free."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from local import chromium
from local.ports import free_ports
from local.processes import exit_with_parent
from local.settings import Settings, mock_provider
from local.stack import local_stack
from tests.conftest import NO_CHROMIUM
from tests.e2e.console import ConsolePage
from tests.e2e.fates import FATES
from tests.e2e.wanflow import Wanflow, marker

FATES_FILE = "test_fates.py"
LOGS_FILE = "test_logs.py"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here, and let the jobs that run into their deadline do so while the other tests run.

    Nearly all of it shares one stack, so with several processes (`make test`) that belongs to one of them; what starts
    a stack of its own, or needs none, may run beside it.
    """
    for item in items:
        if "/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(600))
            if "wanflow" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group("stack"))
    items.sort(key=lambda item: ("/e2e/" in item.nodeid, FATES_FILE in item.nodeid, LOGS_FILE in item.nodeid))


@pytest.fixture(scope="session")
def wanflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wanflow]:
    exit_with_parent()
    aws_port, mock_port = free_ports(2)
    settings = Settings(
        aws_port=aws_port,
        mock_port=mock_port,
        provider=mock_provider(mock_port),
        state_dir=tmp_path_factory.mktemp("stack"),
        render_seconds=1.0,
        wait_scale=0.2,
        # Submits that fail on purpose, one after the other, are no outage.
        parameters={"JobDeadlineSeconds": "90", "PauseAfterFailures": "0"},
    )
    with local_stack(settings) as stack:
        yield Wanflow(stack)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a file of tests: while it runs, no other event loop may run beside it."""
    if chromium.find() is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        started = chromium.start(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def windows(browser: Browser) -> dict[str, BrowserContext]:
    """Browser windows by their options: tabs of one share the cache of the console's files, but no session."""
    return {}


@pytest.fixture
def console(
    request: pytest.FixtureRequest, browser: Browser, windows: dict[str, BrowserContext], wanflow: Wanflow
) -> Iterator[ConsolePage]:
    """The console in a tab of its own; `@pytest.mark.tab(...)` sets the options of its window.

    Whatever a test does: no error in the browser's console, no breach of the Content-Security-Policy (which is one),
    no request to another host, no refused call that the test has not asked for.
    """
    marked = request.node.get_closest_marker("tab")
    options = {"viewport": {"width": 1280, "height": 900}, **(marked.kwargs if marked else {})}
    if (window := windows.get(str(options))) is None:
        window = windows[str(options)] = browser.new_context(**options)
    page = ConsolePage(window, wanflow)
    yield page
    window.set_offline(False)
    page.page.close()
    assert (page.complaints, page.foreign, page.refusals) == ([], [], [])


@dataclass(frozen=True)
class StartedJob:
    job_id: str
    marker: str


@pytest.fixture(scope="session")
def started_fates(wanflow: Wanflow) -> dict[str, StartedJob]:
    """One job for each line of the table, all started before the first is waited for."""
    jobs: dict[str, StartedJob] = {}
    for fate in FATES:
        scene = marker()
        jobs[fate.directive] = StartedJob(wanflow.create(f"character1 walks in, {scene} {fate.directive}"), scene)
    return jobs


@pytest.fixture(scope="session", autouse=True)
def _early_start(request: pytest.FixtureRequest) -> None:
    if any(FATES_FILE in item.nodeid for item in request.session.items):
        request.getfixturevalue("started_fates")
