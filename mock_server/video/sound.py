"""Encodes sound to AAC packets: the given track, cut or padded, and the chord of the clips that have none."""

import io
import math
from array import array
from collections.abc import Iterable

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags

from .chord import BIT_RATE, CHANNELS, CYCLE_PACKETS, SAMPLE_RATE, Chord, packet_count
from .mp4 import AAC_FRAME_SAMPLES, AudioTrack

_FRAME_BYTES = AAC_FRAME_SAMPLES * 4  # 32-bit float samples
# For sound that is given while somebody waits: a third of the time of FFmpeg's default search, at the same bit rate.
_QUICK = {"aac_coder": "fast", "aac_ms": "0", "aac_is": "0"}
_SETTLING_PACKETS = 4  # of silence, until each is like the one before it
# A partial of the chord is (whole periods in its cycle, volume): A3, E4, A4 and C#5, nearly.
_CHORD = ((75, 0.030), (112, 0.020), (150, 0.014), (189, 0.009))


def given_track(data: bytes, seconds: int) -> AudioTrack:
    """The sound of `data`, cut to `seconds` or followed by silence; silence alone when it cannot be decoded."""
    wanted = seconds * SAMPLE_RATE * 4
    try:
        channels = _decoded(data, wanted)
    except (av.error.FFmpegError, ValueError):
        channels = (b"", b"")
    count = packet_count(seconds)
    heard = min(count, -(-len(channels[0][:wanted]) // _FRAME_BYTES) + _SETTLING_PACKETS)
    left, right = (channel[:wanted].ljust(heard * _FRAME_BYTES, b"\0") for channel in channels)
    places = range(0, heard * _FRAME_BYTES, _FRAME_BYTES)
    frames = [(left[at : at + _FRAME_BYTES], right[at : at + _FRAME_BYTES]) for at in places]
    packets, config = _encoded(frames, _QUICK)
    silence = [packets[heard - 1]] * (count - heard)
    return AudioTrack(SAMPLE_RATE, CHANNELS, config, BIT_RATE, [*packets[:heard], *silence])


def make_chord() -> Chord:
    """A quiet chord that fades in, repeats itself and fades out."""
    samples = CYCLE_PACKETS * AAC_FRAME_SAMPLES
    sine = [math.sin(2 * math.pi * index / samples) for index in range(samples)]
    steady = [sum(volume * sine[periods * i % samples] for periods, volume in _CHORD) for i in range(samples)]
    rising = [value * (i / samples) ** 2 for i, value in enumerate(steady)]
    falling = [value * (1 - i / samples) ** 2 for i, value in enumerate(steady)]
    wave = array("f", rising + steady + steady + falling + [0.0] * samples).tobytes()
    frames = [wave[at : at + _FRAME_BYTES] for at in range(0, len(wave), _FRAME_BYTES)]
    packets, config = _encoded((frame, frame) for frame in frames)
    # A packet also completes the one before it. So each part below may follow itself or the part above it.
    return Chord(config, packets[:32], packets[32:48], packets[48:64], packets[64:80])


def _decoded(data: bytes, wanted_bytes: int) -> tuple[bytes, bytes]:
    """Left and right channel of the first audio stream as 32-bit float samples, at least `wanted_bytes` if it has."""
    left, right = bytearray(), bytearray()
    with av.open(io.BytesIO(data), "r") as container:
        if not container.streams.audio:
            raise ValueError("no audio stream")
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        for decoded in container.decode(container.streams.audio[0]):
            _append(left, right, resampler.resample(decoded))
            if len(left) >= wanted_bytes:
                return bytes(left), bytes(right)
        _append(left, right, resampler.resample(None))
    return bytes(left), bytes(right)


def _append(left: bytearray, right: bytearray, frames: Iterable[av.AudioFrame]) -> None:
    for frame in frames:
        for channel, plane in zip((left, right), frame.planes, strict=True):
            channel.extend(bytes(plane)[: frame.samples * 4])


def _encoded(frames: Iterable[tuple[bytes, bytes]], options: dict[str, str] | None = None) -> tuple[list[bytes], bytes]:
    """AAC packets of full stereo frames, and the decoder's configuration. `options`: of FFmpeg's encoder."""
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, AudioCodecContext)  # noqa: S101 - for the type checker
    context.sample_rate, context.layout, context.format = SAMPLE_RATE, "stereo", "fltp"
    context.bit_rate = BIT_RATE
    context.flags |= Flags.global_header
    context.options = options or {}
    packets = []
    for number, channels in enumerate(frames):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=AAC_FRAME_SAMPLES)
        frame.sample_rate, frame.pts = SAMPLE_RATE, number * AAC_FRAME_SAMPLES
        for plane, samples in zip(frame.planes, channels, strict=True):
            plane.update(samples)
        packets += context.encode(frame)
    packets += context.encode(None)
    return [bytes(packet) for packet in packets], context.extradata or b""
