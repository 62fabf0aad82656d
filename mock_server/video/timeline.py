"""The time line, the only band that moves, and the foot below it. They depend on nothing but the clip's form."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

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
    font,
)
from .planes import Mask, Planes, rounded

_FOOT_BASELINE = 24  # of its text, in units below its upper border


@dataclass(frozen=True)
class TimelineForm:
    """All that the two bands show. Sizes in pixels, of the whole picture."""

    width: int
    height: int
    duration_seconds: int
    audio: bool
    watermark: bool

    @property
    def layout(self) -> Layout:
        return Layout(self.width, self.height, 0)

    @property
    def frame_count(self) -> int:
        return self.duration_seconds * FRAMES_PER_SECOND


def draw_foot(form: TimelineForm) -> Planes:
    """From `Layout.foot_top` to the end of the picture: the clip's form, and the watermark at the right."""
    layout = form.layout
    picture = Planes.filled(form.width, form.height - layout.foot_top, BACKGROUND)
    sound = "with sound" if form.audio else "no sound"
    words = f"{form.duration_seconds} s, {FRAMES_PER_SECOND} frames a second, {sound}"
    picture.text((layout.margin, layout.px(_FOOT_BASELINE)), words, DIM, font(REGULAR, layout.px(18)), anchor="ls")
    if form.watermark:
        draw_watermark(picture, layout)
    return picture


def draw_watermark(foot: Planes, layout: Layout) -> None:
    """The Wan page's fixed text in its place."""
    place = (layout.width - layout.margin, layout.px(_FOOT_BASELINE))
    foot.text(place, "AI Generated", TEXT, font(BOLD, layout.px(24)), anchor="rs")


def timeline_frames(form: TimelineForm) -> Iterator[Planes]:
    """Every frame of the band from `Layout.timeline_top` to `Layout.foot_top`: the same planes, changed in place.

    Seconds at the left, a bar that fills up over the whole clip, the number of the frame (from 1 on) at the right.
    """
    timeline = _Timeline(form)
    ahead, played = (timeline.still(played=played) for played in (False, True))
    knob, mask = timeline.knob()
    digits = timeline.digits()
    side, height = knob.size[0], timeline.height
    top = height // 4 * 2 - side // 4 * 2
    frame = ahead.copy()
    left = timeline.knob_x(0)
    shown: dict[int, int] = {}
    for number in range(form.frame_count):
        x, right = timeline.knob_x(number), left + side
        # Where the knob was: the bar up to its new middle is played now, the rest is not.
        frame.paste(played.crop(left, 0, x, height), left, 0)
        if x < right:
            frame.paste(ahead.crop(x, 0, right, height), x, 0)
        left = x - side // 4 * 2
        frame.paste(knob, left, top, mask)
        for place, digit in timeline.shown_digits(number):
            if shown.get(place) != digit:
                frame.paste(digits[digit], place, timeline.digit_top)
                shown[place] = digit
        yield frame


class _Timeline:
    """Its geometry and its parts. All borders of parts are even, because the colour planes have half the size."""

    def __init__(self, form: TimelineForm) -> None:
        layout = form.layout
        self._form, self._layout = form, layout
        self.height = layout.foot_top - layout.timeline_top
        self._left, self._right = _even(layout.margin), _even(form.width - layout.margin)
        self._font, self._small_font = font(BOLD, layout.px(24)), font(REGULAR, layout.px(18))
        self._digit_size = (_even(self._font.getlength("0")), _even(layout.px(28)))
        self._point_width = _even(self._digit_size[0] * 0.55)
        self.digit_top = _even((self.height - self._digit_size[1]) / 2)
        self._baseline = layout.px(23)
        self._total = f"/ {form.frame_count}"
        self._frame_left = _even(self._right - self._small_font.getlength(self._total)) - 4 * self._digit_size[0]
        self._frame_left -= _even(layout.px(6))
        self.bar_left = self._left + 4 * self._digit_size[0] + self._point_width + _even(layout.px(48))
        self._bar_right = self._frame_left - _even(layout.px(30))

    def knob_x(self, number: int) -> int:
        """Where frame `number` has the knob's middle; the last frame has it at the very end."""
        share = number / max(1, self._form.frame_count - 1)
        return _even(self.bar_left + share * (self._bar_right - self.bar_left))

    def shown_digits(self, number: int) -> Iterator[tuple[int, int]]:
        """(x, digit) of the time in hundredths of a second, and of the frame's number."""
        width = self._digit_size[0]
        for index, digit in enumerate(f"{number * 100 // FRAMES_PER_SECOND:04d}"):
            yield self._left + index * width + (self._point_width if index > 1 else 0), int(digit)
        for index, digit in enumerate(f"{number + 1:04d}"):
            yield self._frame_left + index * width, int(digit)

    def digits(self) -> list[Planes]:
        return [self._digit(str(value)) for value in range(10)]

    def _digit(self, character: str) -> Planes:
        cell = Planes.filled(*self._digit_size, BACKGROUND)
        cell.text((0, self._baseline), character, TEXT, self._font, anchor="ls")
        return cell

    def knob(self) -> tuple[Planes, Mask]:
        side = _even(self._layout.px(22))
        picture = Planes.filled(side, side, TEXT)
        border = self._layout.px(5)
        picture.fill_rounded((border, border, side - border, side - border), side, CHARACTERS[0])
        return picture, rounded(side, side, side // 2)

    def still(self, *, played: bool) -> Planes:
        """Everything that stands still: the bar, all of it played or none, and the words."""
        picture = Planes.filled(self._form.width, self.height, BACKGROUND)
        self._draw_bar(picture, played=played)
        baseline = self.digit_top + self._baseline
        width = self._digit_size[0]
        picture.text((self._left + 2 * width, baseline), ".", TEXT, self._font, anchor="ls")
        after_time = self._left + 4 * width + self._point_width + self._layout.px(5)
        picture.text((after_time, baseline), "s", DIM, self._small_font, anchor="ls")
        picture.text((self._right, baseline), self._total, DIM, self._small_font, anchor="rs")
        return picture

    def _draw_bar(self, picture: Planes, *, played: bool) -> None:
        """A wave when the clip has sound, a plain line when it has none."""
        step = _even(self._layout.px(8))
        middle = self.height // 2
        places = range(self.bar_left, self._bar_right, step)
        for index, x in enumerate(places):
            colour = _between(CHARACTERS[1], CHARACTERS[0], index / len(places)) if played else FAINT
            if self._form.audio:
                half = round(self._layout.px(15) * _loudness(index))
                box = (x, middle - half, min(x + step // 2, self._bar_right), middle + half)
                picture.fill_rounded(box, step, colour)
            else:
                half = _even(self._layout.px(2))
                part = Planes.filled(min(step, self._bar_right - x), 2 * half, colour)
                picture.paste(part, x, middle - half)


def _even(value: float) -> int:
    return round(value / 2) * 2


def _between(first: Colour, last: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
    return red, green, blue


def _loudness(index: int) -> float:
    """A wave that looks like music, between 0.2 and 1."""
    return 0.2 + 0.8 * abs(math.sin(index * 0.21) * math.sin(index * 0.83 + 1) * math.cos(index * 0.037))
