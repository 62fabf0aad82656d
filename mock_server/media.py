"""What a file really is, told from its bytes: kind, format, pixels, transparency, length.

The mock refuses references and audio for the reasons of the Wan page, so it needs facts and no opinions: `inspect`
recognises more formats than Wan takes (GIF, AVI, OGG...), which lets the caller refuse them by name. Only headers are
read, never pixels or samples: no decoder runs on bytes from a stranger, and nothing grows with what a header claims.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import filetype  # type: ignore[import-untyped]
import imagesize  # type: ignore[import-untyped]
from mutagen.mp3 import MPEGInfo
from mutagen.wave import WaveStreamInfo

Kind = Literal["image", "video", "audio"]
T = TypeVar("T")

_PNG_SIGNATURE_BYTES = 8
_PNG_ALPHA_COLOUR_TYPES = (4, 6)
_WEBP_ALPHA_FLAG = 0x10  # in the flags byte of a VP8X chunk
_FORMAT_NAMES = {"jpg": "jpeg", "tif": "tiff"}
_FAMILY = {b"qt": "mov", b"3g": "3gp"}  # by the first letters of the major brand; every other brand is MP4
_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")


class UnreadableMediaError(ValueError):
    """The bytes are no image, video or audio that can be read. The message says what is wrong, in one phrase."""


@dataclass(frozen=True)
class MediaFacts:
    """What a file's own headers say.

    `format` is a lower-case name: jpeg, png, bmp, webp, gif, tiff..., mp4, mov, avi, webm..., wav, mp3, ogg, m4a...
    `width` and `height` are pixels as stored (before any rotation), and `duration_seconds` is the length that the
    header announces; each is None where the kind has none or this module does not read that format.
    `has_transparency` is true for PNG with colour type 4 or 6 or a tRNS chunk (the Wan page's rule) and for WEBP with
    its alpha flag; it is false for every format that is not examined. Whether it matters is for the caller to say.
    """

    kind: Kind
    format: str
    width: int | None
    height: int | None
    has_transparency: bool
    duration_seconds: float | None
    size_bytes: int


def inspect(data: bytes) -> MediaFacts:
    """Read the facts of `data` by its content alone.

    Raises UnreadableMediaError for bytes that are empty, of no known media format, or broken in their headers.
    """
    if not data:
        raise UnreadableMediaError("the file is empty")
    if data[4:8] == b"ftyp" and data[8:12] not in _STILL_BRANDS:
        return _movie(data, _FAMILY.get(data[8:10], "mp4"))
    if data[4:8] in (b"moov", b"wide", b"mdat", b"free", b"skip"):
        return _movie(data, "mov")  # QuickTime before it knew ftyp
    guess = filetype.guess(data)
    kind, _, _ = guess.mime.partition("/") if guess else ("", "", "")
    if kind not in ("image", "video", "audio"):
        raise UnreadableMediaError("the file is of no known image, video or audio format")
    name = _FORMAT_NAMES.get(guess.extension, guess.extension)
    if kind == "image":
        return _image(data, name)
    if kind == "audio":
        return _audio(data, name)
    return MediaFacts("video", name, None, None, False, None, len(data))


def _image(data: bytes, name: str) -> MediaFacts:
    if name not in ("jpeg", "png", "bmp", "webp", "gif"):
        return MediaFacts("image", name, None, None, False, None, len(data))
    width, height = _guarded(f"the {name} header", lambda: imagesize.get(io.BytesIO(data)))
    # BMP may state its height as a negative number: the rows then run from the top.
    height = abs(height) if name == "bmp" else height
    if width < 1 or height < 1:
        raise UnreadableMediaError(f"the {name} header has no readable width and height")
    transparent = {"png": _png_is_transparent, "webp": _webp_is_transparent}.get(name)
    has_transparency = transparent(data) if transparent else False
    return MediaFacts("image", name, width, height, has_transparency, None, len(data))


def _png_is_transparent(data: bytes) -> bool:
    """Colour type 4 or 6 (an alpha channel), or a tRNS chunk, which stands before the picture data (PNG, 11.3.2)."""
    colour_type = data[25:26]
    if not colour_type:
        raise UnreadableMediaError("the png header is cut off")
    if colour_type[0] in _PNG_ALPHA_COLOUR_TYPES:
        return True
    position = _PNG_SIGNATURE_BYTES
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        if name in (b"tRNS", b"IDAT"):
            return name == b"tRNS"
        position += 12 + length
    raise UnreadableMediaError("the png file ends before its picture data")


def _webp_is_transparent(data: bytes) -> bool:
    """The alpha flag of an extended file (VP8X), or the alpha hint of a lossless one (VP8L: bit 28 after the mark)."""
    if data[12:16] == b"VP8X":
        return len(data) > 20 and bool(data[20] & _WEBP_ALPHA_FLAG)
    if data[12:16] == b"VP8L":
        return len(data) > 24 and bool(data[24] & 0x10)
    return False


def _audio(data: bytes, name: str) -> MediaFacts:
    if name not in ("wav", "mp3"):
        return MediaFacts("audio", name, None, None, False, None, len(data))
    seconds = _guarded(f"the {name} header", lambda: _wav_seconds(data) if name == "wav" else _mp3_seconds(data))
    if not 0 < seconds < float("inf"):
        raise UnreadableMediaError(f"the {name} file holds no sound")
    return MediaFacts("audio", name, None, None, False, seconds, len(data))


def _wav_seconds(data: bytes) -> float:
    info = WaveStreamInfo(io.BytesIO(data))
    # A WAV written to a pipe announces four gigabytes: no file is longer than its bytes.
    longest = len(data) * 8 / info.bitrate if info.bitrate else info.length
    return float(min(info.length, longest))


def _mp3_seconds(data: bytes) -> float:
    # The stream's header alone: reading the tags would unpack compressed ones of any size.
    return float(MPEGInfo(io.BytesIO(data)).length)


def _guarded(what: str, read: Callable[[], T]) -> T:
    """Libraries for headers meet hostile bytes with errors of every class: each means "unreadable"."""
    try:
        return read()
    except Exception as error:
        raise UnreadableMediaError(f"{what} is broken ({type(error).__name__})") from error


# ISO base media (MP4, MOV): the movie's own boxes, because silent videos have no length for mutagen.


def _movie(data: bytes, name: str) -> MediaFacts:
    movie = next((body for kind, body in _boxes(memoryview(data)) if kind == b"moov"), None)
    if movie is None:
        raise UnreadableMediaError(f"the {name} file has no complete moov box")
    seconds: float | None = None
    handlers: set[bytes] = set()
    width = height = 0
    try:
        for kind, body in _boxes(movie):
            if kind == b"mvhd":
                seconds = _movie_seconds(body)
            elif kind == b"trak":
                handler, track_width, track_height = _track(body)
                handlers.add(handler)
                if handler == b"vide":
                    width, height = max(width, track_width), max(height, track_height)
    except (struct.error, IndexError) as error:
        raise UnreadableMediaError(f"the {name} file's moov box is broken") from error
    if b"vide" not in handlers:
        if b"soun" not in handlers:
            raise UnreadableMediaError(f"the {name} file has neither a video nor an audio track")
        return MediaFacts("audio", "m4a", None, None, False, seconds, len(data))
    if width < 1 or height < 1:
        raise UnreadableMediaError(f"the {name} file's video track has no width and height")
    return MediaFacts("video", name, width, height, False, seconds, len(data))


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes directly inside `data` as (type, body); stops at the first that is not there in full."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if size == 1 and position + 16 <= len(data):
            size, header = struct.unpack_from(">Q", data, position + 8)[0], 16
        elif size == 0:
            size = len(data) - position
        if size < header or position + size > len(data):
            return
        yield kind, data[position + header : position + size]
        position += size


def _movie_seconds(mvhd: memoryview) -> float | None:
    """None where the header leaves the length open, as fragmented and live files do."""
    timescale, duration = struct.unpack_from(">IQ", mvhd, 20) if mvhd[0] == 1 else struct.unpack_from(">II", mvhd, 12)
    open_ended = duration in (0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
    return None if open_ended or timescale == 0 else duration / timescale


def _track(trak: memoryview) -> tuple[bytes, int, int]:
    """A track's handler (vide, soun...) and the width and height it is shown at, in pixels."""
    handler, width, height = b"", 0, 0
    for kind, body in _boxes(trak):
        if kind == b"tkhd":
            # Both are 16.16 fixed point and stand last in the box, whatever its version.
            width, height = (value >> 16 for value in struct.unpack_from(">II", body, len(body) - 8))
        elif kind == b"mdia":
            handler = next((bytes(inner[8:12]) for name, inner in _boxes(body) if name == b"hdlr"), b"")
    return handler, width, height
