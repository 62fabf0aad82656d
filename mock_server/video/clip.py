"""What a renderer is given, and what it promises."""

from dataclasses import dataclass
from typing import Protocol

FRAMES_PER_SECOND = 24


@dataclass(frozen=True)
class Clip:
    """One video to make.

    `width` and `height`: pixels, even, each at least 256. `duration_seconds`: whole seconds, 1 to 60.
    `audio`: whether the file has a sound track at all. `watermark`: "AI Generated" in the lower right corner.
    `prompt`: shown as it is. `details`: (name, value) pairs for the table of parameters, in order.
    `references`: the bytes of character1, character2...: pictures or videos; what cannot be read, or is empty because
    it was not fetched, is shown as a placeholder; at most the first five are shown.
    `audio_track`: a WAV or MP3 to be cut to the duration or padded with silence, at its own sample rate (8 to 48 kHz)
    and with its own channels (at most two); None: a quiet generated chord.
    """

    width: int
    height: int
    duration_seconds: int
    audio: bool
    watermark: bool
    prompt: str
    details: tuple[tuple[str, str], ...]
    references: tuple[bytes, ...]
    audio_track: bytes | None

    def __post_init__(self) -> None:
        """Raises ValueError for a size or duration that no renderer can make."""
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 256:
            raise ValueError(f"width and height must be even and at least 256, not {self.width}*{self.height}")
        if not 1 <= self.duration_seconds <= 60:
            raise ValueError(f"duration_seconds must be 1 to 60, not {self.duration_seconds}")


class Renderer(Protocol):
    """Makes MP4 files, moov first: H.264 with AAC, or with FLAC where a track is given. Several threads may call it."""

    @property
    def draws_content(self) -> bool:
        """False when every clip looks the same and only its size, length and sound are as asked."""

    def render(self, clip: Clip) -> bytes:
        """The MP4 of `clip`; the same clip always gives the same bytes."""
