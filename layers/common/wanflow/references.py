"""One reference or audio URL: what it is, judged by its text alone (Wan page, Reference Material Requirements)."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

Kind = Literal["image", "video", "audio"]

IMAGE_ENDINGS = frozenset({"jpg", "jpeg", "png", "bmp", "webp"})
VIDEO_ENDINGS = frozenset({"mp4", "mov"})
AUDIO_ENDINGS = frozenset({"wav", "mp3"})
MAX_URL_CHARACTERS = 8192

# MIME type -> (kind, ending of the file that we make of it)
_MIME_TYPES: dict[str, tuple[Kind, str]] = {
    "image/jpeg": ("image", "jpg"),
    "image/jpg": ("image", "jpg"),
    "image/png": ("image", "png"),
    "image/bmp": ("image", "bmp"),
    "image/x-ms-bmp": ("image", "bmp"),
    "image/webp": ("image", "webp"),
    "video/mp4": ("video", "mp4"),
    "video/quicktime": ("video", "mov"),
}
CONTENT_TYPE_OF_ENDING = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "bmp": "image/bmp",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
}
_DATA_URL = re.compile(r"data:(?P<mime>[\w.+-]+/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL | re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")


class BadReference(ValueError):
    """The text is no reference that the provider takes; the message is the broken rule."""


class Reference(NamedTuple):
    """A reference in good form. `content` holds the decoded bytes of a `data:` URL, else it is None."""

    url: str
    kind: Kind
    ending: str = ""
    content: bytes | None = None


class OwnFiles(NamedTuple):
    """The objects that one owner may name as `s3://…`: the stack's bucket, the owner's own prefixes.

    `prefixes` may be a function, called only for a request that names an object.
    """

    bucket: str
    prefixes: tuple[str, ...] | Callable[[], tuple[str, ...]]
    keys: tuple[str, ...] = ()

    def key_of(self, url: str) -> str:
        """The object key of an `s3://` URL.

        Raises:
            BadReference: another bucket or somebody else's prefix.
        """
        bucket, _, key = url.removeprefix("s3://").partition("/")
        prefixes = self.prefixes() if callable(self.prefixes) else self.prefixes
        if bucket != self.bucket or not (key.startswith(prefixes) or key in self.keys):
            allowed = " or ".join(f"s3://{self.bucket}/{prefix}" for prefix in prefixes)
            raise BadReference(f"an s3:// reference must lie under {allowed}")
        return key


def parse_reference(value: object, files: OwnFiles) -> Reference:
    """Judge one member of `reference_urls`.

    Raises:
        BadReference: with the broken rule.
    """
    if not isinstance(value, str):
        raise BadReference("must be a string")
    if value[:5].lower() == "data:":
        return _parse_data_url(value)
    ending = _ending_of_url(value, files)
    kind = _kind_of_ending(ending)
    if kind is None:
        raise BadReference(f"{_ends_in(ending)}; images are jpg, jpeg, png, bmp or webp, videos mp4 or mov")
    return Reference(value, kind, ending)


def parse_audio(value: object, files: OwnFiles) -> Reference:
    """Judge `audio_url`: http(s) or the owner's own `s3://`, wav or mp3.

    Raises:
        BadReference: with the broken rule.
    """
    if not isinstance(value, str):
        raise BadReference("must be a string")
    ending = _ending_of_url(value, files)
    if ending and ending not in AUDIO_ENDINGS:
        raise BadReference(f"{_ends_in(ending)}; audio is wav or mp3")
    return Reference(value, "audio", ending)


def counted_kind(value: object, files: OwnFiles) -> Kind | None:
    """What a member counts as for the limits on how many: by its type or name alone, None for what is neither."""
    if not isinstance(value, str):
        return None
    if value[:5].lower() == "data:":
        match = _DATA_URL.match(value)
        return _MIME_TYPES.get(match["mime"].lower(), (None, ""))[0] if match else None
    try:
        return _kind_of_ending(_ending_of_url(value, files))
    except BadReference:
        return None


def _parse_data_url(value: str) -> Reference:
    match = _DATA_URL.fullmatch(value)
    if match is None:
        raise BadReference("a data URL must be data:{mime};base64,{data}")
    mime = match["mime"].lower()
    if mime not in _MIME_TYPES:
        raise BadReference(f"the data URL's type {mime[:40]} is none of {', '.join(sorted(_MIME_TYPES))}")
    kind, ending = _MIME_TYPES[mime]
    try:
        content = base64.b64decode(match["data"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadReference("the data URL's base64 is broken") from error
    if not content:
        raise BadReference("the data URL is empty")
    return Reference(value, kind, ending, content)


def _ending_of_url(value: str, files: OwnFiles) -> str:
    if value.startswith("s3://"):
        return ending_of(files.key_of(value))
    if len(value) > MAX_URL_CHARACTERS:
        raise BadReference(f"is longer than {MAX_URL_CHARACTERS} characters")
    if _UNPRINTABLE.search(value):
        raise BadReference("holds spaces or control characters; percent-encode them")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadReference("is no URL that can be read") from error
    if parts.scheme.lower() not in {"http", "https"}:
        raise BadReference("must be a http(s), data: or s3:// URL")
    if not host:
        raise BadReference("has no host")
    return ending_of(parts.path)


def ending_of(path: str) -> str:
    """The ending of the last segment of a path or key, in lower case; "" without a dot, "." with nothing behind it."""
    _, dot, ending = path.rpartition("/")[2].rpartition(".")
    return (ending.lower() or ".") if dot else ""


def _kind_of_ending(ending: str) -> Kind | None:
    if ending in VIDEO_ENDINGS:
        return "video"
    return "image" if not ending or ending in IMAGE_ENDINGS else None


def _ends_in(ending: str) -> str:
    return "ends in a dot" if ending == "." else f"ends in .{ending[:10]}"
