"""Makes `assets/bundled_video.zip` again: `python -m mock_server.video.build_bundle` (needs Pillow and PyAV)."""

from PIL import Image, ImageDraw

from . import encoder, h264
from .bundle import StillPicture, write_bundle
from .design import BACKGROUND, BOLD, CHARACTERS, DIM, REGULAR, TEXT, Layout, fill_rounded, font
from .planes import Planes
from .sound import make_chord
from .timeline import WATERMARK

SIZES = (
    (1280, 720),
    (720, 1280),
    (960, 960),
    (1088, 832),
    (832, 1088),
    (1920, 1080),
    (1080, 1920),
    (1440, 1440),
    (1632, 1248),
    (1248, 1632),
)
_QUANTISER = 24
_LINES = ("Your request was rendered by the mock.", "Install its media extra to see it drawn here.")


def still_picture(width: int, height: int) -> StillPicture:
    layout = Layout(width, height)
    first_of_foot = h264.macroblocks(width) * (layout.timeline_top // h264.MACROBLOCK)
    sps, pps = encoder.parameter_sets(width, height)
    feet = [_encoded(_foot(layout, words), first_of_foot) for words in ("", WATERMARK)]
    return StillPicture(sps, pps, _encoded(_picture(layout), 0), *feet)


def _encoded(picture: Image.Image, first_macroblock: int) -> bytes:
    (units,) = encoder.encode([Planes.of(picture)], picture.size, _QUANTISER)
    return h264.sample(h264.move_slice(unit, first_macroblock) for unit in units)


def _picture(layout: Layout) -> Image.Image:
    picture = Image.new("RGB", (layout.width, layout.timeline_top), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    middle, y = layout.width // 2, layout.timeline_top // 2
    radius = layout.px(44)
    disc_y = y - layout.px(90)
    fill_rounded(picture, (middle - radius, disc_y - radius, middle + radius, disc_y + radius), radius, CHARACTERS[0])
    arrow = layout.px(20)
    left = middle - round(arrow * 0.6)
    draw.polygon(((left, disc_y - arrow), (left, disc_y + arrow), (left + 2 * arrow, disc_y)), BACKGROUND)
    draw.text((middle, y), "Wan 2.6  Reference to Video", TEXT, font(BOLD, layout.px(34)), anchor="mm")
    for number, line in enumerate(_LINES):
        draw.text((middle, y + layout.px(52 + 32 * number)), line, DIM, font(REGULAR, layout.px(22)), anchor="mm")
    return picture


def _foot(layout: Layout, words: str) -> Image.Image:
    picture = Image.new("RGB", (layout.width, layout.height - layout.timeline_top), BACKGROUND)
    place = (layout.width - layout.margin, layout.px(71))
    ImageDraw.Draw(picture).text(place, words, TEXT, font(BOLD, layout.px(24)), anchor="rs")
    return picture


if __name__ == "__main__":
    write_bundle({size: still_picture(*size) for size in SIZES}, make_chord())
