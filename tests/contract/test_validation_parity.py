"""Our validation and the mock's read the same page: the same bodies are taken, the same first code is told."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_server import rules
from tests.fakes import wan_request
from wanflow.errors import InvalidRequest
from wanflow.references import OwnFiles
from wanflow.validation import validate

NO_FILES = OwnFiles("wanflow-videos-bucket", ("uploads/nobody/",))
IMAGE, VIDEO = "https://example.com/a.png", "https://example.com/a.mp4"
INLINE = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()
INLINE_VIDEO = "data:video/mp4;base64," + base64.b64encode(b"\0\0\0\x18ftyp").decode()

TAKEN = None
NO_CODE = "001028099"
"""What the mock says of a broken rule that the page gives no code; ours is `invalid_request`."""


def our_code(body: object) -> str | None:
    try:
        validate(body, NO_FILES)
    except InvalidRequest as refusal:
        return NO_CODE if refusal.code == "invalid_request" else refusal.code
    return TAKEN


def their_code(body: object) -> str | None:
    refusal = rules.read(json.dumps(body).encode()).refusal
    return TAKEN if refusal is None else refusal.code


def request(**changes: Any) -> dict[str, Any]:
    return wan_request(**changes)


def references(*urls: object) -> dict[str, Any]:
    return request(reference_urls=list(urls))


def parameters(**values: object) -> dict[str, Any]:
    return request(parameters=values)


TABLE: list[tuple[str, Any, str | None]] = [
    ("a good request", request(), TAKEN),
    ("no object", [], NO_CODE),
    ("null", None, NO_CODE),
    ("another model", request(model="wan25"), NO_CODE),
    ("model null", request(model=None), NO_CODE),
    ("no input", {"model": "wan26_r2v"}, "001028001"),
    ("no prompt", request(prompt=None), NO_CODE),
    ("a blank prompt", request(prompt=" \n"), NO_CODE),
    ("a long prompt", request(prompt="x" * 1501), TAKEN),
    ("no list", request(reference_urls="https://example.com/a.png"), "001028001"),
    ("null for a list", request(reference_urls=None), "001028001"),
    ("an empty list", references(), "001028001"),
    ("five images", references(*[IMAGE] * 5), TAKEN),
    ("six images", references(*[IMAGE] * 6), "001028002"),
    ("three videos", references(*[VIDEO] * 3), TAKEN),
    ("four videos", references(*[VIDEO] * 4), "001028003"),
    ("four videos and six images", references(*[VIDEO] * 4, *[IMAGE] * 6), "001028003"),
    ("three videos and three images", references(*[VIDEO] * 3, *[IMAGE] * 3), "001028001"),
    ("three videos and two images", references(*[VIDEO] * 3, *[IMAGE] * 2), TAKEN),
    ("six members, one of them none", references(*[IMAGE] * 5, 7), "001028001"),
    ("six members that are nothing", references(*[None] * 6), "001028001"),
    ("a number", references(7), "001028004"),
    ("null as a member", references(None), "001028004"),
    ("an empty text", references(""), "001028004"),
    ("ftp", references("ftp://example.com/a.png"), "001028004"),
    ("four times ftp", references(*["ftp://example.com/a.mp4"] * 4), "001028004"),
    ("no host", references("https:///a.png"), "001028004"),
    ("a blank in a URL", references("https://example.com/a b.png"), "001028004"),
    ("no ending", references("https://example.com/a"), TAKEN),
    ("an ending in another segment", references("https://example.com/v1.2/a"), TAKEN),
    ("an ending in the query only", references("https://example.com/a?x=b.gif"), TAKEN),
    ("a gif", references("https://example.com/a.gif"), "001028004"),
    ("a dot and nothing behind it", references("https://example.com/a."), "001028004"),
    ("upper case", references("HTTPS://EXAMPLE.COM/A.PNG"), TAKEN),
    ("a port", references("http://example.com:8080/a.webp"), TAKEN),
    ("a port that is none", references("http://example.com:99999/a.webp"), "001028004"),
    ("inline", references(INLINE), TAKEN),
    ("four inline videos", references(*[INLINE_VIDEO] * 4), "001028003"),
    ("six inline images", references(*[INLINE] * 6), "001028002"),
    ("an inline gif", references(INLINE.replace("png", "gif")), "001028004"),
    ("broken base64", references(INLINE + "!"), "001028004"),
    ("nothing inline", references("data:image/png;base64,"), "001028004"),
    ("inline without base64", references("data:image/png,abc"), "001028004"),
    ("audio", request(audio_url="https://example.com/a.mp3"), TAKEN),
    ("audio of another type", request(audio_url="https://example.com/a.ogg"), NO_CODE),
    ("audio inline", request(audio_url="data:audio/wav;base64,AAAA"), NO_CODE),
    ("audio null", request(audio_url=None), NO_CODE),
    ("two seconds", parameters(duration=2), TAKEN),
    ("one second", parameters(duration=1), NO_CODE),
    ("fifteen seconds", parameters(duration=15), TAKEN),
    ("sixteen seconds", parameters(duration=16), NO_CODE),
    ("5.0 seconds", parameters(duration=5.0), NO_CODE),
    ("seconds as text", parameters(duration="5"), NO_CODE),
    ("seconds true", parameters(duration=True), NO_CODE),
    ("a size in words", parameters(size="480P"), NO_CODE),
    ("a size as a list", parameters(size=["1280*720"]), NO_CODE),
    ("true as text", parameters(watermark="true"), NO_CODE),
    ("true as 1", parameters(audio=1), NO_CODE),
    ("prompt_extend null", parameters(prompt_extend=None), NO_CODE),
    ("a shot type", parameters(shot_type="multi"), TAKEN),
    ("another shot type", parameters(shot_type="wide"), NO_CODE),
    ("the largest seed", parameters(seed=2147483647), TAKEN),
    ("a seed beyond", parameters(seed=2147483648), NO_CODE),
    ("a seed below", parameters(seed=-1), NO_CODE),
    ("parameters null", request(parameters=None), NO_CODE),
    ("a code beats what has none", request(reference_urls=[], parameters={"duration": 1}), "001028001"),
]


@pytest.mark.parametrize(("body", "code"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_both_sides_say_what_the_page_says(body: Any, code: str | None) -> None:
    assert (our_code(body), their_code(body)) == (code, code)


scalars: st.SearchStrategy[Any] = st.sampled_from([None, True, 0, 1, 5, 5.0, "", "5", "true", [], {}])
hosts = st.sampled_from(["example.com", "", "127.0.0.1:8080", "[::1]", "a:b", "user@example.com", "例え.jp"])
paths = st.lists(st.sampled_from(["a", ".", "/", "png", "MP4", "mov", "gif", "%2E", "?", "#", " ", ";"]), max_size=6)
urls = st.builds(
    lambda scheme, host, path: f"{scheme}{host}/{''.join(path)}",
    st.sampled_from(["https://", "http://", "HTTP://", "ftp://", "//", ""]),
    hosts,
    paths,
)
inline = st.builds(
    lambda mime, data: f"data:{mime};base64,{data}",
    st.sampled_from(["image/png", "IMAGE/JPEG", "image/gif", "video/mp4", "video/quicktime", "audio/wav", "text", ""]),
    st.sampled_from(["AAAA", "AAA=", "AAA", "", "A A A", "!", "AAAA\n"]),
)
members = st.one_of(st.sampled_from([IMAGE, VIDEO]), urls, inline, scalars)
bodies = st.builds(
    request,
    prompt=st.sampled_from(["character1", "", " ", "x" * 1501, 5, None]),
    reference_urls=st.one_of(st.lists(members, max_size=8), scalars),
    audio_url=st.one_of(st.just("https://example.com/a.wav"), urls, inline, scalars),
    parameters=st.one_of(
        st.dictionaries(
            st.sampled_from(["size", "duration", "prompt_extend", "watermark", "audio", "shot_type", "seed"]),
            st.one_of(scalars, st.sampled_from(["1280*720", "multi", 2, 15, 16, 2147483648])),
        ),
        scalars,
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies)
def test_both_sides_say_the_same_of_any_request(body: dict[str, Any]) -> None:
    assert our_code(body) == their_code(body)


@settings(max_examples=200, deadline=None)
@given(st.lists(members, min_size=1, max_size=2))
def test_both_sides_judge_a_reference_alike(given_members: list[Any]) -> None:
    body = references(*given_members)
    assert our_code(body) == their_code(body)
