"""The bucket's objects, but for videos (test_video_upload.py)."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from wanflow import aws
from wanflow.errors import NotFound
from wanflow.files import Files, document_key, owner_of_inbox_key, verdict_key, video_key


@pytest.fixture
def files(moto_aws: None) -> Files:
    aws.s3().create_bucket(Bucket="bucket")
    return Files(aws.s3, "bucket")


def client_of(files: Files) -> Any:
    return files._client()


def stored(files: Files, key: str) -> bytes:
    body: bytes = client_of(files).get_object(Bucket="bucket", Key=key)["Body"].read()
    return body


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


def test_s3_checks_what_is_written_by_its_crc32(files: Files) -> None:
    files.put("videos/vid_1.json", b"{}", "application/json")
    told = client_of(files).head_object(Bucket="bucket", Key="videos/vid_1.json", ChecksumMode="ENABLED")
    assert told["ChecksumCRC32"] == "o6a/Qw=="


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
