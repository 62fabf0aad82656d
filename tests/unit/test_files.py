"""The bucket: a video is there whole or not at all."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import mp4
from wanflow import aws
from wanflow.errors import AwsUnavailable, DownloadFailed, NotFound
from wanflow.files import PIECES_AHEAD, Files, document_key, owner_of_inbox_key, verdict_key, video_key

KEY = "videos/vid_1.mp4"
# S3 wants 5 MiB; moto is told otherwise, so that parts may be small.
PART = 1000


@pytest.fixture
def files(moto_aws: None, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr("wanflow.files.PART_BYTES", PART)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    aws.s3().create_bucket(Bucket="bucket")
    return Files(aws.s3, "bucket")


def client_of(files: Files) -> Any:
    return files._client()


def visible(files: Files) -> list[str]:
    return [entry["Key"] for entry in client_of(files).list_objects_v2(Bucket="bucket").get("Contents", [])]


def unfinished(files: Files) -> list[Any]:
    return list(client_of(files).list_multipart_uploads(Bucket="bucket").get("Uploads", []))


def stored(files: Files, key: str = KEY) -> bytes:
    body: bytes = client_of(files).get_object(Bucket="bucket", Key=key)["Body"].read()
    return body


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def cut(content: bytes, size: int = 300) -> Iterator[bytes]:
    yield from pieces(content, size)
    raise DownloadFailed("the CDN broke off (ChunkedEncodingError)")


# --- Videos --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, 999, 1000, 1001, 1999, 2000, 2001, 10_000])
@pytest.mark.parametrize("piece", [1, 7, 1000, 4096])
def test_a_video_is_stored_byte_for_byte(files: Files, size: int, piece: int) -> None:
    video = mp4(size)
    told = files.store_video(KEY, pieces(video, piece), size)
    assert stored(files) == video
    assert (told.key, told.bytes, told.sha256) == (KEY, size, hashlib.sha256(video).hexdigest())
    assert unfinished(files) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(min_value=0, max_value=2500), min_size=1, max_size=8))
def test_a_video_in_pieces_of_any_size_is_stored_byte_for_byte(files: Files, sizes: list[int]) -> None:
    video = mp4(12 + sum(sizes))
    rest = iter(video[12:])
    chunks = [video[:12], *(bytes(next(rest) for _ in range(size)) for size in sizes)]
    assert files.store_video(KEY, iter(chunks), None).sha256 == hashlib.sha256(video).hexdigest()
    assert stored(files) == video


def test_a_stored_video_says_what_it_is(files: Files) -> None:
    for size in (100, 5000):
        files.store_video(KEY, pieces(mp4(size), 100), size)
        assert client_of(files).head_object(Bucket="bucket", Key=KEY)["ContentType"] == "video/mp4"


@pytest.mark.parametrize("size", [500, 1000, 5000])
@pytest.mark.parametrize("difference", [-1, 1, 1024])
def test_another_length_than_announced_leaves_nothing(files: Files, size: int, difference: int) -> None:
    with pytest.raises(DownloadFailed, match="announced"):
        files.store_video(KEY, pieces(mp4(size), 300), size + difference)
    assert visible(files) == []
    assert unfinished(files) == []


@pytest.mark.parametrize(
    "content", [b"", b"ftyp", b"<!doctype html><title>no</title>", b"\0" * 5000, b"RIFF....WEBP", mp4(5000)[1:]]
)
def test_what_is_no_mp4_leaves_nothing(files: Files, content: bytes) -> None:
    with pytest.raises(DownloadFailed, match="not an MP4"):
        files.store_video(KEY, pieces(content, 300), len(content))
    assert visible(files) == []
    assert unfinished(files) == []


@pytest.mark.parametrize("size", [100, 999, 1000, 1500, 2000, 7777])
def test_a_stream_that_is_cut_leaves_nothing(files: Files, size: int) -> None:
    with pytest.raises(DownloadFailed, match="broke off"):
        files.store_video(KEY, cut(mp4(size)), None)
    assert visible(files) == []
    assert unfinished(files) == []


def test_a_spoiled_second_try_does_not_touch_the_first_s_video(files: Files) -> None:
    files.store_video(KEY, pieces(mp4(3000), 300), 3000)
    with pytest.raises(DownloadFailed):
        files.store_video(KEY, cut(mp4(2500, seed=7)), None)
    assert stored(files) == mp4(3000)


@pytest.mark.parametrize("operation", ["create_multipart_upload", "upload_part", "complete_multipart_upload"])
def test_a_fault_of_s3_is_named_and_leaves_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    def slow_down(**_: Any) -> None:
        told: Any = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
        raise ClientError(told, operation)

    monkeypatch.setattr(client_of(files), operation, slow_down)
    with pytest.raises(AwsUnavailable, match="SlowDown"):
        files.store_video(KEY, pieces(mp4(3000), 300), 3000)
    assert visible(files) == []
    assert unfinished(files) == []


def test_no_more_than_a_part_and_the_pieces_ahead_are_held(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    given_out = 0
    taken: list[int] = []
    upload_part = client_of(files).upload_part

    def chunks() -> Iterator[bytes]:
        nonlocal given_out
        for piece in pieces(mp4(20_000), 100):
            given_out += len(piece)
            yield piece

    def watched(**request: Any) -> Any:
        taken.append(len(request["Body"]))
        # One piece more is in the reader's hand, one in the writer's.
        assert given_out - sum(taken) <= PART + (PIECES_AHEAD + 2) * 100
        return upload_part(**request)

    monkeypatch.setattr(client_of(files), "upload_part", watched)
    files.store_video(KEY, chunks(), 20_000)
    assert sum(taken) == 20_000


def test_each_part_is_told_its_crc32_and_named_with_it_at_the_end(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto would not miss it; S3 refuses to complete an upload whose parts have checksums that are not named again.
    client = client_of(files)
    asked: list[Any] = []
    for operation in ("create_multipart_upload", "upload_part", "complete_multipart_upload"):
        call = getattr(client, operation)
        monkeypatch.setattr(client, operation, _noting(call, asked))
    video = mp4(2500)
    files.store_video(KEY, pieces(video, 300), 2500)
    create, *parts, complete = asked
    expected = [crc32_text(video[start : start + PART]) for start in (0, 1000, 2000)]
    assert create["ChecksumAlgorithm"] == "CRC32"
    assert [part["ChecksumCRC32"] for part in parts] == expected
    assert [part["ChecksumCRC32"] for part in complete["MultipartUpload"]["Parts"]] == expected


def test_a_short_video_is_told_its_crc32_too(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(client_of(files), "put_object", lambda **request: asked.append(request))
    files.store_video(KEY, pieces(mp4(500), 300), 500)
    assert [request["ChecksumCRC32"] for request in asked] == [crc32_text(mp4(500))]


def _noting(call: Callable[..., Any], asked: list[Any]) -> Callable[..., Any]:
    def noted(**request: Any) -> Any:
        asked.append(request)
        return call(**request)

    return noted


def crc32_text(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


# --- Other objects -------------------------------------------------------------------------------------------------


def test_an_object_is_read_up_to_a_size(files: Files) -> None:
    files.put("inbox/a.json", b"12345", "application/json")
    assert files.get("inbox/a.json", 5) == b"12345"
    assert files.get("inbox/a.json", 4) is None


def test_a_missing_object_is_told_by_name(files: Files) -> None:
    with pytest.raises(NotFound, match=r"inbox/gone\.json"):
        files.get("inbox/gone.json", 5)


def test_a_fault_of_s3_is_no_missing_object(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_: Any) -> None:
        told: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise ClientError(told, "GetObject")

    monkeypatch.setattr(client_of(files), "get_object", denied)
    with pytest.raises(ClientError, match="AccessDenied"):
        files.get("inbox/a.json", 5)


def test_json_is_written_as_people_write_it(files: Files) -> None:
    files.put_json("outbox/a.json", {"name": "Käse 日本"})
    assert stored(files, "outbox/a.json") == '{"name":"Käse 日本"}'.encode()


def test_keys() -> None:
    assert video_key("vid_1", 1) == "videos/vid_1.mp4"
    assert video_key("vid_1", 3) == "videos/vid_1-3.mp4"
    assert document_key("vid_1") == "videos/vid_1.json"
    assert verdict_key("inbox/a/b.png") == "outbox/a/b.png.result.json"
    assert verdict_key("inbox/inbox/b.png") == "outbox/inbox/b.png.result.json"


@pytest.mark.parametrize(
    ("key", "owner"),
    [("inbox/a.json", "s3"), ("inbox/alice/a.json", "alice"), ("inbox/alice/deep/a.json", "alice")],
)
def test_whose_an_inbox_file_is(key: str, owner: str) -> None:
    assert owner_of_inbox_key(key) == owner


def test_a_client_is_made_when_it_is_first_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_client() -> Any:
        raise AssertionError("a client was made")

    monkeypatch.setattr(aws, "s3", no_client)
    assert Files(aws.s3, "bucket").url_of("a") == "s3://bucket/a"
