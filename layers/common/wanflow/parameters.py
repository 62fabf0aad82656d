"""The Wan page's rules on `parameters`, each as a check, as words and as JSON Schema: one source for all three."""

from typing import Any, NamedTuple, Protocol

from wanflow.pricing import TIER_OF_SIZE

MAX_SEED = 2147483647


class Rule(Protocol):
    """What one parameter may be. `default` is None where the provider has none of its own."""

    @property
    def default(self) -> Any: ...

    @property
    def words(self) -> str:
        """`must be …`"""

    def allows(self, value: object) -> bool: ...

    def schema(self) -> dict[str, Any]:
        """The rule as JSON Schema, without its default."""


class Choice(NamedTuple):
    """One of a few texts."""

    options: tuple[str, ...]
    default: str

    @property
    def words(self) -> str:
        if len(self.options) == 2:
            return "must be " + " or ".join(self.options)
        return "must be one of " + ", ".join(self.options)

    def allows(self, value: object) -> bool:
        return isinstance(value, str) and value in self.options

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}


class Range(NamedTuple):
    """A whole number; `5.0`, `"5"` and `true` are none."""

    low: int
    high: int
    default: int | None = None

    @property
    def words(self) -> str:
        return f"must be an integer from {self.low} to {self.high}"

    def allows(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Flag(NamedTuple):
    """A boolean; `"true"` and `1` are none."""

    default: bool

    @property
    def words(self) -> str:
        return "must be true or false"

    def allows(self, value: object) -> bool:
        return isinstance(value, bool)

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


PARAMETERS: dict[str, Rule] = {
    "size": Choice(tuple(TIER_OF_SIZE), "1920*1080"),
    "duration": Range(2, 15, 5),
    "prompt_extend": Flag(default=True),
    "watermark": Flag(default=False),
    "audio": Flag(default=True),
    "shot_type": Choice(("single", "multi"), "single"),
    "seed": Range(0, MAX_SEED),
}
