"""`inspect` tells the truth about real files, and gives facts or UnreadableMediaError for any bytes whatsoever."""

import io
import struct
import subprocess
import sys
import wave

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mock_server.media import MediaFacts, UnreadableMediaError, inspect


def picture(pillow_format: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (400, 300)).save(buffer, pillow_format, **options)
    return buffer.getvalue()


def sound(container: str, codec: str, seconds: int = 4) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=44100, layout="mono")
        frame = av.AudioFrame(format=stream.format.name, layout="mono", samples=stream.frame_size or 1024)
        frame.sample_rate = 44100
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(seconds * 44100 // frame.samples):
            frame.pts = number * frame.samples
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def movie(container: str, *, seconds: int = 3, **options: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options) as output:
        stream = output.add_stream("libx264", rate=2, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for _ in range(seconds * 2):
            output.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (640, 360)))))
        output.mux(stream.encode(None))
    return buffer.getvalue()


MP4 = movie("mp4")
MP3 = sound("mp3", "libmp3lame")
WAV = sound("wav", "pcm_s16le")
PALETTE = picture("PNG", "P", transparency=0)
REAL_FILES = [
    picture("JPEG"),
    picture("PNG"),
    PALETTE,
    picture("BMP"),
    picture("WEBP"),
    picture("GIF"),
    MP4,
    movie("mov"),
    MP3,
    WAV,
]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (picture("JPEG"), "jpeg"),
        (picture("PNG"), "png"),
        (picture("BMP"), "bmp"),
        (picture("WEBP"), "webp"),
        (picture("GIF"), "gif"),
    ],
)
def test_a_picture_is_known_by_its_content(data: bytes, name: str) -> None:
    assert inspect(data) == MediaFacts("image", name, 400, 300, False, None, len(data))


@pytest.mark.parametrize(
    ("data", "transparent"),
    [
        (picture("PNG", "RGBA"), True),
        (picture("PNG", "LA"), True),
        (PALETTE, True),
        (picture("PNG", "RGB", transparency=(0, 0, 0)), True),
        (picture("PNG", "P"), False),
        (picture("PNG", "L"), False),
        (picture("WEBP", "RGBA"), True),
        (picture("WEBP", "RGBA", lossless=True), True),
        (picture("WEBP", "RGB", lossless=True), False),
    ],
)
def test_transparency_is_read_from_colour_type_trns_and_alpha_flags(data: bytes, transparent: bool) -> None:
    assert inspect(data).has_transparency is transparent


@pytest.mark.parametrize(("container", "name"), [("mp4", "mp4"), ("mov", "mov"), ("3gp", "3gp")])
def test_a_silent_movie_has_pixels_and_duration(container: str, name: str) -> None:
    data = movie(container)
    assert inspect(data) == MediaFacts("video", name, 640, 360, False, 3.0, len(data))


def test_a_movie_whose_header_leaves_the_length_open_has_no_duration() -> None:
    facts = inspect(movie("mp4", movflags="frag_keyframe+empty_moov"))
    assert (facts.width, facts.height, facts.duration_seconds) == (640, 360, None)


@pytest.mark.parametrize(("data", "name"), [(MP3, "mp3"), (WAV, "wav")])
def test_sound_has_a_duration(data: bytes, name: str) -> None:
    facts = inspect(data)
    assert (facts.kind, facts.format) == ("audio", name)
    assert facts.duration_seconds == pytest.approx(4, abs=0.1)


def test_an_mp4_without_pictures_is_audio() -> None:
    facts = inspect(sound("mp4", "aac"))
    assert (facts.kind, facts.format) == ("audio", "m4a")
    assert facts.duration_seconds == pytest.approx(4, abs=0.1)


def test_formats_that_wan_refuses_are_named() -> None:
    assert inspect(picture("TIFF")).format == "tiff"
    assert inspect(sound("flac", "flac")).format == "flac"
    assert inspect(movie("matroska")).format == "mkv"


def test_a_wav_with_an_open_length_is_as_long_as_its_bytes() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(8000)
        output.writeframes(bytes(2 * 8000 * 3))
    data = bytearray(buffer.getvalue())
    struct.pack_into("<I", data, 40, 0xFFFFFFFF)
    assert inspect(bytes(data)).duration_seconds == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello, world", "no known"),
        (b"%PDF-1.7\n", "no known"),
        (picture("PNG")[:20], "png"),
        (picture("PNG")[:34], "ends before"),
        (picture("JPEG")[:30], "jpeg"),
        (MP4[:60], "moov"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "wav"),
        (b"ID3\x04", "mp3"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableMediaError, match=words):
        inspect(data)


def facts_or_error(data: bytes) -> None:
    try:
        facts = inspect(data)
    except UnreadableMediaError:
        return
    assert facts.size_bytes == len(data)
    assert facts.width is None or facts.width > 0
    assert facts.duration_seconds is None or facts.duration_seconds > 0


@given(st.binary(max_size=400))
def test_any_bytes_give_facts_or_the_named_error(data: bytes) -> None:
    facts_or_error(data)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(REAL_FILES),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=4),
)
def test_real_files_cut_and_scribbled_on_give_facts_or_the_named_error(
    original: bytes, kept: float, scribbles: list[tuple[float, bytes]]
) -> None:
    data = bytearray(original)
    for place, scribble in scribbles:
        # Headers stand at the start: most scribbles go there.
        start = int(place * min(len(data), 600))
        data[start : start + len(scribble)] = scribble
    facts_or_error(bytes(data[: int(kept * len(data))]))


def test_inspecting_needs_no_decoder() -> None:
    code = "import sys, mock_server.media; assert not {'av', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
