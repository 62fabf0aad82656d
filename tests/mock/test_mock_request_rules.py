"""One row per rule of the Wan page that a request can break, each through both doors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.mock.doors import Door, request_with, with_input

PNG = "https://example.com/a.png"
MP4 = "https://example.com/a.mp4"
SIZES = {
    "720P": ("1280*720", "720*1280", "960*960", "1088*832", "832*1088"),
    "1080P": ("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"),
}

BAD_REFERENCES: list[tuple[str, Any, str]] = [
    ("not an array", "https://example.com/a.png", "001028001"),
    ("null", None, "001028001"),
    ("an object", {}, "001028001"),
    ("no items", [], "001028001"),
    ("six items, three of them videos", [MP4] * 3 + [PNG] * 3, "001028001"),
    ("six images", [PNG] * 6, "001028002"),
    ("six without an ending, which count as images", ["https://example.com/a"] * 6, "001028002"),
    ("four videos", [MP4] * 4, "001028003"),
    ("four videos among seven", [MP4] * 4 + [PNG] * 3, "001028003"),
    ("four videos as data URIs", ["data:video/mp4;base64,AAAA"] * 4, "001028003"),
    ("a number", [7], "001028004"),
    ("null in the array", [None], "001028004"),
    ("an empty string", [""], "001028004"),
    ("a path", ["/tmp/a.png"], "001028004"),
    ("another scheme", ["ftp://example.com/a.png"], "001028004"),
    ("no host", ["https:///a.png"], "001028004"),
    ("a blank in the URL", ["https://example.com/a b.png"], "001028004"),
    ("a broken IPv6 host", ["http://[::1/a.png"], "001028004"),
    ("a port that is no number", ["http://example.com:http/a.png"], "001028004"),
    ("another ending", ["https://example.com/a.gif"], "001028004"),
    ("a dot with nothing behind it", ["https://example.com/a."], "001028004"),
    ("a data URI without base64", ["data:image/png,abc"], "001028004"),
    ("a data URI that is text", ["data:text/plain;base64,AAAA"], "001028004"),
    ("a data URI that is a GIF", ["data:image/gif;base64,AAAA"], "001028004"),
    ("broken base64", ["data:image/png;base64,@@@@"], "001028004"),
    ("an empty data URI", ["data:image/png;base64,"], "001028004"),
    ("the second of two is wrong", [PNG, "nonsense"], "001028004"),
]


@pytest.mark.parametrize(("value", "code"), [row[1:] for row in BAD_REFERENCES], ids=[row[0] for row in BAD_REFERENCES])
def test_bad_references_are_refused_with_the_most_specific_code(door: Door, value: Any, code: str) -> None:
    outcome = door.submit(request_with(references=value))
    assert (outcome.status, outcome.code) == (400, code)
    assert "input.reference_urls" in outcome.message
    assert door.ledger()["created"] == 0


BAD_FIELDS: list[tuple[str, Any, str]] = [
    ("no model", {"input": {"prompt": "a", "reference_urls": [PNG]}}, "model"),
    ("another model", {**request_with(), "model": "wan25_r2v"}, "model"),
    ("an empty prompt", request_with(prompt=""), "input.prompt"),
    ("a blank prompt", request_with(prompt=" \n"), "input.prompt"),
    ("no prompt", {"model": "wan26_r2v", "input": {"reference_urls": [PNG]}}, "input.prompt"),
    ("a prompt that is a number", request_with(prompt=7), "input.prompt"),
    ("a prompt that is null", request_with(prompt=None), "input.prompt"),
    ("input is an array", {"model": "wan26_r2v", "input": []}, "input"),
    ("input is null", {"model": "wan26_r2v", "input": None}, "input"),
    ("audio that is null", with_input(audio_url=None), "input.audio_url"),
    ("audio that is no URL", with_input(audio_url="song.mp3"), "input.audio_url"),
    ("audio as a data URI", with_input(audio_url="data:audio/mpeg;base64,AAAA"), "input.audio_url"),
    ("audio in another format", with_input(audio_url="https://example.com/a.ogg"), "input.audio_url"),
    ("parameters that are null", {**request_with(), "parameters": None}, "parameters"),
    ("parameters that are an array", {**request_with(), "parameters": []}, "parameters"),
    ("a size that is no size of the page", request_with(size="1280x720"), "parameters.size"),
    ("a size that is an aspect ratio", request_with(size="16:9"), "parameters.size"),
    ("a size that is an array", request_with(size=[1280, 720]), "parameters.size"),
    ("one second", request_with(duration=1), "parameters.duration"),
    ("sixteen seconds", request_with(duration=16), "parameters.duration"),
    ("a duration with a fraction", request_with(duration=5.0), "parameters.duration"),
    ("a duration that is a string", request_with(duration="5"), "parameters.duration"),
    ("a duration that is a bool", request_with(duration=True), "parameters.duration"),
    ("prompt_extend as a string", request_with(prompt_extend="true"), "parameters.prompt_extend"),
    ("watermark as a number", request_with(watermark=1), "parameters.watermark"),
    ("audio as null", request_with(audio=None), "parameters.audio"),
    ("an unknown shot type", request_with(shot_type="triple"), "parameters.shot_type"),
    ("a shot type that is an object", request_with(shot_type={}), "parameters.shot_type"),
    ("a negative seed", request_with(seed=-1), "parameters.seed"),
    ("a seed over the range", request_with(seed=2_147_483_648), "parameters.seed"),
    ("a seed that is a bool", request_with(seed=False), "parameters.seed"),
]


@pytest.mark.parametrize(("document", "field"), [row[1:] for row in BAD_FIELDS], ids=[row[0] for row in BAD_FIELDS])
def test_a_bad_field_without_a_code_of_its_own_is_099_and_is_named(door: Door, document: Any, field: str) -> None:
    outcome = door.submit(document)
    assert (outcome.status, outcome.code) == (400, "001028099")
    assert f"{field} " in outcome.message
    assert door.ledger()["created"] == 0


def test_every_broken_field_is_named_in_one_answer(door: Door) -> None:
    outcome = door.submit({**request_with(size="big", seed="x"), "model": "other"})
    assert all(field in outcome.message for field in ("model", "parameters.size", "parameters.seed"))


BAD_BODIES = [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"1" * 5000]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_body_that_is_no_json_object_is_refused(door: Door, body: bytes) -> None:
    outcome = door.call("POST", "/v1/videos", data=body, headers={"Content-Type": "application/json"})
    assert (outcome.status, outcome.code) == (400, "001028099")


@pytest.mark.parametrize("behind", ["{}", " {}", "}", ",", " x", "\u00a0", "\x00"])
def test_what_stands_behind_the_object_is_refused(door: Door, behind: str) -> None:
    body = json.dumps(request_with()) + behind
    outcome = door.call("POST", "/v1/videos", data=body.encode(), headers={"Content-Type": "application/json"})
    assert (outcome.status, "the body is not JSON: Extra data" in outcome.message) == (400, True)


@pytest.mark.parametrize(("before", "behind"), [(" ", ""), ("", "\n"), ("\r\n\t", "\t \n")])
def test_whitespace_around_the_object_is_taken(door: Door, before: str, behind: str) -> None:
    body = before + json.dumps(request_with()) + behind
    outcome = door.call("POST", "/v1/videos", data=body.encode(), headers={"Content-Type": "application/json"})
    assert outcome.status == 200


def test_what_is_allowed_but_most_likely_a_mistake_is_a_warning(door: Door) -> None:
    document = with_input(prompt="character1, character3, character2, character3, character12", more=1)
    outcome = door.submit({**document, "extra \ud800": 1, "parameters": {"fps": 24, "size": "960*960"}})
    assert outcome.json["metadata"]["warnings"] == [
        "input.prompt names character2, but there are 1 references",
        "input.prompt names character3, but there are 1 references",
        "unknown fields are ignored: extra \ud800, input.more, parameters.fps",
    ]


GOOD_REQUESTS: list[tuple[str, Any]] = [
    ("one image", request_with()),
    ("five images", request_with(references=[PNG] * 5)),
    ("three videos and two images", request_with(references=[MP4, "https://e.com/b.MOV?x=1.gif", MP4, PNG, PNG])),
    ("every image format", request_with(references=[f"https://e.com/a.{e}" for e in ("jpg", "jpeg", "bmp", "webp")])),
    ("no ending", request_with(references=["http://example.com/signed/abc"])),
    ("audio", with_input(audio_url="https://example.com/song.MP3")),
    ("audio without an ending", with_input(audio_url="https://example.com/song")),
    *[(size, request_with(size=size)) for tier in SIZES.values() for size in tier],
    *[(f"{seconds} s", request_with(duration=seconds)) for seconds in (2, 5, 10, 15)],
    ("both ends of the seed", request_with(seed=2_147_483_647)),
    ("all parameters", request_with(prompt_extend=False, watermark=True, audio=False, shot_type="multi", seed=0)),
    ("a 1,501 character prompt", request_with(prompt="字" * 1501)),
]


@pytest.mark.parametrize("document", [row[1] for row in GOOD_REQUESTS], ids=[row[0] for row in GOOD_REQUESTS])
def test_a_request_within_the_rules_is_taken(door: Door, document: Any) -> None:
    outcome = door.submit(document)
    assert (outcome.status, outcome.json["status"]) == (200, "queued")
    assert outcome.json["id"]


@pytest.mark.parametrize(("tier", "price"), [("720P", "0.10"), ("1080P", "0.15")])
@pytest.mark.parametrize("seconds", [2, 15])
def test_the_cost_is_the_price_of_the_tier_times_the_seconds(door: Door, tier: str, price: str, seconds: int) -> None:
    task = door.created(request_with(size=SIZES[tier][0], duration=seconds))
    door.advance(10)
    assert door.poll(task).json["usage"] == {"cost": f"{float(price) * seconds:.2f}", "discount": 0}


def test_the_cut_of_a_long_prompt_is_visible_in_the_metadata(door: Door) -> None:
    metadata = door.submit(request_with(prompt="字" * 1501)).json["metadata"]
    assert (metadata["prompt_truncated"], metadata["prompt_characters"]) == (True, 1500)
    assert "1501" in metadata["warnings"][0]


def test_a_character_without_a_reference_and_an_unknown_field_are_warnings(door: Door) -> None:
    document = {**request_with(prompt="character1 meets character2 and character15"), "paramters": {}}
    warnings = door.submit(document).json["metadata"]["warnings"]
    assert len(warnings) == 2
    assert "character2" in warnings[0]
    assert "paramters" in warnings[1]


@pytest.mark.parametrize("key", [None, "wrong", ""], ids=["none", "wrong", "empty"])
def test_without_the_key_nothing_is_created_or_told(door: Door, key: str | None) -> None:
    task = door.created(request_with())
    assert [outcome.status for outcome in (door.submit(request_with(), key=key), door.poll(task, key=key))] == [
        401,
        401,
    ]
    assert door.ledger()["created"] == 1


def test_the_scheme_must_be_bearer_in_any_case(door: Door) -> None:
    schemes = {"Basic": 401, "bearer": 200, "BEARER": 200, "Token": 401}
    for scheme, status in schemes.items():
        headers = {"Authorization": f"{scheme} test-key"}
        assert door.submit(request_with(), key=None, headers=headers).status == status


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/json; charset=utf-8", 200)],
)
def test_only_json_is_read(door: Door, content_type: str, status: int) -> None:
    assert door.submit(request_with(), headers={"Content-Type": content_type}).status == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/images", 404),
        ("GET", "/v1/videos", 405),
        ("DELETE", "/v1/videos", 405),
        ("POST", "/v1/videos/abc", 405),
        ("POST", "/videos/abc.mp4", 405),
        ("GET", "/videos/abc.mp4", 403),
        ("GET", "/v1/videos/abc", 404),
        ("GET", "/_mock/nothing", 404),
        ("DELETE", "/_mock/ledger", 405),
    ],
)
def test_unknown_paths_and_methods_are_refused_with_an_error_object(
    door: Door, method: str, path: str, status: int
) -> None:
    outcome = door.call(method, path)
    assert outcome.status == status
    assert outcome.code.islower()
