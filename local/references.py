"""The demo's reference pictures and videos on their way into a request."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path

from local.deploy import client
from local.errors import LocalStackError
from local.settings import ROOT
from local.stack import Stack

EXAMPLES = [str(ROOT / "examples" / name) for name in ("character1.png", "character2.jpg")]
# The formats of the Wan API.
CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
# What the API takes inline, all references together; Lambda's limit of 6 MB is behind it.
INLINE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class LocalFile:
    path: Path
    content_type: str
    body: bytes


Reference = LocalFile | str


def load(names: list[str]) -> list[Reference]:
    """Read files before anything is started, so that a wrong path costs no time."""
    return [name if name.startswith(("http://", "https://", "data:")) else read(Path(name)) for name in names]


def read(path: Path) -> LocalFile:
    content_type = CONTENT_TYPES.get(path.suffix.lower())
    if content_type is None:
        raise LocalStackError(f"--reference {path}: must be one of {' '.join(CONTENT_TYPES)}")
    try:
        return LocalFile(path, content_type, path.read_bytes())
    except OSError as error:
        raise LocalStackError(f"--reference {path}: {error.strerror}") from error


def deliver(references: list[Reference], stack: Stack) -> list[str]:
    """The `reference_urls` of the request: files travel inline while they are small enough, else through S3."""
    inline = sum(len(each.body) for each in references if isinstance(each, LocalFile)) <= INLINE_BYTES
    return [each if isinstance(each, str) else data_uri(each) if inline else upload(each, stack) for each in references]


def data_uri(file: LocalFile) -> str:
    return f"data:{file.content_type};base64,{base64.b64encode(file.body).decode('ascii')}"


def upload(file: LocalFile, stack: Stack) -> str:
    """Put the file where its owner, the API key, may refer to it."""
    bucket = stack.endpoints.bucket
    key = f"uploads/{stack.outputs['ApiKeyId']}/{uuid.uuid4()}{file.path.suffix}"
    client("s3", stack.settings).put_object(Bucket=bucket, Key=key, Body=file.body, ContentType=file.content_type)
    return f"s3://{bucket}/{key}"
