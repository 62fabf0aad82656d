"""Money is Decimal: exact, to the cent at least, by tier and second."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanflow.pricing import TIER_OF_SIZE, Prices, usd_text

PRICES = Prices(Decimal("0.10"), Decimal("0.15"))


@pytest.mark.parametrize(
    ("size", "seconds", "usd"),
    [
        ("1280*720", 5, "0.50"),
        ("960*960", 10, "1.00"),
        ("1920*1080", 5, "0.75"),
        ("1248*1632", 15, "2.25"),
        ("832*1088", 2, "0.20"),
    ],
)
def test_a_video_costs_its_tier_s_price_times_its_seconds(size: str, seconds: int, usd: str) -> None:
    assert usd_text(PRICES.estimate(size, seconds)) == usd


def test_five_sizes_are_of_each_tier() -> None:
    tiers = list(TIER_OF_SIZE.values())
    assert (tiers.count("720P"), tiers.count("1080P")) == (5, 5)


@pytest.mark.parametrize("size", TIER_OF_SIZE)
def test_the_tier_is_the_one_that_the_pixels_are_near(size: str) -> None:
    width, height = map(int, size.split("*"))
    assert (width * height > 1_500_000) == (TIER_OF_SIZE[size] == "1080P")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1", "1.00"),
        ("1.50", "1.50"),
        ("0.775", "0.775"),
        ("0.1250", "0.125"),
        ("0", "0.00"),
        ("0.000", "0.00"),
        ("100", "100.00"),
        ("1E+3", "1000.00"),
        ("1E-7", "0.0000001"),
    ],
)
def test_an_amount_has_two_places_at_least_and_no_exponent(amount: str, text: str) -> None:
    assert usd_text(Decimal(amount)) == text


@given(
    st.decimals(min_value=0, max_value=10, places=6),
    st.sampled_from(sorted(TIER_OF_SIZE)),
    st.integers(min_value=2, max_value=15),
)
def test_an_estimate_is_exact(price: Decimal, size: str, seconds: int) -> None:
    estimate = Prices(price, price).estimate(size, seconds)
    assert estimate == price * seconds
    assert Decimal(usd_text(estimate)) == estimate
