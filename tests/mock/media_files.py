"""Small media files, made in memory, and a loopback web server that hands them out."""

from __future__ import annotations

import base64
import struct
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import av
from PIL import Image


@cache
def picture(file_format: str = "JPEG", width: int = 400, height: int = 400, mode: str = "RGB") -> bytes:
    file = BytesIO()
    Image.new(mode, (width, height), "teal").save(file, file_format)
    return file.getvalue()


def padded_picture(size_bytes: int) -> bytes:
    """A readable JPEG of exactly this size: a decoder ignores what follows the end of the image."""
    return picture().ljust(size_bytes, b"\0")


@cache
def sound(seconds: float) -> bytes:
    """A WAV file of silence, 8 kHz mono."""
    file = BytesIO()
    with wave.open(file, "wb") as track:
        track.setnchannels(1)
        track.setsampwidth(1)
        track.setframerate(8000)
        track.writeframes(b"\x80" * int(8000 * seconds))
    return file.getvalue()


def wav(seconds: float, pillar: float = 0.5, rate: int = 22_050) -> bytes:
    """A square wave of 441 Hz in mono."""
    length = int(seconds * rate)
    half = rate // 882
    values = [int(32767 * pillar) * (1 if (index // half) % 2 else -1) for index in range(length)]
    body = struct.pack(f"<{length}h", *values)
    return _wav_file(body, rate, 1)


def loud(rate: int, channels: int, seconds: int = 3) -> bytes:
    """A square wave of a twentieth of the rate, in every channel."""
    high, low = (struct.pack("<h", value) * channels * 10 for value in (9_999, -9_999))
    return _wav_file((high + low) * (seconds * rate // 20), rate, channels)


def _wav_file(samples: bytes, rate: int, channels: int) -> bytes:
    """16 bits a sample."""
    file = BytesIO()
    with wave.open(file, "wb") as track:
        track.setnchannels(channels)
        track.setsampwidth(2)
        track.setframerate(rate)
        track.writeframes(samples)
    return file.getvalue()


def mp3(original: bytes) -> bytes:
    buffer = BytesIO()
    with av.open(BytesIO(original)) as source, av.open(buffer, "w", format="mp3") as target:
        stream = target.add_stream("libmp3lame", rate=44_100, layout="stereo")
        for decoded in source.decode(audio=0):
            target.mux(stream.encode(decoded))
        target.mux(stream.encode(None))
    return buffer.getvalue()


@cache
def movie(seconds: float, file_format: str = "mp4") -> bytes:
    """A little MP4 or MOV, ten frames a second, of one colour."""
    file = BytesIO()
    with av.open(file, "w", format=file_format) as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(round(seconds * 10)):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()


def data_uri(content: bytes, mime: str = "image/jpeg") -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


class _Files(BaseHTTPRequestHandler):
    """`/name` is a file of `files`; `/to?URL` redirects to that URL; everything else is 404."""

    files: dict[str, bytes]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.files.get(path)
        self.send_response(302 if path == "/to" else 404 if body is None else 200)
        if path == "/to":
            self.send_header("Location", query)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server(files: dict[str, bytes]) -> Iterator[str]:
    """Serves `files` (by path) on a free loopback port; yields its root URL."""
    handler = type("Files", (_Files,), {"files": files})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
