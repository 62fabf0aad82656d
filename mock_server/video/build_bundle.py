"""Makes `assets/bundled_video.zip` again: `python -m mock_server.video.build_bundle` (needs Pillow and PyAV)."""

from . import encoder, h264
from .bundle import StillPicture, write_bundle
from .design import BACKGROUND, BOLD, CHARACTERS, DIM, REGULAR, TEXT, Layout, font
from .planes import Planes
from .sound import make_chord
from .timeline import draw_watermark

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
    layout = Layout(width, height, 0)
    first_of_foot = h264.macroblocks(width) * (layout.foot_top // h264.MACROBLOCK)
    sps, pps = encoder.parameter_sets(width, height)
    feet = [_encoded(_foot(layout, watermark=watermark), first_of_foot) for watermark in (False, True)]
    return StillPicture(sps, pps, _encoded(_picture(layout), 0), *feet)


def _encoded(picture: Planes, first_macroblock: int) -> bytes:
    (units,) = encoder.encode([picture], picture.size, _QUANTISER)
    return h264.sample(h264.move_slice(unit, first_macroblock) for unit in units)


def _picture(layout: Layout) -> Planes:
    picture = Planes.filled(layout.width, layout.foot_top, BACKGROUND)
    middle, y = layout.width // 2, layout.foot_top // 2
    radius = layout.px(44)
    disc_y = y - layout.px(90)
    picture.fill_rounded((middle - radius, disc_y - radius, middle + radius, disc_y + radius), radius, CHARACTERS[0])
    arrow = layout.px(20)
    left = middle - round(arrow * 0.6)
    picture.polygon(((left, disc_y - arrow), (left, disc_y + arrow), (left + 2 * arrow, disc_y)), BACKGROUND)
    picture.text((middle, y), "Wan 2.6  Reference to Video", TEXT, font(BOLD, layout.px(34)), anchor="mm")
    for number, line in enumerate(_LINES):
        picture.text((middle, y + layout.px(52 + 32 * number)), line, DIM, font(REGULAR, layout.px(22)), anchor="mm")
    return picture


def _foot(layout: Layout, *, watermark: bool) -> Planes:
    picture = Planes.filled(layout.width, layout.height - layout.foot_top, BACKGROUND)
    if watermark:
        draw_watermark(picture, layout)
    return picture


if __name__ == "__main__":
    write_bundle({size: still_picture(*size) for size in SIZES}, make_chord())
