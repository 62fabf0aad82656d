"""Draws and encodes clips with Pillow and PyAV.

A clip is five bands, each encoded alone and kept: the title (by size), the cast (by size and references), the script
(by size, prompt and parameters), the moving time line and the foot (both by size, length, sound and watermark). What is
new in a clip is all that is encoded for it; `h264.py` then puts the bands together.
"""

import hashlib
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from threading import Lock

from . import bundle, encoder, h264, mp4, panel, sound
from .cache import SizedCache
from .clip import FRAMES_PER_SECOND, Clip
from .design import CHARACTERS, Layout
from .panel import draw_script
from .planes import Planes
from .timeline import TimelineForm, draw_foot, timeline_frames

_STILL_QUANTISER = 16
_TIMELINE_QUANTISER = 20
_KEPT_ENCODERS = 4  # up to 8 MB each: title or foot, cast and script of a size and one more

_chord = cache(bundle.read_chord)

Band = list[bytes]  # a part of a picture, or one part of each picture, as it stands in MP4 samples


class StudioRenderer:
    """Draws every clip. `cache_bytes`: how much is kept, half of it whole files, half of it parts of files.

    Files that are kept are answered at once; others are made one at a time, so that a crowd of requests costs the
    memory of one.
    """

    draws_content = True

    def __init__(self, cache_bytes: int) -> None:
        self._files = SizedCache[bytes](cache_bytes // 2, len)
        self._bands = SizedCache[Band](cache_bytes * 3 // 8, lambda band: sum(map(len, band)))
        self._tracks = SizedCache[mp4.AudioTrack](cache_bytes // 8, lambda track: sum(map(len, track.packets)))
        self._encoders = encoder.StillEncoders(_STILL_QUANTISER, _KEPT_ENCODERS)
        self._parameter_sets: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        self._lock = Lock()

    def render(self, clip: Clip) -> bytes:
        """See `Renderer.render`."""
        form = replace(clip, references=(), audio_track=None)
        key = _digest(form, clip.audio_track is None, clip.audio_track or b"", *clip.references)
        data = self._files.get(key)
        if data is None:
            with self._lock:
                data = self._files.get_or_make(key, lambda: self._made(clip))
        return data

    def _made(self, clip: Clip) -> bytes:
        # Decoders and encoders let other threads work meanwhile: what is new is made side by side.
        with ThreadPoolExecutor(2) as side:
            track = side.submit(self._track, clip)
            samples = self._pictures(clip, side)
        size = (clip.width, clip.height)
        if size not in self._parameter_sets:
            self._parameter_sets[size] = encoder.parameter_sets(*size)
        sps, pps = self._parameter_sets[size]
        key_frames = range(0, len(samples), FRAMES_PER_SECOND)
        video = mp4.VideoTrack(*size, FRAMES_PER_SECOND, sps, pps, samples, key_frames)
        return mp4.write(clip.duration_seconds, video, track.result())

    def _pictures(self, clip: Clip, side: Executor) -> list[bytes]:
        """Each picture as one MP4 sample: a key frame holds all bands, the others the time line alone."""
        layout = Layout(clip.width, clip.height, min(len(clip.references), len(CHARACTERS)))
        form = TimelineForm(clip.width, clip.height, clip.duration_seconds, clip.audio, clip.watermark)
        moving = side.submit(self._moving, form)
        shown = clip.references[: layout.characters]
        key = ("cast", layout, _digest(*shown))
        kept = self._bands.get(key)
        portraits = [] if kept else [side.submit(panel.portrait, data, layout.portrait_side) for data in shown]
        title = self._still(("title", layout), 0, lambda: panel.draw_title(layout))
        script = self._script(layout, clip)
        cast = kept or self._still(
            key, layout.cast_top, lambda: panel.draw_cast(layout, [part.result() for part in portraits])
        )
        still = b"".join((*title, *cast, *script))
        samples = moving.result().copy()
        for number in range(0, len(samples), FRAMES_PER_SECOND):
            samples[number] = still + samples[number]
        return samples

    def _moving(self, form: TimelineForm) -> Band:
        """What depends on nothing but the form: key frames from the time line on down, and the others whole."""
        layout = form.layout
        time_line = _first_macroblock(form.width, layout.timeline_top)
        foot = _first_macroblock(form.width, layout.foot_top)
        end = _first_macroblock(form.width, form.height + h264.MACROBLOCK - 1)
        below = self._still(("foot", form), layout.foot_top, lambda: draw_foot(form))

        def made() -> Iterator[bytes]:
            size = (form.width, layout.foot_top - layout.timeline_top)
            for number, units in enumerate(encoder.encode(timeline_frames(form), size, _TIMELINE_QUANTISER)):
                moved = [h264.move_slice(unit, time_line) for unit in units]
                if number % FRAMES_PER_SECOND == 0:
                    yield h264.sample(moved) + below[0]
                else:
                    place = number % FRAMES_PER_SECOND
                    rest = (h264.skip_slice(place, 0, time_line), *moved, h264.skip_slice(place, foot, end - foot))
                    yield h264.sample(rest)

        return self._bands.get_or_make(form, lambda: list(made()))

    def _script(self, layout: Layout, clip: Clip) -> Band:
        script = (clip.prompt, clip.details)
        return self._still(("script", layout, _digest(*script)), layout.cast_foot, lambda: draw_script(layout, *script))

    def _still(self, key: Hashable, top: int, draw: Callable[[], Planes]) -> Band:
        """A band that does not move, for its place `top` pixels down."""

        def made() -> Band:
            picture = draw()
            unit = self._encoders.encode(picture)
            return [h264.sample([h264.move_slice(unit, _first_macroblock(picture.size[0], top))])]

        return self._bands.get_or_make(key, made)

    def _track(self, clip: Clip) -> mp4.AudioTrack | None:
        if not clip.audio:
            return None
        given, seconds = clip.audio_track, clip.duration_seconds
        if given is None:
            return _chord().track(seconds)
        return self._tracks.get_or_make((_digest(given), seconds), lambda: sound.given_track(given, seconds))


def _first_macroblock(width: int, top: int) -> int:
    """Of a band that begins `top` pixels down."""
    return h264.macroblocks(width) * (top // h264.MACROBLOCK)


def _digest(*parts: object) -> bytes:
    """Stands for the parts in a cache key, which must not keep megabytes of references alive."""
    digest = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.digest()
