"""Every rule of the Wan page, both sides of every boundary, and every violation at once."""

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import wan_request
from wanflow.errors import InvalidRequest
from wanflow.pricing import TIER_OF_SIZE
from wanflow.references import OwnFiles
from wanflow.validation import ValidRequest, validate

FILES = OwnFiles("bucket", ("uploads/alice/", "inbox/alice/"))
IMAGE, VIDEO = "https://example.com/a.png", "https://example.com/a.mp4"
INLINE = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()


def valid(**changes: Any) -> ValidRequest:
    return validate(wan_request(**changes), FILES)


def faults(body: object) -> list[tuple[str, str]]:
    """(field, code) of every violation."""
    with pytest.raises(InvalidRequest) as caught:
        validate(body, FILES)
    return [(violation.field, violation.code) for violation in caught.value.violations]


def messages(**changes: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        valid(**changes)
    return str(caught.value)


# --- The whole -----------------------------------------------------------------------------------------------------


def test_the_page_s_defaults_are_filled_in() -> None:
    assert valid().wan == {
        "model": "wan26_r2v",
        "input": {
            "prompt": "character1 walks in the park",
            "reference_urls": ["https://example.com/character.jpg"],
        },
        "parameters": {
            "size": "1920*1080",
            "duration": 5,
            "prompt_extend": True,
            "watermark": False,
            "audio": True,
            "shot_type": "single",
        },
    }


def test_what_was_given_is_kept() -> None:
    given_parameters = {
        "size": "720*1280",
        "duration": 15,
        "prompt_extend": False,
        "watermark": True,
        "audio": False,
        "shot_type": "multi",
        "seed": 0,
    }
    request = valid(parameters=given_parameters)
    assert request.wan["parameters"] == given_parameters
    assert (request.size, request.duration_seconds) == ("720*1280", 15)


def test_every_violation_is_named_at_once_in_the_order_of_the_page() -> None:
    body = {
        "model": 5,
        "input": {"prompt": "", "reference_urls": [IMAGE, 7, "ftp://x/y.png"], "audio_url": "a.ogg", "style": "x"},
        "parameters": {"size": "480P", "duration": 1, "audio": "true", "seed": -1, "fps": 24},
        "metadata": {"a": 1},
        "priority": 1,
    }
    assert faults(body) == [
        ("priority", "invalid_request"),
        ("model", "invalid_request"),
        ("input.style", "invalid_request"),
        ("input.prompt", "invalid_request"),
        ("input.reference_urls[1]", "001028004"),
        ("input.reference_urls[2]", "001028004"),
        ("input.audio_url", "invalid_request"),
        ("parameters.fps", "invalid_request"),
        ("parameters.size", "invalid_request"),
        ("parameters.duration", "invalid_request"),
        ("parameters.audio", "invalid_request"),
        ("parameters.seed", "invalid_request"),
        ("metadata.a", "invalid_request"),
    ]


def test_the_top_code_is_the_first_wan_code_among_the_violations() -> None:
    with pytest.raises(InvalidRequest) as caught:
        valid(prompt="", reference_urls=[], parameters={"duration": 1})
    assert caught.value.code == "001028001"
    with pytest.raises(InvalidRequest) as caught:
        valid(prompt="", parameters={"duration": 1})
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("body", [None, [], "text", 5, 5.5, True])
def test_a_body_that_is_no_object_is_one_violation(body: object) -> None:
    assert faults(body) == [("body", "invalid_request")]


@pytest.mark.parametrize("model", [None, "", "wan25_r2v", 26, ["wan26_r2v"]])
def test_there_is_one_model(model: object) -> None:
    assert faults(wan_request(model=model)) == [("model", "invalid_request")]


def test_what_is_missing_is_named() -> None:
    assert faults({}) == [
        ("model", "invalid_request"),
        ("input", "invalid_request"),
        ("input.prompt", "invalid_request"),
        ("input.reference_urls", "001028001"),
    ]


def test_no_value_of_the_caller_is_ever_told_back() -> None:
    secret = "sk-very-secret"
    body = wan_request(
        model=secret,
        prompt=[secret],
        reference_urls=[secret, f"data:image/png;base64,{secret}!"],
        audio_url=f"https://example.com/{secret}.ogg?token={secret}",
        parameters={"size": secret, "duration": secret},
        metadata={"key": [secret]},
    )
    with pytest.raises(InvalidRequest) as caught:
        validate(body, FILES)
    assert secret not in str(caught.value)


# --- The prompt ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [None, 5, True, ["text"], {}, "", " ", "\n\t", "\u3000"])
def test_a_prompt_is_a_text_that_says_something(prompt: object) -> None:
    assert faults(wan_request(prompt=prompt)) == [("input.prompt", "invalid_request")]


@pytest.mark.parametrize("letter", ["x", "人", "é", "😀"])
def test_a_prompt_is_counted_in_unicode_code_points(letter: str) -> None:
    exact = valid(prompt=letter * 1500)
    assert [warning.code for warning in exact.warnings] == ["reference_never_named"]
    over = valid(prompt=letter * 1501)
    assert over.wan["input"]["prompt"] == letter * 1500
    assert "prompt_truncated" in [warning.code for warning in over.warnings]


@pytest.mark.parametrize("prompt", ["character1 \ud800", "\udfff character1"])
def test_a_lone_surrogate_is_no_text(prompt: str) -> None:
    assert faults(wan_request(prompt=prompt)) == [("input.prompt", "invalid_request")]


@pytest.mark.parametrize(
    ("prompt", "references", "codes"),
    [
        ("character1 walks", 1, []),
        ("Character1 walks", 1, []),
        ("character1 and character2", 1, ["character_without_reference"]),
        ("character1", 2, ["reference_never_named"]),
        ("nobody", 1, ["reference_never_named"]),
        ("character0 and character1", 1, ["character_without_reference"]),
        ("character6", 5, ["character_without_reference"] + ["reference_never_named"] * 5),
        ("character12 is not character1", 1, ["character_without_reference"]),
    ],
)
def test_a_character_without_a_reference_is_worth_a_warning(prompt: str, references: int, codes: list[str]) -> None:
    request = valid(prompt=prompt, reference_urls=[IMAGE] * references)
    assert [warning.code for warning in request.warnings] == codes


# --- How many references -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "urls",
    [
        [IMAGE],
        [VIDEO],
        [IMAGE] * 5,
        [VIDEO] * 3,
        [VIDEO] * 3 + [IMAGE] * 2,
        ["https://example.com/no-ending"] * 5,
        [INLINE] * 5,
    ],
)
def test_one_to_five_references_of_both_kinds_are_taken(urls: list[str]) -> None:
    assert valid(reference_urls=urls).wan["input"]["reference_urls"] == urls


@pytest.mark.parametrize("urls", [None, "https://example.com/a.png", {}, 5, True, [], {"0": IMAGE}])
def test_001_no_array_or_none_in_it(urls: object) -> None:
    assert faults(wan_request(reference_urls=urls)) == [("input.reference_urls", "001028001")]


@pytest.mark.parametrize(
    ("urls", "code"),
    [
        ([VIDEO] * 4, "001028003"),
        ([VIDEO] * 4 + [IMAGE] * 6, "001028003"),
        ([IMAGE] * 6, "001028002"),
        (["https://example.com/no-ending"] * 6, "001028002"),
        ([VIDEO] * 3 + [IMAGE] * 6, "001028002"),
        ([VIDEO] * 3 + [IMAGE] * 3, "001028001"),
        ([VIDEO] + [IMAGE] * 5, "001028001"),
    ],
)
def test_of_several_broken_counts_the_most_specific_is_the_answer(urls: list[str], code: str) -> None:
    assert faults(wan_request(reference_urls=urls)) == [("input.reference_urls", code)]


def test_a_broken_count_does_not_hide_broken_members() -> None:
    assert faults(wan_request(reference_urls=[IMAGE] * 6 + ["ftp://x/a.png"])) == [
        ("input.reference_urls", "001028002"),
        ("input.reference_urls[6]", "001028004"),
    ]


def test_a_giant_list_gets_an_answer_of_a_sane_size() -> None:
    assert len(faults(wan_request(reference_urls=[7] * 100_000))) < 30


# --- Which references ----------------------------------------------------------------------------------------------

GOOD_REFERENCES = [
    "https://example.com/a.jpg",
    "http://example.com/a.JPEG",
    "HTTPS://EXAMPLE.COM/A.PNG",
    "https://example.com/a.bmp",
    "https://example.com/a.webp",
    "https://example.com/a.mov",
    "https://example.com/a.mp4?token=x.gif#y.gif",
    "https://example.com/v1.2/picture",
    "https://example.com",
    "https://example.com:8443/a.png",
    "https://[2001:db8::1]/a.png",
    "https://user:password@example.com/a.png",
    INLINE,
    "data:IMAGE/JPEG;base64,AAAA",
    "data:video/mp4;base64,AAAA",
    "data:video/quicktime;base64,AAAA",
    "s3://bucket/uploads/alice/a.png",
    "s3://bucket/inbox/alice/deep/er/a.mov",
]
BAD_REFERENCES: list[object] = [
    None,
    7,
    True,
    [IMAGE],
    {},
    "",
    "picture.png",
    "/a.png",
    "//example.com/a.png",
    "ftp://example.com/a.png",
    "file:///etc/passwd.png",
    "https://",
    "https:///a.png",
    "https://:80/a.png",
    "https://example.com:99999/a.png",
    "https://[::1/a.png",
    "https://example.com/a b.png",
    "https://example.com/a.png\n",
    " https://example.com/a.png",
    "https://example.com/a.gif",
    "https://example.com/a.tiff",
    "https://example.com/a.mp3",
    "https://example.com/a.",
    "https://example.com/" + "x" * 8192,
    "data:image/gif;base64,AAAA",
    "data:audio/wav;base64,AAAA",
    "data:text/html;base64,AAAA",
    "data:image/png,AAAA",
    "data:image/png;base64",
    "data:image/png;base64,",
    "data:image/png;base64,AAA",
    "data:image/png;base64,AA AA",
    "data:image/png;base64,A-_A",
    "data:;base64,AAAA",
    "s3://bucket/uploads/bob/a.png",
    "s3://bucket/uploads/alice2/a.png",
    "s3://bucket/uploads/alice",
    "s3://bucket/videos/vid_1.mp4",
    "s3://other/uploads/alice/a.png",
    "s3://bucket/uploads/alice/a.gif",
    "s3://",
    "S3://bucket/uploads/alice/a.png",
]


@pytest.mark.parametrize("url", GOOD_REFERENCES)
def test_a_good_reference_is_taken_as_it_is(url: str) -> None:
    assert valid(reference_urls=[url]).wan["input"]["reference_urls"] == [url]


@pytest.mark.parametrize("url", BAD_REFERENCES)
def test_004_a_bad_reference_is_named_by_its_place(url: object) -> None:
    assert faults(wan_request(reference_urls=[IMAGE, url])) == [("input.reference_urls[1]", "001028004")]


def test_the_decoded_content_of_a_data_url_is_at_hand() -> None:
    (reference,) = valid(reference_urls=[INLINE]).references
    assert (reference.kind, reference.ending, reference.content) == ("image", "png", b"\x89PNG")


# --- Audio ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.mp3",
        "http://example.com/A.WAV?x=1",
        "https://example.com/no-ending",
        "s3://bucket/uploads/alice/a.wav",
    ],
)
def test_audio_is_a_url_of_wav_or_mp3(url: str) -> None:
    request = valid(audio_url=url)
    assert request.wan["input"]["audio_url"] == url
    assert request.audio is not None


@pytest.mark.parametrize(
    "url",
    [
        None,
        5,
        [],
        "",
        "a.mp3",
        "ftp://example.com/a.mp3",
        "https://example.com/a.ogg",
        "https://example.com/a.png",
        "data:audio/wav;base64,AAAA",
        "s3://bucket/uploads/bob/a.wav",
    ],
)
def test_other_audio_is_refused_without_a_wan_code(url: object) -> None:
    assert faults(wan_request(audio_url=url)) == [("input.audio_url", "invalid_request")]


# --- Parameters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", TIER_OF_SIZE)
def test_ten_sizes_are_taken(size: str) -> None:
    assert valid(parameters={"size": size}).size == size


RIGHT_PARAMETERS = [
    ("duration", 2),
    ("duration", 3),
    ("duration", 15),
    ("seed", 0),
    ("seed", 2147483647),
    ("shot_type", "single"),
    ("shot_type", "multi"),
    *((name, value) for name in ("prompt_extend", "watermark", "audio") for value in (True, False)),
]
WRONG_PARAMETERS: list[tuple[str, object]] = [
    *(("size", value) for value in (None, "", "1:1", "480P", "1280x720", "1280*720 ", "720*1281", 720, ["1280*720"])),
    *(("duration", value) for value in (None, 1, 16, 0, -5, 5.0, 2.5, "5", True, [5], 10**400)),
    *(("seed", value) for value in (None, -1, 2147483648, 1.0, "1", True, False)),
    *(("shot_type", value) for value in (None, "", "Single", "wide", 1, True, ["single"])),
    *(
        (name, value)
        for name in ("prompt_extend", "watermark", "audio")
        for value in (None, "true", "false", 0, 1, 1.0, "", [], {})
    ),
]


@pytest.mark.parametrize(("name", "value"), RIGHT_PARAMETERS)
def test_a_parameter_within_its_rule_is_taken(name: str, value: object) -> None:
    taken = valid(parameters={name: value}).wan["parameters"][name]
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(("name", "value"), WRONG_PARAMETERS)
def test_a_parameter_beyond_its_rule_is_named(name: str, value: object) -> None:
    assert faults(wan_request(parameters={name: value})) == [(f"parameters.{name}", "invalid_request")]


@pytest.mark.parametrize("parameters", [None, [], "x", 5, True])
def test_parameters_are_an_object(parameters: object) -> None:
    assert faults(wan_request(parameters=parameters)) == [("parameters", "invalid_request")]


def test_null_is_a_wrong_value_and_not_an_absent_one() -> None:
    assert "got null" in messages(parameters={"duration": None})


def test_a_shot_type_without_prompt_extend_is_worth_a_warning() -> None:
    request = valid(parameters={"shot_type": "multi", "prompt_extend": False})
    assert [warning.code for warning in request.warnings] == ["shot_type_ignored"]
    assert valid(parameters={"prompt_extend": False}).warnings == ()


# --- Metadata ------------------------------------------------------------------------------------------------------


def test_metadata_are_kept_and_not_sent() -> None:
    request = valid(metadata={"order": "4711", "": "x", "ü": "日本"})
    assert request.metadata == {"order": "4711", "": "x", "ü": "日本"}
    assert "metadata" not in request.wan


@pytest.mark.parametrize("metadata", [None, [], "x", 5])
def test_metadata_are_an_object(metadata: object) -> None:
    assert faults(wan_request(metadata=metadata)) == [("metadata", "invalid_request")]


@pytest.mark.parametrize("value", [None, 5, True, [], {}])
def test_metadata_are_texts(value: object) -> None:
    assert faults(wan_request(metadata={"order": value})) == [("metadata.order", "invalid_request")]


def test_metadata_have_two_kilobytes_in_all() -> None:
    assert valid(metadata={"k": "x" * 2047}).metadata
    assert faults(wan_request(metadata={"k": "x" * 2048})) == [("metadata", "invalid_request")]
    # Bytes, not letters: é has two.
    assert faults(wan_request(metadata={"k": "é" * 1024})) == [("metadata", "invalid_request")]


@pytest.mark.parametrize("metadata", [{"k": "\ud800"}, {"\udfff": "v"}])
def test_a_lone_surrogate_in_metadata_is_no_text(metadata: dict[str, str]) -> None:
    assert ("metadata", "invalid_request") in faults(wan_request(metadata=metadata))


# --- Anything at all -----------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(["model", "input", "parameters", "metadata"], json_values)))
def test_any_json_is_an_answer_and_never_a_crash(body: dict[str, Any]) -> None:
    assert faults(body)


@given(json_values, json_values, json_values)
def test_any_input_is_an_answer_and_never_a_crash(prompt: Any, urls: Any, audio: Any) -> None:
    with suppress(InvalidRequest):
        assert valid(prompt=prompt, reference_urls=urls, audio_url=audio).wan["input"]["reference_urls"] == urls
