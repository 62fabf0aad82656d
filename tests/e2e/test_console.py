"""The console: a person signs in, makes a video, watches it come, plays it, and does all the rest."""

import base64
import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.console import ConsolePage
from tests.e2e.wanflow import Wanflow, jpeg, marker
from tests.fakes import wav

BUDGET_BYTES = 60 * 1024
PLAYING = """video => new Promise(done => {
    video.muted = true;
    video.ontimeupdate = () => video.currentTime > 0.2 && done(video.currentTime);
    video.play();
})"""


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "fox.jpg", tmp_path / "robot.jpg"]
    for file, colour in zip(files, ("orange", "teal"), strict=True):
        file.write_bytes(jpeg(colour))
    return files


@pytest.fixture(scope="module")
def three_videos(wanflow: Wanflow) -> list[str]:
    """Prompts of jobs that have completed."""
    prompts = [f"character1 counts {number} {marker()}" for number in range(3)]
    for job_id in [wanflow.create(prompt) for prompt in prompts]:
        assert wanflow.wait(job_id)["status"] == "completed"
    return prompts


@pytest.mark.tab(device_scale_factor=1)  # a window of its own: nothing is in its cache
def test_the_first_paint_takes_at_most_60_kb_from_this_host_alone(console: ConsolePage) -> None:
    network = console.page.context.new_cdp_session(console.page)
    network.send("Network.enable")
    transferred: list[float] = []
    network.on("Network.loadingFinished", lambda told: transferred.append(told["encodedDataLength"]))

    console.open()
    console.page.wait_for_load_state("networkidle")

    assert len(transferred) > 20, "the page, its styles and its modules"
    assert sum(transferred) <= BUDGET_BYTES, transferred


def test_the_address_may_be_typed_without_its_last_slash(console: ConsolePage) -> None:
    console.page.goto(console.url.rstrip("/"))

    expect(console.page.get_by_label("API key")).to_be_focused()
    assert console.page.url == console.url
    # What the browser may have begun to load in vain from the address without the slash.
    console.refusals = [told for told in console.refusals if "/v1/" in told]


def test_the_page_has_the_headers_that_keep_others_out(console: ConsolePage) -> None:
    answer = console.page.goto(console.url)
    assert answer is not None
    headers = answer.headers
    assert headers["content-encoding"] == "gzip"
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_one_video_from_two_pictures_to_the_last_click(console: ConsolePage, pictures: list[Path]) -> None:
    page, scene = console.page, marker()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.enter()

    # Two pictures, named by their order and clicked into the prompt.
    page.locator("#files").set_input_files(pictures)
    expect(page.get_by_role("button", name="Make video")).to_have_attribute("aria-disabled", "false")
    expect(page.locator(".tile img")).to_have_count(2)
    page.get_by_role("button", name="Write character1 into the prompt (fox.jpg)").click()
    page.keyboard.type("meets ")
    page.get_by_role("button", name="Write character2 into the prompt (robot.jpg)").click()
    page.keyboard.type(f"at {scene}")
    prompt = f"character1 meets character2 at {scene}"
    expect(console.prompt).to_have_value(prompt)

    # The price follows size and duration.
    expect(page.locator("#price")).to_have_text("$0.75")
    page.locator("#tiers").get_by_text("720P").click()
    expect(page.locator("#price")).to_have_text("$0.50")
    page.locator("#shapes").get_by_text("4:3").click()
    page.get_by_role("slider", name="Duration").fill("3")
    expect(page.locator("#price")).to_have_text("$0.30")
    expect(page.locator("#price-words")).to_have_text("3 s of 720P")

    # Sent, watched, there.
    console.submit()
    card = console.card(prompt)
    expect(card.get_by_role("heading")).to_be_focused()
    expect(card.locator(".badge")).to_have_text(re.compile("Waiting|sent|making"))
    expect(card.locator(".badge")).to_have_text("Completed")
    expect(card).to_contain_text("1088 × 832 · 3 s · $0.30 billed")
    expect(page.locator("#announcement")).to_contain_text("Your video is ready")

    # It plays.
    video = card.locator("video")
    video.scroll_into_view_if_needed()
    assert video.evaluate(PLAYING) > 0.2
    facts = video.evaluate("video => [video.videoWidth, video.videoHeight, video.duration]")
    assert facts == [1088, 832, pytest.approx(3, abs=0.1)]

    # It can be taken home, told to a shell, made again with changes, and deleted.
    with page.expect_download() as download:
        card.get_by_role("button", name="Download").click()
    assert download.value.path().read_bytes()[4:8] == b"ftyp"
    assert download.value.suggested_filename.endswith(".mp4")
    card.get_by_role("button", name="Copy as curl").click()
    expect(page.locator("#announcement")).to_contain_text("Copied")
    _run_as_command(console, page.evaluate("navigator.clipboard.readText()"), scene)
    console.prompt.fill("")
    card.get_by_role("button", name="Again with changes").click()
    expect(console.prompt).to_be_focused()
    expect(console.prompt).to_have_value(prompt)
    expect(page.locator(".tile img")).to_have_count(2)
    card.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(card).to_have_count(0)
    expect(page.locator("#announcement")).to_have_text("Deleted")


def _run_as_command(console: ConsolePage, command: str, scene: str) -> None:
    """What was copied holds no key, and is taken by a shell that has one."""
    assert console.key not in command
    environment = {"API_KEY": console.key, "PATH": "/usr/bin:/bin"}
    again = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, check=True, text=True)
    document = json.loads(again.stdout)
    assert (document["status"], scene in document["request"]["input"]["prompt"]) == ("queued", True)


def test_references_are_moved_by_keyboard_and_by_dragging_and_removed(
    console: ConsolePage, pictures: list[Path]
) -> None:
    page = console.page
    console.enter()
    page.locator("#files").set_input_files(pictures)
    console.add_url("https://example.com/cat.png")
    labels = page.locator(".tile-label")
    expect(labels).to_have_text([re.compile("fox"), re.compile("robot"), "cat.png"])

    page.get_by_role("button", name="Move later character1").focus()
    page.keyboard.press("Enter")
    expect(labels).to_have_text([re.compile("robot"), re.compile("fox"), "cat.png"])
    expect(page.get_by_role("button", name="Move later character2")).to_be_focused()
    expect(page.locator("#announcement")).to_have_text("fox.jpg is now character2")

    page.locator(".tile").nth(2).drag_to(page.locator(".tile").nth(0))
    expect(labels).to_have_text(["cat.png", re.compile("robot"), re.compile("fox")])

    page.get_by_role("button", name="Remove character2").click()
    expect(labels).to_have_text(["cat.png", re.compile("fox")])
    expect(page.locator(".tile-name").nth(1)).to_be_focused()


def test_files_are_dropped_and_those_that_cannot_be_taken_are_told_why(console: ConsolePage) -> None:
    page = console.page
    console.enter()
    page.locator("#drop").evaluate(
        """(place, picture) => {
            const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
            carried.items.add(new File(["GIF89a"], "moving.gif", { type: "image/gif" }));
            carried.items.add(new File([new Uint8Array(11 * 1024 * 1024)], "huge.png", { type: "image/png" }));
            place.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
        }""",
        base64.b64encode(jpeg()).decode(),
    )

    expect(page.locator(".tile-label")).to_have_text([re.compile("dropped.jpg")])
    expect(page.locator("#file-problem")).to_contain_text("moving.gif is not taken: choose jpg, png, bmp, webp, mp4")
    expect(page.locator("#file-problem")).to_contain_text("huge.png has 11 MB; at most 10 MB are taken.")
    expect(page.locator(".tile progress")).to_have_count(0)


def test_every_broken_rule_and_every_warning_stands_beside_its_field(console: ConsolePage) -> None:
    page = console.page
    console.enter()
    expect(page.locator("#price")).to_have_text("$0.75")
    # Nobody has done anything yet, so nothing is wrong yet.
    expect(page.locator(".problems li")).to_have_count(0)

    console.submit()
    expect(page.locator("#references-problems")).to_have_text("Add one to five pictures or clips.")
    expect(page.locator("#prompt-problems")).to_have_text("The prompt must not be empty.")
    expect(page.locator("#references")).to_be_focused()
    expect(console.prompt).to_have_attribute("aria-invalid", "true")

    console.add_url("https://example.com/cat.gif")
    console.prompt.fill("character1 and character2 " + "x" * 1500)
    page.locator("#options summary").click()
    page.get_by_label("Seed").fill("many")
    page.get_by_label("Callback URL").fill("http://example.com/hook")
    expect(page.locator("#references-problems")).to_contain_text("character1 ends in .gif; images are jpg")
    expect(page.locator("#seed-problems")).to_contain_text("The seed must be an integer from 0 to 2147483647")
    expect(page.locator("#callback-problems")).to_contain_text("The callback URL")
    expect(page.locator("#count")).to_have_text("1,526 / 1,500")
    expect(page.locator("#price-words")).to_contain_text("things to mend")

    page.get_by_role("button", name="Remove character1").click()
    console.add_url()
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Callback URL").fill("")
    expect(page.locator("#prompt-problems .warning")).to_have_text(
        [re.compile("The prompt has 1526 characters"), re.compile("The prompt names character2, but there are 1")]
    )
    expect(page.locator(".problems .violation")).to_have_count(0)
    expect(console.prompt).to_have_attribute("aria-invalid", "false")


def test_every_option_reaches_the_request(console: ConsolePage) -> None:
    page, scene = console.page, marker()
    console.enter()
    console.compose(f"character1 reads {scene}")
    page.locator("#options summary").click()
    page.get_by_label("With sound").uncheck()
    page.get_by_label("Watermark").check()
    page.get_by_text("Several").click()
    page.get_by_label("Seed").fill("7")
    page.locator("#audio-file").set_input_files({"name": "song.wav", "mimeType": "audio/wav", "buffer": wav(5)})
    expect(page.get_by_label("Sound track", exact=True).first).to_have_value(re.compile(r"^s3://.*/uploads/.*\.wav$"))
    page.get_by_label("Metadata").fill("order=A-1007\nnote = two words")
    expect(page.locator("#options-summary")).to_have_text("no sound, several shots, watermark, seed 7")
    with page.expect_request(lambda request: request.url.endswith("/videos") and request.method == "POST") as sent:
        console.submit()

    request = json.loads(sent.value.post_data or "")
    assert request["input"].pop("audio_url").endswith(".wav")
    assert request == {
        "model": "wan26_r2v",
        "input": {"prompt": f"character1 reads {scene}", "reference_urls": ["https://example.com/cat.png"]},
        "parameters": {
            "size": "1280*720",
            "duration": 2,
            "audio": False,
            "prompt_extend": True,
            "watermark": True,
            "shot_type": "multi",
            "seed": 7,
        },
        "metadata": {"order": "A-1007", "note": "two words"},
    }
    expect(console.card(f"character1 reads {scene}")).to_be_visible()
    # With the prompt left as it is there is no kind of shot to choose.
    page.get_by_label("Let the model write the prompt out").uncheck()
    expect(page.get_by_role("radio", name="Several")).to_be_disabled()


def test_a_running_video_is_canceled_after_one_has_read_what_may_be_billed(console: ConsolePage) -> None:
    page, prompt = console.page, f"character1 walks {marker()} [[mock:poll:http-503*500]]"
    console.enter()
    console.compose(prompt)
    console.submit()
    card = console.card(prompt)
    expect(card.locator(".badge")).to_have_text("In the making")

    card.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_contain_text("who may still finish it and bill it: about $0.20")
    page.get_by_role("button", name="Keep it").click()
    expect(card.get_by_role("heading")).to_be_focused()
    expect(card.locator(".badge")).to_have_text("In the making")
    card.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the video").click()

    expect(card.locator(".badge")).to_have_text("Canceled")
    expect(card).to_contain_text("You canceled this video.")
    # The provider may still be at work, so it cannot be deleted yet; the API says until when.
    card.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("#dialog-problem")).to_contain_text("purge it afterwards")
    page.keyboard.press("Escape")
    assert [told[:3] for told in console.refusals] == ["409"]
    console.refusals.clear()


def test_a_job_is_asked_for_no_sooner_than_its_retry_after_advises(console: ConsolePage) -> None:
    page, prompt = console.page, f"character1 sits {marker()} [[mock:poll:http-503*3]]"
    console.enter()
    console.compose(prompt)
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks what it is given
    console.submit()
    expect(console.card(prompt).locator(".badge")).to_have_text("Completed")

    # Other jobs of the stack are asked for too, each at its own times.
    made = next(answer for answer in answers if answer.request.method == "POST" and answer.url.endswith("/videos"))
    mine = [made, *(answer for answer in answers if answer.url.endswith(made.headers["location"].rpartition("/")[2]))]
    assert len(mine) > 1
    asked = [answer.request.timing["startTime"] for answer in mine]
    advised = [float(answer.headers.get("retry-after", "0")) for answer in mine]
    gaps = [(later - earlier) / 1000 for earlier, later in pairwise(asked)]
    assert all(gap >= advice - 0.05 for gap, advice in zip(gaps, advised, strict=False)), (gaps, advised)


def test_the_list_is_read_page_by_page_and_by_status(console: ConsolePage, three_videos: list[str]) -> None:
    page = console.page
    page.route(re.compile("limit=12"), lambda route: route.continue_(url=route.request.url.replace("=12", "=2")))
    console.enter()
    expect(page.locator(".card")).to_have_count(2)

    page.get_by_role("button", name="Show older ones").click()

    expect(page.locator(".card").nth(2).get_by_role("heading")).to_be_focused()
    page.get_by_label("Show").select_option("completed")
    expect(page.locator(".card.is-completed")).to_have_count(2)
    expect(page.locator(".card:not(.is-completed)")).to_have_count(0)
    page.get_by_role("button", name="Show older ones").click()
    expect(page.locator(".card.is-completed").nth(2)).to_be_visible()
    # Looking for news keeps what is older.
    page.get_by_role("button", name="Look for news").click()
    expect(page.locator("#announcement")).to_have_text("Up to date")
    expect(page.locator(".card.is-completed").nth(2)).to_be_visible()


def test_a_link_that_has_expired_is_replaced_by_a_fresh_one(console: ConsolePage, three_videos: list[str]) -> None:
    links: list[str] = []

    def expired_at_first(route: Any) -> None:
        links.append(route.request.url)
        if len(links) == 1:
            route.fulfill(status=403, body="Request has expired")
        else:
            route.fallback()

    console.page.route(re.compile(r"/videos/vid_\w+\.mp4"), expired_at_first)
    one_completed = "limit=1&status=completed"
    console.page.route(
        re.compile("limit=12"), lambda route: route.continue_(url=route.request.url.replace("limit=12", one_completed))
    )
    console.enter()

    video = console.page.locator("video")
    video.evaluate("video => video.readyState >= 1 || new Promise(done => { video.onloadedmetadata = done })")
    assert video.evaluate("video => video.videoWidth") == 1280
    assert [told[:3] for told in console.refusals] == ["403"]
    console.refusals.clear()


def test_all_of_it_works_by_keyboard_alone(console: ConsolePage) -> None:
    page, prompt = console.page, f"character1 types {marker()}"
    press, type_text = page.keyboard.press, page.keyboard.type
    console.open()
    expect(page.get_by_label("API key")).to_be_focused()
    type_text(console.key)
    press("Enter")
    expect(page.get_by_role("heading", name="New video")).to_be_focused()

    _tab_to(console, "#by-url")
    press("Enter")
    expect(page.locator("#url")).to_be_focused()
    type_text("https://example.com/cat.png")
    press("Enter")
    expect(page.locator(".tile")).to_have_count(1)
    _tab_to(console, "#prompt")
    type_text(prompt)
    _tab_to(console, "input[name=shape]")
    press("ArrowRight")
    _tab_to(console, "input[name=tier]")
    press("ArrowLeft")
    _tab_to(console, "#duration")
    press("Home")
    expect(page.locator("#price")).to_have_text("$0.20")
    expect(page.locator("#price-words")).to_have_text("2 s of 720P")
    _tab_to(console, "#submit")
    press("Enter")

    card = console.card(prompt)
    expect(card.get_by_role("heading")).to_be_focused()
    expect(card).to_contain_text("1088 × 832")
    _tab_to(console, "[data-action=again]")
    press("Enter")
    expect(console.prompt).to_be_focused()


def _tab_to(console: ConsolePage, selector: str) -> None:
    """Press Tab until the focus is there; each stop on the way can be seen."""
    for _ in range(60):
        console.page.keyboard.press("Tab")
        found = console.page.evaluate(
            """(selector) => {
                const here = document.activeElement;
                const ring = here.matches("input[type=radio]") ? here.nextElementSibling : here;
                const isSeen = getComputedStyle(ring).outlineStyle !== "none";
                return [here.matches(selector), isSeen, here.outerHTML.slice(0, 80)];
            }""",
            selector,
        )
        assert found[1], f"the focus cannot be seen on {found[2]}"
        if found[0]:
            return
    raise AssertionError(f"Tab never comes to {selector}")


@pytest.mark.tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
def test_on_a_phone_form_and_list_are_two_views_of_one_width(console: ConsolePage) -> None:
    page, prompt = console.page, f"character1 {'phones' * 20} {marker()}"
    console.enter()
    expect(page.locator("#gallery")).to_be_hidden()
    assert not console.is_wider_than_the_screen()
    page.locator("#options summary").click()
    assert not console.is_wider_than_the_screen()
    console.compose(prompt)
    console.submit()

    expect(page.locator("#compose")).to_be_hidden()
    expect(console.card(prompt).get_by_role("heading")).to_be_focused()
    assert not console.is_wider_than_the_screen()
    page.get_by_role("button", name="Make", exact=True).click()
    expect(page.get_by_role("heading", name="New video")).to_be_focused()


def test_signing_out_forgets_everything(console: ConsolePage) -> None:
    page = console.page
    console.enter()
    console.prompt.fill("a secret plan")
    page.reload()
    # A reload keeps the tab's key and draft ...
    expect(console.prompt).to_have_value("a secret plan")
    page.get_by_role("button", name="Sign out").click()
    # ... signing out does not.
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})") == "{}"
