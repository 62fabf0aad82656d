"""Cursors of lists: where a page ended, as text that a caller hands back untouched."""

import base64
import binascii
import re
from typing import Any

from wanflow.errors import InvalidRequest, Violation
from wanflow.jobs import key_of

# The sort key of the index by_owner: time of acceptance and id.
_CREATED = re.compile(r"[0-9TZ:.\-]{24}#(?P<id>vid_[0-9a-z]{26})")


def cursor_of(index_key: dict[str, Any]) -> str:
    """The cursor that goes on after this key of the index `by_owner`."""
    return base64.urlsafe_b64encode(index_key["created"].encode()).decode().rstrip("=")


def index_key(owner: str, cursor: str) -> dict[str, str]:
    """The key that a cursor stands for, in this owner's list alone.

    Raises:
        InvalidRequest: it is none of ours.
    """
    try:
        created = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise _not_ours() from error
    match = _CREATED.fullmatch(created)
    if match is None:
        raise _not_ours()
    return {**key_of(match["id"]), "owner": owner, "created": created}


def _not_ours() -> InvalidRequest:
    return InvalidRequest([Violation("cursor", "invalid_request", "must be the next_cursor of an earlier answer")])
