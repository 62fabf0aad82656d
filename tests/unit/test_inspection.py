"""The Wan page's rules on what is inside a reference hold before anything is written or paid."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import wan_request
from tests.stack import OWNER, Stack
from tests.unit.media_files import box, data_url, movie, picture, sound, wav
from wanflow import aws
from wanflow.errors import AwsUnavailable, InvalidRequest, Violation
from wanflow.files import Files
from wanflow.inspection import MAX_BYTES, inspect_references
from wanflow.validation import RequestWarning, validate

LAYER = Path(__file__).parents[2] / "layers" / "common"
FIRST = "input.reference_urls[0]"
BUCKET = "stack-videos"
UPLOADS = f"uploads/{OWNER}/"
GOOD = picture()


@pytest.fixture
def files(moto_aws: None) -> Files:
    aws.s3().create_bucket(Bucket=BUCKET)
    return Files(aws.s3, BUCKET)


def no_client() -> Any:
    raise AssertionError("a boto3 client was made")


CLOSED = Files(no_client, BUCKET)
"""Fails whoever looks into the bucket."""


def inspect(files: Files, *references: str, **parts: Any) -> tuple[RequestWarning, ...]:
    names = " ".join(f"character{number}" for number in range(1, len(references) + 1))
    body = wan_request(prompt=names, reference_urls=list(references), **parts)
    return inspect_references(validate(body, files.of_owner(OWNER)), files)


def violations(files: Files, *references: str, **parts: Any) -> list[Violation]:
    with pytest.raises(InvalidRequest) as caught:
        inspect(files, *references, **parts)
    return caught.value.violations


def violation(files: Files, *references: str, **parts: Any) -> Violation:
    (only,) = violations(files, *references, **parts)
    return only


def put(files: Files, name: str, content: bytes) -> str:
    files.put(UPLOADS + name, content, "application/octet-stream")
    return files.url_of(UPLOADS + name)


# --- What passes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    [
        data_url(picture("PNG")),
        data_url(picture("JPEG"), "image/jpeg"),
        data_url(picture("BMP"), "image/bmp"),
        data_url(picture("WEBP", "RGBA"), "image/webp"),
        data_url(picture(size=(360, 2000))),
        data_url(picture("JPEG"), "image/png"),
        data_url(movie(), "video/mp4"),
        data_url(movie("mov", seconds=30), "video/quicktime"),
        data_url(movie("mov"), "video/mp4"),
    ],
)
def test_a_good_data_url_passes_without_a_look_into_the_bucket(reference: str) -> None:
    assert inspect(CLOSED, reference) == ()


def test_foreign_urls_are_not_looked_at() -> None:
    assert (
        inspect(CLOSED, "https://example.com/a.png", "http://example.com/b.mp4", audio_url="https://e.com/c.mp3") == ()
    )


def test_good_objects_pass(files: Files) -> None:
    references = [
        put(files, "a b+ü.png", GOOD),
        put(files, "no-ending", picture("JPEG")),
        put(files, "clip.mp4", movie()),
        put(files, "CLIP.MOV", movie("mov")),
    ]
    assert inspect(files, *references, audio_url=put(files, "voice.mp3", sound(seconds=5))) == ()


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "got"), [((359, 2000), "359x2000"), ((360, 2001), "360x2001"), ((200, 200), "200x200")]
)
def test_pixels_out_of_range_are_named(size: tuple[int, int], got: str) -> None:
    message = f"width and height must be 360 to 2000 pixels, got {got}"
    assert violation(CLOSED, data_url(picture(size=size))) == Violation(FIRST, "invalid_request", message)


@pytest.mark.parametrize("content", [picture("PNG", "RGBA"), picture("PNG", "P", transparency=0)])
def test_a_transparent_png_is_refused(content: bytes) -> None:
    found = violation(CLOSED, data_url(content))
    assert (found.field, found.code) == (FIRST, "invalid_request")
    assert "no transparency" in found.message


@pytest.mark.parametrize(("seconds", "got"), [(2, "2.000"), (31, "31.000")])
def test_a_video_of_the_wrong_length_is_refused(seconds: int, got: str) -> None:
    message = f"must be 3 to 30 seconds long, got {got}"
    found = violation(CLOSED, data_url(movie(seconds=seconds), "video/mp4"))
    assert found == Violation(FIRST, "invalid_request", message)


def test_a_video_of_open_length_is_refused() -> None:
    found = violation(CLOSED, data_url(movie(movflags="frag_keyframe+empty_moov"), "video/mp4"))
    assert found.message == "must be 3 to 30 seconds long, got an MP4 that leaves it open (fragmented or live)"


@pytest.mark.parametrize(
    ("content", "mime", "got"),
    [
        (picture("GIF"), "image/png", "a GIF"),
        (b"not a picture", "image/jpeg", "a file of no known format"),
        (movie(), "image/png", "an MP4"),
        (GOOD, "video/mp4", "a PNG"),
        (wav(), "video/mp4", "a WAV"),
        (movie("3gp"), "video/mp4", "a 3GP video"),
    ],
)
def test_a_content_of_another_kind_than_declared_has_the_code_of_the_wan_page(
    content: bytes, mime: str, got: str
) -> None:
    found = violation(CLOSED, data_url(content, mime))
    assert (found.field, found.code) == (FIRST, "001028004")
    assert found.message.startswith("Invalid reference URL format: must be ")
    assert found.message.endswith(f"as its name or type says, got {got}")


def test_an_object_whose_name_has_no_ending_counts_as_an_image(files: Files) -> None:
    found = violation(files, put(files, "clip", movie()))
    assert found.code == "001028004"
    assert found.message.endswith("as every name without an ending, got an MP4")


@pytest.mark.parametrize("name", ["gone.png", "x" * 1100 + ".png", "\ud800.png", "../gone.png", "a//b.png"])
def test_a_missing_object_is_named(files: Files, name: str) -> None:
    found = violation(files, f"s3://{BUCKET}/{UPLOADS}{name}")
    assert (found.field, found.code) == (FIRST, "001028004")
    assert found.message.endswith("got no object: there is none of that name")


def test_an_empty_object_is_named(files: Files) -> None:
    assert violation(files, put(files, "empty.png", b"")).message.endswith("got an empty file")


def test_every_violation_of_every_reference_is_told_in_order(files: Files) -> None:
    found = violations(
        files,
        data_url(picture("PNG", "RGBA", size=(100, 100))),
        "https://example.com/fine.png",
        put(files, "good.png", GOOD),
        put(files, "a.gif.png", picture("GIF")),
        audio_url=put(files, "short.wav", wav(2)),
    )
    assert [(one.field, one.code) for one in found] == [
        (FIRST, "invalid_request"),
        (FIRST, "invalid_request"),
        ("input.reference_urls[3]", "001028004"),
        ("input.audio_url", "invalid_request"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.mp3", sound(seconds=2.5), "must be 3 to 30 seconds long, got 2.5"),
        ("a.wav", wav(30.2), "must be 3 to 30 seconds long, got 30.200"),
        ("a.wav", GOOD, "must be a WAV or MP3 file by its content, got a PNG"),
        ("a.mp3", sound("ogg", "flac"), "must be a WAV or MP3 file by its content, got an Ogg file"),
        ("a", b"", "must be a WAV or MP3 file by its content, got an empty file"),
    ],
)
def test_audio_that_breaks_a_rule_has_no_code_of_the_wan_page(
    files: Files, name: str, content: bytes, words: str
) -> None:
    found = violation(files, "https://example.com/a.png", audio_url=put(files, name, content))
    assert (found.field, found.code) == ("input.audio_url", "invalid_request")
    assert found.message.startswith(words)


def test_missing_audio_is_named(files: Files) -> None:
    found = violation(files, "https://example.com/a.png", audio_url=f"s3://{BUCKET}/{UPLOADS}gone.mp3")
    assert (found.field, found.code) == ("input.audio_url", "invalid_request")


def test_thirty_seconds_of_sound_pass_though_an_mp3_adds_the_encoders_delay(files: Files) -> None:
    (warning,) = inspect(files, "https://e.com/a.png", audio_url=put(files, "a.mp3", sound(seconds=30)))
    assert warning.code == "audio_cut"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.bmp", picture("BMP"), "image"),
        ("a.mp4", movie(), "video"),
        ("a.wav", wav(), "audio"),
    ],
)
def test_an_object_over_the_limit_of_its_kind_is_refused_by_a_byte(
    monkeypatch: pytest.MonkeyPatch, files: Files, name: str, content: bytes, kind: str
) -> None:
    limits = {"image": 10 * 1024 * 1024, "video": 100 * 1024 * 1024, "audio": 15 * 1024 * 1024}
    assert limits == MAX_BYTES
    reference = put(files, name, content)
    parts = {"audio_url": reference} if kind == "audio" else {}
    references = ["https://e.com/a.png"] if kind == "audio" else [reference]
    monkeypatch.setitem(MAX_BYTES, kind, len(content))
    assert inspect(files, *references, **parts) == ()
    monkeypatch.setitem(MAX_BYTES, kind, len(content) - 1)
    found = violation(files, *references, **parts)
    assert found.code == "invalid_request"
    assert found.message.endswith(f"({len(content) - 1} bytes), got {len(content)} bytes")


# --- Warnings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "codes"),
    [(4, ["audio_too_short"]), (4.95, []), (5, []), (5.05, []), (6, ["audio_cut"])],
)
def test_audio_shorter_or_longer_than_the_video_is_worth_a_warning(
    files: Files, seconds: float, codes: list[str]
) -> None:
    found = inspect(
        files, "https://e.com/a.png", audio_url=put(files, "a.wav", wav(seconds)), parameters={"duration": 5}
    )
    assert [warning.code for warning in found] == codes
    assert all(warning.field == "input.audio_url" for warning in found)


def test_the_warning_tells_both_lengths(files: Files) -> None:
    audio = put(files, "a.wav", wav(7.5))
    (found,) = inspect(files, "https://e.com/a.png", audio_url=audio, parameters={"duration": 10})
    assert found.message == "has 7.5 s, the video 10 s; the rest of the video is silent"


# --- How the bucket is read ------------------------------------------------------------------------------------------


class CountingFiles(Files):
    """Notes every range that is read."""

    def __init__(self) -> None:
        super().__init__(aws.s3, BUCKET)
        self.reads: list[int] = []

    def get_range(self, key: str, start: int, length: int) -> tuple[bytes, int]:
        content, size = super().get_range(key, start, length)
        self.reads.append(len(content))
        return content, size

    def get(self, key: str, most_bytes: int) -> bytes | None:
        raise AssertionError("a whole object was read")


def test_a_large_video_with_its_header_at_the_end_costs_a_few_ranges(files: Files) -> None:
    video = movie()
    start = video.index(b"mdat") - 4
    size = int.from_bytes(video[start : start + 4], "big")
    large = video[:start] + box(b"mdat", video[start + 8 : start + size], bytes(20 * 1024 * 1024))
    reference = put(files, "clip.mp4", large + video[start + size :])
    counting = CountingFiles()
    assert inspect(counting, reference) == ()
    assert len(counting.reads) <= 3
    assert sum(counting.reads) < 256 * 1024


def test_a_picture_costs_one_range(files: Files) -> None:
    counting = CountingFiles()
    inspect(counting, put(files, "a.png", picture(size=(1900, 1900))))
    assert len(counting.reads) == 1


def test_a_range_tells_the_size_of_the_whole(files: Files) -> None:
    put(files, "a.bin", b"0123456789")
    assert files.get_range(f"{UPLOADS}a.bin", 2, 3) == (b"234", 10)
    assert files.get_range(f"{UPLOADS}a.bin", 8, 100) == (b"89", 10)


def test_a_passing_fault_of_s3_is_no_fault_of_the_caller(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="s3")

    reference = put(files, "a.png", GOOD)
    monkeypatch.setattr(aws.s3(), "get_object", time_out)
    with pytest.raises(AwsUnavailable):
        inspect(files, reference)


def test_a_bucket_that_refuses_is_a_bug_and_not_a_violation(files: Files) -> None:
    aws.s3().delete_bucket(Bucket=BUCKET)
    with pytest.raises(aws.s3().exceptions.NoSuchBucket):
        inspect(files, f"s3://{BUCKET}/{UPLOADS}a.png")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([GOOD, picture("JPEG"), picture("WEBP"), picture("BMP"), movie()]),
    st.lists(st.tuples(st.integers(0, 1200), st.binary(min_size=1, max_size=6)), max_size=5),
    st.sampled_from(["image/png", "video/mp4"]),
)
def test_hostile_bytes_lead_to_violations_and_to_nothing_else(
    original: bytes, scribbles: list[tuple[int, bytes]], mime: str
) -> None:
    content = bytearray(original)
    for start, scribble in scribbles:
        content[start : start + len(scribble)] = scribble
    # Whatever else comes out of it fails this test.
    with suppress(InvalidRequest):
        inspect(CLOSED, data_url(bytes(content), mime))


def test_a_request_without_own_media_imports_neither_boto3_nor_the_media_libraries() -> None:
    code = (
        "import sys; from wanflow.files import *; from wanflow.inspection import *; from wanflow.validation import *\n"
        "files = Files(None, 'b')\n"
        "wan_input = {'prompt': 'character1', 'reference_urls': ['https://e.com/a.png']}\n"
        "inspect_references(validate({'model': MODEL, 'input': wan_input}, files.of_owner('o')), files)\n"
        "assert not {'boto3', 'imagesize', 'tinytag'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(LAYER)})


# --- In the life of a job --------------------------------------------------------------------------------------------


def test_a_spoiled_request_is_refused_before_anything_is_written(stack: Stack) -> None:
    before = stack.item_count()
    answer = stack.call("POST", "/videos", wan_request(reference_urls=[data_url(picture(size=(200, 200)))]))
    assert answer.status == 400
    assert answer.body["error"]["violations"] == [{"field": FIRST, "code": "invalid_request", "message": ANY}]
    assert (stack.item_count(), stack.executions(), stack.keys()) == (before, [], [])


def test_the_warning_about_the_audio_is_in_the_job(stack: Stack) -> None:
    stack.put(f"{UPLOADS}voice.wav", wav(4))
    audio = f"s3://{stack.bucket}/{UPLOADS}voice.wav"
    answer = stack.call("POST", "/videos", wan_request(audio_url=audio))
    assert answer.status == 202
    assert [warning["code"] for warning in answer.body["warnings"]] == ["audio_too_short"]


def test_a_repeated_key_leads_to_its_job_though_the_reference_is_gone(stack: Stack) -> None:
    key = f"{UPLOADS}face.png"
    stack.put(key, GOOD)
    body = wan_request(reference_urls=[f"s3://{stack.bucket}/{key}"])
    first = stack.call("POST", "/videos", body, headers={"Idempotency-Key": "k"})
    aws.s3().delete_object(Bucket=stack.bucket, Key=key)
    again = stack.call("POST", "/videos", body, headers={"Idempotency-Key": "k"})
    assert (first.status, again.status) == (202, 200)
    assert again.body["id"] == first.body["id"]
    assert stack.call("POST", "/videos", body, headers={"Idempotency-Key": "another"}).status == 400
    assert stack.call("POST", "/videos", body).status == 400
