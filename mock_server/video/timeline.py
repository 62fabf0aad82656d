"""The time line at the foot of the clip: the only band that moves. It depends on nothing but the clip's form."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

from .clip import FRAMES_PER_SECOND
from .design import (
    BACKGROUND,
    BOLD,
    CHARACTERS,
    DIM,
    FAINT,
    REGULAR,
    TEXT,
    Colour,
    Layout,
    fill_rounded,
    font,
    rounded_mask,
)
from .planes import Planes

WATERMARK = "AI Generated"  # the Wan page's own words


@dataclass(frozen=True)
class TimelineForm:
    """All that the time line shows. Sizes in pixels, of the whole picture."""

    width: int
    height: int
    duration_seconds: int
    audio: bool
    watermark: bool


def timeline_frames(form: TimelineForm) -> Iterator[Planes]:
    """Every frame of the band in turn, from `Layout.timeline_top` to the foot of the picture.

    The bar fills up over the whole clip; the seconds and the number of the frame are written below it.
    """
    timeline = _Timeline(form)
    trace, played = Planes.of(timeline.still(played=False)), Planes.of(timeline.still(played=True))
    knob, mask = timeline.knob()
    digits = timeline.digits()
    top = timeline.bar_middle - knob.size[1] // 4 * 2
    shown = timeline.left
    for number in range(timeline.frame_count):
        x = timeline.knob_x(number)
        trace.paste(played.crop(shown, 0, x, timeline.text_top), shown, 0)
        shown = x
        frame = trace.copy()
        frame.paste(knob, x - knob.size[0] // 4 * 2, top, mask)
        for place, digit in timeline.shown_digits(number):
            frame.paste(digits[digit], place, timeline.text_top)
        yield frame


class _Timeline:
    """Its geometry and its parts. All borders of parts are even, because the colour planes have half the size."""

    def __init__(self, form: TimelineForm) -> None:
        layout = Layout(form.width, form.height)
        self._form, self._layout = form, layout
        self.frame_count = form.duration_seconds * FRAMES_PER_SECOND
        self.left, self._right = _even(layout.margin), _even(form.width - layout.margin)
        self.bar_middle = _even(layout.px(24))
        self.text_top = _even(layout.px(48))
        self._size = (form.width, form.height - layout.timeline_top)
        self._font = font(BOLD, layout.px(24))
        self._small_font = font(REGULAR, layout.px(18))
        self._digit_size = (_even(self._font.getlength("0")), _even(layout.px(30)))
        self._baseline = layout.px(23)
        self._frame_digits = self.left + _even(layout.px(250))

    def knob_x(self, number: int) -> int:
        """Where frame `number` (from 0) has the knob; the last frame has it at the very end."""
        share = number / max(1, self.frame_count - 1)
        return _even(self.left + share * (self._right - self.left))

    def shown_digits(self, number: int) -> Iterator[tuple[int, int]]:
        """(x, digit) of the time in hundredths of a second and of the frame's number from 1 on."""
        width = self._digit_size[0]
        hundredths = f"{number * 100 // FRAMES_PER_SECOND:04d}"
        gap = _even(width * 0.55)
        for index, digit in enumerate(hundredths):
            yield self.left + index * width + (gap if index > 1 else 0), int(digit)
        for index, digit in enumerate(f"{number + 1:04d}"):
            yield self._frame_digits + index * width, int(digit)

    def digits(self) -> list[Planes]:
        return [Planes.of(self._digit(str(value))) for value in range(10)]

    def _digit(self, character: str) -> Image.Image:
        cell = Image.new("RGB", self._digit_size, BACKGROUND)
        ImageDraw.Draw(cell).text((0, self._baseline), character, TEXT, self._font, anchor="ls")
        return cell

    def knob(self) -> tuple[Planes, Image.Image]:
        side = _even(self._layout.px(22))
        picture = Image.new("RGB", (side, side), TEXT)
        border = self._layout.px(5)
        fill_rounded(picture, (border, border, side - border, side - border), side, CHARACTERS[0])
        return Planes.of(picture), rounded_mask(side, side, side // 2)

    def still(self, *, played: bool) -> Image.Image:
        """Everything that stands still: the bar, all of it played or none, and the words."""
        picture = Image.new("RGB", self._size, BACKGROUND)
        self._draw_bar(picture, played=played)
        self._draw_words(ImageDraw.Draw(picture))
        return picture

    def _draw_bar(self, picture: Image.Image, *, played: bool) -> None:
        """A wave when the clip has sound, a plain line when it has none."""
        step = _even(self._layout.px(8))
        width = step // 2
        places = range(self.left, self._right - width + 1, step)
        for index, x in enumerate(places):
            colour = _between(CHARACTERS[1], CHARACTERS[0], index / len(places)) if played else FAINT
            half = round(self._layout.px(19) * _loudness(index)) if self._form.audio else self._layout.px(2)
            right = x + (width if self._form.audio else step)
            box = (x, self.bar_middle - half, min(right, self._right), self.bar_middle + half)
            fill_rounded(picture, box, width if self._form.audio else 0, colour)

    def _draw_words(self, draw: ImageDraw.ImageDraw) -> None:
        layout, baseline = self._layout, self.text_top + self._baseline
        width = self._digit_size[0]
        draw.text((self.left + 2 * width, baseline), ".", TEXT, self._font, anchor="ls")
        after_time = self.left + 4 * width + _even(width * 0.55) + layout.px(6)
        draw.text((after_time, baseline), f"/ {self._form.duration_seconds} s", DIM, self._small_font, anchor="ls")
        before = (self._frame_digits - layout.px(8), baseline)
        draw.text(before, "frame", DIM, self._small_font, anchor="rs")
        after = (self._frame_digits + 4 * width + layout.px(6), baseline)
        draw.text(after, f"/ {self.frame_count}", DIM, self._small_font, anchor="ls")
        if self._form.watermark:
            draw.text((self._right, baseline), WATERMARK, TEXT, self._font, anchor="rs")


def _even(value: float) -> int:
    return round(value / 2) * 2


def _between(first: Colour, last: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
    return red, green, blue


def _loudness(index: int) -> float:
    """A wave that looks like music, between 0.2 and 1."""
    return 0.2 + 0.8 * abs(math.sin(index * 0.21) * math.sin(index * 0.83 + 1) * math.cos(index * 0.037))
