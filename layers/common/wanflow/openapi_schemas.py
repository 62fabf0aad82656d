"""The schemas and examples of the OpenAPI document. Numbers and words come from the rules, never from here."""

from typing import Any, get_args

from wanflow.api import STATUSES
from wanflow.callbacks import MAX_CALLBACK_CHARACTERS
from wanflow.delivery import MAX_INLINE_BYTES
from wanflow.ids import ID_PATTERN
from wanflow.inspection import MAX_BYTES, MEGABYTE, PIXELS, SECONDS
from wanflow.jobs import AttemptState
from wanflow.parameters import PARAMETERS
from wanflow.pricing import TIER_OF_SIZE, Tier
from wanflow.references import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS
from wanflow.uploads import TYPES
from wanflow.validation import MAX_IMAGES, MAX_METADATA_BYTES, MAX_PROMPT_CHARACTERS, MAX_REFERENCES, MAX_VIDEOS, MODEL
from wanflow.webhook_queue import EVENT_TYPES

Json = dict[str, Any]


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Json, required: tuple[str, ...], description: str, *, closed: bool = False) -> Json:
    """An object; `closed` ones refuse fields that they do not know."""
    schema = {"type": "object", "description": description, "required": list(required), "properties": properties}
    return {**schema, "additionalProperties": False} if closed else schema


def _text(description: str, **rules: Any) -> Json:
    return {"type": "string", "description": description, **rules}


def _list(items: Json, description: str) -> Json:
    return {"type": "array", "items": items, "description": description}


def _endings(endings: frozenset[str]) -> str:
    return ", ".join(sorted(endings))


_TIME = {"type": "string", "format": "date-time"}
_USD = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
_LOW, _HIGH = SECONDS
_REFERENCE = (
    f"A picture ({_endings(IMAGE_ENDINGS)}; {PIXELS[0]} to {PIXELS[1]} pixels a side, at most "
    f"{MAX_BYTES['image'] // MEGABYTE} MB, a PNG without transparency) or a video ({_endings(VIDEO_ENDINGS)}; "
    f"{_LOW:g} to {_HIGH:g} s, at most {MAX_BYTES['video'] // MEGABYTE} MB): a http(s) URL, the `s3://` name of an "
    f"upload, or `data:{{type}};base64,…` (a request's `data:` references together at most "
    f"{MAX_INLINE_BYTES // MEGABYTE} MB). `data:` and `s3://` references are looked into before anything is paid, "
    "http(s) ones are passed on."
)
_AUDIO = (
    f"The sound ({_endings(AUDIO_ENDINGS)}; {_LOW:g} to {_HIGH:g} s, at most {MAX_BYTES['audio'] // MEGABYTE} MB): a "
    "http(s) URL or the `s3://` name of an upload. Longer than the video is cut, shorter leaves silence."
)
_PARAMETER_WORDS = {
    "size": "Width*height: "
    + "; ".join(
        f"{tier}: {', '.join(size for size, its in TIER_OF_SIZE.items() if its == tier)}" for tier in get_args(Tier)
    ),
    "duration": "Seconds of video",
    "prompt_extend": "Let the provider write the prompt out",
    "watermark": 'Put "AI Generated" into the lower right',
    "audio": "Make the video with sound",
    "shot_type": "One shot or several; only with `prompt_extend`",
    "seed": "The same seed gives similar videos",
}


def _parameters() -> Json:
    properties = {
        name: {
            **rule.schema(),
            "description": _PARAMETER_WORDS[name],
            **({} if rule.default is None else {"default": rule.default}),
        }
        for name, rule in PARAMETERS.items()
    }
    return _object(properties, (), "How the video is made", closed=True)


def _input() -> Json:
    prompt = (
        f"What happens. `character1` to `character{MAX_REFERENCES}` name the references in their order. Characters "
        f"after the first {MAX_PROMPT_CHARACTERS} are cut off, with a warning. Must not be blank."
    )
    references = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_REFERENCES,
        "description": f"At most {MAX_IMAGES} pictures and {MAX_VIDEOS} videos",
        "items": _text(_REFERENCE, format="uri"),
    }
    properties = {
        "prompt": _text(prompt, pattern=r"\S"),
        "reference_urls": references,
        "audio_url": _text(_AUDIO, format="uri"),
    }
    return _object(properties, ("prompt", "reference_urls"), "What the video shows", closed=True)


def _video_request() -> Json:
    metadata = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": f"Yours, kept with the job; names and values have {MAX_METADATA_BYTES} bytes in all at most",
    }
    callback = (
        "A https URL on a public host, without user name and password, that gets a signed POST when the job has ended"
    )
    properties = {
        "model": {"const": MODEL},
        "input": _input(),
        "parameters": _parameters(),
        "metadata": metadata,
        "callback_url": _text(callback, format="uri", maxLength=MAX_CALLBACK_CHARACTERS),
    }
    return _object(properties, ("model", "input"), "A video to be made: the Wan request and a little more", closed=True)


def _job() -> Json:
    error = _object({"code": _text("Digits: a Wan code"), "message": _text("")}, ("code", "message"), "What went wrong")
    attempt = _object(
        {
            "state": _text("`unknown`: a task may exist and be billed", enum=list(get_args(AttemptState))),
            "started_at": _TIME,
            "task_id": _text("Its id at the provider, once it is known"),
            "error": error,
        },
        ("state", "started_at"),
        "",
    )
    content = _object(
        {"type": {"const": "video"}, "url": _text("", format="uri"), "key": _text("Its name in the stack's bucket")},
        ("type", "url"),
        "One video",
    )
    output = _object({"content": _list(content, ""), "jobId": _text("The task")}, ("content",), "What one task made")
    usage = {"cost": _text("US dollars that the provider billed"), "discount": {"type": "number"}}
    properties = {
        "id": _text("The job's id", pattern=f"^{ID_PATTERN}$"),
        "status": _text("The last three are final", enum=list(STATUSES)),
        "progress": {"type": "integer", "minimum": 0, "maximum": 100, "description": "Per cent, a guess until the end"},
        "created_at": _TIME,
        "updated_at": _TIME,
        "submitted_at": _TIME,
        "ended_at": _TIME,
        "request": {"type": "object", "description": "As the provider gets it: defaults filled in"},
        "estimate": _object({"cost_usd": _USD}, ("cost_usd",), "What it is expected to cost, in US dollars"),
        "warnings": _list(ref("Violation"), "What is allowed and likely not wanted"),
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Yours"},
        "attempts": _list(attempt, "The tasks that were asked for"),
        "polls": {
            "type": "integer",
            "minimum": 0,
            "description": "How often the provider was asked, told when the job ends",
        },
        "output": _list(output, "Only when completed, and while the videos are kept (`ResultRetentionDays`)"),
        "output_expired_at": {**_TIME, "description": "Since when the videos of a completed job are kept no more"},
        "usage": {"type": ["object", "null"], "properties": usage, "description": "Only when completed"},
        "provider_metadata": {"description": "The provider's, only when completed"},
        "rescued": {"const": True, "description": "The video came after the deadline"},
        "waiting": _object(
            {
                "code": {"type": "string", "enum": ["submits_paused", "provider_unavailable"]},
                "message": _text("For people"),
            },
            ("code", "message"),
            "Why nothing is submitted now, while that is so",
        ),
        "cancel_requested": {"const": True, "description": "A cancel is under way"},
        "error": error,
    }
    required = ("id", "status", "progress", "created_at", "updated_at", "request", "estimate", "warnings", "metadata")
    return _object(properties, (*required, "attempts", "polls"), "A job document: the Wan answer and a little more")


def _webhook_event() -> Json:
    properties = {
        "type": _text("How the job ended", enum=list(EVENT_TYPES)),
        "timestamp": {**_TIME, "description": "When it ended"},
        "data": {**ref("Job"), "description": "The job as it was then, its links made for this try"},
    }
    return _object(properties, tuple(properties), "What a webhook tells")


def _upload_request() -> Json:
    kinds = []
    for kind, most in MAX_BYTES.items():
        types = [name for name, (its, _) in TYPES.items() if its == kind]
        size = {"type": "integer", "minimum": 1, "maximum": most, "description": "The file's length"}
        properties = {"content_type": {"type": "string", "enum": types}, "bytes": size}
        kinds.append(_object(properties, ("content_type", "bytes"), f"For {kind}", closed=True))
    return {"description": "A file to be uploaded", "oneOf": kinds}


def _upload() -> Json:
    properties = {
        "url": _text("Where to POST the file to", format="uri"),
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "To send before the file",
        },
        "reference": _text("The file's name in a request", pattern="^s3://"),
        "expires_at": _TIME,
    }
    return _object(properties, ("url", "fields", "reference", "expires_at"), "A place for one file")


def _estimate() -> Json:
    properties = {
        "cost_usd": {
            **_USD,
            "type": ["string", "null"],
            "description": "US dollars; null where size or seconds are wrong",
        },
        "tier": {"enum": [*get_args(Tier), None], "description": "What the size is billed as"},
        "seconds": {"type": ["integer", "null"]},
        "warnings": _list(ref("Violation"), "What is allowed and likely not wanted"),
        "violations": _list(ref("Violation"), "Broken rules: `POST /videos` would refuse the request"),
    }
    return _object(properties, tuple(properties), "What a request would cost, and what is wrong with it")


def _job_list() -> Json:
    cursor = {"type": ["string", "null"], "description": "For the next page; null on the last"}
    properties = {"videos": _list(ref("Job"), "Newest first"), "next_cursor": cursor}
    return _object(properties, ("videos", "next_cursor"), "One page of jobs")


def _violation() -> Json:
    properties = {
        "field": _text("A path, such as `input.reference_urls[2]`"),
        "code": _text("A Wan code (digits) or a word"),
        "message": _text("The rule, and what came instead"),
    }
    return _object(properties, tuple(properties), "A broken rule, or a warning")


def _error() -> Json:
    properties = {
        "code": _text("A Wan code (digits) or a word"),
        "message": _text("For people"),
        "violations": _list(ref("Violation"), "Every broken rule of the request"),
    }
    error = _object(properties, tuple(properties), "What went wrong")
    return _object({"error": error}, ("error",), "The shape of every error")


SCHEMAS: Json = {
    "VideoRequest": _video_request(),
    "Job": _job(),
    "JobList": _job_list(),
    "WebhookEvent": _webhook_event(),
    "UploadRequest": _upload_request(),
    "Upload": _upload(),
    "Estimate": _estimate(),
    "Violation": _violation(),
    "Error": _error(),
}

_REQUEST: Json = {
    "model": MODEL,
    "input": {
        "prompt": "character1 and character2 meet in a park",
        "reference_urls": ["https://example.com/fox.png", "https://example.com/robot.mp4"],
    },
    "parameters": {"size": "1280*720", "duration": 5},
}
_QUEUED: Json = {
    "id": "vid_06f9c6t2rw0000000000000000",
    "status": "queued",
    "progress": 0,
    "created_at": "2026-01-31T12:00:00.000Z",
    "updated_at": "2026-01-31T12:00:00.000Z",
    "request": {
        **_REQUEST,
        "parameters": {
            **{name: rule.default for name, rule in PARAMETERS.items() if rule.default is not None},
            **_REQUEST["parameters"],
        },
    },
    "estimate": {"cost_usd": "0.50"},
    "warnings": [],
    "metadata": {"order": "4711"},
    "attempts": [],
    "polls": 0,
}
_COMPLETED: Json = {
    **_QUEUED,
    "status": "completed",
    "progress": 100,
    "updated_at": "2026-01-31T12:02:31.000Z",
    "submitted_at": "2026-01-31T12:00:01.000Z",
    "ended_at": "2026-01-31T12:02:31.000Z",
    "attempts": [{"state": "submitted", "started_at": "2026-01-31T12:00:00.500Z", "task_id": "task-1"}],
    "polls": 9,
    "output": [
        {
            "content": [
                {
                    "type": "video",
                    "url": "https://bucket.s3.amazonaws.com/videos/vid_06f9c6t2rw….mp4?X-Amz-…",
                    "key": "videos/vid_06f9c6t2rw….mp4",
                }
            ],
            "jobId": "task-1",
        }
    ],
    "usage": {"cost": "0.50", "discount": 0},
    "provider_metadata": {},
}
EXAMPLES: dict[str, Json] = {
    "VideoRequest": {**_REQUEST, "metadata": {"order": "4711"}},
    "UploadRequest": {"content_type": "image/png", "bytes": 1000000},
    "queued": _QUEUED,
    "completed": _COMPLETED,
    "WebhookEvent": {"type": "video.completed", "timestamp": _COMPLETED["ended_at"], "data": _COMPLETED},
    "page": {"videos": [_COMPLETED], "next_cursor": None},
    "upload": {
        "url": "https://bucket.s3.amazonaws.com/",
        "fields": {"Content-Type": "image/png", "key": "uploads/alice/06f9c6t2rw.png", "policy": "…"},
        "reference": "s3://bucket/uploads/alice/06f9c6t2rw.png",
        "expires_at": "2026-01-31T13:00:00.000Z",
    },
    "estimate": {"cost_usd": "0.50", "tier": "720P", "seconds": 5, "warnings": [], "violations": []},
}
