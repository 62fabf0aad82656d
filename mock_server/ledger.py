"""The books: what was created, how it ended, and what the provider would have billed, in all and per account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any


@dataclass(slots=True)
class Account:
    """One API key's books. `name` is a fingerprint: it never reveals the key.

    created = running + completed + failed, always. `expired` says how many of them are older than 24 hours, so that
    their ids are gone. Only completed tasks are billed, in USD.
    """

    name: str
    created: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    expired: int = 0
    billed_usd: Decimal = Decimal("0.00")

    def as_json(self) -> dict[str, Any]:
        """`{created, running, completed, failed, expired, billed_usd}`, money as a decimal string."""
        return {
            "created": self.created,
            "running": self.running,
            "completed": self.completed,
            "failed": self.failed,
            "expired": self.expired,
            "billed_usd": str(self.billed_usd),
        }


def account_name(api_key: str) -> str:
    """A short fingerprint of a key, fit for journals and ledgers."""
    return f"key-{sha256(api_key.encode(errors='surrogateescape')).hexdigest()[:8]}"


def ledger_json(accounts: Iterable[Account]) -> dict[str, Any]:
    """The sums over all accounts, and each account's own under `keys`."""
    total, by_name = Account("all"), {}
    for account in accounts:
        by_name[account.name] = account.as_json()
        total.created += account.created
        total.running += account.running
        total.completed += account.completed
        total.failed += account.failed
        total.expired += account.expired
        total.billed_usd += account.billed_usd
    return {**total.as_json(), "keys": by_name}
