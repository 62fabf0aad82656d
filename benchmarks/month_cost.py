"""What a month costs: the table of docs/money.md (`make fmt`), or that of your own product.

    .venv/bin/python -m benchmarks.month_cost --videos 2000 --size '1280*720' --seconds 5 --megabytes 5 --views 20

The provider's part comes from the functions and the prices by which requests are estimated (pricing.py, the template's
defaults); the pipeline's part for 1,000 jobs is the measured one that the page names; the rest is list prices of
us-east-1. Free tiers are left out.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import yaml

from local.build import PlainLoader
from wanflow.pricing import TIER_OF_SIZE, Prices

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "money.md"
BEGIN, END = "<!-- Computed by `make fmt`; do not edit. -->", "<!-- End of the table. -->"

S3_GB_MONTH = Decimal("0.023")
DOWNLOAD_GB = Decimal("0.09")
STANDING = Decimal("0.80") + Decimal("2.90") + Decimal("0.26") + Decimal("3.00") + Decimal("4.50")
"""A month's secrets, alarms, webhook queue, dashboard and metrics: the page's table, at its most."""


@dataclass(frozen=True)
class Product:
    """What somebody makes in a month."""

    name: str
    videos: int
    size: str
    seconds: int
    megabytes: Decimal
    """Of one video."""
    views: int
    """Downloads of one video from the bucket; what a CDN serves is not among them."""


EXAMPLES = [
    Product("a shop: a clip for each new product", 2000, "1280*720", 5, Decimal(5), 20),
    Product("an agency: a few long ones", 100, "1920*1080", 15, Decimal(30), 5),
    Product("an app: users make their own", 50_000, "720*1280", 5, Decimal(5), 3),
]


@dataclass(frozen=True)
class Bill:
    """US dollars a month."""

    provider: Decimal
    pipeline: Decimal
    storage: Decimal
    downloads: Decimal
    standing: Decimal

    @property
    def total(self) -> Decimal:
        return self.provider + self.pipeline + self.storage + self.downloads + self.standing


def bill(product: Product) -> Bill:
    """What `product` costs, with videos kept for `ResultRetentionDays` of the template."""
    gigabytes = product.videos * product.megabytes / 1000
    defaults = _defaults()
    prices = Prices(Decimal(defaults["Price720pPerSecond"]), Decimal(defaults["Price1080pPerSecond"]))
    return Bill(
        provider=product.videos * prices.estimate(product.size, product.seconds),
        pipeline=product.videos * pipeline_for_1000_jobs() / 1000,
        storage=gigabytes * S3_GB_MONTH * Decimal(defaults["ResultRetentionDays"]) / 30,
        downloads=gigabytes * product.views * DOWNLOAD_GB,
        standing=STANDING,
    )


def pipeline_for_1000_jobs() -> Decimal:
    """US dollars: the sum of the page's table, which benchmarks/job_cost.py measures."""
    found = re.search(r"^\| all \|.*\*\*([\d.]+)\*\* \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{PAGE.name} has no row `all`")
    return Decimal(found[1])


def _defaults() -> dict[str, str]:
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=PlainLoader)  # noqa: S506 - safe
    return {name: str(of["Default"]) for name, of in template["Parameters"].items() if "Default" in of}


def table(products: list[Product]) -> str:
    """Markdown: a column for each product."""
    bills = [bill(product) for product in products]
    heads = [
        ("", [product.name for product in products]),
        ("---", ["---"] * len(products)),
        ("videos a month", [f"{product.videos:,}" for product in products]),
        ("each", [_described(product) for product in products]),
        ("the provider's bill", [_usd(each.provider) for each in bills]),
        ("the pipeline", [_usd(each.pipeline) for each in bills]),
        ("storage", [_usd(each.storage) for each in bills]),
        ("downloads from the bucket", [_usd(each.downloads) for each in bills]),
        ("what stands there anyway", [_usd(each.standing) for each in bills]),
        ("**a month**", [f"**{_usd(each.total)}**" for each in bills]),
        ("a video", [_usd(each.total / p.videos) for each, p in zip(bills, products, strict=True)]),
        ("of it the pipeline", [f"{each.pipeline / each.total:.2%}" for each in bills]),
    ]
    return "\n".join(f"| {' | '.join([head, *cells])} |" for head, cells in heads)


def _described(product: Product) -> str:
    tier = TIER_OF_SIZE[product.size]
    return f"{product.seconds} s of {tier}, {product.megabytes} MB, seen {product.views} times"


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}" if amount >= Decimal("0.01") else f"${amount:.4f}"


def with_table(text: str) -> str:
    """The page's text with its table computed anew. ValueError if there is no place for it."""
    place = re.compile(re.escape(BEGIN) + r".*?" + re.escape(END), re.DOTALL)
    if len(place.findall(text)) != 1:
        raise ValueError(f"the page must have {BEGIN} and {END} once")
    return place.sub(lambda _: f"{BEGIN}\n{table(EXAMPLES)}\n{END}", text)


def main(arguments: list[str]) -> None:
    if not arguments:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.month_cost", description="What a month costs.")
    parser.add_argument("--videos", type=int, required=True, help="videos a month")
    parser.add_argument("--size", choices=TIER_OF_SIZE, required=True)
    parser.add_argument("--seconds", type=int, required=True, help="of one video")
    parser.add_argument("--megabytes", type=Decimal, default=Decimal(5), help="of one video (%(default)s)")
    parser.add_argument("--views", type=int, default=1, help="downloads of one video from the bucket (%(default)s)")
    chosen = parser.parse_args(arguments)
    sys.stdout.write(table([Product("yours", **vars(chosen))]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
