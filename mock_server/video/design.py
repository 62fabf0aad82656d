"""How the clip looks: colours, type, and the borders of its three bands.

Everything is measured in units of `Layout.unit`: one pixel at 720p, one and a half at 1080p.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .h264 import MACROBLOCK

Colour = tuple[int, int, int]

BACKGROUND: Colour = (14, 18, 32)
STAGE: Colour = (24, 30, 50)
STAGE_LINE: Colour = (40, 48, 76)
TEXT: Colour = (238, 241, 248)
DIM: Colour = (138, 147, 172)
FAINT: Colour = (58, 67, 96)
# One colour for each character: its frame, its name and its mentions in the prompt.
CHARACTERS: tuple[Colour, ...] = ((255, 122, 102), (63, 208, 182), (255, 200, 87), (167, 139, 250), (88, 182, 255))

_FONTS = Path(__file__).parent.parent / "assets"
REGULAR = "NotoSansCJKsc-subset-Regular.otf"
BOLD = "NotoSansCJKsc-subset-Bold.otf"


@dataclass(frozen=True)
class Layout:
    """Borders of a picture of this size, in pixels. Band borders fall on macroblocks, as `h264.py` needs."""

    width: int
    height: int

    @property
    def unit(self) -> float:
        return float((self.width * self.height) ** 0.5 / 960)

    @property
    def margin(self) -> int:
        return self.px(44)

    @property
    def cast_height(self) -> int:
        """The band of the characters: from the top to here."""
        share = 0.56 if self.is_wide else 0.50
        return int(self.height * share) // MACROBLOCK * MACROBLOCK

    @property
    def timeline_top(self) -> int:
        """The prompt's band ends and the time line's begins here."""
        return (self.height - self.px(92)) // MACROBLOCK * MACROBLOCK

    @property
    def is_wide(self) -> bool:
        return self.width > 1.2 * self.height

    def px(self, units: float) -> int:
        return max(1, round(units * self.unit))


@lru_cache(maxsize=64)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A bundled font at `size` pixels. The basic layout engine: it is there on every machine."""
    return ImageFont.truetype(str(_FONTS / name), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=64)
def rounded_mask(width: int, height: int, radius: int) -> Image.Image:
    """A smooth-edged mask of a rounded rectangle."""
    fine = 4
    mask = Image.new("L", (width * fine, height * fine))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * fine - 1, height * fine - 1), radius * fine, fill=255)
    return mask.reduce(fine)


def fill_rounded(picture: Image.Image, box: tuple[int, int, int, int], radius: int, colour: Colour) -> None:
    """A smooth-edged rounded rectangle; `box` is left, top, right, bottom."""
    left, top, right, bottom = box
    radius = min(radius, (right - left) // 2, (bottom - top) // 2)
    picture.paste(colour, (left, top, right, bottom), rounded_mask(right - left, bottom - top, radius))
