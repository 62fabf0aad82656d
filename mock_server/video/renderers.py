"""Chooses the renderer that this machine can run; holds the one that runs everywhere."""

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

from . import bundle, h264, mp4
from .clip import FRAMES_PER_SECOND, Clip, Renderer

DEFAULT_CACHE_BYTES = 32 * 1024 * 1024


def make_renderer(cache_bytes: int = DEFAULT_CACHE_BYTES) -> Renderer:
    """The renderer that draws every clip, where PyAV and Pillow are installed; else `BundledRenderer`.

    `cache_bytes`: how much the first one may keep of what it made.
    """
    if find_spec("av") is None or find_spec("PIL") is None:
        return BundledRenderer()
    renderer: Renderer = import_module(".studio", __package__).StudioRenderer(cache_bytes)
    return renderer


class BundledRenderer:
    """Needs the standard library alone, so it draws nothing: every clip shows the same bundled picture.

    Width, height, duration, frame count, watermark and the presence of sound are as asked. References, prompt, details
    and the time line are not shown, and a given `audio_track` is not heard: the generated chord is.
    """

    draws_content = False

    def render(self, clip: Clip) -> bytes:
        """See `Renderer.render`. Raises ValueError for a size that is not one of Wan's ten."""
        still = _picture(clip.width, clip.height)
        count = clip.duration_seconds * FRAMES_PER_SECOND
        blocks = h264.macroblocks(clip.width) * h264.macroblocks(clip.height)
        key_frame = still.picture + (still.foot_with_watermark if clip.watermark else still.foot)
        group = [key_frame] + [h264.sample([h264.skip_slice(n, 0, blocks)]) for n in range(1, FRAMES_PER_SECOND)]
        video = mp4.VideoTrack(
            width=clip.width,
            height=clip.height,
            frames_per_second=FRAMES_PER_SECOND,
            sps=still.sps,
            pps=still.pps,
            samples=group * clip.duration_seconds,
            key_frames=range(0, count, FRAMES_PER_SECOND),
        )
        return mp4.write(clip.duration_seconds, video, _chord().track(clip.duration_seconds) if clip.audio else None)


_picture = lru_cache(maxsize=None)(bundle.read_picture)
_chord = lru_cache(maxsize=None)(bundle.read_chord)
