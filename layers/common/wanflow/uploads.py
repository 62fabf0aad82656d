"""Uploads: a presigned POST for one file, bound to its type, its size and its owner's prefix."""

from collections.abc import Callable
from typing import Any

from wanflow.clock import Clock, after
from wanflow.errors import InvalidRequest, Violation
from wanflow.files import Files
from wanflow.ids import new_job_id
from wanflow.inspection import MAX_BYTES
from wanflow.owners import Owner, name_of
from wanflow.references import Kind
from wanflow.validation import kind_of

UPLOAD_SECONDS = 3600

TYPES: dict[str, tuple[Kind, str]] = {
    "image/jpeg": ("image", "jpg"),
    "image/png": ("image", "png"),
    "image/bmp": ("image", "bmp"),
    "image/webp": ("image", "webp"),
    "video/mp4": ("video", "mp4"),
    "video/quicktime": ("video", "mov"),
    "audio/wav": ("audio", "wav"),
    "audio/mpeg": ("audio", "mp3"),
}
"""Content types that the provider takes (Wan page), their kind and the ending that the file gets."""


class Uploads:
    """Lends places under `uploads/{owner}/`."""

    def __init__(self, files: Files, *, clock: Clock, randbits: Callable[[int], int]) -> None:
        self._files = files
        self._clock = clock
        self._randbits = randbits

    def create(self, body: object, owner: Owner) -> dict[str, Any]:
        """Lend a place for a file of {`content_type`, `bytes`}.

        Returns:
            {`url`, `fields`: to POST with the file, `reference`: for `reference_urls` or `audio_url`, `expires_at`}.

        Raises:
            InvalidRequest: a type that the provider does not take, or more bytes than it takes.
        """
        content_type, size = _check(body)
        now = self._clock()
        name = new_job_id(now, self._randbits).removeprefix("vid_")
        key = f"uploads/{name_of(owner)}/{name}.{TYPES[content_type][1]}"
        post = self._files.post_form(key, content_type, size, UPLOAD_SECONDS)
        return {**post, "reference": self._files.url_of(key), "expires_at": after(now, UPLOAD_SECONDS)}


def _check(body: object) -> tuple[str, int]:
    if not isinstance(body, dict):
        raise InvalidRequest([Violation("body", "invalid_request", f"must be an object, got {kind_of(body)}")])
    content_type, size = body.get("content_type"), body.get("bytes")
    violations = [
        Violation(name[:60], "invalid_request", "is unknown here; known are content_type, bytes")
        for name in sorted(body.keys() - {"content_type", "bytes"})
    ]
    kind = TYPES[content_type][0] if isinstance(content_type, str) and content_type in TYPES else None
    if kind is None:
        violations.append(Violation("content_type", "invalid_request", f"must be one of {', '.join(TYPES)}"))
    most = MAX_BYTES[kind] if kind else max(MAX_BYTES.values())
    if type(size) is not int or not 1 <= size <= most:
        violations.append(Violation("bytes", "invalid_request", f"must be an integer from 1 to {most}"))
    if violations:
        raise InvalidRequest(violations)
    return str(content_type), int(size or 0)
