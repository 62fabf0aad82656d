"""The gate's judgement: who may submit, who may be called, how long the breaker stays shut."""

import pytest

from tests.fakes import NOON
from wanflow.clock import after, to_text
from wanflow.gate import FIRST_BLOCK_SECONDS, LONGEST_BLOCK_SECONDS, GateState

OPEN = GateState(threshold=3)
TRIPPED = OPEN._replace(failures=3, blocked_until=after(NOON, 60))


def test_an_open_gate_lets_everybody_through() -> None:
    assert OPEN.lets_pass("vid_1")
    assert OPEN.lets_call(NOON)
    assert not OPEN.is_tripped


def test_a_pause_stops_everybody_whatever_else_holds() -> None:
    for state in (OPEN, TRIPPED._replace(probe="vid_1", blocked_until=to_text(NOON))):
        paused = state._replace(paused=True)
        assert not paused.lets_pass("vid_1")
        assert not paused.lets_call(NOON)


def test_what_keeps_jobs_waiting_is_told_in_the_callers_words() -> None:
    assert OPEN.waiting() is None
    assert OPEN._replace(failures=2).waiting() is None
    tripped, paused = TRIPPED.waiting(), TRIPPED._replace(paused=True).waiting()
    assert tripped is not None
    assert paused is not None
    assert (tripped.code, paused.code) == ("provider_unavailable", "submits_paused")
    assert TRIPPED.blocked_until in tripped.message


@pytest.mark.parametrize(("failures", "tripped"), [(0, False), (2, False), (3, True), (100, True)])
def test_the_breaker_trips_at_its_threshold(failures: int, tripped: bool) -> None:
    assert OPEN._replace(failures=failures).is_tripped is tripped


def test_a_threshold_of_nothing_is_no_breaker() -> None:
    never = GateState(failures=1000, threshold=0)
    assert not never.is_tripped
    assert never.lets_pass("vid_1")
    assert never.lets_call(NOON)


def test_a_tripped_breaker_lets_one_probe_through() -> None:
    probing = TRIPPED._replace(probe="vid_1")
    assert probing.lets_pass("vid_1")
    assert not probing.lets_pass("vid_2")


def test_a_tripped_breaker_calls_nobody_before_its_time() -> None:
    assert not TRIPPED.lets_call(NOON)
    assert TRIPPED._replace(blocked_until=to_text(NOON)).lets_call(NOON)


def test_the_breaker_stays_shut_twice_as_long_each_time_up_to_a_quarter_of_an_hour() -> None:
    seconds = [OPEN.block_seconds(failures) for failures in range(2, 12)]
    assert seconds == [60, 60, 120, 240, 480, 900, 900, 900, 900, 900]
    assert (seconds[0], seconds[-1]) == (FIRST_BLOCK_SECONDS, LONGEST_BLOCK_SECONDS)
