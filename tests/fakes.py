"""Small stand-ins that behave, instead of mocks that agree with everything."""

import base64
import io
import struct
import wave
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mock_server.clock import VirtualClock

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """Time that stands still until a test moves it; a mock provider's clock moves along."""

    now: datetime = NOON
    follower: VirtualClock | None = None

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.follower is not None:
            self.follower.advance(seconds)


@dataclass
class TinyRenderer:
    """Renders every clip as the same few bytes that begin like an MP4."""

    video: bytes = field(default_factory=lambda: mp4(5000))

    def render(self, clip: Any) -> bytes:
        return self.video


@dataclass
class FakeLambdaContext:
    """What Powertools reads of Lambda's context."""

    function_name: str = "test-function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test-function"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def mp4(size: int, seed: int = 0) -> bytes:
    """`size` bytes that begin like an MP4 and repeat nowhere, so that a swapped or lost piece is seen."""
    head = struct.pack(">I", 24) + b"ftypisom" + b"\0\0\2\0isomiso2"
    body = b"".join(struct.pack(">II", seed, number) for number in range((size - len(head)) // 8 + 1))
    return (head + body)[:size]


def crc32_text(content: bytes) -> str:
    """A CRC32 as S3 writes it."""
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def png(width: int = 400, height: int = 400) -> bytes:
    """A real PNG without transparency, plain grey."""
    rows = (b"\0" + b"\x80" * (3 * width)) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _png_chunk(b"IDAT", zlib.compress(rows, 1))
        + _png_chunk(b"IEND", b"")
    )


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def wav(seconds: float) -> bytes:
    """Silence as a real WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * round(8000 * seconds))
    return buffer.getvalue()


def wan_request(**changes: Any) -> dict[str, Any]:
    """A request that breaks no rule; `prompt` and the other fields of `input` go there, the rest to the top."""
    wan_input: dict[str, Any] = {
        "prompt": "character1 walks in the park",
        "reference_urls": ["https://example.com/character.jpg"],
    }
    wan_input |= {name: changes.pop(name) for name in ("prompt", "reference_urls", "audio_url") if name in changes}
    return {"model": "wan26_r2v", "input": wan_input, **changes}
