"""Ids: they sort by time, they are execution names, and a key always leads to the same one."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wanflow.ids import derived_job_id, is_job_id, new_job_id

# Step Functions, StartExecution: 1 to 80 characters; these are allowed in every console and log.
EXECUTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
bits = st.integers(min_value=0, max_value=2**80 - 1)


@given(moments, bits)
def test_a_new_id_is_one_and_an_execution_name(now: datetime, random: int) -> None:
    job_id = new_job_id(now, lambda _: random)
    assert is_job_id(job_id)
    assert EXECUTION_NAME.fullmatch(job_id)


@given(st.text(), st.text())
def test_a_derived_id_is_one_and_an_execution_name(owner: str, key: str) -> None:
    job_id = derived_job_id(owner.encode(errors="replace").decode(), key.encode(errors="replace").decode())
    assert is_job_id(job_id)
    assert EXECUTION_NAME.fullmatch(job_id)


@given(moments, bits, bits)
def test_a_later_millisecond_sorts_later_whatever_the_random_part(now: datetime, first: int, second: int) -> None:
    later = now + timedelta(milliseconds=1)
    assert new_job_id(now, lambda _: first) < new_job_id(later, lambda _: second)


@given(moments, bits, st.text(alphabet=st.characters(codec="ascii")))
def test_a_derived_id_never_meets_a_new_one(now: datetime, random: int, key: str) -> None:
    assert derived_job_id("owner", key) > new_job_id(now, lambda _: random)


def test_the_same_owner_and_key_always_lead_to_the_same_id() -> None:
    assert derived_job_id("alice", "order-1") == derived_job_id("alice", "order-1")


def test_owner_and_key_cannot_be_shifted_into_each_other() -> None:
    pairs = [("a", "b:c"), ("a:b", "c"), ("ab", ":c"), ("", "a:b:c"), ("a", "b:d")]
    assert len({derived_job_id(*pair) for pair in pairs}) == len(pairs)


def test_the_random_part_tells_ids_of_one_millisecond_apart() -> None:
    assert new_job_id(NOON, lambda _: 1) != new_job_id(NOON, lambda _: 2)


def test_what_is_no_id() -> None:
    good = new_job_id(NOON, lambda _: 5)
    others = [
        "",
        "vid_",
        good[:-1],
        good + "0",
        good.upper(),
        good + "\n",
        good.replace("vid_", "job_"),
        "vid_" + "u" * 26,
    ]
    assert not any(map(is_job_id, others))
