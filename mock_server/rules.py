"""Every rule of the Wan page that a request can break by itself, without looking into the media.

`read_draft` turns a body into a `Draft`, or raises InvalidRequestError with the page's code where it has one, else with
001028099 and every broken field named. A `null` is a wrong value, not an absent one. A bool is no integer.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

from .directives import Fault, directives_in
from .errors import (
    BAD_REFERENCE,
    ERROR_CODES,
    NOT_AN_ARRAY_OF_1_TO_5,
    TOO_MANY_IMAGES,
    TOO_MANY_VIDEOS,
    InvalidRequestError,
)

MODEL = "wan26_r2v"
PROMPT_CHARACTERS = 1500
MAX_REFERENCES, MAX_IMAGES, MAX_VIDEOS = 5, 5, 3

TIER_OF_SIZE = {
    **dict.fromkeys(("1280*720", "720*1280", "960*960", "1088*832", "832*1088"), "720P"),
    **dict.fromkeys(("1920*1080", "1080*1920", "1440*1440", "1632*1248", "1248*1632"), "1080P"),
}

_KIND_OF_ENDING = {
    **dict.fromkeys(("", "jpg", "jpeg", "png", "bmp", "webp"), "image"),
    **dict.fromkeys(("mp4", "mov"), "video"),
}
_KIND_OF_TYPE = {
    **dict.fromkeys(("image/jpeg", "image/jpg", "image/png", "image/bmp", "image/x-ms-bmp", "image/webp"), "image"),
    **dict.fromkeys(("video/mp4", "video/quicktime", "video/mov"), "video"),
}
_AUDIO_ENDINGS = frozenset({"wav", "mp3"})
_UNKNOWN_CHARACTER = [re.compile(rf"character([{given + 1}-9])(?!\d)") for given in range(MAX_REFERENCES + 1)]
"""The characters of a prompt that have no reference, by the number of references."""
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[\w.+-]+)*;base64,", re.IGNORECASE | re.ASCII)
_URL = re.compile(
    r"https?://(?:[^/?#@\[\]\x00-\x20\x7f]*@)?"
    r"(?:\[[0-9a-f:.]+\]|[^/?#@:\[\]\\\x00-\x20\x7f]+)(?::(\d{0,5}))?"
    r"((?:/[^?#\x00-\x20\x7f]*)?)(?:[?#][^\x00-\x20\x7f]*)?",
    re.IGNORECASE | re.ASCII,
)
"""An http(s) URL with a host; groups: port, path. urllib.parse would take ten times as long, and would take a blank."""

_TOP_FIELDS = frozenset({"model", "input", "parameters"})
_INPUT_FIELDS = frozenset({"prompt", "reference_urls", "audio_url"})


@dataclass(slots=True)
class Parameters:
    """`parameters` with the page's defaults filled in. `duration` is seconds; `seed` None means "choose one"."""

    size: str = "1920*1080"
    duration: int = 5
    prompt_extend: bool = True
    watermark: bool = False
    audio: bool = True
    shot_type: str = "single"
    seed: int | None = None


DEFAULT_PARAMETERS = Parameters()


@dataclass(slots=True)
class Reference:
    """One member of `reference_urls`; `data` is a data URI's content."""

    url: str
    data: bytes | None = None


@dataclass(slots=True)
class Draft:
    """A request that breaks no rule so far. `prompt` is as it came; the video uses its first 1,500 characters."""

    prompt: str
    references: tuple[Reference, ...]
    audio_url: str | None
    parameters: Parameters
    ignored_fields: tuple[str, ...] = ()

    @property
    def tier(self) -> str:
        """720P or 1080P: what the price hangs on."""
        return TIER_OF_SIZE[self.parameters.size]

    def without_media(self) -> Draft:
        """The same without the decoded data, so that a task in memory stays small."""
        return replace(self, references=tuple(replace(reference, data=None) for reference in self.references))

    def warnings(self) -> list[str]:
        """What is allowed but most likely a mistake."""
        found = []
        if len(self.prompt) > PROMPT_CHARACTERS:
            found.append(f"input.prompt has {len(self.prompt)} characters: cut at {PROMPT_CHARACTERS}")
        given = len(self.references)
        if unknown := _UNKNOWN_CHARACTER[given].findall(self.prompt):
            unknown = sorted(set(unknown))
            found += [f"input.prompt names character{n}, but there are {given} references" for n in unknown]
        if self.ignored_fields:
            found.append(f"unknown fields are ignored: {', '.join(self.ignored_fields)}")
        return found


@dataclass(slots=True)
class Reading:
    """What could be read of a body: the faults its prompt asks for, and the draft or why there is none."""

    prompt: str = ""
    faults: tuple[Fault, ...] = ()
    draft: Draft | None = None
    refusal: InvalidRequestError | None = None


class _Complaints:
    """Collects broken rules; the first of the page's own codes decides the answer."""

    fields: tuple[str, ...] = ()
    code: str | None = None
    code_message: str = ""

    def add(self, message: str) -> None:
        self.fields += (message,)

    def add_code(self, code: str, message: str) -> None:
        self.code, self.code_message = code, message

    def raise_if_any(self) -> None:
        if self.code is not None:
            also = f"; also: {'; '.join(self.fields)}" if self.fields else ""
            raise InvalidRequestError(
                f"{ERROR_CODES[self.code].description}: {self.code_message}{also}", code=self.code
            )
        if self.fields:
            raise InvalidRequestError("; ".join(self.fields))


def read(body: bytes) -> Reading:
    """Read a submit's body whole. Never raises: the refusal is part of the reading, as a fault may come before it."""
    reading = Reading()
    try:
        document = parse_json(body)
        source = _object(document, "input") if "input" in document else {}
        if isinstance(prompt := source.get("prompt"), str):
            reading.prompt = prompt
            reading.faults = directives_in(prompt)
        reading.draft = _draft(document, source)
    except InvalidRequestError as refusal:
        reading.refusal = refusal
    return reading


def parse_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; empty, unreadable and every other JSON value is refused."""
    try:
        document = _decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequestError("the body must be a JSON object")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _decode(text: str) -> object:
    """As `JSONDecoder.decode`, without its two searches for whitespace where none stands around an object."""
    if text.startswith("{") and text.endswith("}"):
        document, end = _DECODER.raw_decode(text)
        if end == len(text):
            return document
    return _DECODER.decode(text)


def _object(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = parent[name]
    if not isinstance(value, dict):
        raise InvalidRequestError(f"{name} must be an object")
    return value


def _draft(document: Mapping[str, Any], source: Mapping[str, Any]) -> Draft:
    wrong = _Complaints()
    if document.get("model") != MODEL:
        wrong.add(f"model must be {MODEL}")
    if "input" not in document:
        wrong.add("input is required")
    prompt = source.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        wrong.add("input.prompt is required: a string that is not empty")
        prompt = ""
    references = _references(source.get("reference_urls"), wrong)
    audio_url = _audio_url(source, wrong)
    given = document.get("parameters", {})
    parameters = _parameters(given, wrong)
    wrong.raise_if_any()
    return Draft(prompt, references, audio_url, parameters, _ignored(document, source, given))


def _ignored(document: Mapping[str, Any], source: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, ...]:
    top, inner, parameters = _TOP_FIELDS, _INPUT_FIELDS, _PARAMETER_FIELDS
    if top.issuperset(document) and inner.issuperset(source) and parameters.issuperset(given):
        return ()
    return (
        *(name for name in document if name not in top),
        *(f"input.{name}" for name in source if name not in inner),
        *(f"parameters.{name}" for name in given if name not in parameters),
    )


# --- references ---------------------------------------------------------------------------------------------------


def _references(value: object, wrong: _Complaints) -> tuple[Reference, ...]:
    """The most specific rule is the answer, so that each of the four codes can be reached by real input."""
    if not isinstance(value, list):
        wrong.add_code(NOT_AN_ARRAY_OF_1_TO_5, "input.reference_urls is not an array")
        return ()
    kinds = [_kind(member) for member in value]
    videos, images = kinds.count("video"), kinds.count("image")
    if videos > MAX_VIDEOS:
        wrong.add_code(TOO_MANY_VIDEOS, f"input.reference_urls has {videos}")
    elif images > MAX_IMAGES:
        wrong.add_code(TOO_MANY_IMAGES, f"input.reference_urls has {images}")
    elif not 1 <= len(value) <= MAX_REFERENCES:
        wrong.add_code(NOT_AN_ARRAY_OF_1_TO_5, f"input.reference_urls has {len(value)}")
    else:
        return _all_of(value, kinds, wrong)
    return ()


def _all_of(members: list[Any], kinds: list[str], wrong: _Complaints) -> tuple[Reference, ...]:
    found: list[Reference] = []
    try:
        for member, kind in zip(members, kinds, strict=True):
            is_url = kind and member[0] in "hH"  # of what has a kind, only a URL starts with an h
            found.append(Reference(member) if is_url else _from_data_uri(member, kind))
    except ValueError as error:
        wrong.add_code(BAD_REFERENCE, f"input.reference_urls[{len(found)}]: {error}")
        return ()
    return tuple(found)


def _from_data_uri(member: str, kind: str) -> Reference:
    """Raises ValueError that says why `member` is no reference at all, or a broken one."""
    if not kind:
        raise ValueError("no http(s) URL with a host and no data URI, or neither an image nor a video")
    content = member.index(",") + 1
    return Reference(f"{member[:content]}…", _decoded(member[content:]))


def _kind(member: object) -> str:
    """image or video by name or MIME type, or nothing for what is no valid reference."""
    if not isinstance(member, str):
        return ""
    ending = url_ending(member)
    if ending is not None:
        return _KIND_OF_ENDING.get(ending, "")
    match = _DATA_URI.match(member)
    return _KIND_OF_TYPE.get(match[1].lower(), "") if match else ""


def url_ending(url: str) -> str | None:
    """What follows the dot of the path's last segment, lower case: "" without a dot, None for no http(s) URL.

    A dot with nothing behind it is an ending of no known type, given back as ".".
    """
    match = _URL.fullmatch(url)
    if match is None:
        return None
    port, path = match.groups()
    if port and int(port) > 65_535:
        return None
    _, dot, ending = path.rpartition(".")
    return (ending.lower() or ".") if dot and "/" not in ending else ""


def _decoded(content: str) -> bytes:
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"broken base64 ({error})") from error
    if not data:
        raise ValueError("the data URI is empty")
    return data


def _audio_url(source: Mapping[str, Any], wrong: _Complaints) -> str | None:
    if "audio_url" not in source:
        return None
    value = source["audio_url"]
    ending = url_ending(value) if isinstance(value, str) else None
    if ending is None:
        wrong.add("input.audio_url must be an http(s) URL")
    elif ending and ending not in _AUDIO_ENDINGS:
        wrong.add("input.audio_url must be a wav or mp3 file")
    else:
        return str(value)
    return None


# --- parameters ---------------------------------------------------------------------------------------------------


_TRUE_OR_FALSE = (bool, (True, False), "true or false")
_PARAMETER_RULES: dict[str, tuple[type, Container[Any], str]] = {
    "size": (str, TIER_OF_SIZE, f"one of {' '.join(TIER_OF_SIZE)}"),
    "duration": (int, range(2, 16), "an integer, 2 - 15 (seconds)"),
    "prompt_extend": _TRUE_OR_FALSE,
    "watermark": _TRUE_OR_FALSE,
    "audio": _TRUE_OR_FALSE,
    "shot_type": (str, ("single", "multi"), "single or multi"),
    "seed": (int, range(2**31), "an integer, 0 - 2147483647"),
}
"""The exact type (a bool is no integer, 5.0 neither), the values, and both in words."""

_PARAMETER_FIELDS = frozenset(_PARAMETER_RULES)
_DEFAULTS = asdict(DEFAULT_PARAMETERS)


def _parameters(given: object, wrong: _Complaints) -> Parameters:
    if not isinstance(given, dict):
        wrong.add("parameters must be an object")
        return DEFAULT_PARAMETERS
    known = _DEFAULTS.copy()
    for name, value in given.items():
        rule = _PARAMETER_RULES.get(name)
        if rule is None:
            continue
        exact_type, values, meaning = rule
        if type(value) is not exact_type or value not in values:
            wrong.add(f"parameters.{name} must be {meaning}")
        known[name] = value
    return Parameters(*known.values())
