"""Small real files, made as their makers make them."""

import base64
import io
import wave
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

import av
from PIL import Image


@cache
def picture(
    pillow_format: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (400, 600), **options: object
) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, pillow_format, **options)
    return buffer.getvalue()


@cache
def movie(container: str = "mp4", *, seconds: int = 3, **options: str) -> bytes:
    """A silent 64x48 video of two pictures a second."""
    # `movflags=faststart` reads its own file again, so it has to be one.
    with NamedTemporaryFile(suffix=".video") as file:
        with av.open(file.name, "w", format=container, options=options) as output:
            stream = output.add_stream("mpeg4", rate=2)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(seconds * 2):
                output.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48)))))
            output.mux(stream.encode(None))
        return Path(file.name).read_bytes()


@cache
def sound(container: str = "mp3", codec: str = "libmp3lame", *, seconds: float = 5, **options: str) -> bytes:
    """Silence, mono, 44.1 kHz."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=44100, layout="mono")
        frame = av.AudioFrame(format=stream.format.name, layout="mono", samples=stream.frame_size or 1024)
        frame.sample_rate = 44100
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(int(seconds * 44100) // frame.samples):
            frame.pts = number * frame.samples
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


@cache
def wav(seconds: float = 5) -> bytes:
    """Silence, mono, 8 kHz, 16 bits: 16,000 bytes a second."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(8000)
        output.writeframes(bytes(int(16000 * seconds)))
    return buffer.getvalue()


def box(kind: bytes, *parts: bytes, size: int | None = None) -> bytes:
    """An MP4 box; `size` is what it claims to be long, where that is not the truth."""
    body = b"".join(parts)
    return (8 + len(body) if size is None else size).to_bytes(4, "big") + kind + body


def data_url(content: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
