"""Draws the example references and plays the example melody into a file: `python examples/make_pictures.py`.

Needs Pillow. `make demo` uses the two pictures as character1 and character2; the melody is for `audio_url`.
"""

import math
import struct
import wave
from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).parent
SIDE = 720
FINE = 3  # drawn three times as large, for smooth edges

Point = tuple[float, float]


class Sheet:
    """A square drawing with coordinates from 0 to 720, mirrored around its middle where that is asked for."""

    def __init__(self, background: str) -> None:
        self._picture = Image.new("RGB", (SIDE * FINE, SIDE * FINE), background)
        self._draw = ImageDraw.Draw(self._picture)

    def polygon(self, points: list[Point], colour: str, *, twice: bool = False) -> None:
        self._draw.polygon([(x * FINE, y * FINE) for x, y in points], colour)
        if twice:
            self.polygon([(SIDE - x, y) for x, y in points], colour)

    def disc(self, x: float, y: float, across: float, colour: str, *, high: float = 0, twice: bool = False) -> None:
        half_width, half_height = across / 2, (high or across) / 2
        box = (x - half_width, y - half_height, x + half_width, y + half_height)
        self._draw.ellipse([value * FINE for value in box], colour)
        if twice:
            self.disc(SIDE - x, y, across, colour, high=high)

    def block(
        self, box: tuple[float, float, float, float], round_by: float, colour: str, *, twice: bool = False
    ) -> None:
        left, top, right, bottom = box
        self._draw.rounded_rectangle([value * FINE for value in box], round_by * FINE, colour)
        if twice:
            self.block((SIDE - right, top, SIDE - left, bottom), round_by, colour)

    def smile(self, box: tuple[float, float, float, float], width: float, colour: str, *, twice: bool = False) -> None:
        left, top, right, bottom = box
        self._draw.arc([value * FINE for value in box], 15, 165, colour, round(width * FINE))
        if twice:
            self.smile((SIDE - right, top, SIDE - left, bottom), width, colour)

    def finished(self) -> Image.Image:
        return self._picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def fox() -> Image.Image:
    """A fox with a scarf, before an evening sun."""
    sheet = Sheet("#FCE5C4")
    sheet.disc(360, 330, 560, "#F9C98B")
    sheet.disc(360, 860, 900, "#6FA287", high=420)
    sheet.disc(60, 800, 560, "#5B8F78", high=330)
    fur, dark_fur, cream, night = "#E8743B", "#C9562A", "#FFF4E3", "#3A2430"
    sheet.disc(360, 690, 400, fur, high=400)
    sheet.disc(360, 740, 220, cream, high=340)
    sheet.polygon([(150, 60), (138, 330), (330, 210)], fur, twice=True)
    sheet.polygon([(172, 120), (166, 270), (270, 205)], night, twice=True)
    sheet.disc(360, 360, 470, fur, high=400)
    sheet.polygon([(128, 380), (70, 470), (240, 552), (362, 560), (362, 400)], fur, twice=True)
    sheet.polygon([(133, 424), (98, 465), (244, 532), (362, 540), (362, 420), (240, 402)], cream, twice=True)
    sheet.disc(285, 455, 190, cream, high=170, twice=True)
    sheet.disc(360, 490, 190, cream, high=150)
    sheet.polygon([(320, 180), (360, 300), (400, 180)], dark_fur)
    sheet.disc(270, 360, 52, night, high=66, twice=True)
    sheet.disc(262, 344, 18, "#FFFFFF")
    sheet.disc(442, 344, 18, "#FFFFFF")
    sheet.disc(215, 440, 62, "#F6B79A", high=40, twice=True)
    sheet.disc(360, 446, 64, night, high=46)
    sheet.disc(350, 436, 18, "#8A6470", high=10)
    sheet.smile((302, 436, 364, 506), 8, night, twice=True)
    sheet.block((196, 556, 524, 626), 35, "#2F9E8F")
    sheet.block((410, 590, 482, 714), 26, "#278577")
    sheet.block((410, 650, 482, 668), 0, "#FCE5C4")
    return sheet.finished()


def robot() -> Image.Image:
    """A robot with a kind face, under the stars."""
    sheet = Sheet("#27335B")
    for x, y, size in (
        (90, 110, 9),
        (180, 60, 6),
        (620, 90, 10),
        (560, 180, 6),
        (80, 300, 6),
        (660, 330, 8),
        (300, 50, 5),
    ):
        sheet.disc(x, y, size, "#FFE9A8")
    sheet.disc(590, 560, 420, "#33427A")
    sheet.disc(360, 900, 1100, "#1C2647", high=480)
    shell, shade, glow, glass = "#DCE6F2", "#A9BBD3", "#6FF0DC", "#18203A"
    sheet.block((350, 70, 370, 170), 6, shade)
    sheet.disc(360, 70, 54, "#FF8A75")
    sheet.disc(350, 60, 16, "#FFD0C6")
    sheet.block((104, 270, 160, 400), 24, "#FF8A75", twice=True)
    sheet.block((190, 500, 530, 800), 70, shade)
    sheet.block((205, 500, 515, 800), 60, shell)
    sheet.block((310, 470, 410, 520), 12, shade)
    sheet.block((140, 160, 580, 490), 110, shade)
    sheet.block((140, 150, 580, 478), 110, shell)
    sheet.block((184, 204, 536, 424), 78, glass)
    sheet.disc(280, 300, 66, glow, high=84, twice=True)
    sheet.disc(290, 284, 20, "#FFFFFF")
    sheet.disc(450, 284, 20, "#FFFFFF")
    sheet.smile((316, 320, 404, 390), 9, glow)
    sheet.disc(226, 366, 44, "#3D4F86", high=24, twice=True)
    sheet.disc(360, 610, 120, glass)
    sheet.polygon([(360, 655), (319, 613), (360, 600), (401, 613)], "#FF8A75")
    sheet.disc(339, 602, 44, "#FF8A75", twice=True)
    sheet.block((60, 560, 176, 620), 30, shade, twice=True)
    sheet.disc(70, 590, 84, shell, twice=True)
    return sheet.finished()


def melody() -> bytes:
    """Four seconds of a music box as 16-bit samples, 16,000 a second."""
    rate, beat = 16_000, 0.5
    notes = (523.25, 659.25, 783.99, 1046.5, 880.0, 783.99, 659.25, 523.25)
    values = [0.0] * int(rate * beat * len(notes))
    for number, pitch in enumerate(notes):
        start = int(number * beat * rate)
        for index in range(min(len(values) - start, int(rate * 1.2))):
            seconds = index / rate
            swing = math.sin(math.tau * pitch * seconds) + 0.3 * math.sin(math.tau * 2 * pitch * seconds)
            values[start + index] += 0.22 * swing * math.exp(-4 * seconds) * min(1, seconds / 0.005)
    return struct.pack(f"<{len(values)}h", *(round(32767 * max(-1, min(1, value))) for value in values))


def main() -> None:
    fox().save(HERE / "character1.png", optimize=True)
    robot().save(HERE / "character2.jpg", quality=90, optimize=True)
    with wave.open(str(HERE / "melody.wav"), "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(16_000)
        output.writeframes(melody())


if __name__ == "__main__":
    main()
