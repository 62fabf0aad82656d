"""Logging, in one place: structured, with the job's id, and without a secret, a data URI or a presigned URL."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

_SECRETS = (
    (re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=]*"), "data:[redacted]"),
    (re.compile(r"(https?://[^\s\"'?\\]+)\?[^\s\"'\\]*"), r"\1?[redacted]"),
    (re.compile(r"Bearer\s+[^\s\"'\\]+"), "Bearer [redacted]"),
)


def redact(text: str) -> str:
    """Cut data URIs, URL queries (signatures live there) and bearer tokens out of a text."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFormatter(LambdaPowertoolsFormatter):
    """The Powertools JSON line, redacted as a whole: messages, keys and tracebacks alike."""

    def serialize(self, log: Any) -> str:
        return redact(super().serialize(log))


logger = Logger(logger_formatter=RedactingFormatter())

# The layer's modules log to the standard logger `wanflow`; here it gets the handler of the function.
_domain = logging.getLogger("wanflow")
_domain.handlers = list(logger.handlers)
_domain.setLevel(logger.log_level)
_domain.propagate = False


def name_request(request_id: str) -> None:
    """Give every further line of this call the id that the API's answer carries."""
    logger.append_keys(request_id=request_id, correlation_id=request_id)


def correlate(job_id: str) -> None:
    """Give every further line of this call the job's id: one id leads from the API to the end."""
    logger.append_keys(correlation_id=job_id)


@contextmanager
def correlated(job_id: str) -> Iterator[None]:
    """`correlate` for one of several jobs of a call."""
    with logger.append_context_keys(correlation_id=job_id):
        yield
