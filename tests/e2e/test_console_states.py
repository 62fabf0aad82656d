"""The console when something is wrong, when nothing is there yet, and for those who see, hear or move otherwise."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.console import ConsolePage, refusal
from tests.e2e.wanflow import jpeg, marker

each_scheme = pytest.mark.parametrize(
    "scheme",
    [pytest.param(scheme, marks=pytest.mark.tab(color_scheme=scheme), id=scheme) for scheme in ("light", "dark")],
)

JOB: dict[str, Any] = {
    "id": "vid_06f9c6t2rw0000000000000000",
    "status": "failed",
    "progress": 0,
    "created_at": "2026-01-31T12:00:00.000Z",
    "updated_at": "2026-01-31T12:02:31.000Z",
    "ended_at": "2026-01-31T12:02:31.000Z",
    "request": {
        "model": "wan26_r2v",
        "input": {"prompt": "character1 waves", "reference_urls": ["https://example.com/fox.png"]},
        "parameters": {"size": "1280*720", "duration": 5, "audio": True, "prompt_extend": True, "watermark": False},
    },
    "estimate": {"cost_usd": "0.50"},
    "warnings": [],
    "metadata": {"order": "<img src=x onerror=alert(1)>"},
    "attempts": [{"state": "failed", "started_at": "2026-01-31T12:00:01.000Z", "task_id": "task-1"}],
    "polls": 3,
    "error": {"code": "001028095", "message": "Internal generation error"},
}


def listed(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "json": {"videos": list(jobs), "next_cursor": None}}


# --- The key -----------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_told_and_asked_for_again(console: ConsolePage) -> None:
    for wrong in ("wrong", "schlüssel"):
        console.sign_in(wrong)

        expect(console.page.get_by_role("alert").first).to_have_text("This key is not valid here, or not any more.")
        expect(console.page.get_by_label("API key")).to_be_focused()
    console.sign_in("")
    expect(console.page.get_by_role("alert").first).to_have_text("Enter an API key.")
    assert console.page.evaluate("sessionStorage.length") == 0
    assert [told[:3] for told in console.refusals] == ["403"]
    console.refusals.clear()


def test_a_key_that_was_taken_away_leads_back_to_the_sign_in_and_the_draft_stays(console: ConsolePage) -> None:
    console.enter()
    expect(console.page.locator("#price")).to_have_text("$0.75")
    with console.answered("estimates", refusal(403, "forbidden"), method="POST"):
        console.prompt.fill("character1 was half done")
        expect(console.page.get_by_role("alert").first).to_contain_text("not valid here, or not any more")
    console.refusals.clear()
    console.page.get_by_label("API key").fill(console.key)
    console.page.keyboard.press("Enter")
    expect(console.prompt).to_have_value("character1 was half done")


# --- The list ----------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_will_be_there(console: ConsolePage) -> None:
    with console.answered("videos", listed(), listed(), listed()):
        console.enter()
        expect(console.page.locator("#gallery-state")).to_contain_text("No videos yet.")
        console.page.get_by_label("Show").select_option("failed")
        expect(console.page.locator("#gallery-state")).to_contain_text("Nothing here is “Failed”.")


def test_a_list_that_cannot_be_loaded_says_so_and_is_asked_for_again(console: ConsolePage) -> None:
    broken = refusal(500, "internal_error")
    with console.answered("videos", listed(), broken, listed(JOB)):
        console.sign_in()
        expect(console.page.locator("#gallery-state")).to_contain_text("The list could not be loaded.")
        console.page.get_by_role("button", name="Try again").click()
        expect(console.card("character1 waves")).to_be_visible()
    console.refusals.clear()


def test_while_the_list_is_on_its_way_its_place_is_held(console: ConsolePage) -> None:
    held: list[Any] = []
    console.hold(re.compile("limit=12"), held)
    console.sign_in()

    expect(console.page.get_by_role("status", name="Loading your videos")).to_be_visible()
    expect(console.page.locator("#cards")).to_have_attribute("aria-busy", "true")
    held[0].fulfill(**listed(JOB))
    expect(console.card("character1 waves")).to_be_visible()
    expect(console.page.locator("#gallery-state")).to_be_empty()


def test_every_code_that_a_job_can_fail_with_is_told_in_words_with_what_to_do(console: ConsolePage) -> None:
    words: dict[str, list[str]] = {
        "001028004": ["The provider refused the request.", "Change the references"],
        "001028095": ["The provider could not generate this video.", "Nothing was paid."],
        "001028096": ["The provider could not generate this video.", "Nothing was paid."],
        "001028099": ["The provider created no task", "Send it again later."],
        "provider_unreachable": ["The provider could not be reached.", "WanApiBaseUrl"],
        "provider_unauthorized": ["did not take this stack's key", "put the right key in"],
        "provider_error": ["The provider refused the request.", "The message below"],
        "generation_failed": ["could not generate this video.", "Send it again"],
        "submit_outcome_unknown": ["no usable answer came", "It may have been paid for."],
        "deadline_exceeded": ["No video came in time.", "24 hours"],
        "queue_timeout": ["waited too long for a free slot", "Nothing was paid."],
        "result_unavailable": ["did not deliver it", "probably paid for"],
        "invalid_request": ["breaks a rule", "upload the file again"],
        "internal_error": ["Something broke on our side.", "log"],
        "a_code_of_tomorrow": ["It did not work.", "The message tells more."],
        # The provider's own word, and one that every object of JavaScript knows.
        "constructor": ["It did not work.", "The message tells more."],
    }
    jobs = [
        {**JOB, "id": f"vid_{number:026}", "error": {"code": code, "message": f"as told {number}"}}
        for number, code in enumerate(words)
    ]
    with console.answered("videos", listed(), listed(*jobs)):
        console.enter()
        cards = console.page.locator(".card.is-failed")
        expect(cards).to_have_count(len(words))
        for card, (code, parts) in zip(cards.all_inner_texts(), words.items(), strict=True):
            assert code in card
            assert all(part in card for part in parts), card


def test_a_job_that_is_kept_from_the_provider_says_why(console: ConsolePage) -> None:
    waiting = {"code": "submits_paused", "message": "submits are paused by the operator"}
    queued = {name: value for name, value in JOB.items() if name not in {"error", "ended_at"}}
    job = {**queued, "status": "queued", "waiting": waiting}
    answer = {"status": 200, "json": job, "headers": {"retry-after": "60"}}
    with console.answered("videos", listed(), listed(job)), console.answered(r"videos/vid_\w+", answer):
        console.enter()
        expect(console.card("character1 waves")).to_contain_text("Submits are paused. It keeps its place, at no cost.")


def test_what_is_shown_is_never_read_as_html(console: ConsolePage) -> None:
    with console.answered("videos", listed(), listed({**JOB, "request": _hostile(JOB["request"])})):
        console.enter()
        card = console.page.locator(".card")
        card.get_by_text("Details").click()
        expect(card.get_by_role("heading")).to_have_text("<img src=x onerror=alert(1)><script>alert(1)</script>")
        expect(card).to_contain_text("order=<img src=x onerror=alert(1)>")
        assert card.locator("img, script").count() == 0


def _hostile(request: dict[str, Any]) -> dict[str, Any]:
    prompt = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    return {**request, "input": {**request["input"], "prompt": prompt}}


def test_jobs_that_really_fail_say_why(console: ConsolePage) -> None:
    scene = marker()
    unpaid, unknown = (f"character1 {scene} [[mock:{fault}]]" for fault in ("001028095", "submit:lost-answer"))
    for prompt in (unpaid, unknown):
        console.wanflow.create(prompt)
    console.enter()

    expect(console.card(unpaid)).to_contain_text("The provider could not generate this video.")
    expect(console.card(unpaid)).to_contain_text("001028095")
    expect(console.card(unknown)).to_contain_text("It may have been paid for.")
    expect(console.card(unknown)).to_contain_text("submit_outcome_unknown")


def test_a_file_that_does_not_come_is_asked_for_again_with_the_page_of_now(console: ConsolePage) -> None:
    lost: list[str] = []

    def lose_twice(route: Any) -> None:
        lost.append(route.request.url)
        if len(lost) < 3:
            route.abort()
        else:
            route.fallback()

    console.page.route(re.compile(r"/submit\.js"), lose_twice)
    console.enter()

    console.page.unroute_all()
    console.page.route(re.compile(r"/submit\.js"), lambda route: route.abort())
    cdp = console.page.context.new_cdp_session(console.page)
    cdp.send("Network.setCacheDisabled", {"cacheDisabled": True})
    console.page.goto(console.url)
    expect(console.page.locator("#starting")).to_have_text("The page could not be loaded. Try again in a moment.")


# --- Sending -----------------------------------------------------------------------------------------------------


def test_a_request_that_got_no_good_answer_goes_out_again_with_the_same_key_and_makes_one_job(
    console: ConsolePage,
) -> None:
    prompt = f"character1 insists {marker()}"
    console.enter()
    console.compose(prompt)
    busy = refusal(429, "too_many_requests", **{"retry-after": "1"})
    with console.answered("videos", busy, refusal(503, "unavailable", **{"retry-after": "1"}), method="POST") as calls:
        console.submit()
        expect(console.page.locator("#price-words")).to_contain_text("it is never paid twice")
        expect(console.card(prompt).get_by_role("heading")).to_be_focused()

    assert len(calls) == 3
    assert len({call.headers["idempotency-key"] for call in calls}) == 1
    assert [told[:3] for told in console.refusals] == ["429", "503"]
    console.refusals.clear()


def test_after_giving_up_the_same_request_keeps_its_key_and_another_one_gets_its_own(console: ConsolePage) -> None:
    console.enter()
    console.compose()
    lost = refusal(500, "internal_error", **{"retry-after": "0"})
    used = refusal(429, "quota_exceeded")
    problem = console.page.locator("#submit-problem")
    with console.answered("videos", lost, lost, lost, lost, used, used, method="POST") as calls:
        console.submit()
        expect(problem).to_contain_text("Something broke on our side.")
        console.submit()
        expect(problem).to_contain_text("Today's requests for this key are used up.")
        console.prompt.fill("character1 waves again")
        expect(problem).to_be_empty()
        console.submit()
        expect(problem).to_contain_text("Today's requests")

    keys = [call.headers["idempotency-key"] for call in calls]
    assert len(keys) == 6
    assert len(set(keys[:5])) == 1
    assert keys[5] != keys[0]
    console.refusals.clear()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(402, "budget_exceeded", "a day may cost $5.00"), ["A day may cost $5.00.", "Nothing was paid."]),
        (refusal(409, "conflict"), ["does not go together"]),
        (refusal(413, "too_large"), ["The request is too large."]),
        ({"status": 502, "body": "<html>Bad Gateway</html>"}, ["Something broke on our side."]),
    ],
    ids=["402", "409", "413", "502"],
)
def test_a_refused_request_says_why_and_stays_in_the_form(
    console: ConsolePage, answer: dict[str, Any], words: list[str]
) -> None:
    console.enter()
    console.compose()
    at_once = {**answer, "headers": {"retry-after": "0"}}
    with console.answered("videos", *[at_once] * 4, method="POST"):
        console.submit()
        for word in words:
            expect(console.page.locator("#submit-problem")).to_contain_text(word)
    expect(console.prompt).to_have_value("character1 waves")
    console.refusals.clear()


def test_a_400_that_the_estimate_did_not_foresee_stands_beside_its_field(console: ConsolePage) -> None:
    console.enter()
    console.compose()
    violation = {"field": "input.prompt", "code": "invalid_request", "message": "must rhyme"}
    body = {"error": {"code": "invalid_request", "message": "the request breaks a rule", "violations": [violation]}}
    with console.answered("videos", {"status": 400, "json": body}, method="POST"):
        console.submit()
        expect(console.page.locator("#prompt-problems")).to_have_text("The prompt must rhyme.")
        expect(console.prompt).to_be_focused()
    console.refusals.clear()


def test_without_a_price_the_form_says_so_and_asks_again(console: ConsolePage) -> None:
    console.page.clock.install()
    with console.answered("estimates", refusal(503, "unavailable"), method="POST"):
        console.enter()
        expect(console.page.locator("#price-words")).to_have_text("No price now. AWS is failing for a moment.")
        console.page.clock.fast_forward("00:05")
        expect(console.page.locator("#price")).to_have_text("$0.75")
    console.refusals.clear()


def test_offline_is_told_and_everything_goes_on_afterwards(console: ConsolePage) -> None:
    page = console.page
    console.enter()
    console.compose()
    page.context.set_offline(True)
    expect(page.locator("#offline")).to_contain_text("You are offline.")
    console.submit()
    expect(page.locator("#submit-problem")).to_contain_text("You are offline.")

    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_empty()
    console.prompt.fill("character1 is back")
    expect(page.locator("#price")).to_have_text("$0.20")


def test_an_upload_that_breaks_off_is_tried_again_by_a_click(console: ConsolePage, tmp_path: Any) -> None:
    picture = tmp_path / "fox.jpg"
    picture.write_bytes(jpeg())
    page = console.page
    console.enter()
    with console.answered("uploads", refusal(503, "unavailable"), method="POST"):
        page.locator("#files").set_input_files(picture)
        expect(page.locator(".tile-fault")).to_have_text("AWS is failing for a moment.")
        console.submit()
        expect(page.locator("#submit-problem")).to_contain_text("A file was not uploaded")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".tile-fault")).to_have_count(0)
        expect(page.locator(".tile progress")).to_have_count(0)
    console.refusals.clear()


# --- For everybody -----------------------------------------------------------------------------------------------


@each_scheme
def test_no_state_of_the_page_keeps_anybody_out(console: ConsolePage, scheme: str) -> None:
    page = console.page
    running = {**JOB, "id": f"vid_{1:026}", "status": "processing", "progress": 40}
    running = {name: value for name, value in running.items() if name not in {"error", "ended_at"}}
    video = {"content": [{"type": "video", "url": f"{console.url}none.mp4"}]}
    done = {**running, "id": f"vid_{2:026}", "status": "completed", "output": [video], "usage": {"cost": "0.50"}}
    page.route(re.compile(r"/none\.mp4"), lambda route: route.abort())
    seen = {}

    console.sign_in("wrong")
    expect(page.locator("#key-problem")).not_to_be_empty()
    seen["wrong key"] = console.barriers()
    with console.answered("videos", listed(), refusal(500, "internal_error"), listed()):
        console.enter()
        seen["broken list"] = console.barriers()
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#gallery-state")).to_contain_text("No videos yet.")
        seen["empty"] = console.barriers()
    console.submit()
    expect(page.locator("#prompt-problems li")).to_have_count(1)
    seen["violations"] = console.barriers()
    console.add_url()
    console.prompt.fill("character2 waves")
    page.locator("#options summary").click()
    expect(page.locator("#prompt-problems .warning")).to_have_count(1)
    jobs = [
        running,
        done,
        JOB,
        {**JOB, "id": f"vid_{3:026}", "status": "canceled", "error": {"code": "canceled", "message": "x"}},
    ]
    with (
        console.answered("videos", listed(*jobs)),
        console.answered(r"videos/vid_\w+", *[{"status": 200, "json": running}] * 9),
    ):
        page.get_by_role("button", name="Look for news").click()
        expect(page.locator(".card")).to_have_count(4)
        page.locator(".card.is-failed").get_by_text("Details").click()
        # axe must see the colours, not their fading in.
        expect(page.locator("#announcement")).to_have_css("opacity", "1")
        seen["form and list"] = console.barriers()
        page.locator(".card.is-processing").get_by_role("button", name="Cancel").click()
        seen["dialog"] = console.barriers()
        page.keyboard.press("Escape")
        page.context.set_offline(True)
        expect(page.locator("#offline")).not_to_be_empty()
        seen["offline"] = console.barriers()

    assert {state: found for state, found in seen.items() if found} == {}
    console.refusals.clear()


@pytest.mark.tab(viewport={"width": 390, "height": 844}, color_scheme="dark")
def test_no_view_of_a_phone_keeps_anybody_out(console: ConsolePage) -> None:
    with console.answered("videos", listed(), listed(JOB)):
        console.enter()
        assert console.barriers() == []
        console.page.get_by_role("button", name="Videos").click()
        expect(console.card("character1 waves")).to_be_visible()
        assert console.barriers() == []
        assert not console.is_wider_than_the_screen()


def test_dark_is_dark_and_light_is_light(console: ConsolePage) -> None:
    console.open()
    shades = {}
    for scheme in ("light", "dark"):
        console.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        colour = console.page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert shades["light"] > 600
    assert shades["dark"] < 150


def test_who_wants_less_motion_gets_none(console: ConsolePage) -> None:
    held: list[Any] = []
    console.hold(re.compile("limit=12"), held)
    console.page.emulate_media(reduced_motion="reduce")
    console.sign_in()
    card = console.page.locator(".skeleton .card").first

    expect(card).to_have_css("animation-name", "none")
    console.page.emulate_media(reduced_motion="no-preference")
    expect(card).to_have_css("animation-name", "breathe")
    held[0].fulfill(**listed())
