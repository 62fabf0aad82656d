"""DynamoDB's condition and update expressions, parsed once and then plain closures.

As much of the language as the layer uses; anything else is an error that names it. The differential test holds this
against moto, call by call.
"""

import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

Item = dict[str, Any]
"""Attribute name -> typed value: {"S": "text"}, {"N": "1"}, ..."""

_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),.\[\]+-]|[:#]?\w+)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class BadExpression(Exception):
    """What DynamoDB would answer with a ValidationException."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the placeholders of one call stand for."""

    names: dict[str, str]
    values: Item


Path = tuple[str | int, ...]
Operand = Callable[[Item, Names], Any]
Condition = Callable[[Item, Names], bool]
Change = Callable[[Item, Item, Names], None]
"""Reads the item as it was, writes to the one that it becomes."""


@cache
def condition(text: str) -> Condition:
    """A condition of a write, or the key condition of a query."""
    parser = _Parser(text)
    parsed = parser.any_of()
    parser.expect_end()
    return parsed


@cache
def update(text: str) -> list[Change]:
    """The changes of an UpdateExpression: SET and REMOVE."""
    parser = _Parser(text)
    changes: list[Change] = []
    while not parser.at_end:
        clause = parser.take().upper()
        if clause == "SET":
            changes += parser.listed(parser.setting)
        elif clause == "REMOVE":
            changes += parser.listed(parser.removal)
        else:
            raise BadExpression(f"{clause} is not known here")
    return changes


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._text = text
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._tokens)

    def _next(self) -> str:
        return "" if self.at_end else str(self._tokens[self._at])

    def take(self, expected: str | None = None) -> str:
        token = self._next()
        if not token or (expected is not None and token.upper() != expected):
            raise BadExpression(f"{expected or 'something'} expected, not {token!r}: {self._text}")
        self._at += 1
        return token

    def _takes(self, word: str) -> bool:
        if self._next().upper() != word:
            return False
        self._at += 1
        return True

    def expect_end(self) -> None:
        if not self.at_end:
            raise BadExpression(f"unexpected {self._next()!r}: {self._text}")

    def listed(self, one: Callable[[], Any]) -> list[Any]:
        found = [one()]
        while self._takes(","):
            found.append(one())
        return found

    # --- Conditions --------------------------------------------------------------------------------------------------

    def any_of(self) -> Condition:
        parts = [self._all_of()]
        while self._takes("OR"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda item, names: any(part(item, names) for part in parts)

    def _all_of(self) -> Condition:
        parts = [self._one()]
        while self._takes("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda item, names: all(part(item, names) for part in parts)

    def _one(self) -> Condition:
        if self._takes("NOT"):
            inner = self._one()
            return lambda item, names: not inner(item, names)
        if self._takes("("):
            inner = self.any_of()
            self.take(")")
            return inner
        word = self._next().lower()
        if word in {"attribute_exists", "attribute_not_exists"}:
            self.take()
            self.take("(")
            operand = self._operand()
            self.take(")")
            wanted = word == "attribute_exists"
            return lambda item, names: (operand(item, names) is not None) is wanted
        return self._comparison()

    def _comparison(self) -> Condition:
        left = self._operand()
        if self._takes("IN"):
            self.take("(")
            options = self.listed(self._operand)
            self.take(")")
            return lambda item, names: any(_plain(left(item, names)) == _plain(o(item, names)) for o in options)
        compare = _COMPARE.get(self.take())
        if compare is None:
            raise BadExpression(f"no comparison: {self._text}")
        right = self._operand()

        def holds(item: Item, names: Names) -> bool:
            a, b = left(item, names), right(item, names)
            # A missing attribute, or one of another type, compares as false.
            return a is not None and b is not None and a.keys() == b.keys() and compare(_plain(a), _plain(b))

        return holds

    # --- Values ------------------------------------------------------------------------------------------------------

    def _operand(self) -> Operand:
        word = self._next()
        if word.startswith(":"):
            self.take()
            return lambda _, names: names.values[word]
        if word.lower() == "size":
            self.take()
            self.take("(")
            inner = self._operand()
            self.take(")")
            return lambda item, names: _size(inner(item, names))
        if word.lower() == "if_not_exists":
            self.take()
            self.take("(")
            wanted = self._operand()
            self.take(",")
            other = self._operand()
            self.take(")")
            return lambda item, names: wanted(item, names) or other(item, names)
        path = self._path()
        return lambda item, names: _read(item, _resolve(path, names))

    def _path(self) -> Path:
        path: list[str | int] = [self.take()]
        while self._next() in {".", "["}:
            if self.take() == ".":
                path.append(self.take())
            else:
                path.append(int(self.take()))
                self.take("]")
        return tuple(path)

    def setting(self) -> Change:
        path = self._path()
        self.take("=")
        value = self._sum()

        def change(before: Item, after: Item, names: Names) -> None:
            _write(after, _resolve(path, names), value(before, names))

        return change

    def _sum(self) -> Operand:
        left = self._operand()
        sign = self._next()
        if sign not in {"+", "-"}:
            return left
        self.take()
        right = self._operand()
        factor = 1 if sign == "+" else -1

        def add(item: Item, names: Names) -> Any:
            a, b = left(item, names), right(item, names)
            if a is None or b is None:
                raise BadExpression("the attribute to add to does not exist")
            return {"N": str(Decimal(a["N"]) + factor * Decimal(b["N"]))}

        return add

    def removal(self) -> Change:
        path = self._path()
        return lambda _, after, names: _remove(after, _resolve(path, names))


def _resolve(path: Path, names: Names) -> Path:
    return tuple(names.names[part] if isinstance(part, str) and part.startswith("#") else part for part in path)


def _read(item: Item, path: Path) -> Any:
    value: Any = {"M": item}
    for part in path:
        inside = value.get("M" if isinstance(part, str) else "L")
        if inside is None:
            return None
        value = inside.get(part) if isinstance(part, str) else next(iter(inside[part : part + 1]), None)
        if value is None:
            return None
    return value


def _inside(item: Item, path: Path) -> Any:
    """The container that holds the end of `path`; every container on the way is copied, so that `before` stays."""
    holder: Any = item
    for part in path[:-1]:
        if (isinstance(part, int) and part >= len(holder)) or (isinstance(part, str) and part not in holder):
            raise BadExpression("the document path in the update expression is not valid")
        ((kind, inside),) = holder[part].items()
        copied = copy(inside)
        holder[part] = {kind: copied}
        holder = copied
    return holder


def _write(item: Item, path: Path, value: Any) -> None:
    if value is None:
        raise BadExpression("an attribute of the update expression does not exist")
    holder, last = _inside(item, path), path[-1]
    if isinstance(last, int) and last >= len(holder):
        holder.append(value)
    else:
        holder[last] = value


def _remove(item: Item, path: Path) -> None:
    if _read(item, path) is not None:
        del _inside(item, path)[path[-1]]


def _size(value: Any) -> Any:
    if value is None:
        return None
    (content,) = value.values()
    return {"N": str(len(content))}


def _plain(value: Any) -> Any:
    if value is None:
        return None
    return Decimal(value["N"]) if "N" in value else next(iter(value.values()))
