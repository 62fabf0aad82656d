"""The bucket: references in, videos and documents out, links lent for a while.

uploads/{owner}/…           references; those sent inline lie under uploads/{owner}/{job id}/
inbox/{owner}/…             requests dropped as files; directly under inbox/ they belong to the owner `s3`
outbox/….result.json        the verdict on each of them
videos/{id}.mp4, -2.mp4 …   results; videos/{id}.json the job's final document
"""

import base64
import hashlib
import logging
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from wanflow import aws
from wanflow.errors import AwsUnavailable, DownloadFailed, NotFound
from wanflow.jobs import StoredVideo, to_json
from wanflow.owners import Owner, name_of
from wanflow.read_ahead import read_ahead
from wanflow.references import OwnFiles

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

logger = logging.getLogger("wanflow")

LINK_SECONDS = 3600
PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes for a part: held in memory until S3 has it."""
PIECES_AHEAD = 10
"""Of 256 KiB (wan_client.py): what is read of a video while a part goes out."""
_S3_OWNER = "s3"
_MP4_BRAND = slice(4, 8)
_NO_SUCH_OBJECT = frozenset({"NoSuchKey", "404", "KeyTooLongError", "InvalidURI"})


class Files:
    """The objects of one bucket. Every call raises `AwsUnavailable` when S3 fails in a way that passes."""

    def __init__(self, client: Callable[[], "S3Client"], bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def of_owner(self, owner: Owner, key: str | None = None) -> OwnFiles:
        """What this owner may name as `s3://…`; `key` is an object that is known to be the owner's."""

        def prefixes() -> tuple[str, ...]:
            name = name_of(owner)
            return f"uploads/{name}/", f"inbox/{name}/"

        return OwnFiles(self.bucket, prefixes, (key,) if key else ())

    def url_of(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def user_metadata(self, key: str) -> dict[str, str]:
        """An object's user metadata, names in lower case.

        Raises:
            NotFound: no such object.
        """
        try:
            with aws.naming_faults(f"look at {key}"):
                answer = self._client().head_object(Bucket=self.bucket, Key=key)
        except Exception as error:
            if aws.error_code(error) in _NO_SUCH_OBJECT:
                raise NotFound(f"no object {key}") from error
            raise
        return {name.lower(): value for name, value in answer["Metadata"].items()}

    def put(self, key: str, content: bytes | bytearray, content_type: str) -> None:
        with aws.naming_faults(f"write {key}"):
            self._client().put_object(Bucket=self.bucket, Key=key, Body=_body(content), ContentType=content_type)

    def put_json(self, key: str, document: object) -> None:
        self.put(key, to_json(document).encode(), "application/json")

    def get(self, key: str, most_bytes: int) -> bytes | None:
        """An object's bytes, None when there are more than `most_bytes`.

        Raises:
            NotFound: no such object.
        """
        try:
            with aws.naming_faults(f"read {key}"):
                answer = self._client().get_object(Bucket=self.bucket, Key=key)
                with answer["Body"] as body:
                    return None if answer["ContentLength"] > most_bytes else body.read()
        except Exception as error:
            if aws.error_code(error) in {"NoSuchKey", "404"}:
                raise NotFound(f"no object {key}") from error
            raise

    def get_range(self, key: str, start: int, length: int) -> tuple[bytes, int]:
        """Up to `length` bytes of an object from `start` on, and the size of all of it; never more is transferred.

        Raises:
            NotFound: no such object, or no name that an object can have.
        """
        try:
            with aws.naming_faults(f"read {key}"):
                last = start + length - 1
                answer = self._client().get_object(Bucket=self.bucket, Key=key, Range=f"bytes={start}-{last}")
                with answer["Body"] as body:
                    return body.read(), int(answer["ContentRange"].rpartition("/")[2])
        except UnicodeEncodeError as error:
            raise NotFound("no object has half a character in its name") from error
        except Exception as error:
            code = aws.error_code(error)
            if code == "InvalidRange":
                # No range fits into an empty object.
                return b"", 0
            if code in _NO_SUCH_OBJECT:
                raise NotFound(f"no object {key}") from error
            raise

    def link(self, key: str, seconds: int = LINK_SECONDS) -> str:
        """A presigned URL to read the object; it dies earlier when the signing role's credentials do."""
        params = {"Bucket": self.bucket, "Key": key}
        return str(self._client().generate_presigned_url("get_object", Params=params, ExpiresIn=seconds))

    def post_form(self, key: str, content_type: str, most_bytes: int, seconds: int) -> dict[str, Any]:
        """A presigned POST for one object of this type and at most this size: {`url`, `fields`}."""
        conditions: list[Any] = [{"Content-Type": content_type}, ["content-length-range", 1, most_bytes]]
        post = self._client().generate_presigned_post(
            self.bucket, key, Fields={"Content-Type": content_type}, Conditions=conditions, ExpiresIn=seconds
        )
        return {"url": post["url"], "fields": post["fields"]}

    def delete(self, keys: list[str]) -> None:
        """Delete objects; those that are gone already count as deleted."""
        for key in keys:
            with aws.naming_faults(f"delete {key}"):
                self._client().delete_object(Bucket=self.bucket, Key=key)

    def key_of(self, url: str) -> str:
        return url.removeprefix(f"s3://{self.bucket}/")

    def store_video(self, key: str, chunks: Iterator[bytes], announced_bytes: int | None) -> StoredVideo:
        """Stream a video into the bucket, a part at a time; nothing is visible under `key` before all of it is there.

        S3 checks each part by its CRC32. That is computed here, where the bytes pass anyway: left to boto3, it would
        cost a copy of the part and a second look at it.

        Args:
            chunks: the body, in pieces of any size.
            announced_bytes: the length that the sender announced, None when it did not.

        Raises:
            DownloadFailed: the body is no MP4, or not as long as announced.
        """
        with read_ahead(chunks, PIECES_AHEAD) as pieces:
            return self._store(key, pieces, announced_bytes)

    def _store(self, key: str, pieces: Iterator[bytes], announced_bytes: int | None) -> StoredVideo:
        checksum = hashlib.sha256(usedforsecurity=False)
        parts = _parts(pieces, checksum)
        first = next(parts, _Part(bytearray(), _crc32_text(0)))
        if first.content[_MP4_BRAND] != b"ftyp":
            raise DownloadFailed(f"what the CDN sent is not an MP4 ({len(first.content)} bytes looked at)")
        size = len(first.content)
        if size < PART_BYTES:
            _check_length(size, announced_bytes)
            self._store_whole(key, first)
        else:
            size = self._store_parts(key, chain([first], parts), announced_bytes)
        return StoredVideo(key, size, checksum.hexdigest())

    def _store_whole(self, key: str, part: "_Part") -> None:
        with aws.naming_faults(f"write {key}"):
            self._client().put_object(
                Bucket=self.bucket, Key=key, Body=_body(part.content), ContentType="video/mp4", ChecksumCRC32=part.crc32
            )

    def _store_parts(self, key: str, parts: Iterator["_Part"], announced_bytes: int | None) -> int:
        place: Any = {"Bucket": self.bucket, "Key": key}
        with aws.naming_faults(f"write {key}"):
            upload = self._client().create_multipart_upload(**place, ContentType="video/mp4", ChecksumAlgorithm="CRC32")
        place["UploadId"] = upload["UploadId"]
        try:
            size = 0
            done: list[Any] = []
            for number, part in enumerate(parts, start=1):
                told: Any = {"PartNumber": number, "ChecksumCRC32": part.crc32}
                with aws.naming_faults(f"write {key}"):
                    answer = self._client().upload_part(**place, **told, Body=_body(part.content))
                # S3 refuses to put parts together whose checksums are not named once more.
                done.append({**told, "ETag": answer["ETag"]})
                size += len(part.content)
            _check_length(size, announced_bytes)
            with aws.naming_faults(f"write {key}"):
                self._client().complete_multipart_upload(**place, MultipartUpload={"Parts": done})
        except BaseException as error:
            self._drop_parts(place)
            if isinstance(error, Exception) and aws.error_code(error) == "NoSuchUpload":
                # boto3 sends a call again whose answer was lost: the upload may be complete already, or dropped.
                raise AwsUnavailable(f"could not write {key}: its parts are gone") from error
            raise
        return size

    def _drop_parts(self, place: dict[str, Any]) -> None:
        """What this cannot undo, the bucket's lifecycle rule does after a day; it must not hide why it is undone."""
        try:
            with aws.naming_faults("drop the parts"):
                self._client().abort_multipart_upload(**place)
        except Exception as error:
            logger.warning("parts not dropped", extra={"key": place["Key"], "error": type(error).__name__})


def _body(content: bytes | bytearray) -> Any:
    """botocore takes a bytearray as it is, which spares a copy; its type stubs do not know."""
    return content


@dataclass(frozen=True)
class _Part:
    """Some of a video, and its CRC32 as S3 writes it."""

    content: bytearray
    crc32: str


def _parts(chunks: Iterator[bytes], checksum: "hashlib._Hash") -> Iterator[_Part]:
    """The same bytes in parts of PART_BYTES, but for the last; `checksum` sees all of them.

    All parts are one buffer, filled anew: a part must be sent before the next one is asked for.
    """
    content = bytearray(PART_BYTES)
    filled, crc32 = 0, 0
    with memoryview(content) as place:
        for chunk in chunks:
            checksum.update(chunk)
            rest = memoryview(chunk)
            while rest:
                taken = rest[: PART_BYTES - filled]
                place[filled : filled + len(taken)] = taken
                crc32 = zlib.crc32(taken, crc32)
                filled += len(taken)
                rest = rest[len(taken) :]
                if filled == PART_BYTES:
                    yield _Part(content, _crc32_text(crc32))
                    filled, crc32 = 0, 0
    if filled:
        del content[filled:]
        yield _Part(content, _crc32_text(crc32))


def _crc32_text(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def _check_length(size: int, announced_bytes: int | None) -> None:
    if announced_bytes is not None and size != announced_bytes:
        raise DownloadFailed(f"the CDN announced {announced_bytes} bytes and sent {size}")


def video_key(job_id: str, number: int) -> str:
    """Key of a job's video: the first has no number, the second is `-2`."""
    return f"videos/{job_id}.mp4" if number == 1 else f"videos/{job_id}-{number}.mp4"


def document_key(job_id: str) -> str:
    return f"videos/{job_id}.json"


def owner_of_inbox_key(key: str) -> str:
    """`inbox/{owner}/…` belongs to that owner, `inbox/file` to the owner `s3`."""
    owner, slash, _ = key.removeprefix("inbox/").partition("/")
    return owner if slash else _S3_OWNER


def verdict_key(inbox_key: str) -> str:
    """`inbox/a/b.png` -> `outbox/a/b.png.result.json`."""
    return f"outbox/{inbox_key.removeprefix('inbox/')}.result.json"
