"""How the clip looks: colours, type, and the borders of its three bands.

Everything is measured in units of `Layout.unit`: one pixel at 720p, one and a half at 1080p.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from .h264 import MACROBLOCK, macroblocks

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom

BACKGROUND: Colour = (14, 18, 32)
STAGE_TOP: Colour = (34, 42, 70)
STAGE_FOOT: Colour = (20, 25, 43)
STAGE_LINE: Colour = (46, 55, 86)
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
    """Borders in a picture of this size with this many characters, in pixels.

    Band borders fall on macroblocks, as `h264.py` needs.
    """

    width: int
    height: int
    characters: int

    @property
    def unit(self) -> float:
        return float((self.width * self.height) ** 0.5 / 960)

    @property
    def margin(self) -> int:
        return self.px(44)

    @property
    def stage_top(self) -> int:
        """The stage of the characters: from here to the end of its band, but for a narrow border."""
        return self.px(76)

    @property
    def portrait_side(self) -> int:
        """The side of the square that each character is shown in: even, as all that is pasted into planes."""
        count = max(1, self.characters)
        across = self.width - 2 * self.margin - 2 * self.px(24) - (count - 1) * self.gap
        high = int(self.height * (0.53 if self.is_wide else 0.52)) - self.stage_top - self._around_portrait
        return min(across // count, high) // 2 * 2

    @property
    def gap(self) -> int:
        """Between two characters."""
        return self.px(28 if self.characters < 4 or self.is_wide else 20)

    @property
    def frame(self) -> int:
        """The line around a portrait."""
        return max(2, self.px(3))

    @property
    def cast_top(self) -> int:
        """The title's band ends and that of the characters begins here: low, because the title never changes."""
        return (self.stage_top + self.px(24) - self.frame) // MACROBLOCK * MACROBLOCK

    @property
    def cast_foot(self) -> int:
        """The band of the characters ends and that of the prompt begins here."""
        needed = self.stage_top + self.portrait_side + self._around_portrait
        return macroblocks(needed) * MACROBLOCK

    @property
    def _around_portrait(self) -> int:
        """The room above a portrait on the stage, and below it for the name."""
        return self.px(24 + 58)

    @property
    def timeline_top(self) -> int:
        """The prompt's band ends and the time line's begins here: a low one, because all of it is encoded anew."""
        return self.foot_top - macroblocks(self.px(30)) * MACROBLOCK

    @property
    def foot_top(self) -> int:
        """The time line's band ends here; below it stands the watermark."""
        return (self.height - self.px(54)) // MACROBLOCK * MACROBLOCK

    @property
    def is_wide(self) -> bool:
        return self.width > 1.2 * self.height

    def px(self, units: float) -> int:
        return max(1, round(units * self.unit))


@lru_cache(maxsize=24)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A bundled font at `size` pixels. The basic layout engine: it is there on every machine."""
    return ImageFont.truetype(str(_FONTS / name), size, layout_engine=ImageFont.Layout.BASIC)
