"""`read_facts` tells the truth about real files, and gives facts or UnreadableMedia for any bytes whatsoever."""

import struct
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.media_files import box, movie, picture, sound, wav
from wanflow.media import MediaFacts, UnreadableMedia, read_facts
from wanflow.ranged import BLOCK_BYTES, MAX_BLOCKS, MAX_READS, RangedFile, TooScattered

LAYER = Path(__file__).parents[2] / "layers" / "common"
MOOV_LAST = movie()
MOOV_FIRST = movie(movflags="faststart")
REAL_FILES = [
    picture("JPEG"),
    picture("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
    picture("PNG"),
    picture("PNG", "P", transparency=0),
    picture("BMP"),
    picture("WEBP"),
    picture("WEBP", "RGBA", lossless=True),
    MOOV_LAST,
    MOOV_FIRST,
    movie("mov"),
    sound(),
    sound(write_xing="0"),
    wav(),
    sound("wav", "pcm_alaw"),
]


def facts_of(content: bytes) -> MediaFacts:
    return read_facts(RangedFile.of_bytes(content))


def complaint_about(content: bytes) -> str:
    with pytest.raises(UnreadableMedia) as caught:
        facts_of(content)
    return str(caught.value)


# --- What real files are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["JPEG", "PNG", "BMP", "WEBP"])
def test_a_picture_is_known_by_its_content(name: str) -> None:
    content = picture(name)
    assert facts_of(content) == MediaFacts("image", name, len(content), 400, 600)


def test_a_picture_has_the_pixels_that_are_stored_not_those_after_turning() -> None:
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    facts = facts_of(picture("JPEG", exif=turned))
    assert (facts.width, facts.height) == (400, 600)


@pytest.mark.parametrize("lossless", [True, False])
def test_every_kind_of_webp_has_its_pixels(lossless: bool) -> None:
    for mode in ("RGB", "RGBA"):
        facts = facts_of(picture("WEBP", mode, lossless=lossless))
        assert (facts.width, facts.height, facts.is_transparent) == (400, 600, False)


def test_a_bitmap_that_runs_from_the_top_has_its_height() -> None:
    content = bytearray(picture("BMP"))
    struct.pack_into("<l", content, 22, -600)
    assert facts_of(bytes(content)).height == 600


@pytest.mark.parametrize(
    ("content", "transparent"),
    [
        (picture("PNG", "RGBA"), True),
        (picture("PNG", "LA"), True),
        (picture("PNG", "P", transparency=0), True),
        (picture("PNG", "RGB", transparency=(0, 0, 0)), True),
        (picture("PNG", "P"), False),
        (picture("PNG", "L"), False),
        (picture("PNG", "RGB"), False),
    ],
)
def test_a_png_is_transparent_by_its_colour_type_or_a_transparent_colour(content: bytes, transparent: bool) -> None:
    assert facts_of(content).is_transparent is transparent


@pytest.mark.parametrize(
    ("content", "name"), [(MOOV_LAST, "MP4"), (MOOV_FIRST, "MP4"), (movie("mov"), "MOV"), (movie("mov")[20:], "MOV")]
)
def test_a_silent_video_has_its_length_wherever_its_header_lies(content: bytes, name: str) -> None:
    assert facts_of(content) == MediaFacts("video", name, len(content), seconds=3.0)


def test_a_video_whose_header_leaves_the_length_open_has_none() -> None:
    assert facts_of(movie(movflags="frag_keyframe+empty_moov")).seconds is None


@pytest.mark.parametrize("open_duration", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_length_of_zero_or_all_ones_is_an_open_one(open_duration: bytes) -> None:
    mvhd = MOOV_LAST.index(b"mvhd")
    content = MOOV_LAST[: mvhd + 20] + open_duration + MOOV_LAST[mvhd + 24 :]
    assert facts_of(content).seconds is None


def test_large_boxes_long_times_and_a_last_box_without_a_size_are_read() -> None:
    head = box(b"ftyp", b"isom\0\0\0\0")
    media = (1).to_bytes(4, "big") + b"mdat" + (16 + 5).to_bytes(8, "big") + b"12345"
    mvhd = box(b"mvhd", b"\x01\0\0\0", bytes(16), struct.pack(">IQ", 1000, 4500), bytes(8))
    track = box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(4))))
    content = head + media + box(b"moov", mvhd, track, size=0)
    assert facts_of(content).seconds == 4.5


@pytest.mark.parametrize(
    ("content", "name", "seconds"),
    [
        (wav(4.5), "WAV", 4.5),
        (sound("wav", "pcm_f32le", seconds=4), "WAV", 4),
        (sound("wav", "pcm_alaw", seconds=4), "WAV", 4),
        (sound(seconds=4), "MP3", 4),
        (sound(seconds=4, write_xing="0"), "MP3", 4),
        (sound(seconds=4, id3v2_version="0"), "MP3", 4),
    ],
)
def test_sound_has_a_length(content: bytes, name: str, seconds: float) -> None:
    facts = facts_of(content)
    assert (facts.kind, facts.format) == ("audio", name)
    # An MP3 has whole frames and the encoder's delay before them.
    assert facts.seconds == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_written_to_a_pipe_is_as_long_as_its_bytes(claimed: int) -> None:
    content = bytearray(wav(3))
    struct.pack_into("<I", content, 40, claimed)
    assert facts_of(bytes(content)).seconds == pytest.approx(3, abs=0.01)


def test_an_mp3_under_a_large_tag_is_read_without_the_tag() -> None:
    reads: list[int] = []
    plain = sound(id3v2_version="0")
    cover = 3 * 1024 * 1024
    synchsafe = bytes((cover >> shift) & 0x7F for shift in (21, 14, 7, 0))
    content = b"ID3\x04\0\0" + synchsafe + bytes(cover) + plain
    facts = read_facts(counting(content, reads))
    assert facts.seconds == pytest.approx(5, abs=0.1)
    assert len(reads) <= 4


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "an empty file"),
        (b"x", "a file of no known format"),
        (b"hello, world", "a file of no known format"),
        (b"BMW is a car maker of Munich", "a file of no known format"),
        ("BOM".encode("utf-16"), "a file of no known format"),
        (picture("GIF"), "a GIF"),
        (picture("TIFF"), "a TIFF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF picture"),
        (movie("3gp"), "a 3GP video"),
        (movie("avi"), "an AVI video"),
        (movie("matroska"), "a Matroska or WebM video"),
        (sound("ogg", "flac"), "an Ogg file"),
        (sound("flac", "flac"), "a FLAC file"),
        (sound("adts", "aac"), "an AAC file"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\n<!DOCTYPE html>", "a text with markup"),
        (picture("PNG")[:20], "a PNG with a broken header"),
        (picture("PNG")[:34], "a PNG with a broken header"),
        (picture("JPEG")[:30], "a JPEG with a broken header"),
        (b"\xff\xd8\xff\xd9", "a JPEG with a broken header"),
        (picture("WEBP")[:14], "a WEBP without width and height"),
        (picture("BMP")[:20], "a BMP with a broken header"),
        (MOOV_LAST[:60], "an MP4 without a moov box"),
        (MOOV_FIRST[:200], "an MP4 without a moov box"),
        (box(b"ftyp", b"isom\0\0\0\0") + box(b"moov", box(b"mvhd", b"\0" * 9)), "an MP4 with a broken header"),
        (sound("mp4", "aac"), "an MP4 without a video track"),
        (wav()[:30], "a WAV with a broken header"),
        (wav(0), "a WAV without sound"),
        (b"ID3\x04", "an MP3 without sound"),
        (b"ID3\x04\0\0\0\0\0\x05", "an MP3 without sound"),
        (b"ID3\x04\0\0\0\0\0\0" + sound("flac", "flac"), "an MP3 without sound"),
    ],
)
def test_what_cannot_be_used_is_named(content: bytes, named: str) -> None:
    assert complaint_about(content) == named


def check_facts_or_the_named_error(content: bytes) -> None:
    try:
        facts = facts_of(content)
    except UnreadableMedia:
        return
    assert facts.size_bytes == len(content)
    assert facts.kind != "image" or (facts.width > 0 and facts.height > 0)
    assert facts.seconds is None or facts.seconds > 0


@given(st.binary(max_size=400))
def test_any_bytes_give_facts_or_the_named_error(content: bytes) -> None:
    check_facts_or_the_named_error(content)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(REAL_FILES),
    st.floats(0, 1),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=4),
    st.booleans(),
)
def test_real_files_cut_and_scribbled_on_give_facts_or_the_named_error(
    original: bytes, kept: float, scribbles: list[tuple[float, bytes]], at_the_end: bool
) -> None:
    content = bytearray(original)
    for place, scribble in scribbles:
        # Headers stand at the start, or, in a video, at the end: there most scribbles go.
        start = int(place * min(len(content), 1000))
        start = max(0, len(content) - 1000 + start) if at_the_end else start
        content[start : start + len(scribble)] = scribble
    check_facts_or_the_named_error(bytes(content[: int(kept * len(content))] if kept < 0.5 else content))


# --- How little is read ----------------------------------------------------------------------------------------------


def counting(content: bytes, reads: list[int]) -> RangedFile:
    def fetch(start: int, length: int) -> bytes:
        reads.append(start)
        return content[start : start + length]

    return RangedFile(fetch, len(content))


def padded(content: bytes, megabytes: int) -> bytes:
    """The video with that much more picture data in it."""
    start = content.index(b"mdat") - 4
    size = int.from_bytes(content[start : start + 4], "big")
    filling = bytes(megabytes * 1024 * 1024)
    return content[:start] + box(b"mdat", content[start + 8 : start + size], filling) + content[start + size :]


def test_a_large_video_with_its_header_at_the_end_is_read_in_three_blocks_at_most() -> None:
    reads: list[int] = []
    facts = read_facts(counting(padded(MOOV_LAST, 20), reads))
    assert facts.seconds == 3.0
    assert len(reads) <= 3
    assert reads[-1] > 19 * 1024 * 1024


@pytest.mark.parametrize("content", [picture("PNG", size=(1900, 1900)), picture("BMP"), picture("JPEG"), MOOV_FIRST])
def test_a_header_at_the_start_takes_one_block(content: bytes) -> None:
    reads: list[int] = []
    read_facts(counting(content, reads))
    assert reads == [0]


@pytest.mark.parametrize(
    "content",
    [
        # Chunk after chunk, none of them the one that is looked for.
        picture("PNG")[:33] + b"\0\0\0\0teXt\0\0\0\0" * 200_000,
        picture("PNG")[:33] + (b"\0\0\xff\xf4teXt" + bytes(0xFFF4 + 4)) * 40,
        b"\xff\xd8\xff\xe2\0\x02" + b"\0" * 2_000_000,
        b"\xff\xd8" + (b"\xff\xe2\xff\xff" + bytes(0xFFFD)) * 40,
        box(b"ftyp", b"isom\0\0\0\0") + box(b"free") * 200_000,
        box(b"ftyp", b"isom\0\0\0\0") + box(b"free", bytes(BLOCK_BYTES)) * 40,
        b"ID3\x04\0\0\0\0\0\0" + b"\xff" * 2_000_000,
        b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 200_000,
        b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff" + bytes(2_000_000),
    ],
    ids=["png", "png-far", "jpeg", "jpeg-far", "mp4", "mp4-far", "mp3", "wav", "wav-far"],
)
def test_headers_made_to_waste_time_are_given_up_early(content: bytes) -> None:
    reads: list[int] = []
    with pytest.raises(UnreadableMedia, match="spread over the whole file"):
        read_facts(counting(content, reads))
    assert len(reads) <= MAX_BLOCKS


def test_a_claimed_length_makes_no_memory_of_that_length() -> None:
    file = RangedFile.of_bytes(b"12345")
    assert file.read(2**62) == b"12345"


def test_a_ranged_file_moves_as_a_file_does() -> None:
    content = bytes(range(256)) * 600
    file = RangedFile.of_bytes(content)
    assert file.seek(-10, 2) == len(content) - 10
    assert file.read() == content[-10:]
    assert file.read(5) == b""
    assert file.seek(BLOCK_BYTES - 3) == file.tell()
    assert file.read(6) == content[BLOCK_BYTES - 3 : BLOCK_BYTES + 3]
    assert file.seek(-6, 1) == BLOCK_BYTES - 3
    assert file.seek(10**9) == 10**9
    assert file.read(1) == b""
    with pytest.raises(OSError, match="before its start"):
        file.seek(-1)


def test_a_ranged_file_gives_up_after_too_many_reads() -> None:
    file = RangedFile.of_bytes(b"12345")
    for _ in range(MAX_READS):
        file.read(0)
    with pytest.raises(TooScattered):
        file.read(0)


@pytest.mark.parametrize(
    "content",
    [
        picture("JPEG")[:2] + (b"\xff\xe2\xff\xff" + bytes(0xFFFD)) * 2 + picture("JPEG")[2:],
        picture("PNG")[:33] + (b"\0\0\xff\xf4teXt" + bytes(0xFFF4 + 4)) * 2 + picture("PNG")[33:],
        padded(MOOV_LAST, 1),
        b"ID3\x04\0\0\0\x08\0\0" + bytes(2**17) + sound(id3v2_version="0"),
        wav()[:12] + b"junk\0\0\x02\0" + bytes(2**17) + wav()[12:],
    ],
    ids=["jpeg", "png", "mp4", "mp3", "wav"],
)
def test_a_fault_of_the_place_where_the_file_lies_comes_out_as_it_was(content: bytes) -> None:
    class Fault(Exception):
        pass

    def fetch(broken: int, start: int, length: int) -> bytes:
        if start == broken:
            raise Fault
        return content[start : start + length]

    reads: list[int] = []
    read_facts(counting(content, reads))
    assert len(reads) > 1
    for broken in reads:
        with pytest.raises(Fault):
            read_facts(RangedFile(partial(fetch, broken), len(content)))


def test_a_file_that_shrinks_while_it_is_read_is_unreadable() -> None:
    large = padded(MOOV_LAST, 1)
    file = RangedFile(lambda _start, _length: b"", len(large), large[:BLOCK_BYTES])
    with pytest.raises(UnreadableMedia, match="an MP4 with a broken header"):
        read_facts(file)


def test_the_libraries_are_imported_only_when_there_is_something_to_read() -> None:
    code = (
        "import sys, wanflow.inspection; from wanflow.media import *; from wanflow.ranged import *\n"
        "read_facts(RangedFile.of_bytes(open(0, 'rb').read()))\n"
        "assert not {'boto3', 'imagesize', 'tinytag'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], input=MOOV_FIRST, check=True, env={"PYTHONPATH": str(LAYER)})
