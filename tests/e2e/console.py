"""The console in a real browser: what a person does with it, and what must never happen meanwhile."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    Route,
    expect,
)

from tests.e2e.wanflow import Wanflow

PATIENCE_MS = 60_000
"""Generous: on a busy machine a job may wait long for one of the few function processes."""


_FILES: dict[str, dict[str, Any]] = {}
"""The console's files as the stack served them: address -> answer. Routes turn the browser's own cache off."""


def _serve_from_memory(route: Route) -> None:
    url = route.request.url
    if url not in _FILES:
        served = route.fetch()
        headers = {name: value for name, value in served.headers.items() if not name.startswith("content-")}
        headers["content-type"] = served.headers["content-type"]
        _FILES[url] = {"status": served.status, "headers": headers, "body": served.body()}
    route.fulfill(**_FILES[url])


class ConsolePage:
    """The console in a tab of its own; whatever the browser complains about is kept in `complaints`."""

    def __init__(self, context: BrowserContext, wanflow: Wanflow) -> None:
        self.wanflow = wanflow
        self.url = wanflow.stack.endpoints.console_url
        self.key = wanflow.stack.endpoints.api_key
        self._keeps_files = False
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.refusals: list[str] = []
        """Calls that were answered with a status of 400 and more; a test that wants some empties the list."""
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        # What failed to load is told by its status above, or by `requestfailed` where a test takes the network away.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        own = urlsplit(self.url).netloc
        if urlsplit(request.url).scheme in {"http", "https"} and urlsplit(request.url).netloc != own:
            self.foreign.append(request.url)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.refusals.append(f"{response.status} {response.url}")

    # --- What a person does --------------------------------------------------------------------------------------

    def open(self) -> None:
        self.page.goto(self.url)
        expect(self.page.locator("#starting")).to_be_hidden()

    def sign_in(self, key: str | None = None) -> None:
        self.open()
        self.page.get_by_label("API key").fill(self.key if key is None else key)
        self.page.get_by_role("button", name="Sign in").click()

    def enter(self) -> None:
        """Sign in and wait until the list is there."""
        self.sign_in()
        expect(self.page.get_by_role("heading", name="New video")).to_be_focused()
        expect(self.page.locator("#cards")).to_have_attribute("aria-busy", "false")

    def add_url(self, url: str = "https://example.com/cat.png") -> None:
        if self.page.locator("#url-row").is_hidden():
            self.page.get_by_role("button", name="Add by URL").click()
        self.page.get_by_label("URL of a picture or clip").fill(url)
        self.page.get_by_role("button", name="Add", exact=True).click()

    def compose(self, prompt: str = "character1 waves", seconds: int = 2) -> None:
        """A request that is valid and cheap."""
        self.add_url()
        self.prompt.fill(prompt)
        self.page.locator("#tiers").get_by_text("720P").click()
        self.page.get_by_role("slider", name="Duration").fill(str(seconds))
        expect(self.page.locator("#price")).to_have_text(f"${seconds * 0.1:.2f}")

    @property
    def prompt(self) -> Locator:
        return self.page.get_by_role("textbox", name="Prompt")

    def submit(self) -> None:
        self.page.get_by_role("button", name="Make video").click()

    def card(self, prompt: str) -> Locator:
        return self.page.get_by_role("article", name=prompt)

    # --- What is to be seen --------------------------------------------------------------------------------------

    def is_wider_than_the_screen(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    def barriers(self) -> list[str]:
        """What keeps some people out, as axe sees it: rule and place."""
        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]

    def _keep_files(self) -> None:
        if not self._keeps_files:
            self.page.route(re.compile("/v1/console/"), _serve_from_memory)
        self._keeps_files = True

    def hold(self, pattern: re.Pattern[str], held: list[Route]) -> None:
        """Let calls wait until the test answers them."""

        def keep(route: Route) -> None:
            held.append(route)

        self._keep_files()
        self.page.route(pattern, keep)

    @contextmanager
    def answered(self, path: str, *answers: dict[str, Any] | None, method: str = "GET") -> Iterator[list[Request]]:
        """Give the next calls of this path these answers instead; None: the real one. Yields the calls made."""
        calls: list[Request] = []
        left = list(answers)

        def answer(route: Route) -> None:
            if route.request.method != method:
                route.fallback()
                return
            calls.append(route.request)
            told = left.pop(0) if left else None
            if told is None:
                route.fallback()
            else:
                route.fulfill(**told)

        pattern = re.compile(rf"/v1/{path}(\?|$)")
        self._keep_files()
        self.page.route(pattern, answer)
        yield calls
        self.page.unroute(pattern, answer)


def refusal(status: int, code: str, message: str = "no", **headers: str) -> dict[str, Any]:
    """An answer of the API that is an error."""
    body = {"error": {"code": code, "message": message, "violations": []}}
    return {"status": status, "json": body, "headers": headers}
