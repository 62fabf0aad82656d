"""`make screenshots`: the pictures of docs/images/, taken of the real console on a local stack of its own."""

from __future__ import annotations

import dataclasses
import io
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local import chromium
from local.errors import LocalStackError
from local.settings import ROOT, Settings
from local.stack import Stack, local_stack

TARGET = ROOT / "docs" / "images"
PICTURES = [ROOT / "examples" / "character1.png", ROOT / "examples" / "character2.jpg"]
PATIENCE_MS = 120_000

VIDEOS = (
    ("character1 naps on a warm roof while the city wakes up", "16:9", 8),
    ("character2 reads character1 a story by the fire, snow outside", "4:3", 5),
    ("character1 and character2 race paper boats down the gutter after the rain", "16:9", 5),
    ("character2 learns to ride a bicycle, character1 cheers", "1:1", 3),
)
FAILING = "character1 juggles lanterns at midnight"
NEXT = "character1 and character2 row a small boat across a quiet lake, the sun goes down behind them and they laugh"


def main(_arguments: list[str]) -> int:
    if chromium.find() is None:
        raise LocalStackError("there is no Chromium on this machine (Debian: apt-get install chromium)")
    TARGET.mkdir(parents=True, exist_ok=True)
    settings = dataclasses.replace(Settings.from_environment(), render_seconds=4.0)
    with local_stack(settings) as stack, sync_playwright() as playwright:
        browser = chromium.start(playwright)
        expect.set_options(timeout=PATIENCE_MS)
        strike(stack, FAILING, "001028095")
        strike(stack, NEXT, "http-503")  # its polls fail, so it stays in the making
        with tab(browser, stack, 1440, 1000) as page:
            fill_gallery(page)
            shoot_form(page)
            shoot_gallery(page)
        with tab(browser, stack, 1440, 1000, scheme="dark") as page:
            compose(page, NEXT, "9:16", 4)
            settle(page)
            save(page, "console-dark")
        shoot_phone(browser, stack)
        browser.close()
    return 0


@contextmanager
def tab(
    browser: Browser, stack: Stack, width: int, height: int, *, scheme: str = "light", scale: float = 1
) -> Iterator[Page]:
    """A signed-in tab of this size."""
    with browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=scale,
    ) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(stack.endpoints.console_url)
        page.get_by_label("API key").fill(stack.endpoints.api_key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#cards")).to_have_attribute("aria-busy", "false")
        yield page


def strike(stack: Stack, prompt: str, fault: str) -> None:
    """Let the mock answer every poll of this prompt's tasks with a fault."""
    scenario = {"match": {"stage": "poll", "prompt": prompt}, "action": fault, "times": None}
    request = urllib.request.Request(  # noqa: S310 - the mock on loopback
        f"{stack.endpoints.wan_url}/_mock/scenarios",
        json.dumps(scenario).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()


def compose(page: Page, prompt: str, shape: str, seconds: int) -> None:
    if page.locator(".tile").count() == 0:
        page.locator("#files").set_input_files(PICTURES)
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    page.locator("#tiers").get_by_text("720P").click()
    page.locator("#shapes").get_by_text(shape, exact=True).click()
    page.get_by_role("slider", name="Duration").fill(str(seconds))
    expect(page.locator("#price")).to_have_text(f"${seconds * 0.1:.2f}")
    expect(page.locator("#submit")).to_have_text("Make video")


def send(page: Page, prompt: str) -> None:
    page.get_by_role("button", name="Make video").click()
    expect(page.get_by_role("article", name=prompt)).to_be_visible()


def fill_gallery(page: Page) -> None:
    for prompt, shape, seconds in (*VIDEOS[:1], (FAILING, "16:9", 5), *VIDEOS[1:]):
        compose(page, prompt, shape, seconds)
        send(page, prompt)
    expect(page.locator(".card.is-completed")).to_have_count(len(VIDEOS))
    expect(page.locator(".card.is-failed")).to_have_count(1)


def shoot_form(page: Page) -> None:
    compose(page, NEXT, "16:9", 6)
    settle(page)
    save(page, "console-compose")


def shoot_gallery(page: Page) -> None:
    send(page, NEXT)
    expect(page.get_by_role("article", name=NEXT).locator(".badge")).to_have_text("In the making")
    expect(page.get_by_role("article", name=NEXT).locator(".part")).not_to_have_text("0 %")
    settle(page)
    gallery = page.locator("#gallery").bounding_box() or {"x": 0}
    clip = {"x": gallery["x"] - 24, "y": 56, "width": 1440 - gallery["x"] + 24, "height": 944}
    save(page, "console-gallery", clip)


def shoot_phone(browser: Browser, stack: Stack) -> None:
    """Form and gallery side by side, as a phone shows them one after the other."""
    shots = []
    with tab(browser, stack, 390, 780, scheme="dark", scale=1.5) as page:
        compose(page, NEXT, "9:16", 4)
        settle(page)
        shots.append(Image.open(io.BytesIO(page.screenshot())))
        page.get_by_role("button", name="Videos").click()
        settle(page)
        shots.append(Image.open(io.BytesIO(page.screenshot())))
    gap = 36
    both = Image.new("RGBA", (sum(shot.width for shot in shots) + gap, shots[0].height), (0, 0, 0, 0))
    for index, shot in enumerate(shots):
        both.paste(shot, (index * (shot.width + gap), 0))
    write(both, "console-phone")


def settle(page: Page) -> None:
    """Wait until videos show their pictures, say nothing in passing and show no focus."""
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(
        """() => Promise.all([...document.querySelectorAll(".card video")].map((video) =>
            video.readyState >= 2 || new Promise((done) => { video.onloadeddata = done; })))"""
    )
    page.evaluate("document.getElementById('announcement').classList.remove('is-shown')")
    page.wait_for_timeout(1200)


def save(page: Page, name: str, clip: dict[str, float] | None = None) -> None:
    content = page.screenshot(clip=clip) if clip else page.screenshot()  # type: ignore[arg-type]
    write(Image.open(io.BytesIO(content)), name)


def write(picture: Image.Image, name: str) -> None:
    path = Path(TARGET / f"{name}.webp")
    picture.save(path, quality=82, method=6)
    print(f"  {path.relative_to(ROOT)}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")
