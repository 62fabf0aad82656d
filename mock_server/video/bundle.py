"""The bundled parts of a clip, `assets/bundled_video.zip`: what `BundledRenderer` needs where nothing can be encoded.

For each of Wan's ten sizes: the parameter sets, one picture, and its foot with and without the watermark, all as H.264;
and the packets of the chord. `python -m mock_server.video.build_bundle` makes the file again.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .chord import Chord

BUNDLE = Path(__file__).parent.parent / "assets" / "bundled_video.zip"


@dataclass(frozen=True)
class StillPicture:
    """One picture of a size as H.264. `picture` and both feet are MP4 samples that follow each other in one picture."""

    sps: bytes
    pps: bytes
    picture: bytes
    foot: bytes
    foot_with_watermark: bytes


def write_bundle(pictures: dict[tuple[int, int], StillPicture], chord: Chord, path: Path = BUNDLE) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for (width, height), still in sorted(pictures.items()):
            for part, data in vars(still).items():
                _add(archive, f"{width}x{height}/{part}", data)
        _add(archive, "chord/config", chord.config)
        for part in ("start", "cycle", "end", "silence"):
            _add(archive, f"chord/{part}", b"".join(len(p).to_bytes(4, "big") + p for p in getattr(chord, part)))


def read_picture(width: int, height: int) -> StillPicture:
    """Raises ValueError, with the sizes there are, for any other."""
    with zipfile.ZipFile(BUNDLE) as archive:
        folder = f"{width}x{height}/"
        parts = {
            name.removeprefix(folder): archive.read(name) for name in archive.namelist() if name.startswith(folder)
        }
        if not parts:
            sizes = sorted({name.partition("/")[0] for name in archive.namelist()} - {"chord"})
            raise ValueError(f"no bundled picture of {width}x{height}, only of {', '.join(sizes)}")
    return StillPicture(**parts)


def read_chord() -> Chord:
    with zipfile.ZipFile(BUNDLE) as archive:
        parts = {part: list(_packets(archive.read(f"chord/{part}"))) for part in ("start", "cycle", "end", "silence")}
        return Chord(archive.read("chord/config"), **parts)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # A fixed date: the same parts give the same file.
    archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)


def _packets(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 4 + length]
        position += 4 + length
