"""How fast the mock makes its videos, beside the plain way: PyAV encoding every frame of the same pictures.

`.venv/bin/python -m benchmarks.mock_video [--rounds 3]`. For 720p 5 s and 1080p 15 s:

- first: a new renderer's first clip of the size, nothing kept (libraries are loaded before).
- new prompt: the size and its references were seen, the prompt was not.
- all new: the size was seen; prompt and both reference pictures (720 x 720, PNG and JPEG) were not.
- given sound: as "new prompt", with a WAV that was not seen either, to be decoded and encoded.
- again: the very same clip.

Each figure is the median of the rounds, as a ratio to the baseline of the same round. The targets are those of the
milliseconds in performance.md, taken as ratios to its baselines (0.92 s and 5.4 s), because only ratios carry over.
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from benchmarks.results import Row, command, save
from mock_server.video import DEFAULT_CACHE_BYTES, FRAMES_PER_SECOND, Clip
from mock_server.video.design import Layout
from mock_server.video.panel import draw_cast, draw_script, draw_title, portrait
from mock_server.video.planes import Planes
from mock_server.video.studio import StudioRenderer

EXAMPLES = Path(__file__).parent.parent / "examples"


@dataclass(frozen=True)
class Case:
    name: str
    clip: Clip
    published_baseline_seconds: float  # performance.md, row "mock video"


def cases() -> list[Case]:
    references = tuple((EXAMPLES / name).read_bytes() for name in ("character1.png", "character2.jpg"))
    prompt = "character1 shows character2 how to brew tea in a quiet garden at dusk, lanterns sway in the wind."
    details = (("size", "1280*720"), ("duration", "5 s"), ("seed", "12345"))
    small = Clip(1280, 720, 5, True, True, prompt, details, references, None)
    large = replace(small, width=1920, height=1080, duration_seconds=15)
    return [Case("720p 5 s", small, 0.92), Case("1080p 15 s", large, 5.4)]


def baseline(clip: Clip) -> bytes:
    """Every frame drawn as an RGB picture with a moving bar, encoded and muxed by FFmpeg, with encoded silence."""
    layout = Layout(clip.width, clip.height, len(clip.references))
    picture = Image.new("RGB", (clip.width, clip.height))
    cast = draw_cast(layout, [portrait(data, layout.portrait_side) for data in clip.references])
    picture.paste(rgb(draw_title(layout)), (0, 0))
    picture.paste(rgb(cast), (0, layout.cast_top))
    picture.paste(rgb(draw_script(layout, clip.prompt, clip.details)), (0, layout.cast_foot))
    buffer = io.BytesIO()
    count = clip.duration_seconds * FRAMES_PER_SECOND
    with av.open(buffer, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        audio = container.add_stream("aac", rate=48_000, layout="stereo")
        for number in range(count):
            filled = layout.margin + (clip.width - 2 * layout.margin) * (number + 1) // count
            picture.paste((255, 122, 102), (layout.margin, layout.timeline_top + 20, filled, layout.timeline_top + 30))
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            container.mux(video.encode(frame))
        for number in range(-(-clip.duration_seconds * 48_000 // 1024)):
            sound = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            for plane in sound.planes:
                plane.update(bytes(plane.buffer_size))
            sound.sample_rate, sound.pts, sound.time_base = 48_000, number * 1024, Fraction(1, 48_000)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return buffer.getvalue()


def rgb(drawn: Planes) -> Image.Image:
    """The picture that the planes hold, but for shades: Pillow's YCbCr has other weights."""
    colours = (plane.resize(drawn.size) for plane in (drawn.cb, drawn.cr))
    return Image.merge("YCbCr", (drawn.y, *colours)).convert("RGB")


def recoloured(data: bytes, shift: int, pillow_format: str) -> bytes:
    """The same picture with other bytes."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").point([(value + shift) % 256 for value in range(256)] * 3).save(buffer, pillow_format)
    return buffer.getvalue()


def seconds(work: Callable[[], bytes]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def one_round(clip: Clip, number: int) -> dict[str, float]:
    renderer = StudioRenderer(DEFAULT_CACHE_BYTES)
    told = replace(clip, prompt=f"Take {number}: {clip.prompt}")
    png, jpeg = clip.references
    others = (recoloured(png, number + 1, "PNG"), recoloured(jpeg, number + 1, "JPEG"))
    heard = replace(clip, prompt=f"Loud: {clip.prompt}", audio_track=(EXAMPLES / "melody.wav").read_bytes())
    return {
        "baseline": seconds(lambda: baseline(clip)),
        "first": seconds(lambda: renderer.render(clip)),
        "new prompt": seconds(lambda: renderer.render(told)),
        "all new": seconds(lambda: renderer.render(replace(told, prompt="All new.", references=others))),
        "given sound": seconds(lambda: renderer.render(heard)),
        "again": seconds(lambda: renderer.render(clip)),
    }


def rows_of(case: Case, rounds: int) -> list[Row]:
    measured = [one_round(case.clip, number) for number in range(rounds)]
    limits = {"first": 0.300, "new prompt": 0.025, "all new": 0.025, "given sound": 0.025, "again": 0.025}
    run, encoder = command("mock_video"), "PyAV encoding every frame"
    rows = []
    print(f"{case.name}: baseline {statistics.median(r['baseline'] for r in measured) * 1000:.0f} ms")
    for kind, limit in limits.items():
        ratio = statistics.median(round_[kind] / round_["baseline"] for round_ in measured)
        print(f"  {kind:12} {statistics.median(round_[kind] for round_ in measured) * 1000:7.1f} ms")
        target = limit / case.published_baseline_seconds
        rows.append(Row(f"mock video, {case.name}: {kind}", ratio, target, "lower", encoder, run))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default 3)")
    arguments = parser.parse_args()
    save("mock_video", [row for case in cases() for row in rows_of(case, arguments.rounds)])


if __name__ == "__main__":
    main()
