"""The console: the web page at the API's root and its files, with the headers that keep both of them safe.

The page is served at `GET /`; its files under `console/{version}/`, where the version is a hash of them all. So a
browser keeps them for ever, a page never meets the files of another version, and whatever is not one of the files read
at the start does not exist: no path leads anywhere else.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

PAGE = "index.html"
VERSION_MARK = "console/VERSION/"
"""How the page names the folder of its files."""

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
_PAGE_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Console:
    """Answers for the page and its files.

    Args:
        files: name -> content; one of them is the page.
        bucket_origins: where the page may send uploads to and load videos from, such as `https://bucket.s3.…`.
    """

    def __init__(self, files: Mapping[str, bytes], bucket_origins: Iterable[str]) -> None:
        self.version = _version(files)
        page = files[PAGE].decode().replace(VERSION_MARK, f"console/{self.version}/")
        self._page = page
        self._files = {name: content.decode() for name, content in files.items() if name != PAGE}
        self._policy = _policy(page, " ".join(bucket_origins))

    def serve(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one proxy event of API Gateway: a path without parameters is the page."""
        asked = event.get("pathParameters") or {}
        if not asked:
            of_the_page = {"Content-Security-Policy": self._policy, **_PAGE_HEADERS, "Cache-Control": "no-cache"}
            return self._answer(event, PAGE, self._page, of_the_page)
        name = asked.get("file", "")
        if asked.get("version") != self.version or name not in self._files:
            return self._missing()
        return self._answer(event, name, self._files[name], {"Cache-Control": "public, max-age=31536000, immutable"})

    def _answer(self, event: Mapping[str, Any], name: str, text: str, headers: dict[str, str]) -> dict[str, Any]:
        # Weak: on the way the gateway may compress the answer.
        etag = f'W/"{self.version}"'
        headers = {**headers, **_HEADERS, "ETag": etag, "Vary": "Accept-Encoding"}
        if etag in _header(event, "if-none-match"):
            return {"statusCode": int(HTTPStatus.NOT_MODIFIED), "headers": headers, "body": ""}
        headers["Content-Type"] = TYPES[name.rpartition(".")[2]]
        return {"statusCode": int(HTTPStatus.OK), "headers": headers, "body": text}

    def _missing(self) -> dict[str, Any]:
        error = {"code": "not_found", "message": "no such file; reload the page", "violations": []}
        headers = {**_HEADERS, "Cache-Control": "no-store", "Content-Type": "application/json"}
        return {"statusCode": int(HTTPStatus.NOT_FOUND), "headers": headers, "body": json.dumps({"error": error})}


def _version(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:12]


def _policy(page: str, bucket: str) -> str:
    """The Content-Security-Policy: scripts and styles of ours alone, and talk with this API and the bucket alone.

    The page's one inline script (it adds the slash that relative addresses need) is allowed by its hash.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(page)
    )
    rules = {
        "default-src": "'none'",
        "script-src": f"'self' {hashes}",
        "style-src": "'self'",
        "img-src": f"'self' blob: {bucket}",
        "media-src": f"'self' blob: {bucket}",
        "connect-src": f"'self' {bucket}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value.strip()}" for name, value in rules.items())


def _header(event: Mapping[str, Any], name: str) -> str:
    return next((str(value) for key, value in (event.get("headers") or {}).items() if key.lower() == name), "")
