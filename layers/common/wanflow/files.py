"""The bucket: references in, videos and documents out, links lent for a while.

uploads/{owner}/…           references; those sent inline lie under uploads/{owner}/{job id}/
inbox/{owner}/…             requests dropped as files; directly under inbox/ they belong to the owner `s3`
outbox/….result.json        the verdict on each of them
videos/{id}.mp4, -2.mp4 …   results; videos/{id}.json the job's final document
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wanflow import aws
from wanflow.errors import NotFound
from wanflow.jobs import StoredVideo, to_json
from wanflow.owners import Owner, name_of
from wanflow.references import OwnFiles
from wanflow.video_upload import upload_video

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LINK_SECONDS = 3600
_S3_OWNER = "s3"
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
        told: Any = {"ContentType": content_type, "Body": content, "ChecksumAlgorithm": "CRC32"}
        with aws.naming_faults(f"write {key}"):
            self._client().put_object(Bucket=self.bucket, Key=key, **told)

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

    def store_video(self, key: str, pieces: Iterator[bytes], announced_bytes: int | None) -> StoredVideo:
        """Stream a video into the bucket; nothing is visible under `key` before all of it is there, and checked.

        Raises:
            DownloadFailed: the body is no MP4, or not as long as announced.
        """
        size, crc32 = upload_video(self._client(), self.bucket, key, pieces, announced_bytes)
        return StoredVideo(key, size, crc32)


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
