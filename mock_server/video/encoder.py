"""Encodes one band of the picture with x264, so that its slices fit into any picture of the same width (`h264.py`)."""

from collections.abc import Iterable
from fractions import Fraction
from threading import Lock

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from .clip import FRAMES_PER_SECOND
from .h264 import nal_units, slices
from .planes import Planes

# `stitchable`: parameter sets that depend on the width alone, never on content or quantiser.
# `ip-ratio` 1: a key frame looks like the picture before it, or the video would pulse once a second.
_X264 = {
    "stitchable": "1",
    "scenecut": "0",
    "force-cfr": "1",  # a picture comes out as soon as it went in
    "ipratio": "1",
    "no-deblock": "1",
    "partitions": "i4x4",
    "colorprim": "bt709",
    "transfer": "bt709",
    "colormatrix": "bt709",
    "fullrange": "off",
}


class StillEncoders:
    """Encodes pictures that stand alone. Thread-safe.

    To set x264 up takes as long as to encode a band of a picture, so the last few set-ups are kept, one for each size.
    """

    def __init__(self, quantiser: int, kept: int) -> None:
        self._quantiser, self._kept = quantiser, kept
        self._idle: list[_StillEncoder] = []
        self._lock = Lock()

    def encode(self, planes: Planes) -> bytes:
        """The picture as one slice of a key frame."""
        encoder = self._taken(planes.size) or _StillEncoder(planes.size, self._quantiser)
        unit = encoder.encode(planes)
        with self._lock:
            self._idle = [*self._idle[-self._kept + 1 :], encoder]
        return unit

    def _taken(self, size: tuple[int, int]) -> "_StillEncoder | None":
        with self._lock:
            for index, encoder in enumerate(self._idle):
                if encoder.size == size:
                    return self._idle.pop(index)
        return None


class _StillEncoder:
    """For one thread at a time."""

    def __init__(self, size: tuple[int, int], quantiser: int) -> None:
        self.size = size
        self._context = _context(*size, quantiser, group=1)
        self._frame = _frame(size)

    def encode(self, planes: Planes) -> bytes:
        _fill(self._frame, planes)
        (packet,) = self._context.encode(self._frame)
        (unit,) = slices(bytes(packet))
        return unit


def parameter_sets(width: int, height: int) -> tuple[bytes, bytes]:
    """SPS and PPS of pictures of this size."""
    context = _context(width, height, 20)
    context.open()
    assert context.extradata is not None  # noqa: S101 - a global header was asked for
    sps, pps = nal_units(context.extradata)[:2]
    return sps, pps


def encode(frames: Iterable[Planes], size: tuple[int, int], quantiser: int) -> list[list[bytes]]:
    """The slices of each frame; every 24th, from the first on, is a key frame. `quantiser`: 0 (lossless) to 51."""
    context = _context(*size, quantiser)
    packets = []
    frame = _frame(size)
    for number, planes in enumerate(frames):
        _fill(frame, planes)
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    return [slices(bytes(packet)) for packet in packets]


def _context(width: int, height: int, quantiser: int, group: int = FRAMES_PER_SECOND) -> VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)  # noqa: S101 - for the type checker
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FRAMES_PER_SECOND), Fraction(FRAMES_PER_SECOND)
    context.thread_count = 1  # one slice a picture, and the same bytes on every machine
    context.flags |= Flags.global_header
    x264 = ":".join(f"{name}={value}" for name, value in (_X264 | {"keyint": group, "min-keyint": group}).items())
    context.options = {"preset": "ultrafast", "qp": str(quantiser), "x264-params": x264}
    return context


def _frame(size: tuple[int, int]) -> av.VideoFrame:
    """To be filled again and again, for x264 copies what it is given; a new one for each picture would cost more."""
    return av.VideoFrame(*size, "yuv420p")


def _fill(frame: av.VideoFrame, planes: Planes) -> None:
    for plane, image in zip(frame.planes, (planes.y, planes.cb, planes.cr), strict=True):
        if plane.line_size == image.width:
            plane.update(image.tobytes())
        else:  # rows are padded in memory
            plane.update(image.crop((0, 0, plane.line_size, image.height)).tobytes())
