"""How references travel: inline ones into the bucket when a job is accepted, all of them to the provider at submit."""

import base64
import hashlib
from copy import deepcopy
from typing import Any, Literal

from wanflow.errors import NotFound, TooLarge
from wanflow.files import Files
from wanflow.references import CONTENT_TYPE_OF_ENDING
from wanflow.validation import ValidRequest

MAX_INLINE_BYTES = 4 * 1024 * 1024
"""All `data:` references of a request together, decoded: Lambda takes 6 MB, base64 makes 4 of 3."""

_MAX_IMAGE_BYTES = 10 * 1024 * 1024
# The provider fetches soon after the submit; the signing role's credentials may end the link earlier.
_PROVIDER_LINK_SECONDS = 6 * 3600


class ReferenceLost(Exception):
    """A reference in the bucket is gone; the message names it."""


def check_inline_size(request: ValidRequest) -> None:
    """Raises: TooLarge, pointing to the other ways."""
    size = sum(len(reference.content or b"") for reference in request.references)
    if size > MAX_INLINE_BYTES:
        raise TooLarge(
            f"the data: references have {size} bytes in all, at most {MAX_INLINE_BYTES} fit into one request; "
            "put larger ones under uploads/ and name them as s3:// references, or give http(s) URLs"
        )


def keep_inline_references(files: Files, owner: str, job_id: str, request: ValidRequest) -> dict[str, Any]:
    """Put `data:` references into the bucket; the request with their `s3://` names in it."""
    wan = deepcopy(request.wan)
    for index, reference in enumerate(request.references):
        if reference.content is not None:
            # Named by content: a repeated key with another body must not replace what the original job shows.
            digest = hashlib.sha256(reference.content).hexdigest()[:16]
            key = f"uploads/{owner}/{job_id}/{index + 1}-{digest}.{reference.ending}"
            files.put(key, reference.content, CONTENT_TYPE_OF_ENDING[reference.ending])
            wan["input"]["reference_urls"][index] = files.url_of(key)
    return wan


class ReferenceDelivery:
    """Makes the request that the provider gets.

    Args:
        kind: `presigned_url`, or `data_uri` where the provider cannot fetch from this S3.
    """

    def __init__(self, files: Files, kind: Literal["presigned_url", "data_uri"]) -> None:
        self._files = files
        self._kind = kind

    def for_provider(self, wan: dict[str, Any]) -> dict[str, Any]:
        """The request with every `s3://` name replaced by what the provider can read. Sign just before the POST.

        Raises:
            ReferenceLost: an object is gone or too large to be sent inline.
        """
        sent = deepcopy(wan)
        wan_input = sent["input"]
        lend = self._data_uri if self._kind == "data_uri" else self._link
        wan_input["reference_urls"] = [
            lend(url) if url.startswith("s3://") else url for url in wan_input["reference_urls"]
        ]
        if str(wan_input.get("audio_url", "")).startswith("s3://"):
            # The page takes audio by URL only.
            wan_input["audio_url"] = self._link(wan_input["audio_url"])
        return sent

    def _link(self, url: str) -> str:
        return self._files.link(self._files.key_of(url), _PROVIDER_LINK_SECONDS)

    def _data_uri(self, url: str) -> str:
        key = self._files.key_of(url)
        content_type = CONTENT_TYPE_OF_ENDING.get(key.rsplit(".", 1)[-1].lower(), "image/png")
        try:
            content = self._files.get(key, _MAX_IMAGE_BYTES)
        except NotFound as error:
            raise ReferenceLost(f"the reference {url} is gone from the bucket") from error
        if content is None:
            raise ReferenceLost(f"the reference {url} is over {_MAX_IMAGE_BYTES} bytes, too large to be sent inline")
        return f"data:{content_type};base64,{base64.b64encode(content).decode()}"
