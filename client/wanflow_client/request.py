"""A request for a video, and which of its references are files of this machine."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from wanflow_client.errors import BadFile

MODEL = "wan26_r2v"
LocalOrUrl = str | PathLike[str]

CONTENT_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "bmp": "image/bmp",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
}
"""The endings of the files that the API takes, and their types."""

# Two letters at least, so that the drive of a Windows path is none.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """A video to be made. What is None is left to the API's defaults.

    `references` (one to five, at most three videos) and `audio` are URLs (http, https, data, s3) or files of this
    machine: a path, or text without a scheme. The first reference is `character1` in the prompt, and so on.
    Never pass text from strangers as a reference without looking at it: it may name a file.
    """

    prompt: str
    references: Sequence[LocalOrUrl]
    audio: LocalOrUrl | None = None
    size: str | None = None
    duration: int | None = None
    prompt_extend: bool | None = None
    watermark: bool | None = None
    with_audio: bool | None = None
    shot_type: Literal["single", "multi"] | None = None
    seed: int | None = None
    metadata: Mapping[str, str] | None = None
    callback_url: str | None = None

    def body(self) -> dict[str, Any]:
        """The request's JSON, with a `Path` for each file of this machine."""
        wan_input: dict[str, Any] = {
            "prompt": self.prompt,
            "reference_urls": [as_path(each) for each in self.references],
        }
        if self.audio is not None:
            wan_input["audio_url"] = as_path(self.audio)
        body: dict[str, Any] = {"model": MODEL, "input": wan_input, "parameters": self._parameters()}
        if self.metadata is not None:
            body["metadata"] = dict(self.metadata)
        if self.callback_url is not None:
            body["callback_url"] = self.callback_url
        return body

    def _parameters(self) -> dict[str, Any]:
        given = {
            "size": self.size,
            "duration": self.duration,
            "prompt_extend": self.prompt_extend,
            "watermark": self.watermark,
            "audio": self.with_audio,
            "shot_type": self.shot_type,
            "seed": self.seed,
        }
        return {name: value for name, value in given.items() if value is not None}


def as_path(value: LocalOrUrl) -> str | Path:
    """A URL as it is, anything else as a path."""
    return value if isinstance(value, str) and _SCHEME.match(value) else Path(value)


def content_type_of(path: Path) -> str:
    """The type of a file by the end of its name.

    Raises:
        BadFile: it is none that the API takes.
    """
    content_type = CONTENT_TYPES.get(path.suffix.lower().removeprefix("."))
    if content_type is None:
        raise BadFile(f"{path}: the name must end in {', '.join(CONTENT_TYPES)}")
    return content_type
