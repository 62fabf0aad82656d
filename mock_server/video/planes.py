"""Pictures in the encoder's own colours: one brightness plane and two colour planes of half the size.

Moving things are pasted straight into the planes, so that a frame of the time line costs no conversion.
"""

from dataclasses import dataclass

from PIL import Image

# RGB to BT.709 with brightness 16-235 (ITU-R BT.709, 3.4-3.5); Pillow's own YCbCr is BT.601 with the full range.
_Y = (0.1826, 0.6142, 0.0620, 16.5)
_CB = (-0.1006, -0.3386, 0.4392, 128.5)
_CR = (0.4392, -0.3989, -0.0403, 128.5)


@dataclass(frozen=True)
class Planes:
    """Y, Cb and Cr as 8-bit Pillow images; width and height of Y are even."""

    y: Image.Image
    cb: Image.Image
    cr: Image.Image

    @classmethod
    def of(cls, picture: Image.Image) -> "Planes":
        """The planes of an RGB picture of even width and height."""
        half = picture.reduce(2)
        return cls(picture.convert("L", _Y), half.convert("L", _CB), half.convert("L", _CR))

    @property
    def size(self) -> tuple[int, int]:
        return self.y.size

    def copy(self) -> "Planes":
        return Planes(self.y.copy(), self.cb.copy(), self.cr.copy())

    def crop(self, left: int, top: int, right: int, bottom: int) -> "Planes":
        """A part of it; all four borders are even."""
        half = (left // 2, top // 2, right // 2, bottom // 2)
        return Planes(self.y.crop((left, top, right, bottom)), self.cb.crop(half), self.cr.crop(half))

    def paste(self, part: "Planes", left: int, top: int, mask: "Mask | None" = None) -> None:
        """Put `part` with its corner at (left, top), both even, through a mask of the part's size if there is one."""
        full, half = (mask.full, mask.half) if mask else (None, None)
        self.y.paste(part.y, (left, top), full)
        self.cb.paste(part.cb, (left // 2, top // 2), half)
        self.cr.paste(part.cr, (left // 2, top // 2), half)


class Mask:
    """How much of a part covers what it is pasted on: for the brightness and, at half the size, for the colours."""

    def __init__(self, full: Image.Image) -> None:
        self.full = full
        self.half = full.reduce(2)
