"""Webhooks, the pure part: the schedule of a day, the signatures, what an answer means."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from wanflow.errors import BadSetting
from wanflow.secret import signing_secret
from wanflow.webhooks import BACKOFF_SECONDS, DAY_SECONDS, Outcome, judge, signed_headers, wait_seconds

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of 32 bytes, good").decode()


def middle() -> float:
    """No jitter."""
    return 0.5


def a_day_of_tries(random: float) -> list[float]:
    """Seconds after the event at which each try is made, the receiver being down and answering at once."""
    tries, age = [0.0], 0.0
    while (wait := wait_seconds(len(tries), age, lambda: random)) is not None:
        age += wait
        tries.append(age)
    return tries


def test_the_tries_of_a_day_get_rarer_and_the_last_falls_on_its_end() -> None:
    tries = a_day_of_tries(0.5)
    assert tries[:8] == [0, 5, 35, 155, 755, 2555, 6155, 13355]
    assert tries[-1] == DAY_SECONDS
    assert len(tries) == 14


@given(st.floats(0, 1))
def test_whatever_the_jitter_a_day_has_about_14_tries(random: float) -> None:
    tries = a_day_of_tries(random)
    assert 13 <= len(tries) <= 17
    assert tries[-1] == DAY_SECONDS
    assert tries == sorted(tries)


@given(st.integers(0, 1000), st.floats(0, DAY_SECONDS, exclude_max=True), st.floats(0, 1), st.integers(0, 10**9))
def test_a_pause_fits_into_a_visibility_timeout_and_into_the_day(
    tries: int, age: float, random: float, retry_after: int
) -> None:
    wait = wait_seconds(tries, age, lambda: random, retry_after)
    assert wait is not None
    assert 1 <= wait <= min(43_200, DAY_SECONDS - age + 1)


def test_the_jitter_spreads_the_pause_by_a_fifth_to_both_sides() -> None:
    assert [wait_seconds(3, 0, iter([value]).__next__) for value in (0.0, 0.5, 1.0)] == [96, 120, 144]


def test_after_a_day_there_is_no_next_try() -> None:
    assert wait_seconds(14, DAY_SECONDS - 10, middle) == 10
    assert wait_seconds(15, DAY_SECONDS, middle) is None


def test_a_receiver_that_asks_for_more_time_gets_it_within_reason() -> None:
    assert wait_seconds(1, 0, middle, retry_after_seconds=90) == 90
    assert wait_seconds(4, 0, middle, retry_after_seconds=90) == 600
    assert wait_seconds(1, 0, middle, retry_after_seconds=10**8) == BACKOFF_SECONDS[-1]


def test_the_signature_is_the_one_that_the_specification_describes() -> None:
    moment = datetime.fromtimestamp(1614265330, tz=UTC)
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", moment, '{"test": 2432232314}', [SECRET])
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_fraction_of_a_second_is_signed_as_it_is_sent() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 999_999, tzinfo=UTC)
    headers = signed_headers("vid_1.failed", moment, "{}", [SECRET])
    content = f"vid_1.failed.{headers['webhook-timestamp']}.{{}}".encode()
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_during_a_rotation_either_secret_verifies_and_no_other() -> None:
    headers = signed_headers("vid_1.completed", datetime.now(UTC), '{"a":"é"}', [SECRET, OTHER_SECRET])
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER_SECRET):
        assert Webhook(secret).verify('{"a":"é"}', headers) == {"a": "é"}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"x" * 32).decode()).verify('{"a":"é"}', headers)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
def test_nothing_that_is_signed_can_be_changed(changed: str) -> None:
    now = datetime.now(UTC)
    headers = signed_headers("vid_1.completed", now, "{}", [SECRET])
    body = "{ }" if changed == "body" else "{}"
    headers |= {
        "webhook-id": {"webhook-id": "vid_2.completed"},
        "webhook-timestamp": {"webhook-timestamp": str(int(now.timestamp()) + 1)},
    }.get(changed, {})
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_2xx_is_a_delivery(status: int) -> None:
    assert judge(status).kind == "delivered"


@pytest.mark.parametrize("status", [100, 300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 413, 500, 501, 503])
def test_everything_else_is_tried_again(status: int) -> None:
    assert judge(status) == Outcome("failed", f"HTTP {status}")


def test_gone_ends_the_tries() -> None:
    assert judge(410) == Outcome("gone", "HTTP 410")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("", 0), ("Fri, 31 Jan 2026 12:00:00 GMT", 0), ("-5", 0), ("9" * 30, 0), ("٣", 0)],
)
def test_retry_after_is_read_when_it_is_a_number_of_seconds(header: str, seconds: int) -> None:
    assert judge(429, header).retry_after_seconds == seconds


@pytest.mark.parametrize("text", ["A" * 64, SECRET, f" {SECRET}\n", SECRET.removeprefix("whsec_")])
def test_a_secret_is_told_in_the_specification_s_form(text: str) -> None:
    assert signing_secret(text) == "whsec_" + text.strip().removeprefix("whsec_")


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_tooshort", "not base64!".ljust(44, "!"), "A" * 63, "é" * 44])
def test_what_is_no_signing_secret_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(BadSetting, match="24 to 512 bytes") as caught:
        signing_secret(text)
    assert text not in str(caught.value) or len(text) < 8
