"""Writes MP4 files from encoded pictures and sound, in memory, moov first.

A writer of our own rather than FFmpeg's: that one puts moov first by rewriting a file on disk, and stamps its version
into each. This one gives the same bytes for the same samples, and needs no library. Boxes are those of ISO/IEC
14496-12 (the file), -14 (esds) and -15 (avcC), and of "Encapsulation of FLAC in ISO Base Media File Format" (dfLa).
"""

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import ClassVar

AAC_FRAME_SAMPLES = 1024
FLAC_FRAME_SAMPLES = 4096  # at most 4,608 up to 48 kHz (RFC 9639, 7)
_MOVIE_TIMESCALE = 1000  # so that the movie's duration is whole milliseconds
_UNITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LANGUAGE_UNDETERMINED = 0x55C4  # "und", five bits a letter


@dataclass(frozen=True)
class VideoTrack:
    """H.264 pictures in order, without B frames. `samples`: one picture each, its NAL units with 4-byte lengths."""

    width: int
    height: int
    frames_per_second: int
    sps: bytes
    pps: bytes
    samples: Sequence[bytes]
    key_frames: Sequence[int]  # indexes into samples


@dataclass(frozen=True)
class AudioTrack(ABC):
    """Packets in order, each but the last of `packet_samples`. Players are told to skip the first `run_in` samples."""

    packet_samples: ClassVar[int]
    run_in: ClassVar[int]

    sample_rate: int
    channels: int
    config: bytes
    packets: Sequence[bytes]

    @abstractmethod
    def entry(self) -> bytes:
        """The box that describes the packets."""

    def _sound(self) -> bytes:
        bits = 16
        return struct.pack(">6xH8xHHIHH", 1, self.channels, bits, 0, self.sample_rate, 0)


@dataclass(frozen=True)
class AacTrack(AudioTrack):
    """The first packet is the encoder's run-in. `config`: the AudioSpecificConfig."""

    packet_samples = run_in = AAC_FRAME_SAMPLES

    bit_rate: int

    def entry(self) -> bytes:
        """See `AudioTrack.entry`."""
        aac, audio_stream = 0x40, 0x15
        decoder = struct.pack(">BB3xII", aac, audio_stream, self.bit_rate, self.bit_rate)
        decoder += _descriptor(5, self.config)
        stream = struct.pack(">HB", 2, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
        return _box(b"mp4a", self._sound(), _box(b"esds", bytes(4), _descriptor(3, stream)))


@dataclass(frozen=True)
class FlacTrack(AudioTrack):
    """16 bits a sample. `config`: the STREAMINFO block without its header."""

    packet_samples = FLAC_FRAME_SAMPLES
    run_in = 0

    def entry(self) -> bytes:
        """See `AudioTrack.entry`."""
        last_block_and_stream_info = 0x80
        info = struct.pack(">I", last_block_and_stream_info << 24 | len(self.config)) + self.config
        return _box(b"fLaC", self._sound(), _box(b"dfLa", bytes(4), info))


@dataclass(frozen=True)
class _Track:
    """A track on its way into the file. `chunks`: how many samples each second of it has."""

    number: int
    timescale: int
    deltas: Sequence[int]
    run_in: int
    samples: Sequence[bytes]
    chunks: Sequence[int]
    dimensions: tuple[int, int]
    handler: bytes
    media_header: bytes
    description: bytes
    key_frames: Sequence[int] | None


def write(duration_seconds: int, video: VideoTrack, audio: AudioTrack | None) -> bytes:
    """The bytes of an MP4 whose movie and tracks last `duration_seconds` exactly.

    Raises ValueError when the samples do not fill that time.
    """
    tracks = [_video_track(duration_seconds, video)]
    if audio is not None:
        tracks.append(_audio_track(duration_seconds, audio))
    chunks = list(_interleaved(tracks))
    ftyp = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    # Offsets are of fixed width, so moov is as long with the right ones as with zeros.
    start = len(ftyp) + len(_moov(duration_seconds, tracks, [[0] * duration_seconds for _ in tracks])) + 8
    ends = list(accumulate((sum(map(len, samples)) for _, samples in chunks), initial=start))
    offsets = [
        [end for end, (owner, _) in zip(ends, chunks, strict=False) if owner == track.number] for track in tracks
    ]
    moov = _moov(duration_seconds, tracks, offsets)
    # All that is large is copied here, and only here.
    return b"".join(
        (ftyp, moov, _head(b"mdat", ends[-1] - start), *(sample for _, chunk in chunks for sample in chunk))
    )


def _video_track(seconds: int, video: VideoTrack) -> _Track:
    if len(video.samples) != seconds * video.frames_per_second:
        raise ValueError(f"{len(video.samples)} pictures are not {seconds} s at {video.frames_per_second} a second")
    delta = 512
    return _Track(
        number=1,
        timescale=video.frames_per_second * delta,
        deltas=[delta] * len(video.samples),
        run_in=0,
        samples=video.samples,
        chunks=[video.frames_per_second] * seconds,
        dimensions=(video.width, video.height),
        handler=_handler(b"vide", b"Video"),
        media_header=_box(b"vmhd", struct.pack(">I4H", 1, 0, 0, 0, 0)),
        description=_avc1(video),
        key_frames=video.key_frames,
    )


def _audio_track(seconds: int, audio: AudioTrack) -> _Track:
    whole, rest = divmod(audio.run_in + seconds * audio.sample_rate, audio.packet_samples)
    deltas = [audio.packet_samples] * whole + ([rest] if rest else [])
    if len(audio.packets) != len(deltas):
        raise ValueError(f"{len(audio.packets)} packets are not {seconds} s of sound")
    ends = [second * audio.sample_rate // audio.packet_samples for second in range(1, seconds)] + [len(deltas)]
    return _Track(
        number=2,
        timescale=audio.sample_rate,
        deltas=deltas,
        run_in=audio.run_in,
        samples=audio.packets,
        chunks=[end - begin for begin, end in zip([0, *ends], ends, strict=False)],
        dimensions=(0, 0),
        handler=_handler(b"soun", b"Sound"),
        media_header=_box(b"smhd", bytes(8)),
        description=audio.entry(),
        key_frames=None,
    )


def _interleaved(tracks: Sequence[_Track]) -> Iterator[tuple[int, Sequence[bytes]]]:
    """A second of each track in turn, as (track number, samples): a player need not read far ahead."""
    positions = [0] * len(tracks)
    for counts in zip(*(track.chunks for track in tracks), strict=True):
        for index, (track, count) in enumerate(zip(tracks, counts, strict=True)):
            begin = positions[index]
            positions[index] += count
            yield track.number, track.samples[begin : positions[index]]


def _box(name: bytes, *parts: bytes) -> bytes:
    return b"".join((_head(name, sum(map(len, parts))), *parts))


def _head(name: bytes, body_length: int) -> bytes:
    return struct.pack(">I4s", 8 + body_length, name)


def _table(name: bytes, rows: Sequence[bytes]) -> bytes:
    """A full box, version and flags 0, that is a count and its rows."""
    return _box(name, struct.pack(">II", 0, len(rows)), *rows)


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    return [(len(list(run)), value) for value, run in groupby(values)]


def _moov(seconds: int, tracks: Sequence[_Track], offsets: Sequence[Sequence[int]]) -> bytes:
    movie = struct.pack(">6IH10x", 0, 0, 0, _MOVIE_TIMESCALE, seconds * _MOVIE_TIMESCALE, 0x10000, 0x100)
    header = _box(b"mvhd", movie, _UNITY_MATRIX, bytes(24), struct.pack(">I", len(tracks) + 1))
    return _box(b"moov", header, *(_trak(seconds, track, at) for track, at in zip(tracks, offsets, strict=True)))


def _trak(seconds: int, track: _Track, offsets: Sequence[int]) -> bytes:
    width, height = track.dimensions
    enabled_in_movie = 3
    duration = seconds * _MOVIE_TIMESCALE
    volume = 0 if width else 0x100
    head = struct.pack(">6I8xHHHH", enabled_in_movie, 0, 0, track.number, 0, duration, 0, 0, volume, 0)
    size = struct.pack(">II", width << 16, height << 16)
    edit = struct.pack(">IIIiHH", 0, 1, duration, track.run_in, 1, 0)
    media_length = struct.pack(">5IHH", 0, 0, 0, track.timescale, sum(track.deltas), _LANGUAGE_UNDETERMINED, 0)
    data_here = _box(b"dinf", _table(b"dref", [_box(b"url ", struct.pack(">I", 1))]))
    info = _box(b"minf", track.media_header, data_here, _sample_table(track, offsets))
    return _box(
        b"trak",
        _box(b"tkhd", head, _UNITY_MATRIX, size),
        _box(b"edts", _box(b"elst", edit)),
        _box(b"mdia", _box(b"mdhd", media_length), track.handler, info),
    )


def _sample_table(track: _Track, offsets: Sequence[int]) -> bytes:
    lengths = list(map(len, track.samples))
    chunk_runs, first = [], 1
    for count, size in _runs(track.chunks):
        chunk_runs.append(struct.pack(">III", first, size, 1))
        first += count
    parts = [
        _table(b"stsd", [track.description]),
        _table(b"stts", [struct.pack(">II", count, delta) for count, delta in _runs(track.deltas)]),
        _table(b"stsc", chunk_runs),
        _box(b"stsz", struct.pack(f">III{len(lengths)}I", 0, 0, len(lengths), *lengths)),
        _table(b"stco", [struct.pack(">I", offset) for offset in offsets]),
    ]
    if track.key_frames is not None:
        parts.insert(2, _table(b"stss", [struct.pack(">I", index + 1) for index in track.key_frames]))
    return _box(b"stbl", *parts)


def _handler(kind: bytes, name: bytes) -> bytes:
    return _box(b"hdlr", struct.pack(">II4s12x", 0, 0, kind), name, b"\0")


def _avc1(video: VideoTrack) -> bytes:
    resolution = 72 << 16  # dots per inch, as every writer states
    visual = struct.pack(">6xH16xHHIIIH32xHh", 1, video.width, video.height, resolution, resolution, 0, 1, 24, -1)
    length_of_lengths, one_sps, one_pps = 0xFF, 0xE1, 1
    config = struct.pack(">B3sBBH", 1, video.sps[1:4], length_of_lengths, one_sps, len(video.sps))
    config += video.sps + struct.pack(">BH", one_pps, len(video.pps)) + video.pps
    bt709 = 1
    colours = _box(b"colr", b"nclx", struct.pack(">HHHB", bt709, bt709, bt709, 0))
    square_pixels = _box(b"pasp", struct.pack(">II", 1, 1))
    return _box(b"avc1", visual, _box(b"avcC", config), colours, square_pixels)


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body
