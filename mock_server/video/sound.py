"""Encodes sound: the given track, cut or padded, as FLAC, and the chord of the clips that have none as AAC."""

import io
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.container import InputContainer

from .chord import BIT_RATE, CHANNELS, CYCLE_PACKETS, SAMPLE_RATE, Chord
from .mp4 import AAC_FRAME_SAMPLES, FLAC_FRAME_SAMPLES, FlacTrack

_AAC_FRAME_BYTES = AAC_FRAME_SAMPLES * 4  # 32-bit float samples
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 48_000  # what every player takes, and MP4's 16 bits can state
_LAYOUTS = {1: "mono", 2: "stereo"}
# A partial of the chord is (whole periods in its cycle, volume): A3, E4, A4 and C#5, nearly.
_CHORD = ((75, 0.030), (112, 0.020), (150, 0.014), (189, 0.009))


@dataclass(frozen=True)
class _Sound:
    """One or two channels of 16-bit samples, in turn."""

    sample_rate: int
    channels: int
    samples: bytes

    @property
    def second_bytes(self) -> int:
        return self.sample_rate * self.channels * 2


def given_track(data: bytes, seconds: int) -> FlacTrack:
    """The sound of `data`, cut to `seconds` or followed by silence; silence alone when it cannot be decoded.

    Sample rate and channels stay as they were. FLAC, because its encoder takes a fifth of the time of FFmpeg's fastest
    AAC, and the sound stays as it was given, to the sample.
    """
    try:
        sound = _decoded(data, seconds)
    except (av.error.FFmpegError, ValueError):
        sound = _Sound(SAMPLE_RATE, CHANNELS, b"")
    wanted = seconds * sound.second_bytes
    context = _context("flac", sound.sample_rate, _LAYOUTS[sound.channels], "s16")
    context.options = {"compression_level": "0", "frame_size": str(FLAC_FRAME_SAMPLES)}
    packet_bytes = FLAC_FRAME_SAMPLES * sound.channels * 2
    samples = sound.samples[:wanted].ljust(wanted, b"\0")
    frames = ([samples[at : at + packet_bytes]] for at in range(0, wanted, packet_bytes))
    packets = _encoded(context, frames)
    return FlacTrack(sound.sample_rate, sound.channels, context.extradata or b"", packets)


def make_chord() -> Chord:
    """A quiet chord that fades in, repeats itself and fades out."""
    samples = CYCLE_PACKETS * AAC_FRAME_SAMPLES
    sine = [math.sin(2 * math.pi * index / samples) for index in range(samples)]
    steady = [sum(volume * sine[periods * i % samples] for periods, volume in _CHORD) for i in range(samples)]
    rising = [value * (i / samples) ** 2 for i, value in enumerate(steady)]
    falling = [value * (1 - i / samples) ** 2 for i, value in enumerate(steady)]
    wave = array("f", rising + steady + steady + falling + [0.0] * samples).tobytes()
    context = _context("aac", SAMPLE_RATE, "stereo", "fltp")
    context.bit_rate = BIT_RATE
    places = range(0, len(wave), _AAC_FRAME_BYTES)
    packets = _encoded(context, ([wave[at : at + _AAC_FRAME_BYTES]] * CHANNELS for at in places))
    config = context.extradata or b""
    # A packet also completes the one before it. So each part below may follow itself or the part above it.
    return Chord(config, packets[:32], packets[32:48], packets[48:64], packets[64:80])


def _decoded(data: bytes, seconds: int) -> _Sound:
    """The first audio stream, at least `seconds` of it if it is as long."""
    with _opened(data) as container:
        if not container.streams.audio:
            raise ValueError("no audio stream")
        stream = container.streams.audio[0]
        rate, channels = min(max(stream.rate, _LOWEST_RATE), _HIGHEST_RATE), min(stream.channels, 2)
        resampler = av.AudioResampler(format="s16", layout=_LAYOUTS[channels], rate=rate)
        is_as_wanted = (stream.format.name, stream.rate, stream.channels) == ("s16", rate, channels)
        samples = bytearray()
        for decoded in container.decode(stream):
            _append(samples, [decoded] if is_as_wanted else resampler.resample(decoded))
            if len(samples) >= seconds * rate * channels * 2:
                break
        else:
            _append(samples, resampler.resample(None))
    return _Sound(rate, channels, bytes(samples))


def _opened(data: bytes) -> InputContainer:
    """A WAV says at its front all there is to know: to search megabytes for more takes longer than to decode it."""
    if data[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return av.open(io.BytesIO(data), "r", format="wav", options={"probesize": "2048"})
    return av.open(io.BytesIO(data), "r")


def _append(samples: bytearray, frames: Iterable[av.AudioFrame]) -> None:
    for frame in frames:
        samples += memoryview(frame.planes[0])[: frame.samples * frame.layout.nb_channels * 2]


def _encoded(context: AudioCodecContext, frames: Iterable[list[bytes]]) -> list[bytes]:
    """The packets of full frames, given as the bytes of their planes; the last frame may be shorter."""
    packets = []
    position = 0
    sample_bytes = context.format.bytes * (context.channels if context.format.is_packed else 1)
    for planes in frames:
        samples = len(planes[0]) // sample_bytes
        frame = av.AudioFrame(format=context.format.name, layout=context.layout, samples=samples)
        frame.sample_rate, frame.pts = context.sample_rate, position
        position += samples
        for plane, data in zip(frame.planes, planes, strict=True):
            plane.update(data)
        packets += context.encode(frame)
    packets += context.encode(None)
    return [bytes(packet) for packet in packets if packet.size]  # FLAC ends with an empty one


def _context(codec: str, sample_rate: int, layout: str, sample_format: str) -> AudioCodecContext:
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, AudioCodecContext)  # noqa: S101 - for the type checker
    context.sample_rate, context.layout, context.format = sample_rate, layout, sample_format
    context.flags |= Flags.global_header
    return context
