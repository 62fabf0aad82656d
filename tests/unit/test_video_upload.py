"""A video is in the bucket whole and checked, or not at all."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import crc32_text, mp4
from wanflow import aws
from wanflow.errors import AwsUnavailable, DownloadFailed
from wanflow.files import Files
from wanflow.video_upload import PIECES_AHEAD

KEY = "videos/vid_1.mp4"
# S3 wants 5 MiB; moto is told otherwise, so that parts may be small.
HELD, PART = 1000, 1500


@pytest.fixture
def files(moto_aws: None, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr("wanflow.video_upload.HELD_BYTES", HELD)
    monkeypatch.setattr("wanflow.video_upload.PART_BYTES", PART)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    aws.s3().create_bucket(Bucket="bucket")
    return Files(aws.s3, "bucket")


def visible() -> list[str]:
    return [entry["Key"] for entry in aws.s3().list_objects_v2(Bucket="bucket").get("Contents", [])]


def unfinished() -> list[Any]:
    return list(aws.s3().list_multipart_uploads(Bucket="bucket").get("Uploads", []))


def stored() -> bytes:
    return aws.s3().get_object(Bucket="bucket", Key=KEY)["Body"].read()


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def cut(content: bytes, size: int = 300) -> Iterator[bytes]:
    yield from pieces(content, size)
    raise DownloadFailed("the CDN broke off (ChunkedEncodingError)")


# --- Whole ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, 999, 1000, 1001, 1499, 1500, 1501, 3000, 10_000])
@pytest.mark.parametrize("piece", [1, 7, 1000, 4096])
@pytest.mark.parametrize("announced", [True, False])
def test_a_video_is_stored_byte_for_byte(files: Files, size: int, piece: int, announced: bool) -> None:
    video = mp4(size)
    told = files.store_video(KEY, pieces(video, piece), size if announced else None)
    assert stored() == video
    assert (told.key, told.bytes, told.crc32) == (KEY, size, crc32_text(video))
    assert unfinished() == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(min_value=0, max_value=2500), min_size=1, max_size=8), st.booleans())
def test_a_video_in_pieces_of_any_size_is_stored_byte_for_byte(files: Files, sizes: list[int], announced: bool) -> None:
    video = mp4(12 + sum(sizes))
    rest = iter(video[12:])
    chunks = [video[:12], *(bytes(next(rest) for _ in range(size)) for size in sizes)]
    assert files.store_video(KEY, iter(chunks), len(video) if announced else None).crc32 == crc32_text(video)
    assert stored() == video


@pytest.mark.parametrize("size", [1200, 5000])
def test_a_stored_video_says_what_it_is_and_has_the_checksum_that_is_noted(files: Files, size: int) -> None:
    # Of a short one moto keeps no checksum.
    told = files.store_video(KEY, pieces(mp4(size), 100), size)
    head = aws.s3().head_object(Bucket="bucket", Key=KEY, ChecksumMode="ENABLED")
    assert head["ContentType"] == "video/mp4"
    assert head["ChecksumCRC32"] == told.crc32


def test_no_more_than_the_pieces_ahead_are_held(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    given_out, sent = 0, 0

    def chunks() -> Iterator[bytes]:
        nonlocal given_out
        for piece in pieces(mp4(20_000), 100):
            given_out += len(piece)
            yield piece

    def watched(**request: Any) -> Any:
        nonlocal sent
        while piece := request["Body"].read(16_384):
            sent += len(piece)
            # One piece more is in the reader's hand.
            assert given_out - sent <= (PIECES_AHEAD + 1) * 100
        return {"ETag": "1"}

    monkeypatch.setattr(aws.s3(), "upload_part", watched)
    monkeypatch.setattr(aws.s3(), "complete_multipart_upload", lambda **_: None)
    files.store_video(KEY, chunks(), 20_000)
    assert sent == 20_000


def test_s3_is_told_the_checksum_of_all_of_it_before_it_makes_an_object(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto would not miss it.
    client = aws.s3()
    asked: list[Any] = []
    for operation in ("create_multipart_upload", "upload_part", "complete_multipart_upload"):
        monkeypatch.setattr(client, operation, _noting(getattr(client, operation), asked))
    video = mp4(3500)
    files.store_video(KEY, pieces(video, 300), 3500)
    create, *parts, complete = asked
    assert (create["ChecksumAlgorithm"], create["ChecksumType"]) == ("CRC32", "FULL_OBJECT")
    assert [len(part["Body"]) for part in parts] == [1500, 1500, 500]
    assert (complete["ChecksumCRC32"], complete["ChecksumType"]) == (crc32_text(video), "FULL_OBJECT")


def test_s3_is_told_the_checksum_of_a_short_video_too(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(aws.s3(), "put_object", lambda **request: asked.append(request))
    files.store_video(KEY, pieces(mp4(500), 300), 500)
    assert [request["ChecksumCRC32"] for request in asked] == [crc32_text(mp4(500))]


def _noting(call: Callable[..., Any], asked: list[Any]) -> Callable[..., Any]:
    def noted(**request: Any) -> Any:
        asked.append(request)
        return call(**request)

    return noted


# --- Or not at all -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [500, 1000, 5000])
@pytest.mark.parametrize("difference", [-1, 1, 1024])
def test_another_length_than_announced_leaves_nothing(files: Files, size: int, difference: int) -> None:
    with pytest.raises(DownloadFailed, match="announced"):
        files.store_video(KEY, pieces(mp4(size), 300), size + difference)
    assert visible() == []
    assert unfinished() == []


@pytest.mark.parametrize(
    "content", [b"", b"ftyp", b"<!doctype html><title>no</title>", b"\0" * 5000, b"RIFF....WEBP", mp4(5000)[1:]]
)
def test_what_is_no_mp4_leaves_nothing(files: Files, content: bytes) -> None:
    with pytest.raises(DownloadFailed, match="not an MP4"):
        files.store_video(KEY, pieces(content, 300), len(content))
    assert visible() == []
    assert unfinished() == []


@pytest.mark.parametrize("size", [100, 999, 1000, 1500, 2000, 7777])
@pytest.mark.parametrize("announced", [None, 8000])
def test_a_stream_that_is_cut_leaves_nothing(files: Files, size: int, announced: int | None) -> None:
    with pytest.raises(DownloadFailed, match="broke off"):
        files.store_video(KEY, cut(mp4(size)), announced)
    assert visible() == []
    assert unfinished() == []


def test_a_spoiled_second_try_does_not_touch_the_first_s_video(files: Files) -> None:
    files.store_video(KEY, pieces(mp4(3000), 300), 3000)
    with pytest.raises(DownloadFailed):
        files.store_video(KEY, cut(mp4(2500, seed=7)), None)
    assert stored() == mp4(3000)


@pytest.mark.parametrize("operation", ["create_multipart_upload", "upload_part", "complete_multipart_upload"])
def test_a_fault_of_s3_is_named_and_leaves_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr(aws.s3(), operation, _refusing("SlowDown", 503))
    with pytest.raises(AwsUnavailable, match="SlowDown"):
        files.store_video(KEY, pieces(mp4(3000), 300), 3000)
    assert visible() == []
    assert unfinished() == []


def test_bytes_that_were_spoiled_on_the_way_are_stored_anew(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws.s3(), "complete_multipart_upload", _refusing("BadDigest", 400))
    with pytest.raises(AwsUnavailable, match="S3 got other bytes"):
        files.store_video(KEY, pieces(mp4(3000), 300), 3000)
    assert unfinished() == []


def _refusing(code: str, status: int) -> Callable[..., None]:
    def refuse(**_: Any) -> None:
        told: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(told, "AnyOperation")

    return refuse


class FaultyS3:
    """Breaks the first try of a part, before or after it has read something of the body."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, read_first: int) -> None:
        self.tries = 0
        self._read_first = read_first
        monkeypatch.setattr("time.sleep", lambda _: None)
        aws.s3().meta.events.register_first("before-send.s3.UploadPart", self._send)

    def _send(self, request: Any, **_: Any) -> AWSResponse | None:
        self.tries += 1
        if self.tries > 1:
            return None
        for _number in range(self._read_first):
            request.body.read(16_384)
        raise EndpointConnectionError(endpoint_url="https://s3.test")


def test_a_part_that_s3_refuses_by_its_head_is_sent_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = FaultyS3(monkeypatch, read_first=0)
    files.store_video(KEY, pieces(mp4(1400), 300), 1400)
    assert s3.tries == 2
    assert stored() == mp4(1400)


def test_a_part_that_breaks_in_the_middle_is_the_workflows_to_repeat(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = FaultyS3(monkeypatch, read_first=1)
    with pytest.raises(AwsUnavailable, match="could not write"):
        files.store_video(KEY, pieces(mp4(1400), 300), 1400)
    assert s3.tries == 1
    assert visible() == []
    assert unfinished() == []


def test_nobody_reads_on_when_it_has_failed(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    FaultyS3(monkeypatch, read_first=1)
    with pytest.raises(AwsUnavailable):
        files.store_video(KEY, pieces(mp4(100_000), 100), 100_000)
    assert threading.active_count() == before
