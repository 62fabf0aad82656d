"""Draws and encodes clips with Pillow and PyAV.

A clip is three bands, each encoded alone and kept: the cast (by size and references), the script (by size, prompt and
parameters) and the moving time line (by size, length, sound and watermark). What is new in a clip is all that is
encoded for it; `h264.py` then puts the bands together.
"""

import hashlib
import pickle
from collections.abc import Callable
from functools import cache
from threading import Lock

from PIL import Image

from . import encoder, h264, mp4, panel, sound
from .cache import SizedCache
from .clip import FRAMES_PER_SECOND, Clip
from .design import CHARACTERS, Layout
from .planes import Planes
from .timeline import TimelineForm, timeline_frames

_STILL_QUANTISER = 16
_TIMELINE_QUANTISER = 20

Band = list[list[bytes]]  # the slices of each frame


class StudioRenderer:
    """Draws every clip. `cache_bytes`: how much is kept, half of it whole files, half of it parts of files.

    Files that are kept are answered at once; others are made one at a time, so that a crowd of requests costs the
    memory of one.
    """

    draws_content = True

    def __init__(self, cache_bytes: int) -> None:
        self._files = SizedCache[bytes](cache_bytes // 2, len)
        self._bands = SizedCache[Band](cache_bytes * 3 // 8, _band_bytes)
        self._tracks = SizedCache[mp4.AudioTrack](cache_bytes // 8, lambda track: sum(map(len, track.packets)))
        self._parameter_sets: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._chord = cache(sound.make_chord)
        self._lock = Lock()

    def render(self, clip: Clip) -> bytes:
        """See `Renderer.render`."""
        key = _digest(clip)
        data = self._files.get(key)
        if data is None:
            with self._lock:
                data = self._files.get_or_make(key, lambda: self._made(clip))
        return data

    def _made(self, clip: Clip) -> bytes:
        samples = self._pictures(clip)
        size = (clip.width, clip.height)
        if size not in self._parameter_sets:
            self._parameter_sets[size] = encoder.parameter_sets(*size)
        sps, pps = self._parameter_sets[size]
        key_frames = range(0, len(samples), FRAMES_PER_SECOND)
        video = mp4.VideoTrack(*size, FRAMES_PER_SECOND, sps, pps, samples, key_frames)
        return mp4.write(clip.duration_seconds, video, self._track(clip))

    def _pictures(self, clip: Clip) -> list[bytes]:
        """Each picture as one MP4 sample: a key frame holds all bands, the others the time line alone."""
        layout = Layout(clip.width, clip.height)
        across = h264.macroblocks(clip.width)
        still_blocks = across * (layout.timeline_top // h264.MACROBLOCK)
        script_start = across * (layout.cast_height // h264.MACROBLOCK)
        cast = self._still("cast", layout, clip.references, lambda: self._cast(layout, clip.references))
        script = self._still(
            "script",
            layout,
            (clip.prompt, clip.details),
            lambda: panel.draw_script(layout, clip.prompt, clip.details),
        )
        key_frame = [*cast, *(h264.move_slice(unit, script_start) for unit in script)]
        skips = [[h264.skip_slice(number, still_blocks)] for number in range(FRAMES_PER_SECOND)]
        return [
            h264.sample([*(skips[number % FRAMES_PER_SECOND] if number % FRAMES_PER_SECOND else key_frame), *moving])
            for number, moving in enumerate(self._timeline(clip, layout, still_blocks))
        ]

    def _timeline(self, clip: Clip, layout: Layout, first_macroblock: int) -> Band:
        form = TimelineForm(clip.width, clip.height, clip.duration_seconds, clip.audio, clip.watermark)
        size = (clip.width, clip.height - layout.timeline_top)
        return self._bands.get_or_make(
            form,
            lambda: [
                [h264.move_slice(unit, first_macroblock) for unit in units]
                for units in encoder.encode(timeline_frames(form), size, _TIMELINE_QUANTISER)
            ],
        )

    def _still(self, name: str, layout: Layout, content: object, draw: Callable[[], Image.Image]) -> list[bytes]:
        def made() -> Band:
            picture = draw()
            return encoder.encode([Planes.of(picture)], picture.size, _STILL_QUANTISER)

        return self._bands.get_or_make((name, layout, _digest(content)), made)[0]

    def _cast(self, layout: Layout, references: tuple[bytes, ...]) -> Image.Image:
        shown = references[: len(CHARACTERS)]
        side = panel.portrait_side(layout, len(shown))
        return panel.draw_cast(layout, [panel.portrait(reference, side) for reference in shown])

    def _track(self, clip: Clip) -> mp4.AudioTrack | None:
        if not clip.audio:
            return None
        given, seconds = clip.audio_track, clip.duration_seconds
        if given is None:
            return self._chord().track(seconds)
        return self._tracks.get_or_make((_digest(given), seconds), lambda: sound.given_track(given, seconds))


def _band_bytes(band: Band) -> int:
    return sum(len(unit) for units in band for unit in units)


def _digest(content: object) -> bytes:
    """Stands for the content in a cache key, which must not keep megabytes of references alive."""
    return hashlib.sha256(pickle.dumps(content, protocol=5)).digest()
