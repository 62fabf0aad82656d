"""The two bands that stand still: the cast (the references as characters) and the script (prompt and parameters)."""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, takewhile

import av
from PIL import Image, ImageOps

from .design import (
    BACKGROUND,
    BOLD,
    CHARACTERS,
    DIM,
    FAINT,
    REGULAR,
    STAGE_FOOT,
    STAGE_LINE,
    STAGE_TOP,
    TEXT,
    Box,
    Layout,
    font,
)
from .planes import Planes, rounded

_TITLE = "Wan 2.6  Reference to Video"
_BADGE = "MOCK"
_LINE_SPACING = 1.36  # in sizes of the letters
_LARGEST_PICTURE_PIXELS = 40_000_000  # of a reference; the Wan page allows 2000 x 2000
_CHARACTER_NAME = re.compile(r"(character[1-5])(?![0-9])")
# Of all that Pillow opens. Its other formats are none of Wan's, and some of them start other programs.
_PICTURE_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")


@dataclass(frozen=True)
class Portrait:
    """A reference as it is shown: a small square picture, or None with the reason in a word or two."""

    picture: Planes | None
    note: str


# The cast


def portrait(reference: bytes, side: int) -> Portrait:
    """The picture, or the first frame of the video, cut to a square of `side` pixels around its middle."""
    if not reference:
        return Portrait(None, "not fetched")
    is_video = reference[4:8] in (b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip")
    try:
        square = _reduced(_first_frame(reference), side) if is_video else _opened(reference, side)
        shown = Planes.of(square).resized(side)  # one plane and two small ones, where RGB would be four
    except Exception:  # decoders meet the bytes of strangers with errors of every class
        return Portrait(None, "unreadable")
    return Portrait(shown, "video" if is_video else "")


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    """The square in its middle, made smaller by a whole factor, which is quick: most of the way down to `side`."""
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    return picture.reduce(max(1, short // side), (left, top, left + short, top + short))


def _opened(reference: bytes, side: int) -> Image.Image:
    """The reduced square of a picture, RGB and upright; what is transparent shows the stage.

    It is cut out first: what is done to the small square costs little.
    """
    with Image.open(io.BytesIO(reference), formats=_PICTURE_FORMATS) as picture:
        _check_pixels(picture.width, picture.height)
        picture.draft("RGB", (side, side))  # JPEG alone: decodes at an eighth to the whole of its size
        mode = "RGBA" if picture.has_transparency_data else "RGB"
        picture.load()
        square = ImageOps.exif_transpose(_reduced(picture if picture.mode == mode else picture.convert(mode), side))
    if mode == "RGB":
        return square
    floor = Image.new("RGBA", square.size, STAGE_FOOT)
    floor.alpha_composite(square)
    return floor.convert("RGB")


def _first_frame(reference: bytes) -> Image.Image:
    with av.open(io.BytesIO(reference), "r") as container:
        stream = container.streams.video[0]
        _check_pixels(stream.width, stream.height)
        frame = next(container.decode(stream))
        picture: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
        return picture


def _check_pixels(width: int, height: int) -> None:
    if width * height > _LARGEST_PICTURE_PIXELS:
        raise ValueError("too many pixels to show")


def draw_title(layout: Layout) -> Planes:
    """From the top to `Layout.cast_top`."""
    return _stage(layout).crop(0, 0, layout.width, layout.cast_top)


def draw_cast(layout: Layout, portraits: Sequence[Portrait]) -> Planes:
    """From there to `Layout.cast_foot`: on a stage, the characters in a row with their names below."""
    picture = _stage(layout).crop(0, layout.cast_top, layout.width, layout.cast_foot)
    side = layout.portrait_side
    left = (layout.width - len(portraits) * (side + layout.gap) + layout.gap) // 2
    top = (layout.stage_top + layout.px(24) - layout.cast_top) // 2 * 2
    for number, shown in enumerate(portraits):
        _draw_character(picture, layout, ((left + number * (side + layout.gap)) // 2 * 2, top), number, shown)
    return picture


@lru_cache(maxsize=2)
def _stage(layout: Layout) -> Planes:
    """Both bands without the characters: the title, and the stage with a light from above."""
    picture = Planes.filled(layout.width, layout.cast_foot, BACKGROUND)
    _draw_title(picture, layout)
    left, top, right, bottom = layout.margin, layout.stage_top, layout.width - layout.margin, layout.cast_foot
    picture.fill_rounded((left, top, right, bottom), layout.px(20), STAGE_LINE)
    line = max(1, layout.px(1))
    x, y = left + line, top + line
    mask = rounded(right - line - x, bottom - line - y, layout.px(20) - line, (x % 2, y % 2))
    size = mask.full.size
    light = Image.linear_gradient("L").resize(size)
    floor = Image.composite(Image.new("RGB", size, STAGE_FOOT), Image.new("RGB", size, STAGE_TOP), light)
    picture.paste(Planes.of(floor), x // 2 * 2, y // 2 * 2, mask)
    return picture


def _draw_title(picture: Planes, layout: Layout) -> None:
    middle = layout.px(42)
    radius = layout.px(13)
    disc = (layout.margin, middle - radius, layout.margin + 2 * radius, middle + radius)
    picture.fill_rounded(disc, radius, CHARACTERS[0])
    x, arrow = layout.margin + radius + layout.px(1), radius * 0.5
    picture.polygon(
        ((x - arrow * 0.7, middle - arrow), (x - arrow * 0.7, middle + arrow), (x + arrow, middle)), BACKGROUND
    )
    title = font(BOLD, layout.px(24))
    picture.text((disc[2] + layout.px(12), middle), _TITLE, TEXT, title, anchor="lm")
    badge = font(BOLD, layout.px(15))
    right = layout.width - layout.margin
    left = right - round(badge.getlength(_BADGE)) - layout.px(24)
    picture.fill_rounded((left, middle - layout.px(14), right, middle + layout.px(14)), layout.px(14), FAINT)
    picture.text(((left + right) / 2, middle), _BADGE, TEXT, badge, anchor="mm")


def _draw_character(picture: Planes, layout: Layout, place: tuple[int, int], number: int, shown: Portrait) -> None:
    left, top = place
    side, colour = layout.portrait_side, CHARACTERS[number]
    radius, frame = min(layout.px(18), side // 6), layout.frame
    outer = (left - frame, top - frame, left + side + frame, top + side + frame)
    picture.fill_rounded(outer, radius + frame, colour)
    if shown.picture is None:
        picture.fill_rounded((left, top, left + side, top + side), radius, STAGE_FOOT)
    else:
        picture.paste(shown.picture, left, top, rounded(side, side, radius))
    if shown.note:
        _draw_note(picture, layout, place, shown)
    name = font(BOLD, min(layout.px(20), max(8, side // 6)))
    picture.text((left + side / 2, top + side + layout.px(31)), f"character{number + 1}", colour, name, anchor="mm")


def _draw_note(picture: Planes, layout: Layout, place: tuple[int, int], shown: Portrait) -> None:
    """In the middle of an empty frame; as a small label on the first frame of a video."""
    left, top = place
    side = layout.portrait_side
    if shown.picture is None:
        picture.text((left + side / 2, top + side * 0.44), "?", FAINT, font(BOLD, side // 3), anchor="mm")
        note = font(REGULAR, min(layout.px(18), max(8, side // 6)))
        picture.text((left + side / 2, top + side * 0.72), shown.note, DIM, note, anchor="mm")
        return
    label = font(BOLD, layout.px(14))
    inset = layout.px(8)
    width, height = round(label.getlength(shown.note)) + layout.px(16), layout.px(24)
    box = (left + inset, top + inset, left + inset + width, top + inset + height)
    picture.fill_rounded(box, layout.px(8), BACKGROUND)
    picture.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), shown.note, TEXT, label, anchor="mm")


# The script


def draw_script(layout: Layout, prompt: str, details: Sequence[tuple[str, str]]) -> Planes:
    """The prompt in the largest letters that fit, and the parameters: beside it, or below it in a narrow picture."""
    height = layout.timeline_top - layout.cast_foot
    picture = Planes.filled(layout.width, height, BACKGROUND)
    top, foot = layout.px(18), height - layout.px(24)
    left, right = layout.margin, layout.width - layout.margin
    if layout.is_wide:
        split = left + round((right - left) * 0.66)
        _draw_prompt(picture, layout, (left, top, split - layout.px(36), foot), prompt)
        _draw_details(picture, layout, (split, top, right, foot), details, columns=1)
        return picture
    split = foot - layout.px(26 + 34 * (-(-len(details) // 2)))
    split = max(split, (top + foot) // 2)
    _draw_prompt(picture, layout, (left, top, right, split - layout.px(14)), prompt)
    _draw_details(picture, layout, (left, split, right, foot), details, columns=2)
    return picture


def _draw_heading(picture: Planes, layout: Layout, box: Box, words: str) -> int:
    """Returns where the text below it begins."""
    picture.text((box[0], box[1] + layout.px(10)), words, DIM, font(BOLD, layout.px(14)), anchor="ls")
    return box[1] + layout.px(26)


def _draw_prompt(picture: Planes, layout: Layout, box: Box, prompt: str) -> None:
    top = _draw_heading(picture, layout, box, "PROMPT")
    width, height = box[2] - box[0], box[3] - top
    size, lines = _fitted(prompt, width, height, layout.px(36 if layout.is_wide else 52), layout.px(9))
    face = font(REGULAR, size)
    for number, line in enumerate(lines):
        x = float(box[0])
        y = top + round(size * (number * _LINE_SPACING + 0.95))
        for piece in _CHARACTER_NAME.split(line):
            colour = CHARACTERS[int(piece[-1]) - 1] if _CHARACTER_NAME.fullmatch(piece) else TEXT
            picture.text((x, y), piece, colour, face, anchor="ls")
            x += face.getlength(piece)


def _fitted(text: str, width: int, height: int, largest: int, smallest: int) -> tuple[int, list[str]]:
    """The largest size at which the wrapped text fits, with its lines; at the smallest the end may be cut off."""
    pieces = list(_pieces(text.split()))
    size, lines = smallest, _wrapped(pieces, width, smallest)
    low, high = smallest + 1, largest
    while low <= high:
        middle = (low + high) // 2
        tried = _wrapped(pieces, width, middle)
        if len(tried) * middle * _LINE_SPACING <= height:
            size, lines, low = middle, tried, middle + 1
        else:
            high = middle - 1
    room = max(1, int(height / (size * _LINE_SPACING)))
    if len(lines) > room:
        lines = [*lines[: room - 1], lines[room - 1][:-1] + "…"]
    return size, lines


def _wrapped(pieces: Sequence[str], width: int, size: int) -> list[str]:
    """Lines no wider than `width` pixels."""
    lines, line, used = [], "", 0.0
    for piece in pieces:
        length = _length(piece, size)
        if used + length <= width:
            line, used = line + piece, used + length
            continue
        if line:
            lines.append(line)
        *full, line = _chopped(piece.lstrip(), width, size)
        lines += full
        used = _length(line, size)
    return [*lines, line] if line else lines


def _chopped(piece: str, width: int, size: int) -> list[str]:
    """A piece in parts that are no wider than `width`: most are one part already."""
    parts = []
    while len(piece) > 1 and (length := _length(piece, size)) > width:
        fits = max(1, int(len(piece) * width / length) - 1)
        parts.append(piece[:fits])
        piece = piece[fits:]
    return [*parts, piece]


def _length(text: str, size: int) -> float:
    """About how many pixels: what is drawn differs by up to 3 %, because small letters stand on whole pixels."""
    return size * sum(map(_advance, text))


@lru_cache(maxsize=20_000)
def _advance(character: str) -> float:
    """From this character to the next, in sizes of the letters."""
    return font(REGULAR, 64).getlength(character) / 64


def _pieces(words: Sequence[str]) -> Iterator[str]:
    """What must stay on one line: a word with the space before it, or one CJK character."""
    for number, word in enumerate(words):
        space = " " if number else ""
        for piece in _CJK.findall(word):
            yield space + piece
            space = ""


# A CJK character with the closing punctuation that may not begin a line, or a run of anything else.
_CJK = re.compile(r"[⺀-鿿豈-﫿！-｠][，。、；：？！）】》”’]*|[^⺀-鿿豈-﫿！-｠]+")


def _draw_details(
    picture: Planes, layout: Layout, box: Box, details: Sequence[tuple[str, str]], *, columns: int
) -> None:
    top = _draw_heading(picture, layout, box, "PARAMETERS")
    rows = -(-len(details) // columns) or 1
    step = min(layout.px(34), (box[3] - top) // rows)
    size = max(8, min(layout.px(18), round(step * 0.7)))
    face = font(REGULAR, size)
    gap = layout.px(36)
    width = (box[2] - box[0] - (columns - 1) * gap) // columns
    for number, (name, value) in enumerate(details):
        column, row = divmod(number, rows)
        left, y = box[0] + column * (width + gap), top + round((row + 0.72) * step)
        picture.text((left, y), name, DIM, face, anchor="ls")
        room = 0.97 * (width - face.getlength(name) - layout.px(12))
        picture.text((left + width, y), _shortened(value, room, size), TEXT, face, anchor="rs")


def _shortened(text: str, width: float, size: int) -> str:
    """One line, no wider than `width` pixels."""
    text = " ".join(text.split())
    ends = accumulate(size * _advance(character) for character in text)
    fitting = len(list(takewhile(lambda end: end <= width, ends)))
    return text if fitting == len(text) else text[: max(0, fitting - 1)] + "…"
