"""Answers: the domain raises; here, and only here, errors become HTTP statuses."""

import logging
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from wanflow.errors import (
    AwsUnavailable,
    BudgetExceeded,
    Conflict,
    InvalidRequest,
    NotFound,
    RecordChanged,
    TooLarge,
    UnsupportedMediaType,
    WanflowError,
)
from wanflow.jobs import to_json

logger = logging.getLogger("wanflow")

_TOP_CODE: dict[type[WanflowError], tuple[HTTPStatus, str]] = {
    InvalidRequest: (HTTPStatus.BAD_REQUEST, "invalid_request"),
    NotFound: (HTTPStatus.NOT_FOUND, "not_found"),
    Conflict: (HTTPStatus.CONFLICT, "conflict"),
    RecordChanged: (HTTPStatus.CONFLICT, "conflict"),
    BudgetExceeded: (HTTPStatus.PAYMENT_REQUIRED, "budget_exceeded"),
    TooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large"),
    UnsupportedMediaType: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
    AwsUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
}


def json_response(status: HTTPStatus, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response[str]:
    return Response(status, content_type="application/json", body=to_json(body), headers=dict(headers or {}))


def refuse(error: WanflowError) -> Response[str]:
    status, code = next((told for kind, told in _TOP_CODE.items() if isinstance(error, kind)), _INTERNAL)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request failed", extra={"error": type(error).__name__}, exc_info=error)
    message, violations = str(error), []
    if isinstance(error, InvalidRequest):
        code = error.code
        violations = [violation.as_dict() for violation in error.violations]
        message = "the request breaks a rule" if len(violations) == 1 else f"the request breaks {len(violations)} rules"
        message += "; nothing was submitted or paid"
    elif status is HTTPStatus.INTERNAL_SERVER_ERROR:
        message = "something broke on our side"
    headers = {"Retry-After": "5"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return json_response(status, {"error": {"code": code, "message": message, "violations": violations}}, headers)


_INTERNAL = (HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error")


def breakdown(error: Exception) -> Response[str]:
    """A bug: logged whole, told as nothing but that."""
    logger.error("unexpected error", extra={"error": type(error).__name__}, exc_info=error)
    body = {"error": {"code": "internal_error", "message": "something broke on our side", "violations": []}}
    return json_response(HTTPStatus.INTERNAL_SERVER_ERROR, body)


def no_such_path(_error: NotFoundError) -> Response[str]:
    return refuse(NotFound("no such path or method"))
