"""Rendered clips have exactly the asked form, and show and sound as they were asked to."""

import dataclasses
import io
import itertools
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat

from mock_server.video import FRAMES_PER_SECOND, BundledRenderer, Clip, Renderer, bundle, make_renderer, renderers
from mock_server.video import build_bundle as building
from mock_server.video.cache import SizedCache
from mock_server.video.design import BACKGROUND, BOLD, CHARACTERS, STAGE_FOOT, TEXT, Layout, font
from mock_server.video.encoder import StillEncoders
from mock_server.video.panel import portrait
from mock_server.video.planes import Planes
from mock_server.video.studio import StudioRenderer
from mock_server.video.timeline import TimelineForm, timeline_frames
from tests.mock.media_files import loud, mp3, wav

SIZES = building.SIZES


def encoded_picture(colour: tuple[int, int, int], pillow_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400), colour).save(buffer, pillow_format)
    return buffer.getvalue()


RED, BLUE = encoded_picture((220, 30, 30)), encoded_picture((30, 30, 220), "JPEG")

CLIP = Clip(
    width=1280,
    height=720,
    duration_seconds=2,
    audio=True,
    watermark=False,
    prompt="character1 hands character2 a lantern. [[mock:poll:http-503*3]] 黄昏的灯笼。",
    details=(("size", "1280*720"), ("duration", "2 s"), ("seed", "12345")),
    references=(RED, BLUE),
    audio_track=None,
)


@pytest.fixture(scope="module")
def studio() -> Renderer:
    return make_renderer()


def changed(**changes: object) -> Clip:
    return dataclasses.replace(CLIP, **changes)  # type: ignore[arg-type]


def pictures(data: bytes) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(video=0))


def picture(data: bytes, number: int) -> Image.Image:
    return pictures(data)[number].to_image()


def samples(data: bytes) -> list[float]:
    """The left channel, as the file's edit list leaves it, at 48,000 a second."""
    left: list[float] = []
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=48_000)
    with av.open(io.BytesIO(data)) as container:
        for decoded in (*container.decode(audio=0), None):
            for frame in resampler.resample(decoded):
                left += struct.unpack(f"{frame.samples}f", bytes(frame.planes[0])[: 4 * frame.samples])
    return left


def loudness(part: list[float]) -> float:
    return (sum(value * value for value in part) / len(part)) ** 0.5


def top_level_boxes(data: bytes) -> list[bytes]:
    names, position = [], 0
    while position < len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        names.append(name)
        position += size
    return names


def assert_form(data: bytes, clip: Clip) -> None:
    assert top_level_boxes(data) == [b"ftyp", b"moov", b"mdat"]
    with av.open(io.BytesIO(data)) as container:
        assert container.duration == clip.duration_seconds * 1_000_000
        video = container.streams.video[0]
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.duration * video.time_base == clip.duration_seconds
        assert video.frames == clip.duration_seconds * FRAMES_PER_SECOND
        assert len(container.streams.audio) == clip.audio
        frames = list(container.decode(video))
    assert len(frames) == clip.duration_seconds * FRAMES_PER_SECOND
    assert {(frame.width, frame.height) for frame in frames} == {(clip.width, clip.height)}
    assert [frame.time * FRAMES_PER_SECOND for frame in frames] == pytest.approx(range(len(frames)))
    if clip.audio:
        assert len(samples(data)) == pytest.approx(clip.duration_seconds * 48_000, abs=1024)


@pytest.mark.parametrize("audio", [True, False], ids=["sound", "silent"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_decodes_to_exactly_what_was_asked(studio: Renderer, width: int, height: int, audio: bool) -> None:
    clip = changed(width=width, height=height, audio=audio)
    assert_form(studio.render(clip), clip)


@pytest.mark.parametrize("seconds", [1, 3, 15])
def test_every_length_is_exact(studio: Renderer, seconds: int) -> None:
    clip = changed(duration_seconds=seconds, width=720, height=1280)
    assert_form(studio.render(clip), clip)


def test_each_second_begins_with_a_key_frame(studio: Renderer) -> None:
    frames = pictures(studio.render(changed(duration_seconds=3)))
    assert [number for number, frame in enumerate(frames) if frame.key_frame] == [0, 24, 48]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1080, 1920), (1632, 1248)])
def test_bands_decode_to_what_was_drawn(studio: Renderer, width: int, height: int) -> None:
    """A wrong slice header or a motion vector across a band's border would smear; this sees it in the last frame."""
    form = TimelineForm(width, height, 2, audio=True, watermark=True)
    *_, drawn = timeline_frames(form)
    clip = changed(width=width, height=height, watermark=True)
    shown = Planes.of(picture(studio.render(clip), -1))
    layout = form.layout
    band = shown.crop(0, layout.timeline_top, width, layout.foot_top)
    assert ImageStat.Stat(ImageChops.difference(band.y, drawn.y)).mean[0] < 2
    first = Planes.of(picture(studio.render(clip), 0))
    above = ImageChops.difference(
        shown.crop(0, 0, width, layout.timeline_top).y, first.crop(0, 0, width, layout.timeline_top).y
    )
    assert above.getbbox() is None


@pytest.mark.parametrize("anchor", ["ls", "ms", "rs", "lm", "mm"])
def test_letters_are_drawn_as_pillow_draws_them(anchor: str) -> None:
    face, place, words = font(BOLD, 24), (150, 40), "Wan 2.6 AI"
    planes = Planes.filled(300, 80, BACKGROUND)
    planes.text(place, words, TEXT, face, anchor)
    picture = Image.new("RGB", planes.size, BACKGROUND)
    ImageDraw.Draw(picture).text(place, words, TEXT, face, anchor=anchor)
    expected = Planes.of(picture)
    for drawn, wanted in ((planes.y, expected.y), (planes.cb, expected.cb), (planes.cr, expected.cr)):
        assert ImageChops.difference(drawn, wanted).getextrema()[1] <= 1


@pytest.mark.parametrize("box", [(20, 10, 60, 40), (21, 11, 60, 40), (20, 11, 59, 41), (21, 10, 60, 41)])
def test_shapes_are_drawn_at_odd_places_too(box: tuple[int, int, int, int]) -> None:
    planes = Planes.filled(80, 50, BACKGROUND)
    planes.fill_rounded(box, 8, TEXT)
    brightest = planes.y.getextrema()[1]
    assert planes.y.point(lambda level: 255 * (level > brightest // 2)).getbbox() == box
    assert planes.y.getpixel((40, 25)) == brightest


def test_the_time_line_moves_to_the_very_end(studio: Renderer) -> None:
    frames = pictures(studio.render(CLIP))
    layout = Layout(CLIP.width, CLIP.height, 0)
    bands = [frame.to_image().crop((0, layout.timeline_top, CLIP.width, layout.foot_top)).tobytes() for frame in frames]
    assert len(set(bands)) == len(frames)


def test_references_stand_in_a_row_in_their_order(studio: Renderer) -> None:
    shown = picture(studio.render(CLIP), 0)
    layout = Layout(CLIP.width, CLIP.height, 2)
    y = layout.stage_top + layout.px(24) + layout.portrait_side // 2
    step = (layout.portrait_side + layout.gap) // 2
    red, blue = (shown.getpixel((CLIP.width // 2 + side * step, y)) for side in (-1, 1))
    assert red[0] - red[2] > 100
    assert blue[2] - blue[0] > 100


def test_a_video_reference_shows_its_first_frame(studio: Renderer) -> None:
    video = studio.render(changed(references=(RED,)))
    assert studio.render(changed(references=(video,))) != studio.render(changed(references=(b"no picture",)))


@pytest.mark.parametrize("reference", [b"", b"no picture", RED[:60], b"\0\0\0\x18ftypisom" + bytes(40)])
def test_a_reference_that_cannot_be_shown_has_a_placeholder(studio: Renderer, reference: bytes) -> None:
    assert_form(studio.render(changed(references=(RED, reference))), CLIP)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([RED, BLUE, encoded_picture((9, 9, 9), "WEBP"), encoded_picture((9, 9, 9), "BMP")]),
    st.floats(0, 1),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=6)), max_size=4),
)
def test_no_picture_however_broken_stops_a_video(
    original: bytes, kept: float, scribbles: list[tuple[int, bytes]]
) -> None:
    data = bytearray(original)
    for start, scribble in scribbles:
        data[start : start + len(scribble)] = scribble
    assert portrait(bytes(data[: int(kept * len(data))]), 64).note in {"", "unreadable", "not fetched"}


def test_a_picture_on_its_side_is_shown_upright() -> None:
    """The colour of its upper half is told by the camera to be on the right."""
    lying = Image.new("RGB", (400, 200), (220, 30, 30))
    lying.paste((30, 30, 220), (200, 0, 400, 200))
    exif = lying.getexif()
    exif[0x0112] = 6  # orientation: to be turned by 90 degrees, clockwise
    buffer = io.BytesIO()
    lying.save(buffer, "JPEG", exif=exif)
    shown = portrait(buffer.getvalue(), 64).picture
    assert shown is not None
    redness = [shown.cr.getpixel((16, y)) - shown.cb.getpixel((16, y)) for y in (4, 28)]
    assert redness[0] > 80
    assert redness[1] < -80


@pytest.mark.parametrize(("size", "side"), [((333, 500), 64), ((65, 65), 64), ((20, 31), 64), ((720, 721), 334)])
def test_the_middle_of_a_picture_of_any_size_is_shown(size: tuple[int, int], side: int) -> None:
    """A square in its middle, which is as bright in what is shown."""
    whole = Image.new("RGB", size, (40, 40, 40))
    middle, quarter = (size[0] // 2, size[1] // 2), min(size) // 4
    whole.paste((220, 30, 30), (middle[0] - quarter, middle[1] - quarter, middle[0] + quarter, middle[1] + quarter))
    buffer = io.BytesIO()
    whole.save(buffer, "PNG")
    shown = portrait(buffer.getvalue(), side).picture
    assert shown is not None
    assert shown.size == (side, side)
    red = shown.cr.point(lambda level: 255 * (level > 160)).getbbox()
    assert red == pytest.approx((side / 8, side / 8, side * 3 / 8, side * 3 / 8), abs=2)


def test_a_transparent_picture_shows_the_stage_behind_it() -> None:
    buffer = io.BytesIO()
    Image.new("P", (400, 400), 0).save(buffer, "PNG", transparency=b"\0" * 256)
    shown = portrait(buffer.getvalue(), 64).picture
    assert shown is not None
    stage = Planes.filled(64, 64, STAGE_FOOT)
    for drawn, floor in ((shown.y, stage.y), (shown.cb, stage.cb), (shown.cr, stage.cr)):
        assert ImageChops.difference(drawn, floor).getbbox() is None


@pytest.mark.parametrize("count", [0, 1, 5, 6])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280)])
def test_any_number_of_references_has_a_layout(studio: Renderer, width: int, height: int, count: int) -> None:
    clip = changed(width=width, height=height, references=(RED,) * count)
    assert_form(studio.render(clip), clip)


@pytest.mark.parametrize(
    "prompt", ["", "word " * 300, "x" * 1500, "黄昏的灯笼，" * 250, "line\nline\t🙂\x00\u202e\ud800"]
)
def test_any_prompt_has_a_layout(studio: Renderer, prompt: str) -> None:
    details = tuple((f"name{number}", "value " * 40) for number in range(20))
    clip = changed(prompt=prompt, details=details, width=960, height=960)
    assert_form(studio.render(clip), clip)


def lower_right_corner(data: bytes, number: int) -> Image.Image:
    shown = picture(data, number).convert("L")
    return shown.crop((int(shown.width * 0.75), Layout(*shown.size, 0).foot_top, shown.width, shown.height))


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
@pytest.mark.parametrize("drawn", [True, False], ids=["studio", "bundled"])
def test_the_watermark_is_there_only_when_asked_for(
    studio: Renderer, size: tuple[int, int], number: int, drawn: bool
) -> None:
    renderer = studio if drawn else BundledRenderer()
    width, height = size
    with_it, without = (
        lower_right_corner(renderer.render(changed(width=width, height=height, watermark=watermark)), number)
        for watermark in (True, False)
    )
    assert with_it.getextrema()[1] > 200
    assert without.getextrema()[1] < 60


def test_a_long_track_is_cut(studio: Renderer) -> None:
    clip = changed(audio_track=wav(4))
    data = studio.render(clip)
    assert_form(data, clip)
    assert loudness(samples(data)[-4800:]) > 0.3


def test_a_short_track_is_followed_by_silence(studio: Renderer) -> None:
    clip = changed(duration_seconds=3, audio_track=wav(1))
    data = studio.render(clip)
    assert_form(data, clip)
    sound = samples(data)
    assert loudness(sound[4800:43_200]) > 0.3
    assert loudness(sound[52_800:]) < 0.001


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_given_track_is_heard_to_the_sample(studio: Renderer, rate: int) -> None:
    given, seconds = wav(1.5, rate=rate), 3
    data = studio.render(changed(duration_seconds=seconds, audio_track=given))
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("flac", rate, 1)
        assert stream.duration * stream.time_base == seconds
        heard = b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in container.decode(stream))
    assert heard == given[44:].ljust(seconds * rate * 2, b"\0")


@pytest.mark.parametrize(
    ("rate", "channels", "heard_rate", "heard_channels"), [(96_000, 6, 48_000, 2), (4_000, 2, 8_000, 2)]
)
def test_a_track_of_another_shape_is_made_one_that_every_player_takes(
    studio: Renderer, rate: int, channels: int, heard_rate: int, heard_channels: int
) -> None:
    clip = changed(audio_track=loud(rate, channels))
    data = studio.render(clip)
    assert_form(data, clip)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (heard_rate, heard_channels)
    assert loudness(samples(data)[4800:-4800]) > 0.05


def test_an_mp3_is_heard(studio: Renderer) -> None:
    clip = changed(audio_track=mp3(wav(4)))
    data = studio.render(clip)
    assert_form(data, clip)
    assert loudness(samples(data)[4800:]) > 0.3


def test_a_track_that_cannot_be_decoded_is_silence(studio: Renderer) -> None:
    data = studio.render(changed(audio_track=b"no sound"))
    assert loudness(samples(data)) < 0.001


def test_the_chord_is_quiet_and_has_no_seams(studio: Renderer) -> None:
    sound = samples(studio.render(changed(duration_seconds=5)))
    assert 0.005 < loudness(sound[48_000:96_000]) < 0.1
    assert max(abs(a - b) for a, b in itertools.pairwise(sound)) < 0.02


def test_a_given_track_is_not_heard_when_audio_is_off(studio: Renderer) -> None:
    clip = changed(audio=False, audio_track=wav(3))
    assert_form(studio.render(clip), clip)


def test_the_same_clip_gives_the_same_bytes() -> None:
    clip = changed(audio_track=wav(1))
    assert StudioRenderer(1 << 25).render(clip) == StudioRenderer(1 << 25).render(clip)


def test_a_clip_is_the_same_whatever_was_made_before_it() -> None:
    renderer = StudioRenderer(1 << 25)
    for number in range(3):
        renderer.render(changed(prompt=f"take {number} " * number))
    assert renderer.render(CLIP) == StudioRenderer(1 << 25).render(CLIP)


def test_no_more_encoders_are_kept_than_asked_for() -> None:
    encoders = StillEncoders(quantiser=20, kept=2)
    pictures = [Planes.filled(64, 16 * height, BACKGROUND) for height in (1, 2, 3)]
    slices = [encoders.encode(picture) for picture in pictures]
    assert len(encoders._idle) == 2
    assert [encoders.encode(picture)[:3] for picture in pictures] == [unit[:3] for unit in slices]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "another"},
        {"references": (BLUE, RED)},
        {"details": (("seed", "1"),)},
        {"watermark": True},
        {"audio": False},
        {"audio_track": wav(1)},
        {"duration_seconds": 3},
        {"height": 960},
    ],
)
def test_every_part_of_a_clip_counts(studio: Renderer, change: dict[str, object]) -> None:
    assert studio.render(changed(**change)) != studio.render(CLIP)


def test_threads_may_share_a_renderer() -> None:
    renderer = StudioRenderer(1 << 25)
    clips = [changed(prompt=f"take {number % 3}") for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        rendered = list(pool.map(renderer.render, clips))
    assert len(set(rendered)) == 3
    assert rendered[:3] == rendered[3:6] == rendered[6:9] == rendered[9:]


def test_a_renderer_without_a_cache_still_renders() -> None:
    clip = changed(width=960, height=960)
    assert_form(StudioRenderer(0).render(clip), clip)


def test_the_cache_drops_what_was_used_least_recently_and_keeps_its_limit() -> None:
    cache = SizedCache[bytes](10, len)
    for key in "abc":
        cache.put(key, b"1234")
        cache.get("a")
    assert [cache.get(key) for key in "abc"] == [b"1234", None, b"1234"]
    cache.put("large", bytes(11))
    assert cache.get("large") is None
    assert cache.held_bytes <= 10


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_bundled_clip_has_the_asked_form_too(width: int, height: int) -> None:
    clip = changed(width=width, height=height, audio=width > height)
    assert_form(BundledRenderer().render(clip), clip)


def test_the_bundle_is_chosen_where_nothing_can_be_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderers, "find_spec", {}.get)
    renderer = make_renderer()
    assert isinstance(renderer, BundledRenderer)
    assert not renderer.draws_content


def test_the_bundle_names_the_sizes_it_has() -> None:
    with pytest.raises(ValueError, match=r"no bundled picture of 640x480, only of .*1280x720"):
        BundledRenderer().render(changed(width=640, height=480))


def test_the_bundle_can_be_made_again() -> None:
    assert building.still_picture(960, 960).pps == bundle.read_picture(960, 960).pps


def test_bundled_rendering_needs_the_standard_library_alone() -> None:
    code = (
        "import sys\n"
        "from mock_server.video import BundledRenderer, Clip\n"
        "BundledRenderer().render(Clip(960, 960, 2, True, False, '', (), (), None))\n"
        "assert not {'av', 'PIL'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("change", [{"width": 1281}, {"height": 100}, {"duration_seconds": 0}])
def test_a_form_that_cannot_be_made_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        changed(**change)


def test_each_character_has_a_colour_of_its_own() -> None:
    assert len(set(CHARACTERS)) == 5
