"""Callback URLs: where a caller may let us POST to. Judged here by its text, and at each delivery by its address."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

MAX_CALLBACK_CHARACTERS = 2048

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# Two labels at least, the last no number: `localhost`, `127.1` and `2130706433` are no names of the public DNS.
_PUBLIC_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.?", re.IGNORECASE)
_NOT_IN_A_URL = re.compile(r"[^!-~]|\\")


class BadCallback(ValueError):
    """The text is no URL that we may POST to; the message is the broken rule and holds nothing of the URL."""


class CallbackRule(NamedTuple):
    """What a callback URL must be: https to a public host; loopback, by http too, only where `loopback` says so.

    `loopback` is true for a stack whose own Wan API is on loopback: the local stack, which nobody else can call.
    """

    loopback: bool = False

    def check(self, value: object) -> str:
        """The URL, if it may be called.

        Raises:
            BadCallback: with the broken rule.
        """
        if not isinstance(value, str):
            raise BadCallback("must be a string")
        if len(value) > MAX_CALLBACK_CHARACTERS:
            raise BadCallback(f"is longer than {MAX_CALLBACK_CHARACTERS} characters")
        if _NOT_IN_A_URL.search(value):
            raise BadCallback("holds spaces, backslashes or characters beyond ASCII; percent-encode them")
        parts = _split(value)
        if self.loopback and parts.scheme in {"http", "https"} and _is_loopback(parts.hostname):
            return value
        if parts.scheme != "https":
            raise BadCallback("must be a https URL")
        _check_host(parts.hostname)
        return value


PUBLIC_ONLY = CallbackRule()


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine, by its text."""
    return _is_loopback(urlsplit(url).hostname)


def _split(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadCallback("is no URL that can be read") from error
    if not host:
        raise BadCallback("has no host")
    if parts.username is not None or parts.password is not None:
        raise BadCallback("must hold no user name and no password; put a token into its path or query")
    return parts


def _check_host(host: str | None) -> None:
    address = _address(host)
    if address is not None:
        if not address.is_global or address.is_multicast:
            raise BadCallback("must lead to a public address")
    elif not _PUBLIC_NAME.fullmatch(host or "") or len(host or "") > 253:
        raise BadCallback("must have a public host name, such as hooks.example.com")


def _is_loopback(host: str | None) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
