"""Looks into the media themselves: every rule of the Wan page about formats, pixels, transparency, size and duration.

A data URI is looked at before the task is created, so a broken rule refuses the submit. What has to be fetched is
looked at when the provider would fetch it, so a broken rule fails the task. Both name the field. A reference that is no
readable image or video is 001028004, one out of bounds 001028099, since the page has no code of its own for that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from .errors import BAD_REFERENCE, CREATION_ERROR, ERROR_CODES, TOO_MANY_VIDEOS, InvalidRequestError
from .fetching import Fetcher, FetchError
from .rules import MAX_VIDEOS, Draft
from .tasks import Failure

MEGABYTE = 1024 * 1024
MOST_IMAGE_BYTES = 10 * MEGABYTE
MOST_VIDEO_BYTES = 100 * MEGABYTE
MOST_AUDIO_BYTES = 15 * MEGABYTE
IMAGE_PIXELS = (360, 2000)
MEDIA_SECONDS = (3.0, 30.0)

_FORMATS = {
    "image": frozenset({"jpeg", "jpg", "png", "bmp", "webp"}),
    "video": frozenset({"mp4", "mov"}),
    "audio": frozenset({"wav", "mp3"}),
}
_REMEMBERED = 1024


class Facts(Protocol):
    """What `media.inspect` says about a file (see there). Durations are seconds, sizes pixels and bytes."""

    @property
    def kind(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...
    @property
    def has_transparency(self) -> bool: ...
    @property
    def duration_seconds(self) -> float | None: ...
    @property
    def size_bytes(self) -> int: ...


class BrokenRuleError(Exception):
    """A medium breaks a rule; `code` is the provider's, the message names the field."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(code, f"{ERROR_CODES[code].description}: {message}")


@dataclass(slots=True)
class Inspection:
    """What was found. `refusal`: the submit is refused. `doom`: the task fails.

    `media` (by the reference's index, as far as they were looked into) and `audio` are for the video, each content with
    its SHA-256 as a name.
    """

    refusal: InvalidRequestError | None = None
    doom: Failure | None = None
    media: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    audio: tuple[str, bytes] | None = None


class Inspector:
    """`look` is `media.inspect`. All methods but `wants` block, and may run in any thread."""

    def __init__(self, fetcher: Fetcher, look: Callable[[bytes], Facts] | None = None) -> None:
        self._fetcher = fetcher
        self._look = look
        self._seen: OrderedDict[str, Facts | str] = OrderedDict()

    def wants(self, draft: Draft) -> bool:
        """Whether there is anything to look into."""
        wants = self._fetcher.wants
        for reference in draft.references:
            if reference.data is not None or wants(reference.url):
                return True
        return draft.audio_url is not None and wants(draft.audio_url)

    def inspect(self, draft: Draft) -> Inspection:
        """Look at the data URIs first, then fetch. Never raises."""
        found = Inspection()
        try:
            videos = self._inspect_inline(draft, found)
        except BrokenRuleError as broken:
            found.refusal = InvalidRequestError(broken.failure.message, code=broken.failure.code)
            return found
        try:
            self._inspect_fetched(draft, found, videos)
        except BrokenRuleError as broken:
            found.doom = broken.failure
        return found

    def _inspect_inline(self, draft: Draft, found: Inspection) -> int:
        videos = 0
        for index, reference in enumerate(draft.references):
            if reference.data is not None:
                videos += self._reference(reference.data, index, found)
        return videos

    def _inspect_fetched(self, draft: Draft, found: Inspection, videos: int) -> None:
        for index, reference in enumerate(draft.references):
            if reference.data is None and self._fetcher.wants(reference.url):
                data = self._fetch(reference.url, MOST_VIDEO_BYTES, _name(index), BAD_REFERENCE)
                videos += self._reference(data, index, found)
        if videos > MAX_VIDEOS:
            raise BrokenRuleError(TOO_MANY_VIDEOS, f"input.reference_urls has {videos} by their content")
        if draft.audio_url is not None and self._fetcher.wants(draft.audio_url):
            data = self._fetch(draft.audio_url, MOST_AUDIO_BYTES, "input.audio_url", CREATION_ERROR)
            found.audio = self._checked(data, "input.audio_url", ("audio",), CREATION_ERROR)[1]

    def _fetch(self, url: str, most_bytes: int, name: str, code: str) -> bytes:
        try:
            return self._fetcher.fetch(url, most_bytes)
        except FetchError as error:
            raise BrokenRuleError(code, f"{name} {error}") from error

    def _reference(self, data: bytes, index: int, found: Inspection) -> bool:
        """Check one reference and keep it for the video; says whether it is a video."""
        facts, named = self._checked(data, _name(index), ("image", "video"), BAD_REFERENCE)
        found.media[index] = named
        return facts.kind == "video"

    def _checked(self, data: bytes, name: str, kinds: tuple[str, ...], code: str) -> tuple[Facts, tuple[str, bytes]]:
        digest = sha256(data).hexdigest()
        facts = self._facts(digest, data)
        if isinstance(facts, str):
            raise BrokenRuleError(code, f"{name} is not readable ({facts})")
        if facts.kind not in kinds or facts.format not in _FORMATS[facts.kind]:
            raise BrokenRuleError(code, f"{name} is {facts.format}, which is none of {_format_names(kinds)}")
        for complaint in _CHECKS[facts.kind](facts):
            raise BrokenRuleError(CREATION_ERROR, f"{name} {complaint}")
        return facts, (digest, data)

    def _facts(self, digest: str, data: bytes) -> Facts | str:
        """The facts, or why there are none; remembered, so that a load test looks at its picture once."""
        known = self._seen.get(digest)
        if known is None:
            known = self._seen[digest] = self._look_at(data)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return known

    def _look_at(self, data: bytes) -> Facts | str:
        # late: the media libraries would double the server's start
        from .media import UnreadableMediaError, inspect  # noqa: PLC0415

        try:
            return (self._look or inspect)(data)
        except UnreadableMediaError as error:
            return str(error)


def _name(index: int) -> str:
    return f"input.reference_urls[{index}]"


def _format_names(kinds: tuple[str, ...]) -> str:
    return " ".join(sorted(name for kind in kinds for name in _FORMATS[kind]))


def _check_image(facts: Facts) -> list[str]:
    lowest, highest = IMAGE_PIXELS
    wrong = []
    if facts.size_bytes > MOST_IMAGE_BYTES:
        wrong.append("is over 10 MB")
    if facts.width is None or facts.height is None:
        wrong.append("does not say how big it is")
    elif not (lowest <= facts.width <= highest and lowest <= facts.height <= highest):
        wrong.append(f"is {facts.width}x{facts.height} pixels: width and height must be {lowest} - {highest}")
    if facts.format == "png" and facts.has_transparency:
        wrong.append("is a PNG with transparency")
    return wrong


def _check_video(facts: Facts) -> list[str]:
    return _too_big(facts, MOST_VIDEO_BYTES) + _wrong_duration(facts)


def _check_audio(facts: Facts) -> list[str]:
    return _too_big(facts, MOST_AUDIO_BYTES) + _wrong_duration(facts)


def _too_big(facts: Facts, most_bytes: int) -> list[str]:
    return [f"is over {most_bytes // MEGABYTE} MB"] if facts.size_bytes > most_bytes else []


def _wrong_duration(facts: Facts) -> list[str]:
    lowest, highest = MEDIA_SECONDS
    if facts.duration_seconds is None:
        return ["does not say how long it is"]
    if lowest <= facts.duration_seconds <= highest:
        return []
    return [f"is {facts.duration_seconds:.3f} s long: it must be {lowest:g} - {highest:g} s"]


_CHECKS = {"image": _check_image, "video": _check_video, "audio": _check_audio}
