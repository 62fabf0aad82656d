"""The worked example of docs/money.md holds what the price functions and the page's own measured tables give."""

import re
from decimal import Decimal

import pytest

from benchmarks.month_cost import END, EXAMPLES, PAGE, STANDING, bill, main, pipeline_for_1000_jobs, with_table
from tests.docs.pages import README, prose, rows, section, text_of
from tests.template import Template
from wanflow.pricing import Prices


def test_the_table_is_up_to_date() -> None:
    assert text_of(PAGE) == with_table(text_of(PAGE)), "run `make fmt`"


def test_the_first_example_by_hand() -> None:
    shop, *_ = EXAMPLES
    cost = bill(shop)
    assert (shop.videos, shop.seconds, shop.size, shop.megabytes, shop.views) == (2000, 5, "1280*720", 5, 20)
    assert cost.provider == Decimal("1000.00")
    assert cost.pipeline == 2 * pipeline_for_1000_jobs()
    assert cost.storage == Decimal("0.23")
    assert cost.downloads == Decimal("18.00")
    assert f"| {_usd(cost.total)}" in text_of(PAGE).replace("**", "")


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def test_the_provider_s_part_is_the_estimate_of_so_many_requests() -> None:
    defaults = Template().parameters
    prices = Prices(Decimal(defaults["Price720pPerSecond"]), Decimal(defaults["Price1080pPerSecond"]))
    for product in EXAMPLES:
        one = prices.estimate(product.size, product.seconds)
        assert bill(product).provider == one * product.videos


def test_the_pipeline_s_part_is_the_sum_of_the_page_s_table() -> None:
    table = rows(section(PAGE, "What does the pipeline itself cost?"))
    parts = [Decimal(row[-1]) for row in table if re.fullmatch(r"[\d.]+", row[-1]) and len(row) == 3]
    assert abs(sum(parts) - pipeline_for_1000_jobs()) <= Decimal("0.02"), "rounded parts"


def test_what_stands_there_anyway_is_the_sum_of_the_page_s_table() -> None:
    table = rows(section(PAGE, "What does the pipeline itself cost?"))
    amounts = [re.fullmatch(r"(?:at most )?(\d+\.\d\d)", row[-1]) for row in table if len(row) == 2]
    assert sum(Decimal(amount[1]) for amount in amounts if amount) == STANDING


def test_other_pages_tell_the_same_figure() -> None:
    for_1000 = pipeline_for_1000_jobs()
    assert f"**${for_1000} for 1,000 jobs**" in text_of(README)
    scaling = " ".join(text_of(PAGE.with_name("scaling.md")).split())
    assert f"At ${for_1000} for 1,000 jobs: **${for_1000 * 1000:.0f} a day**" in scaling


def test_ones_own_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--videos", "10", "--size", "960*960", "--seconds", "2", "--views", "0"])
    assert "| the provider's bill | $2.00 |" in capsys.readouterr().out


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="must have"):
        with_table(END)
    assert END in prose(PAGE)
