"""Fetches references and audio over http(s), within bounds: which hosts, how many bytes, how long."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from urllib.request import OpenerDirector, Request

FETCH_TIMEOUT_SECONDS = 10.0
_CHUNK_BYTES = 65_536
_LOOPBACK = re.compile(
    r"https?://(?:[^/?#@]*@)?(?:(?:[^/?#@:]+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d*)?(?:[/?#]|$)",
    re.IGNORECASE,
)


class FetchError(Exception):
    """The media could not be fetched; the message says why."""


class Fetcher:
    """`allowed` is `loopback`, `all` or `none`: the hosts that may be asked. Redirects are held to the same rule."""

    def __init__(self, allowed: str) -> None:
        self.wants: Callable[[str], bool] = _WANTS[allowed]
        """Whether a URL is fetched at all; else only its text is looked at."""
        self._opener: OpenerDirector | None = None

    def fetch(self, url: str, most_bytes: int) -> bytes:
        """The body, cut one byte after `most_bytes` so that too much can be seen. Blocks; raises FetchError."""
        if self._opener is None:
            self._opener = _make_opener(self)
        try:
            with self._opener.open(url, timeout=FETCH_TIMEOUT_SECONDS) as answer:
                return _read_up_to(answer, most_bytes + 1)
        except (OSError, ValueError) as error:
            raise FetchError(f"cannot be fetched ({error})") from error


def is_loopback(url: str) -> bool:
    """Whether the host is this machine, by its name alone: no DNS is asked."""
    folded = url.casefold()
    if "localhost" not in folded and "127." not in folded and "[::1]" not in folded:
        return False  # as most: three searches for a few letters take a third of the pattern's time
    return _LOOPBACK.match(url) is not None


_WANTS: dict[str, Callable[[str], bool]] = {
    "all": lambda _: True,
    "loopback": is_loopback,
    "none": lambda _: False,
}


def _read_up_to(answer: IO[bytes], most_bytes: int) -> bytes:
    chunks = bytearray()
    while len(chunks) < most_bytes and (chunk := answer.read(min(_CHUNK_BYTES, most_bytes - len(chunks)))):
        chunks += chunk
    return bytes(chunks)


def _make_opener(fetcher: Fetcher) -> OpenerDirector:
    """Imported late: urllib.request costs a tenth of the server's start."""
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener  # noqa: PLC0415 - late, see above

    class BoundedRedirects(HTTPRedirectHandler):
        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
        ) -> Request | None:
            if not newurl.startswith(("http://", "https://")) or not fetcher.wants(newurl):
                raise FetchError(f"redirects to {urlsplit(newurl).hostname}, which may not be asked")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return build_opener(BoundedRedirects, ProxyHandler({}))
