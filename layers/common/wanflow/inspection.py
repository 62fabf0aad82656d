"""The Wan page's rules on the content of references, checked before money is spent.

Looked at is what is ours to look at: `data:` URLs and the owner's own `s3://` objects, of which only headers are read.
Foreign http(s) references go to the provider unfetched.
"""

from collections.abc import Sequence
from typing import NamedTuple

from wanflow.errors import InvalidRequest, NotFound, Violation
from wanflow.files import Files
from wanflow.media import MediaFacts, UnreadableMedia, read_facts, with_article
from wanflow.ranged import BLOCK_BYTES, RangedFile
from wanflow.references import Kind, Reference
from wanflow.validation import BAD_REFERENCE, MAX_REFERENCES, Placed, RequestWarning, ValidRequest

PIXELS = (360, 2000)
SECONDS = (3.0, 30.0)
MEGABYTE = 1024 * 1024
MAX_BYTES: dict[Kind, int] = {"image": 10 * MEGABYTE, "video": 100 * MEGABYTE, "audio": 15 * MEGABYTE}

MP3_PADDING_SECONDS = 0.1
"""An MP3 is whole frames with the encoder's delay before them: 30 s of sound make a file of up to 30.1 s."""

AUDIO_TOLERANCE_SECONDS = 0.1
"""Audio that differs from the video by less is not worth a warning."""

_FORMATS: dict[Kind, str] = {
    "image": "a JPEG, PNG, BMP or WEBP picture",
    "video": "an MP4 or MOV video",
    "audio": "a WAV or MP3 file",
}


class _Looked(NamedTuple):
    """What one reference was found to be, and the rules that it breaks."""

    violations: tuple[Violation, ...] = ()
    facts: MediaFacts | None = None


def inspect_references(request: ValidRequest, files: Files) -> tuple[RequestWarning, ...]:
    """Look into every `data:` and `s3://` reference and the `s3://` audio of a request.

    Returns:
        warnings about the audio's length against the video's.

    Raises:
        InvalidRequest: with every violation. `input.reference_urls[n]`: a content that is missing, unreadable or of
            another kind than declared has code 001028004, the rules that the Wan page gives no code `invalid_request`.
            `input.audio_url`: always `invalid_request`.
        AwsUnavailable: S3 failed in a way that passes.
    """
    looked = [
        _look(f"input.reference_urls[{index}]", reference, files) for index, reference in enumerate(request.references)
    ]
    audio = _look("input.audio_url", request.audio, files) if request.audio else _Looked()
    violations = [violation for one in (*looked, audio) for violation in one.violations]
    if violations:
        raise InvalidRequest(violations)
    return _audio_warnings(audio.facts, request.duration_seconds)


def content_violations(references: Sequence[Placed], files: Files) -> list[Violation]:
    """The same violations of a request that is refused anyway, so that its sender hears all of them at once.

    No more is looked into than a valid request could hold.
    """
    looked = (_look(field, reference, files) for field, reference in references[: MAX_REFERENCES + 1])
    return [violation for one in looked for violation in one.violations]


def names_objects(request: ValidRequest) -> bool:
    """Whether the outcome of an inspection depends on what lies in the bucket."""
    return any(_is_object(reference) for reference in (*request.references, request.audio) if reference)


def _is_object(reference: Reference) -> bool:
    return reference.url.startswith("s3://")


def _look(field: str, reference: Reference, files: Files) -> _Looked:
    if reference.content is None and not _is_object(reference):
        return _Looked()
    try:
        facts = read_facts(_open(reference, files))
        _check_kind(reference, facts)
    except UnreadableMedia as error:
        return _Looked((_unusable(field, reference, str(error)),))
    except NotFound:
        return _Looked((_unusable(field, reference, "no object: there is none of that name"),))
    broken = tuple(Violation(field, "invalid_request", message) for message in _broken_rules(facts))
    return _Looked(broken, facts)


def _open(reference: Reference, files: Files) -> RangedFile:
    if reference.content is not None:
        return RangedFile.of_bytes(reference.content)
    key = reference.url.removeprefix(f"s3://{files.bucket}/")
    # The first block tells the whole size, so no HEAD is needed.
    head, size = files.get_range(key, 0, BLOCK_BYTES)
    return RangedFile(lambda start, length: files.get_range(key, start, length)[0], size, head)


def _check_kind(reference: Reference, facts: MediaFacts) -> None:
    if facts.kind != reference.kind:
        raise UnreadableMedia(with_article(facts.format))


def _unusable(field: str, reference: Reference, found: str) -> Violation:
    """`found` names what is there instead: "a GIF"."""
    if reference.kind == "audio":
        return Violation(field, "invalid_request", f"must be {_FORMATS['audio']} by its content, got {found}")
    declared = "as its name or type says" if reference.ending else "as every name without an ending"
    code, words = BAD_REFERENCE
    rule = f"must be {_FORMATS[reference.kind]} by its content, {declared}"
    return Violation(field, code, f"{words}: {rule}, got {found}")


def _broken_rules(facts: MediaFacts) -> list[str]:
    broken = []
    most = MAX_BYTES[facts.kind]
    if facts.size_bytes > most:
        broken.append(f"must have at most {most // MEGABYTE} MB ({most} bytes), got {facts.size_bytes} bytes")
    if facts.kind == "image":
        return broken + _broken_picture_rules(facts)
    return broken + _broken_length(facts)


def _broken_picture_rules(facts: MediaFacts) -> list[str]:
    broken = []
    low, high = PIXELS
    if not (low <= facts.width <= high and low <= facts.height <= high):
        broken.append(f"width and height must be {low} to {high} pixels, got {facts.width}x{facts.height}")
    if facts.is_transparent:
        broken.append("a PNG must have no transparency, got one with an alpha channel or a transparent colour")
    return broken


def _broken_length(facts: MediaFacts) -> list[str]:
    low, high = SECONDS
    rule = f"must be {low:g} to {high:g} seconds long"
    if facts.seconds is None:
        return [f"{rule}, got {with_article(facts.format)} that leaves it open (fragmented or live)"]
    padding = MP3_PADDING_SECONDS if facts.format == "MP3" else 0
    if low <= facts.seconds <= high + padding:
        return []
    return [f"{rule}, got {facts.seconds:.3f}"]


def _audio_warnings(audio: MediaFacts | None, video_seconds: int) -> tuple[RequestWarning, ...]:
    """What the Wan page says under "Handling Excess"."""
    if audio is None or audio.seconds is None or abs(audio.seconds - video_seconds) <= AUDIO_TOLERANCE_SECONDS:
        return ()
    lengths = f"has {audio.seconds:.1f} s, the video {video_seconds} s"
    if audio.seconds > video_seconds:
        return (RequestWarning("input.audio_url", "audio_cut", f"{lengths}; the rest of the audio is discarded"),)
    return (RequestWarning("input.audio_url", "audio_too_short", f"{lengths}; the rest of the video is silent"),)
