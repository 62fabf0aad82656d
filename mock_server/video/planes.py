"""Pictures in the encoder's own colours: one brightness plane and two colour planes of half the size.

Everything is drawn straight into the planes: shapes and letters are masks, and a mask takes a third of the time and of
the memory in planes that it takes in RGB, and needs no conversion afterwards. Only pictures from outside are converted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from PIL import Image, ImageDraw, ImageFont

from .design import Box, Colour

# RGB to BT.709 with brightness 16-235 (ITU-R BT.709, 3.4-3.5); Pillow's own YCbCr is BT.601 with the full range.
_Y = (0.1826, 0.6142, 0.0620, 16.5)
_CB = (-0.1006, -0.3386, 0.4392, 128.5)
_CR = (0.4392, -0.3989, -0.0403, 128.5)


class Mask:
    """How much of a part covers what it is pasted on: for the brightness and, at half the size, for the colours."""

    def __init__(self, full: Image.Image) -> None:
        """`full`: of even width and height."""
        self.full = full
        self.half = full.reduce(2)


@dataclass(frozen=True)
class Planes:
    """Y, Cb and Cr as 8-bit Pillow images; width and height of Y are even."""

    y: Image.Image
    cb: Image.Image
    cr: Image.Image

    @classmethod
    def of(cls, picture: Image.Image) -> "Planes":
        """The planes of an RGB picture. Where it is of odd width or height, the colour planes reach over its border."""
        half = picture.reduce(2)
        return cls(picture.convert("L", _Y), half.convert("L", _CB), half.convert("L", _CR))

    @classmethod
    def filled(cls, width: int, height: int, colour: Colour) -> "Planes":
        """A picture of one colour; width and height are even."""
        half = (width // 2, height // 2)
        sizes = ((width, height), half, half)
        return cls(*(Image.new("L", size, level) for size, level in zip(sizes, _levels(colour), strict=True)))

    @property
    def size(self) -> tuple[int, int]:
        return self.y.size

    def copy(self) -> "Planes":
        return Planes(self.y.copy(), self.cb.copy(), self.cr.copy())

    def resized(self, side: int) -> "Planes":
        """The whole of it as a square; `side` is even."""
        width, height = self.size
        half, half_box = (side // 2, side // 2), (0, 0, width / 2, height / 2)
        smooth = Image.Resampling.BILINEAR
        return Planes(
            self.y.resize((side, side), smooth),
            self.cb.resize(half, smooth, half_box),
            self.cr.resize(half, smooth, half_box),
        )

    def crop(self, left: int, top: int, right: int, bottom: int) -> "Planes":
        """A part of it; all four borders are even."""
        half = (left // 2, top // 2, right // 2, bottom // 2)
        return Planes(self.y.crop((left, top, right, bottom)), self.cb.crop(half), self.cr.crop(half))

    def paste(self, part: "Planes", left: int, top: int, mask: Mask | None = None) -> None:
        """`part` with its upper left corner at an even place, as far as `mask` lets it cover."""
        full, half = (mask.full, mask.half) if mask else (None, None)
        self.y.paste(part.y, (left, top), full)
        self.cb.paste(part.cb, (left // 2, top // 2), half)
        self.cr.paste(part.cr, (left // 2, top // 2), half)

    def cover(self, mask: Mask, left: int, top: int, colour: Colour) -> None:
        """One colour where `mask`, with its upper left corner at an even place, lets it cover."""
        y, cb, cr = _levels(colour)
        self.y.paste(y, (left, top), mask.full)
        self.cb.paste(cb, (left // 2, top // 2), mask.half)
        self.cr.paste(cr, (left // 2, top // 2), mask.half)

    def fill_rounded(self, box: Box, radius: int, colour: Colour) -> None:
        """A smooth-edged rounded rectangle."""
        left, top, right, bottom = box
        radius = max(1, min(radius, (right - left) // 2, (bottom - top) // 2))
        mask = rounded(right - left, bottom - top, radius, (left % 2, top % 2))
        self.cover(mask, left // 2 * 2, top // 2 * 2, colour)

    def polygon(self, points: tuple[tuple[float, float], ...], colour: Colour) -> None:
        (left, right), (top, bottom) = (_even_span(min(values), max(values)) for values in zip(*points, strict=True))
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], 255)
        self.cover(Mask(mask), left, top, colour)

    def text(
        self, place: tuple[float, float], words: str, colour: Colour, face: ImageFont.FreeTypeFont, anchor: str
    ) -> None:
        """One line. `anchor`: l, m or r; then s (letters stand on `place`) or m (it is their middle)."""
        glyphs = [_glyph(face, character) for character in words]
        ascent, descent = face.getmetrics()
        x = round(place[0] - sum(glyph.advance for glyph in glyphs) * {"l": 0, "m": 0.5, "r": 1}[anchor[0]])
        y = round(place[1] + {"s": 0, "m": (ascent - descent + 1) // 2}[anchor[1]])
        if glyphs:
            line, left, top = _line(glyphs, x, y)
            self.cover(Mask(line), left, top, colour)


@dataclass(frozen=True)
class _Glyph:
    """A letter: where its mask lies from the place that it stands on, and how far it is from there to the next one."""

    mask: Image.Image
    left: int
    top: int
    advance: int


@lru_cache(maxsize=2048)
def _glyph(face: ImageFont.FreeTypeFont, character: str) -> _Glyph:
    """Kept, because letters come again and again, in one line and in the next, and their outlines are what costs.

    The fonts have no pairs of letters that stand closer, and hinted letters stand on whole pixels.
    """
    left, top, right, bottom = (round(border) for border in face.getbbox(character, anchor="ls"))
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).text((-left, -top), character, 255, face, anchor="ls")
    return _Glyph(mask, left, top, round(face.getlength(character)))


def _line(glyphs: Sequence[_Glyph], x: int, y: int) -> tuple[Image.Image, int, int]:
    """A mask of the glyphs, the first one standing on `x` and `y`, and its left and top."""
    starts = accumulate((glyph.advance for glyph in glyphs), initial=x)
    spots = [(start + glyph.left, y + glyph.top, glyph.mask) for start, glyph in zip(starts, glyphs, strict=False)]
    left, right = _even_span(min(x for x, _, _ in spots), max(x + mask.width for x, _, mask in spots))
    top, bottom = _even_span(min(y for _, y, _ in spots), max(y + mask.height for _, y, mask in spots))
    line = Image.new("L", (right - left, bottom - top))
    for spot_x, spot_y, mask in spots:
        line.paste(255, (spot_x - left, spot_y - top), mask)
    return line, left, top


@lru_cache(maxsize=64)
def rounded(width: int, height: int, radius: int, shift: tuple[int, int] = (0, 0)) -> Mask:
    """A smooth-edged rounded rectangle; `shift`: 0 or 1 pixels right and down, for one that begins at an odd place."""
    right, down = shift
    full = Image.new("L", ((right + width + 1) // 2 * 2, (down + height + 1) // 2 * 2))
    full.paste(255, (right, down, right + width, down + height))
    corner = _corner(radius)
    for turned, place in (
        (corner, (0, 0)),
        (corner.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (width - radius, 0)),
        (corner.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, height - radius)),
        (corner.transpose(Image.Transpose.ROTATE_180), (width - radius, height - radius)),
    ):
        full.paste(turned, (right + place[0], down + place[1]))
    return Mask(full)


@lru_cache(maxsize=64)
def _corner(radius: int) -> Image.Image:
    """The upper left quarter of a disc."""
    fine = 4
    quarter = Image.new("L", (radius * fine, radius * fine))
    ImageDraw.Draw(quarter).ellipse((0, 0, 2 * radius * fine, 2 * radius * fine), fill=255)
    return quarter.reduce(fine)


@lru_cache(maxsize=256)
def _levels(colour: Colour) -> tuple[int, int, int]:
    """Y, Cb and Cr, rounded as in pictures that are converted."""
    y, cb, cr = (plane.getpixel((0, 0)) for plane in vars(Planes.of(Image.new("RGB", (2, 2), colour))).values())
    return int(y), int(cb), int(cr)


def _even_span(first: float, last: float) -> tuple[int, int]:
    """From an even pixel to an even pixel, with a pixel to spare on both sides for smooth edges."""
    return int(first - 1) // 2 * 2, int(last + 3) // 2 * 2
