"""Logging, in one place: structured, with the job's id, and without a secret, a data URI or a presigned URL."""

import logging
import re
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
