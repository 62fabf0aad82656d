"""Every rule of the Wan page on a request, checked before money is spent; every violation is named at once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wanflow.callbacks import PUBLIC_ONLY, BadCallback, CallbackRule
from wanflow.errors import InvalidRequest, Violation
from wanflow.parameters import PARAMETERS
from wanflow.references import BadReference, OwnFiles, Reference, counted_kind, parse_audio, parse_reference

MODEL = "wan26_r2v"
MAX_PROMPT_CHARACTERS = 1500
MAX_REFERENCES = 5
MAX_IMAGES = 5
MAX_VIDEOS = 3
MAX_METADATA_BYTES = 2048

# Wan page, Error Codes: the wording is the provider's.
NOT_ONE_TO_FIVE = ("001028001", "reference_urls must be an array with 1-5 items")
TOO_MANY_IMAGES = ("001028002", "reference_urls can contain maximum 5 images")
TOO_MANY_VIDEOS = ("001028003", "reference_urls can contain maximum 3 videos")
BAD_REFERENCE = ("001028004", "Invalid reference URL format")

_CHARACTER = re.compile(r"character(\d+)", re.IGNORECASE)


class RequestWarning(Violation):
    """Something that is allowed and that the caller will likely not want: told as a violation is, but never refused."""


class ValidRequest(NamedTuple):
    """A request that the provider takes, defaults filled in.

    `wan` is {`model`, `input`, `parameters`} as it will be sent, but with `data:` and `s3://` references still in it;
    `references` and `audio` are the same, taken apart.
    """

    wan: dict[str, Any]
    references: tuple[Reference, ...]
    audio: Reference | None
    metadata: dict[str, str]
    warnings: tuple[RequestWarning, ...]
    callback_url: str | None = None

    @property
    def size(self) -> str:
        return str(self.wan["parameters"]["size"])

    @property
    def duration_seconds(self) -> int:
        return int(self.wan["parameters"]["duration"])


Placed = tuple[str, Reference]
"""A reference and the field that it stands in."""


class Checked(NamedTuple):
    """A request's body held against every rule that its text can break.

    `violations` are in the order of the Wan page; without any, `request` is the request. `references` are those that
    can be read, the audio last, so that their contents can be looked at even if other rules are broken.
    """

    violations: tuple[Violation, ...]
    references: tuple[Placed, ...] = ()
    request: ValidRequest | None = None


def validate(body: object, files: OwnFiles, callbacks: CallbackRule = PUBLIC_ONLY) -> ValidRequest:
    """Check a request's body, as parsed from JSON.

    Raises:
        InvalidRequest: with every violation, in the order of the Wan page.
    """
    checked = check_text(body, files, callbacks)
    if checked.request is None:
        raise InvalidRequest(list(checked.violations))
    return checked.request


def check_text(body: object, files: OwnFiles, callbacks: CallbackRule = PUBLIC_ONLY) -> Checked:
    """Check a request's body, as parsed from JSON."""
    check = _Check()
    request = check.object("body", body, known=("model", "input", "parameters", "metadata", "callback_url"))
    if not isinstance(body, dict):
        return Checked(tuple(check.violations))
    _model(check, request)
    wan_input = check.object("input", request.get("input", _ABSENT), known=("prompt", "reference_urls", "audio_url"))
    prompt = _prompt(check, wan_input)
    placed = _references(check, wan_input, files)
    references = tuple(reference for _, reference in placed)
    audio = _audio(check, wan_input, files)
    placed += (("input.audio_url", audio),) if audio is not None else ()
    parameters = _parameters(check, request)
    metadata = _metadata(check, request)
    callback_url = _callback_url(check, request, callbacks)
    if check.violations:
        return Checked(tuple(check.violations), placed)
    _warn_of_characters(check, prompt, len(references))
    _warn_of_shot_type(check, request.get("parameters", {}), parameters)
    sent = {"prompt": prompt, "reference_urls": [reference.url for reference in references]}
    if audio is not None:
        sent["audio_url"] = audio.url
    wan = {"model": MODEL, "input": sent, "parameters": parameters}
    return Checked((), placed, ValidRequest(wan, references, audio, metadata, tuple(check.warnings), callback_url))


class _Absent:
    """The value of a field that is not there; `null` is a value, and a wrong one."""


_ABSENT = _Absent()


@dataclass(slots=True)
class _Check:
    violations: list[Violation] = field(default_factory=list)
    warnings: list[RequestWarning] = field(default_factory=list)

    def fail(self, path: str, message: str, code: str = "invalid_request") -> None:
        self.violations.append(Violation(path, code, message))

    def warn(self, path: str, code: str, message: str) -> None:
        self.warnings.append(RequestWarning(path, code, message))

    def object(self, path: str, value: object, known: Iterable[str]) -> dict[str, Any]:
        """The object at `path`, or an empty one after a violation; names unknown fields."""
        if not isinstance(value, dict):
            self.fail(path, f"must be an object, {_got(value)}")
            return {}
        prefix = "" if path == "body" else f"{path}."
        for name in sorted(value.keys() - set(known)):
            self.fail(f"{prefix}{name[:60]}", f"is unknown here; known are {', '.join(known)}")
        return value


def _got(value: object) -> str:
    return f"got {kind_of(value)}"


def kind_of(value: object) -> str:
    """A JSON value's kind in words, never its content: it may be a secret or megabytes."""
    if isinstance(value, _Absent):
        return "nothing (it is required)"
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    names = {bool: "a boolean", int: "an integer", str: "a string", dict: "an object"}
    return names.get(type(value), "a number")


def _model(check: _Check, request: dict[str, Any]) -> None:
    model = request.get("model", _ABSENT)
    if model != MODEL:
        got = _got(model) if not isinstance(model, str) else "got another string"
        check.fail("model", f'must be "{MODEL}", {got}')


def _prompt(check: _Check, wan_input: dict[str, Any]) -> str:
    prompt = wan_input.get("prompt", _ABSENT)
    if not isinstance(prompt, str):
        check.fail("input.prompt", f"must be a string, {_got(prompt)}")
        return ""
    if not prompt.strip():
        check.fail("input.prompt", "must not be empty")
    if not _is_unicode(prompt):
        check.fail("input.prompt", "must be valid Unicode, got a lone surrogate")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        message = f"has {len(prompt)} characters; those after {MAX_PROMPT_CHARACTERS} were cut off"
        check.warn("input.prompt", "prompt_truncated", message)
    return prompt[:MAX_PROMPT_CHARACTERS]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _references(check: _Check, wan_input: dict[str, Any], files: OwnFiles) -> tuple[Placed, ...]:
    path = "input.reference_urls"
    urls = wan_input.get("reference_urls", _ABSENT)
    if not isinstance(urls, list):
        code, message = NOT_ONE_TO_FIVE
        check.fail(path, f"{message}, {_got(urls)}", code)
        return ()
    if (fault := _count_fault(urls, files)) is not None:
        code, message = fault
        check.fail(path, f"{message}, {_got(urls)}", code)
    return tuple(_members(check, path, urls[: 4 * MAX_REFERENCES], files))


def _count_fault(urls: list[object], files: OwnFiles) -> tuple[str, str] | None:
    """The most specific broken count (wan_api: 003 before 002 before 001); what is neither kind counts as none."""
    kinds = [counted_kind(url, files) for url in urls]
    if kinds.count("video") > MAX_VIDEOS:
        return TOO_MANY_VIDEOS
    if kinds.count("image") > MAX_IMAGES:
        return TOO_MANY_IMAGES
    if not 1 <= len(urls) <= MAX_REFERENCES:
        return NOT_ONE_TO_FIVE
    return None


def _members(check: _Check, path: str, urls: list[object], files: OwnFiles) -> Iterable[Placed]:
    code, message = BAD_REFERENCE
    for index, url in enumerate(urls):
        try:
            yield f"{path}[{index}]", parse_reference(url, files)
        except BadReference as error:
            kind = "" if isinstance(url, str) else f", {_got(url)}"
            check.fail(f"{path}[{index}]", f"{message}: {error}{kind}", code)


def _audio(check: _Check, wan_input: dict[str, Any], files: OwnFiles) -> Reference | None:
    if "audio_url" not in wan_input:
        return None
    try:
        return parse_audio(wan_input["audio_url"], files)
    except BadReference as error:
        url = wan_input["audio_url"]
        check.fail("input.audio_url", str(error) + ("" if isinstance(url, str) else f", {_got(url)}"))
        return None


def _parameters(check: _Check, request: dict[str, Any]) -> dict[str, Any]:
    given = check.object("parameters", request.get("parameters", {}), known=tuple(PARAMETERS))
    filled = {}
    for name, rule in PARAMETERS.items():
        value = given.get(name, rule.default)
        if name in given and not rule.allows(value):
            got = "got another one" if isinstance(value, str) and name in {"size", "shot_type"} else _got(value)
            check.fail(f"parameters.{name}", f"{rule.words}, {got}")
        elif value is not None:
            filled[name] = value
    return filled


def billed_parameters(body: object) -> tuple[str | None, int | None]:
    """The size and the seconds that a request would be billed for, as far as they are valid, whatever else is not."""
    parameters = body.get("parameters", {}) if isinstance(body, dict) else None
    if not isinstance(parameters, dict):
        return None, None
    size, seconds = (
        value if (rule := PARAMETERS[name]).allows(value := parameters.get(name, rule.default)) else None
        for name in ("size", "duration")
    )
    return size, seconds


def _metadata(check: _Check, request: dict[str, Any]) -> dict[str, str]:
    metadata = request.get("metadata", {})
    if not isinstance(metadata, dict):
        check.fail("metadata", f"must be an object of strings, {_got(metadata)}")
        return {}
    for name, value in metadata.items():
        if not isinstance(value, str):
            check.fail(f"metadata.{name[:60]}", f"must be a string, {_got(value)}")
        elif not _is_unicode(name + value):
            check.fail("metadata", "must be valid Unicode, got a lone surrogate")
    size = sum(len(str(part).encode(errors="replace")) for item in metadata.items() for part in item)
    if size > MAX_METADATA_BYTES:
        check.fail("metadata", f"must have at most {MAX_METADATA_BYTES} bytes in all, got {size}")
    return metadata


def _callback_url(check: _Check, request: dict[str, Any], callbacks: CallbackRule) -> str | None:
    if "callback_url" not in request:
        return None
    url = request["callback_url"]
    try:
        return callbacks.check(url)
    except BadCallback as error:
        check.fail("callback_url", str(error) + ("" if isinstance(url, str) else f", {_got(url)}"))
        return None


def _warn_of_characters(check: _Check, prompt: str, references: int) -> None:
    named = {int(number) for number in _CHARACTER.findall(prompt) if len(number) < 4}
    for number in sorted(named - set(range(1, references + 1))):
        message = f"names character{number}, but there are {references} references"
        check.warn("input.prompt", "character_without_reference", message)
    for number in range(1, references + 1):
        if number not in named:
            message = f"is never named: the prompt has no character{number}"
            check.warn(f"input.reference_urls[{number - 1}]", "reference_never_named", message)


def _warn_of_shot_type(check: _Check, given: dict[str, Any], parameters: dict[str, Any]) -> None:
    if "shot_type" in given and not parameters["prompt_extend"]:
        check.warn("parameters.shot_type", "shot_type_ignored", "has no effect without prompt_extend (Wan page)")
