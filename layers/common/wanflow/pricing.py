"""What a video costs: the unit price of its resolution tier times its seconds (Wan page, `size` and `duration`)."""

from decimal import Decimal
from typing import Literal, NamedTuple

Tier = Literal["720P", "1080P"]

TIER_OF_SIZE: dict[str, Tier] = {
    "1280*720": "720P",
    "720*1280": "720P",
    "960*960": "720P",
    "1088*832": "720P",
    "832*1088": "720P",
    "1920*1080": "1080P",
    "1080*1920": "1080P",
    "1440*1440": "1080P",
    "1632*1248": "1080P",
    "1248*1632": "1080P",
}
"""The ten sizes of the Wan page, `width*height`, and the tier that each is billed as."""


class Prices(NamedTuple):
    """US dollars for one second of video."""

    price_720p: Decimal
    price_1080p: Decimal

    def estimate(self, size: str, duration_seconds: int) -> Decimal:
        """The expected cost in US dollars."""
        unit = self.price_720p if TIER_OF_SIZE[size] == "720P" else self.price_1080p
        return unit * duration_seconds


def usd_text(amount: Decimal) -> str:
    """US dollars as text, to the cent at least: `1.00`, `0.775`. DynamoDB keeps a number, not its zeros."""
    plain = amount.normalize()
    return f"{plain:f}" if -int(plain.as_tuple().exponent) > 2 else f"{plain:.2f}"
