"""Nothing secret survives in a log line, wherever it stood."""

import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import LogLines
from wanflow.observability import logger, redact

DATA_URI = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA+/=="
PRESIGNED = "https://bucket.s3.amazonaws.com/uploads/a.png?X-Amz-Credential=AKIA%2F&X-Amz-Signature=abcdef0123"
BEARER = "Bearer sk-live-0123456789"
SECRETS = ["iVBORw0KGgo", "abcdef0123", "AKIA", "sk-live"]


@pytest.mark.parametrize("text", [DATA_URI, PRESIGNED, BEARER])
@pytest.mark.parametrize("frame", ["{}", "before {} after", '{{"url": "{}"}}', "['{}']", "a={},b", "({})", '\\"{}\\"'])
def test_a_secret_is_cut_out_wherever_it_stands(text: str, frame: str) -> None:
    redacted = redact(frame.format(text))
    assert not any(secret in redacted for secret in SECRETS)
    assert "[redacted]" in redacted


def test_what_is_no_secret_stays() -> None:
    assert redact("GET https://bucket.s3.amazonaws.com/uploads/a.png took 5 s") == (
        "GET https://bucket.s3.amazonaws.com/uploads/a.png took 5 s"
    )
    assert "https://bucket.s3.amazonaws.com/uploads/a.png?[redacted]" in redact(PRESIGNED)


def test_several_secrets_in_one_text_are_all_cut_out() -> None:
    redacted = redact(f"{PRESIGNED} {DATA_URI} {BEARER} {PRESIGNED}")
    assert not any(secret in redacted for secret in SECRETS)


def test_a_long_data_uri_takes_no_time_to_speak_of() -> None:
    assert len(redact("data:image/png;base64," + "A" * 5_000_000)) < 100


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_any_text_can_be_redacted_twice(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def log_message() -> None:
    logger.info("sending %s", DATA_URI)


def log_key() -> None:
    logger.info("sending", extra={"url": PRESIGNED, "header": BEARER, "inner": {"list": [DATA_URI]}})


def log_domain() -> None:
    logging.getLogger("wanflow").warning("sending", extra={"url": PRESIGNED, "headers": {"Authorization": BEARER}})


def fail(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def log_traceback() -> None:
    try:
        fail(ValueError(f"could not fetch {PRESIGNED} with {BEARER} for {DATA_URI}"))
    except ValueError:
        logger.exception("broken")


def log_chained_traceback() -> None:
    try:
        fail(RuntimeError(BEARER), cause=ConnectionError(PRESIGNED))
    except RuntimeError:
        logging.getLogger("wanflow").exception("broken")


@pytest.mark.parametrize("write", [log_message, log_key, log_domain, log_traceback, log_chained_traceback])
def test_no_secret_survives_in_a_log_line(log: LogLines, write: Callable[[], None]) -> None:
    write()
    (line,) = log.lines
    assert line["message"]
    assert "[redacted]" in log.text
    assert not any(secret in log.text for secret in SECRETS)


def test_facts_are_keys_of_the_line(log: LogLines) -> None:
    logging.getLogger("wanflow").info("task polled", extra={"status": "running", "polls": 3})
    (line,) = log.lines
    assert (line["message"], line["status"], line["polls"], line["level"]) == ("task polled", "running", 3, "INFO")
