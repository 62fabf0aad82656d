"""The AWS clients of the layer, in memory, each call through the gate: S3, Secrets Manager, EventBridge, DynamoDB."""

import base64
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.response import StreamingBody

from tests.guarantees.dynamo import refuse
from tests.guarantees.faults import Gate

Watch = Callable[[str, str, dict[str, Any]], None]


class Client:
    """Looks like a boto3 client: `client.put_item(...)` goes through the gate to the backend's method of that name.

    A call that the backend does not know is an error: a new side effect cannot slip past the gate.
    """

    def __init__(self, service: str, backend: Any, gate: Gate, watch: Watch) -> None:
        self._service = service
        self._backend = backend
        self._gate = gate
        self._watch = watch

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("generate_presigned"):
            local: Callable[..., Any] = getattr(self._backend, name)
            return local
        method = getattr(self._backend, name, None)
        assert method is not None, f"{self._service}.{name} is not known here: teach tests/guarantees/clients.py"
        operation = "".join(part.capitalize() for part in name.split("_"))

        def call(**params: Any) -> Any:
            self._watch(self._service, operation, params)
            return self._gate.call(self._service, operation, target_of(params), lambda: method(**params))

        return call


def target_of(params: dict[str, Any]) -> str:
    """What a call is about, without the names of one job: `job`, `queue`, `videos/.mp4`, an index."""
    if "TransactItems" in params:
        return "+".join(target_of(next(iter(write.values()))) for write in params["TransactItems"])
    if "IndexName" in params:
        return str(params["IndexName"])
    key = params.get("Key") or params.get("Item")
    if isinstance(key, dict):
        return str(key["pk"]["S"]).partition("#")[0]
    if isinstance(key, str):
        return f"{key.partition('/')[0]}/{key[key.rfind('.') :]}"
    if "KeyConditionExpression" in params:
        return "queue"
    return ""


class FastBucket:
    """One S3 bucket. An object is there whole or not at all; parts are invisible until completed."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}

    def put_object(self, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        self.objects[Key] = bytes(Body)
        return {"ETag": hashlib.md5(Body, usedforsecurity=False).hexdigest()}

    def get_object(self, Key: str, Range: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: N803
        content = self._content(Key)
        if Range is None:
            return {"Body": _body(content), "ContentLength": len(content)}
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", Range)
        assert match is not None
        start, end = int(match[1]), min(int(match[2]) + 1, len(content))
        if start >= len(content):
            refuse("InvalidRange", "GetObject", status=416)
        part = content[start:end]
        return {
            "Body": _body(part),
            "ContentLength": len(part),
            "ContentRange": f"bytes {start}-{end - 1}/{len(content)}",
        }

    def delete_object(self, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.objects.pop(Key, None)
        return {}

    def create_multipart_upload(self, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        upload = f"upload-{len(self.parts) + 1}"
        self.parts[upload] = {}
        return {"UploadId": upload}

    def upload_part(self, UploadId: str, PartNumber: int, Body: Any, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._upload(UploadId)[PartNumber] = Body.read() if hasattr(Body, "read") else bytes(Body)
        return {"ETag": str(PartNumber)}

    def complete_multipart_upload(
        self,
        Key: str,  # noqa: N803
        UploadId: str,  # noqa: N803
        MultipartUpload: dict[str, Any],  # noqa: N803
        ChecksumCRC32: str,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        parts = self._upload(UploadId)
        content = b"".join(parts[part["PartNumber"]] for part in MultipartUpload["Parts"])
        if zlib.crc32(content) != int.from_bytes(base64.b64decode(ChecksumCRC32)):
            refuse("BadDigest", "CompleteMultipartUpload", status=400)
        self.objects[Key] = content
        del self.parts[UploadId]
        return {}

    def abort_multipart_upload(self, UploadId: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._upload(UploadId)
        del self.parts[UploadId]
        return {}

    def generate_presigned_url(self, _operation: str, Params: dict[str, Any], **_: Any) -> str:  # noqa: N803
        return f"https://{Params['Bucket']}.s3.amazonaws.com/{Params['Key']}?X-Amz-Signature=0123456789abcdef"

    def generate_presigned_post(self, Bucket: str, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"url": f"https://{Bucket}.s3.amazonaws.com/", "fields": {"key": Key, "x-amz-signature": "0123456789"}}

    def _content(self, key: str) -> bytes:
        key.encode()  # as boto3 does when it builds the URL
        if key not in self.objects:
            refuse("NoSuchKey", "GetObject", "The specified key does not exist.", 404)
        return self.objects[key]

    def _upload(self, upload: str) -> dict[int, bytes]:
        if upload not in self.parts:
            refuse("NoSuchUpload", "UploadPart", "The specified upload does not exist.", 404)
        return self.parts[upload]


class FastSecrets:
    """Secrets Manager: the values by ARN, none of them ever rotated."""

    def __init__(self, values: dict[str, str], made_at: datetime) -> None:
        self._values = values
        self._made_at = made_at

    def get_secret_value(self, SecretId: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        return {"SecretString": self._values[SecretId], "CreatedDate": self._made_at}


class FastQueues:
    """SQS: the messages that were sent to each queue, in order, and what became of their visibility."""

    def __init__(self, sent: Callable[[str, str], None]) -> None:
        self._sent = sent
        self.hidden_seconds: dict[str, int] = {}
        """Receipt handle -> what the consumer asked for last."""

    def send_message(self, QueueUrl: str, MessageBody: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._sent(QueueUrl, MessageBody)
        return {"MessageId": "sent"}

    def change_message_visibility(
        self,
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        self.hidden_seconds[ReceiptHandle] = VisibilityTimeout
        return {}


class FastBus:
    """EventBridge: keeps what was put."""

    def __init__(self) -> None:
        self.details: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
        self.details += [json.loads(entry["Detail"]) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(len(self.details))}]}


def _body(content: bytes) -> StreamingBody:
    return StreamingBody(io.BytesIO(content), len(content))
