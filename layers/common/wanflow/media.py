"""What a file really is, told by its content and never by its name: kind, format, pixels, transparency, length.

Facts only; the Wan page's rules on them are in `inspection`. Only headers are read, never pixels or samples: no decoder
runs on a stranger's bytes. The libraries (imagesize, tinytag) are imported when there is something to read.
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, cast

from wanflow.ranged import RangedFile, TooScattered
from wanflow.references import Kind

HEAD_BYTES = 32

# The formats of the Wan page (Image Requirements, Video Requirements, Audio Limitations) by their first bytes.
_SIGNATURES: tuple[tuple[re.Pattern[bytes], Kind, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), cast(Kind, kind), name)
    for pattern, kind, name in (
        (rb"\xff\xd8\xff", "image", "JPEG"),
        (rb"\x89PNG\r\n\x1a\n.{4}IHDR", "image", "PNG"),
        (rb"RIFF.{4}WEBP", "image", "WEBP"),
        # "BM" alone begins many a text: the sizes of the headers that Windows ever had tell a bitmap.
        (rb"BM.{12}[\x28\x34\x38\x40\x6c\x7c]\0\0\0", "image", "BMP"),
        (rb".{4}ftypqt  ", "video", "MOV"),
        # QuickTime before it knew ftyp.
        (rb".{4}(moov|mdat|wide|free|skip)", "video", "MOV"),
        (rb".{4}ftyp(?!heic|heix|hevc|hevx|mif1|msf1|avif|avis|3g)", "video", "MP4"),
        (rb"RIFF.{4}WAVE", "audio", "WAV"),
        # A frame's eleven sync bits and layer III; its other layers and AAC begin almost the same.
        (rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio", "MP3"),
    )
)
# What people send by mistake, to be called by its name.
_FOREIGN = (
    (rb"GIF8", "a GIF"),
    (rb"II\*\0|MM\0\*", "a TIFF"),
    (rb".{4}ftyp(hei|hev|mif1|msf1)", "a HEIC picture"),
    (rb".{4}ftypavi", "an AVIF picture"),
    (rb".{4}ftyp3g", "a 3GP video"),
    (rb"RIFF.{4}AVI ", "an AVI video"),
    (rb"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (rb"OggS", "an Ogg file"),
    (rb"fLaC", "a FLAC file"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "an AAC file"),
    (rb"%PDF", "a PDF"),
    (rb"\s*<(\?xml|svg|!doctype|html)", "a text with markup"),
)
_PNG_FIRST_CHUNK = 8
_PNG_COLOUR_TYPE = 25
_PNG_ALPHA_COLOUR_TYPES = (4, 6)
_OPEN_DURATIONS = (0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


class UnreadableMedia(Exception):
    """The content is of no format that Wan takes, or its headers are broken; the message names what it is: `a GIF`."""


class MediaFacts(NamedTuple):
    """What the headers say.

    `format` is JPEG, PNG, WEBP, BMP, MP4, MOV, WAV or MP3. `width` and `height` are pixels as stored, 0 for sound and
    video (the Wan page has no rule on a video's). `is_transparent` is the page's rule for PNG: colour type 4 or 6, or a
    tRNS chunk; False for every other format. `seconds` is None for pictures and where the header leaves it open.
    """

    kind: Kind
    format: str
    size_bytes: int
    width: int = 0
    height: int = 0
    is_transparent: bool = False
    seconds: float | None = None


def read_facts(file: RangedFile) -> MediaFacts:
    """Read the facts of a file.

    Raises:
        UnreadableMedia: whatever is wrong with the content.
        Exception: what the file's `fetch` raised, as it was.
    """
    if file.size == 0:
        raise UnreadableMedia("an empty file")
    head = file.read(HEAD_BYTES)
    found = next(((kind, name) for pattern, kind, name in _SIGNATURES if pattern.match(head)), None)
    if found is None:
        raise UnreadableMedia(_foreign(head))
    return _read_guarded(file, *found)


def with_article(name: str) -> str:
    """`a PNG`, `an MP4`."""
    return f"an {name}" if name.startswith("MP") else f"a {name}"


def _foreign(head: bytes) -> str:
    names = (name for signature, name in _FOREIGN if re.match(signature, head, re.DOTALL | re.IGNORECASE))
    return next(names, "a file of no known format")


def _read_guarded(file: RangedFile, kind: Kind, name: str) -> MediaFacts:
    """Parsers meet hostile bytes with errors of every class, and wrap the file's own errors in theirs."""
    try:
        return _READERS[kind](file, name)
    except UnreadableMedia:
        raise
    except Exception as error:
        if isinstance(file.fault, TooScattered):
            raise UnreadableMedia(f"{with_article(name)} with headers spread over the whole file") from error
        if file.fault is not None:
            raise file.fault from None
        raise UnreadableMedia(f"{with_article(name)} with a broken header") from error


def _read_image(file: RangedFile, name: str) -> MediaFacts:
    import imagesize  # type: ignore[import-untyped]  # noqa: PLC0415

    info = imagesize.get_info(file, dpi=False, colors=False, exif_rotation=False, channels=False)
    if info.width < 1 or info.height < 1:
        raise UnreadableMedia(f"{with_article(name)} without width and height")
    is_transparent = name == "PNG" and _is_transparent_png(file)
    return MediaFacts("image", name, file.size, info.width, info.height, is_transparent)


def _is_transparent_png(file: RangedFile) -> bool:
    """An alpha channel, or a tRNS chunk, which can only stand before the picture's data (PNG, 11.3.2)."""
    if _read_at(file, _PNG_COLOUR_TYPE, 1)[0] in _PNG_ALPHA_COLOUR_TYPES:
        return True
    position = _PNG_FIRST_CHUNK
    while True:
        length, chunk = struct.unpack(">I4s", _read_at(file, position, 8))
        if chunk in (b"tRNS", b"IDAT"):
            return bool(chunk == b"tRNS")
        position += 12 + length


def _read_audio(file: RangedFile, name: str) -> MediaFacts:
    from tinytag import TinyTag  # noqa: PLC0415

    file.seek(0)
    # Without tags: they may be as large and as compressed as their maker likes.
    tag = TinyTag.get(file_obj=cast(BinaryIO, file), tags=False)
    mime_type = {"WAV": "audio/wav", "MP3": "audio/mpeg"}[name]
    seconds = tag.duration or 0.0
    if not (tag.mime_type or "").startswith(mime_type) or not 0 < seconds < float("inf"):
        raise UnreadableMedia(f"{with_article(name)} without sound")
    if name == "WAV" and tag.is_lossless and tag.bitrate:
        # A WAV written to a pipe claims four gigabytes: no file is longer than its bytes (bitrate: kbit/s).
        seconds = min(seconds, file.size / (tag.bitrate * 125))
    return MediaFacts("audio", name, file.size, seconds=seconds)


def _read_video(file: RangedFile, name: str) -> MediaFacts:
    """Length and tracks of a movie (ISO 14496-12, QuickTime): its `moov` box, wherever in the file that lies."""
    movie = next(((start, end) for box, start, end in _boxes(file, 0, file.size) if box == b"moov"), None)
    if movie is None:
        raise UnreadableMedia(f"{with_article(name)} without a moov box")
    seconds: float | None = None
    has_pictures = False
    for box, start, end in _boxes(file, *movie):
        if box == b"mvhd":
            seconds = _movie_seconds(_read_at(file, start, 32))
        elif box == b"trak":
            has_pictures = has_pictures or _is_video_track(file, start, end)
    if not has_pictures:
        raise UnreadableMedia(f"{with_article(name)} without a video track")
    return MediaFacts("video", name, file.size, seconds=seconds)


def _boxes(file: RangedFile, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes from `start` to `end`: (type, start of its body, end of it). Stops at the first that does not fit."""
    while start + 8 <= end:
        size, box = struct.unpack(">I4s", _read_at(file, start, 8))
        body = start + 8
        if size == 1 and start + 16 <= end:
            size, body = struct.unpack(">Q", _read_at(file, body, 8))[0], start + 16
        after = start + size if size else end
        if not body <= after <= end:
            return
        yield box, body, after
        start = after


def _movie_seconds(mvhd: bytes) -> float | None:
    """None where the length is left open, as fragmented and live files do."""
    timescale, duration = struct.unpack_from(">IQ", mvhd, 20) if mvhd[0] == 1 else struct.unpack_from(">II", mvhd, 12)
    return None if duration in _OPEN_DURATIONS or timescale == 0 else duration / timescale


def _is_video_track(file: RangedFile, start: int, end: int) -> bool:
    for box, media_start, media_end in _boxes(file, start, end):
        if box == b"mdia":
            return any(
                inner == b"hdlr" and _read_at(file, body + 8, 4) == b"vide"
                for inner, body, _ in _boxes(file, media_start, media_end)
            )
    return False


def _read_at(file: RangedFile, position: int, size: int) -> bytes:
    """Exactly `size` bytes from there; fewer are an EOFError."""
    file.seek(position)
    content = file.read(size)
    if len(content) < size:
        raise EOFError("the file ends inside a header")
    return content


_READERS: dict[Kind, Callable[[RangedFile, str], MediaFacts]] = {
    "image": _read_image,
    "video": _read_video,
    "audio": _read_audio,
}
