"""A video's way into the bucket: read and sent side by side, and visible only when S3 has checked all of it.

A thread reads, the caller's sums and sends what was read, so that neither line waits for the other and next to nothing
is held. The CRC32 is that of the whole video: S3 computes its own, and makes no object where they differ.
"""

import base64
import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import UnsupportedOperation
from typing import TYPE_CHECKING, Any

from wanflow import aws
from wanflow.errors import AwsUnavailable, DownloadFailed
from wanflow.read_ahead import read_ahead

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

logger = logging.getLogger("wanflow")

HELD_BYTES = 5 * 1024 * 1024
"""Up to here a video is held and sent by one request. The least that S3 takes for a part that is not the last."""
PART_BYTES = 64 * 1024 * 1024
"""Of a longer video. No part of it is held, so the size is only a matter of requests, which cost money and time."""
PIECES_AHEAD = 4
"""Of 512 KiB (wan_client.py): what is read while others go out."""
_BRAND = slice(4, 8)
_SPOILED = {
    # boto3 sends a call again whose answer was lost: the upload may be complete already, or dropped.
    "NoSuchUpload": "its parts are gone",
    "BadDigest": "S3 got other bytes than were sent",
}


def upload_video(
    client: "S3Client", bucket: str, key: str, pieces: Iterator[bytes], announced_bytes: int | None
) -> tuple[int, str]:
    """Store a video, and tell its length in bytes and its CRC32 as S3 writes it: Base64 of four bytes.

    Args:
        pieces: the body, in pieces of any size.
        announced_bytes: the length that the sender announced, None when it did not.

    Raises:
        DownloadFailed: the body is no MP4, or not as long as announced; or whatever else `pieces` raises.
        AwsUnavailable: S3 failed in a way that passes.
    """
    with read_ahead(pieces, PIECES_AHEAD) as ready:
        source = _Source(ready)
        upload = _Upload(client, {"Bucket": bucket, "Key": key}, source, announced_bytes)
        try:
            with aws.naming_faults(f"write {key}"):
                upload.run()
        except Exception as error:
            if source.failure is not None and error is not source.failure:
                raise source.failure from error
            if (what := _SPOILED.get(aws.error_code(error))) is not None:
                raise AwsUnavailable(f"could not write {key}: {what}") from error
            raise
    return source.size, source.crc32


class _Source:
    """The pieces, and what has been taken of them so far: `size` bytes, and their CRC32.

    Keeps what of a piece was not wanted yet. `failure` is what ended the pieces too early, noted because botocore makes
    an error of its own of what a request's body raises.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = filter(None, pieces)  # an empty one would look like the end
        self._rest = b""
        self._crc32 = 0
        self.size = 0
        self.failure: Exception | None = None

    @property
    def crc32(self) -> str:
        return base64.b64encode(self._crc32.to_bytes(4, "big")).decode()

    def take(self, most: int) -> bytes:
        """Some bytes, at most so many; none behind the end."""
        piece = self._rest or self._next()
        self._rest = piece[most:]
        taken = piece[:most]
        self.size += len(taken)
        self._crc32 = zlib.crc32(taken, self._crc32)
        return taken

    def gather(self, into: bytearray, size: int) -> bytearray:
        """Fill it anew with so many bytes, fewer only where the video ends."""
        into.clear()
        while len(into) < size and (piece := self.take(size - len(into))):
            into += piece
        return into

    def look(self, size: int) -> bytes:
        """The first bytes, which stay to be taken."""
        while len(self._rest) < size and (piece := self._next()):
            self._rest += piece
        return self._rest[:size]

    def _next(self) -> bytes:
        try:
            return next(self._pieces, b"")
        except Exception as failure:
            self.failure = failure
            raise


class _StreamedPart:
    """A part as the body of a request: read once, while it comes in. Nothing of it is kept.

    So botocore can repeat a request that S3 refused by its head (it asks before it sends: `Expect: 100-continue`), but
    none that broke in the middle: then all of the video is stored again, by the workflow's retry.
    """

    def __init__(self, source: _Source, length: int) -> None:
        self._source = source
        self._length = self._left = length

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """All that is left, or, where some size is asked for, the next piece whole.

        http.client asks for 16 KiB at a time, and takes what it gets: a whole piece is one call instead of 32.
        """
        return self._next() if size >= 0 else b"".join(iter(self._next, b""))

    def seek(self, offset: int) -> int:
        """Only to where it is, at the start.

        Raises:
            UnsupportedOperation: something has been read already, or cannot be.
        """
        if offset or self._left != self._length or self._source.failure is not None:
            raise UnsupportedOperation("what was sent is not kept")
        return 0

    def _next(self) -> bytes:
        if not self._left:
            return b""
        piece = self._source.take(self._left)
        if not piece:
            self._source.failure = DownloadFailed(f"the CDN sent {self._left} bytes less than it announced")
            raise self._source.failure
        self._left -= len(piece)
        return piece


@dataclass
class _Upload:
    """One video's requests to S3. `place` is {`Bucket`, `Key`}."""

    client: "S3Client"
    place: Any
    source: _Source
    announced_bytes: int | None

    def run(self) -> None:
        start = self.source.look(_BRAND.stop)
        if start[_BRAND] != b"ftyp":
            raise DownloadFailed(f"what the CDN sent is not an MP4 ({len(start)} bytes looked at)")
        if self.announced_bytes is not None and self.announced_bytes > HELD_BYTES:
            self._send_parts(self._streamed(self.announced_bytes))
            return
        held = self.source.gather(bytearray(), HELD_BYTES)
        if len(held) < HELD_BYTES:
            self._check_length()
            told: Any = {"ContentType": "video/mp4", "ChecksumCRC32": self.source.crc32, "Body": held}
            self.client.put_object(**self.place, **told)
        else:
            self._send_parts(self._held(held))

    def _streamed(self, left: int) -> Iterator[_StreamedPart]:
        while left:
            length = min(left, PART_BYTES)
            yield _StreamedPart(self.source, length)
            left -= length

    def _held(self, part: bytearray) -> Iterator[bytearray]:
        """Parts of a video whose length nobody told. All are one buffer: each must be sent before the next one."""
        while part:
            yield part
            self.source.gather(part, HELD_BYTES)

    def _send_parts(self, bodies: Iterable[Any]) -> None:
        checked: Any = {"ChecksumType": "FULL_OBJECT"}
        upload = self.client.create_multipart_upload(
            **self.place, **checked, ChecksumAlgorithm="CRC32", ContentType="video/mp4"
        )
        place = self.place | {"UploadId": upload["UploadId"]}
        try:
            done: list[Any] = []
            for number, body in enumerate(bodies, start=1):
                answer = self.client.upload_part(**place, PartNumber=number, Body=body)
                done.append({"PartNumber": number, "ETag": answer["ETag"]})
            self._check_length()
            self.client.complete_multipart_upload(
                **place, **checked, ChecksumCRC32=self.source.crc32, MultipartUpload={"Parts": done}
            )
        except BaseException:
            self._drop_parts(place)
            raise

    def _check_length(self) -> None:
        """Take what may be left, and compare."""
        while self.source.take(HELD_BYTES):
            pass
        if self.announced_bytes not in {None, self.source.size}:
            raise DownloadFailed(f"the CDN announced {self.announced_bytes} bytes and sent {self.source.size}")

    def _drop_parts(self, place: Any) -> None:
        """What this cannot undo, the bucket's lifecycle rule does after a day; it must not hide why it is undone."""
        try:
            self.client.abort_multipart_upload(**place)
        except Exception as error:
            logger.warning("parts not dropped", extra={"key": place["Key"], "error": type(error).__name__})
