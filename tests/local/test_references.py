"""How the demo's pictures get into a request."""

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from local import references
from local.errors import LocalStackError
from local.references import INLINE_BYTES, LocalFile
from local.stack import Stack


class FakeS3:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        self.objects[f"s3://{Bucket}/{Key}"] = Body


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    fake = FakeS3()
    monkeypatch.setattr(references, "client", lambda *_: fake)
    return fake


@pytest.fixture
def stack() -> Stack:
    fake = SimpleNamespace(endpoints=SimpleNamespace(bucket="films"), outputs={"ApiKeyId": "key1"}, settings=None)
    return cast(Stack, fake)


def test_small_files_travel_inside_the_request(s3: FakeS3, stack: Stack) -> None:
    (sent,) = references.deliver([LocalFile(Path("a.png"), "image/png", b"pixels")], stack)

    assert sent == "data:image/png;base64," + base64.b64encode(b"pixels").decode()
    assert s3.objects == {}


def test_files_too_big_together_go_to_the_owners_part_of_the_bucket(s3: FakeS3, stack: Stack) -> None:
    half = LocalFile(Path("a.mp4"), "video/mp4", b"x" * (INLINE_BYTES // 2 + 1))

    sent = references.deliver([half, half, "https://example.com/c.png"], stack)

    assert set(sent[:2]) == set(s3.objects)
    assert all(name.startswith("s3://films/uploads/key1/") and name.endswith(".mp4") for name in sent[:2])
    assert sent[2] == "https://example.com/c.png"


def test_the_examples_of_the_project_can_be_sent() -> None:
    assert [cast(LocalFile, each).content_type for each in references.load(references.EXAMPLES)] == [
        "image/png",
        "image/jpeg",
    ]


@pytest.mark.parametrize(("name", "message"), [("missing.png", "No such file"), ("notes.txt", "must be one of .jpg")])
def test_a_file_that_cannot_be_a_reference_is_told_by_its_name(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(LocalStackError, match=f"{name}: {message}"):
        references.load([str(tmp_path / name)])
