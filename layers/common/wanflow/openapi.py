"""The API as an OpenAPI 3.1 document, made of the rules that the code itself checks. `GET /openapi.json` serves it."""

from typing import Any

from wanflow.api import DEFAULT_LIMIT, MAX_KEY_CHARACTERS, MAX_LIMIT, STATUSES
from wanflow.delivery import MAX_INLINE_BYTES
from wanflow.files import LINK_SECONDS
from wanflow.ids import ID_PATTERN
from wanflow.inspection import MEGABYTE
from wanflow.openapi_schemas import EXAMPLES, SCHEMAS, ref
from wanflow.uploads import UPLOAD_SECONDS
from wanflow.webhooks import ANSWER_SECONDS

Json = dict[str, Any]

_DESCRIPTION = f"""\
Wanflow turns the Wan 2.6 Reference-to-Video API into a durable service: a request becomes a job that is paid for at \
most once, never lost, and ends with the video in the stack's bucket.

Make a job with `POST /videos`, ask for it with `GET /videos/{{id}}` as often as `Retry-After` advises, and read the \
video from `output[].content[].url`, a link for {LINK_SECONDS // 60} minutes that each answer makes anew.

Every answer has the header `X-Request-Id`, which leads the stack's operator to the call in its log. Every error has \
the same shape, see `Error`. Strings are text, integers are integers: `"5"` and `5.0` are no `5`, and \
`null` is a wrong value, not an absent one.

A web page may call it from a browser when the stack's parameter `CorsOrigins` names the page's origin. Whoever sees \
the page then sees its API key: fit for a tool of your own people, not for a public page."""


def document() -> Json:
    """The whole document, as plain JSON values."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Wanflow", "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": ".", "description": "the stack that serves this document"}],
        "security": [{"ApiKey": []}],
        "paths": {
            "/videos": {"post": _create_video(), "get": _list_videos()},
            "/videos/{id}": {"parameters": [_ID], "get": _get_video(), "delete": _delete_video()},
            "/uploads": {"post": _create_upload()},
            "/estimates": {"post": _estimate()},
            "/openapi.json": {"get": _describe()},
        },
        "webhooks": {"videoFinished": {"post": _video_finished()}},
        "components": {
            "securitySchemes": {
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "An API key of the stack",
                }
            },
            "schemas": SCHEMAS,
            "responses": {name: _error_response(*told) for name, told in _ERRORS.items()},
        },
    }


# --- Calls -----------------------------------------------------------------------------------------------------------


def _create_video() -> Json:
    return {
        "operationId": "createVideo",
        "summary": "Make a video",
        "description": (
            "Accepts a job, or names every broken rule before anything is paid. With an `Idempotency-Key` a repetition "
            "is always safe: the same key gives the same job for as long as its record is kept."
        ),
        "parameters": [_IDEMPOTENCY_KEY],
        "requestBody": _json_body("VideoRequest"),
        "responses": {
            "202": _answer("The job was accepted", "Job", "queued", **_RETRY_AFTER, **_LOCATION),
            "200": _answer(
                "The job that this `Idempotency-Key` made before", "Job", "completed", **_RETRY_AFTER, **_LOCATION
            ),
            **_errors("InvalidRequest", "BudgetExceeded", "Conflict", "TooLarge", "UnsupportedMediaType"),
        },
    }


def _list_videos() -> Json:
    status = {"type": "string", "enum": list(STATUSES)}
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return {
        "operationId": "listVideos",
        "summary": "List jobs",
        "description": "The key's own jobs, newest first. A page may be short of `limit` and still have a next one.",
        "parameters": [
            _query("status", status, "Only jobs of this status"),
            _query("limit", limit, "How many at most"),
            _query("cursor", {"type": "string", "format": "cursor"}, "The `next_cursor` of the page before"),
        ],
        "responses": {"200": _answer("One page", "JobList", "page"), **_errors("InvalidRequest")},
    }


def _get_video() -> Json:
    return {
        "operationId": "getVideo",
        "summary": "Ask for a job",
        "responses": {"200": _answer("The job", "Job", "completed", **_RETRY_AFTER), **_errors("NotFound")},
    }


def _delete_video() -> Json:
    purge = {"type": "string", "enum": ["true", "false"], "default": "false"}
    return {
        "operationId": "deleteVideo",
        "summary": "Cancel a job, or delete what is kept of it",
        "description": (
            "Cancels a job that has not ended: free before its submit; after it the provider may still finish and bill "
            "the task. With `purge=true` deletes an ended job for good: its videos, its references, its document, its "
            "record."
        ),
        "parameters": [_query("purge", purge, "Delete an ended job")],
        "responses": {
            "202": _answer("The cancel was noted", "Job", "queued", **_RETRY_AFTER),
            "204": {"description": "The job's data is deleted"},
            **_errors("InvalidRequest", "NotFound", "Conflict"),
        },
    }


def _create_upload() -> Json:
    return {
        "operationId": "createUpload",
        "summary": "Get a place for a file",
        "description": (
            f"Gives a presigned POST, good for {UPLOAD_SECONDS // 60} minutes, and the `s3://` name to put into "
            "`reference_urls` or `audio_url`. Send `fields` and then the file, as `file`, to `url` as "
            "`multipart/form-data`."
        ),
        "requestBody": _json_body("UploadRequest"),
        "responses": {
            "201": _answer("Where to POST the file to", "Upload", "upload"),
            **_errors("InvalidRequest", "UnsupportedMediaType"),
        },
    }


def _estimate() -> Json:
    body = {"description": "The body of `POST /videos`, or what may become one", "examples": [EXAMPLES["VideoRequest"]]}
    return {
        "operationId": "estimateVideo",
        "summary": "What a request would cost",
        "description": "Also says what is wrong with a request, with the same words as `POST /videos`. Pays nothing.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _answer("The estimate", "Estimate", "estimate"),
            **_errors("InvalidRequest", "UnsupportedMediaType"),
        },
    }


def _describe() -> Json:
    content = {"application/json": {"schema": {"type": "object"}}}
    unasked = _errors()
    return {
        "operationId": "describe",
        "summary": "This document",
        "description": "Needs no key.",
        "security": [],
        "responses": {"200": {"description": "This document", "content": content}, **unasked},
    }


def _video_finished() -> Json:
    """What the receiver behind a `callback_url` gets: the one call that goes the other way."""
    return {
        "operationId": "videoFinished",
        "summary": "A job has ended",
        "description": (
            "One POST to the job's `callback_url` for each final state, signed by the Standard Webhooks specification "
            f"1.0.0, so that its libraries verify it. Answer within {ANSWER_SECONDS} s; the body of an answer is not "
            "read, redirects are not followed. The same event can come twice, then with the same `webhook-id`."
        ),
        "security": [],
        "parameters": [
            _header("webhook-id", {"type": "string"}, "The event's id, the same on every try: do each id once"),
            _header("webhook-timestamp", {"type": "integer"}, "Seconds since 1970 of this try"),
            _header(
                "webhook-signature",
                {"type": "string", "pattern": f"^{_SIGNATURE}( {_SIGNATURE})*$"},
                "HMAC-SHA256 of `id.timestamp.body`; during a rotation of the secret one for each",
            ),
        ],
        "requestBody": _json_body("WebhookEvent"),
        "responses": {
            "2XX": {"description": "You have it"},
            "410": {"description": "You want no more: it is not sent again"},
            "default": {"description": "Sent again, less and less often, for a day"},
        },
    }


# --- Pieces ----------------------------------------------------------------------------------------------------------

_ID: Json = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The job's id",
    "schema": {"type": "string", "pattern": f"^{ID_PATTERN}$"},
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Any text of yours, such as a UUID, that stands for this one job",
    "schema": {"type": "string", "maxLength": MAX_KEY_CHARACTERS, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
_SIGNATURE = "v1,[A-Za-z0-9+/]+=*"
_RETRY_AFTER: Json = {
    "Retry_After": {
        "description": "Seconds after which there may be news; only while the job runs",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_LOCATION: Json = {"Location": {"description": "The path of the job", "schema": {"type": "string"}}}

_ERRORS: dict[str, tuple[int, str, str, str]] = {
    "InvalidRequest": (
        400,
        "001028001",
        "The request breaks rules; nothing was paid. `code` is the first Wan code among them, else `invalid_request`",
        "the request breaks a rule; nothing was submitted or paid",
    ),
    "BudgetExceeded": (402, "budget_exceeded", "A spending limit would be passed", "the daily budget is used up"),
    "Forbidden": (403, "forbidden", "No valid API key", "send a valid API key in the x-api-key header"),
    "NotFound": (404, "not_found", "No such job of this key", "no such video"),
    "Conflict": (
        409,
        "conflict",
        "The `Idempotency-Key` came with another body; or the job has ended (cancel) or not ended (purge)",
        "this Idempotency-Key came before with another body",
    ),
    "TooLarge": (
        413,
        "too_large",
        f"The `data:` references have over {MAX_INLINE_BYTES // MEGABYTE} MB in all: use `POST /uploads` or URLs",
        "the data: references are too large",
    ),
    "UnsupportedMediaType": (
        415,
        "unsupported_media_type",
        "The body is not `application/json`",
        "send the request as application/json",
    ),
    "TooManyRequests": (
        429,
        "too_many_requests",
        "The key's throttle (with `Retry-After`) or its daily quota (`quota_exceeded`, without)",
        "too many requests a second for this API key",
    ),
    "InternalError": (500, "internal_error", "A bug of ours; repeat with the same key", "something broke on our side"),
    "Unavailable": (
        503,
        "unavailable",
        "AWS failed in a way that passes; repeat after `Retry-After`",
        "could not read the job's record",
    ),
    "Timeout": (504, "internal_error", "No answer in time; repeat with the same key", "Endpoint request timed out"),
}
_ALWAYS = ("Forbidden", "TooManyRequests", "InternalError", "Unavailable", "Timeout")


def _errors(*names: str) -> Json:
    """The `responses` of these errors and of those that every call may give, by status."""
    found = sorted((_ERRORS[name][0], name) for name in {*names, *_ALWAYS})
    return {str(status): {"$ref": f"#/components/responses/{name}"} for status, name in found}


def _error_response(status: int, code: str, description: str, message: str) -> Json:
    violations = [{"field": "input.reference_urls", "code": code, "message": message}] if status == 400 else []
    example = {"error": {"code": code, "message": message, "violations": violations}}
    retry = {"Retry-After": _RETRY_AFTER["Retry_After"]["schema"]}
    headers = {name: {"description": "Seconds to wait", "schema": schema} for name, schema in retry.items()}
    return {
        "description": description,
        **({"headers": headers} if status in {429, 503} else {}),
        "content": {"application/json": {"schema": ref("Error"), "example": example}},
    }


def _answer(description: str, schema: str, example: str, **headers: Json) -> Json:
    return {
        "description": description,
        **({"headers": {name.replace("_", "-"): header for name, header in headers.items()}} if headers else {}),
        "content": {"application/json": {"schema": ref(schema), "example": EXAMPLES[example]}},
    }


def _json_body(schema: str) -> Json:
    content = {"application/json": {"schema": ref(schema), "example": EXAMPLES[schema]}}
    return {"required": True, "content": content}


def _header(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "header", "required": True, "description": description, "schema": schema}


def _query(name: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}
