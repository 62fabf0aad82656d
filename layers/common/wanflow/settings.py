"""The environment of a function, read once, typed, failing at start by name.

Each class lists what one kind of function needs; the field `table_name` is the variable `TABLE_NAME`. The template's
parameters of the same names describe the values.
"""

import typing
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple, TypeVar

from wanflow.errors import BadSetting

T = TypeVar("T")


class StoreSettings(NamedTuple):
    """Where records and objects are. Every function has it."""

    table_name: str
    bucket_name: str


class AcceptSettings(NamedTuple):
    """What accepting a job needs: US dollars a second of video, budgets (0: off).

    The Wan API's root tells a local stack, whose callbacks may lead to loopback.
    """

    price_720p_per_second: Decimal
    price_1080p_per_second: Decimal
    max_cost_per_job_usd: Decimal
    daily_budget_usd: Decimal
    daily_budget_per_owner_usd: Decimal
    wan_api_base_url: str


class ApiSettings(NamedTuple):
    """What answering callers needs: days that videos are kept, and the origins of the web pages that may call.

    An origin is such as `https://app.example.com`; `*` for any, () for none.
    """

    cors_origins: tuple[str, ...]
    result_retention_days: int


class ConsoleSettings(NamedTuple):
    """What serving the console needs: the origins of the bucket, which its page may talk with."""

    bucket_origins: tuple[str, ...]


class ExecutionSettings(NamedTuple):
    """What starting, stopping and looking at executions needs. Never in a function that the workflow calls."""

    state_machine_arn: str


class BatchSettings(NamedTuple):
    """What starting a batch needs: the map's workflow, and how many rows are under way at once."""

    batch_state_machine_arn: str
    batch_concurrency: int


class GateSettings(NamedTuple):
    """What judging whether tasks may be submitted needs."""

    pause_after_failures: int


class SlotSettings(NamedTuple):
    """What handing slots out needs."""

    max_concurrent_tasks: int
    job_deadline_seconds: int


class ReconcileSettings(NamedTuple):
    """What measuring the day's spending needs beside all else that the reconciler has."""

    daily_budget_usd: Decimal


class PollSettings(NamedTuple):
    """What the poll schedule needs: the documented median, in seconds."""

    typical_render_seconds: int


class CallbackSettings(NamedTuple):
    """What handing webhooks over needs."""

    webhook_queue_url: str


class WebhookSettings(NamedTuple):
    """What delivering webhooks needs."""

    webhook_queue_url: str
    webhook_dead_letters_url: str
    webhook_secret_arn: str
    wan_api_base_url: str


class WanSettings(NamedTuple):
    """What talking to the provider needs."""

    wan_api_base_url: str
    wan_submit_path: str
    wan_status_path: str
    wan_api_key_secret_arn: str
    reference_delivery: Literal["presigned_url", "data_uri"]
    job_deadline_seconds: int
    max_queue_seconds: int
    max_generation_attempts: int
    on_unknown_submit: Literal["fail", "resubmit"]


def load(kind: type[T], environ: Mapping[str, str]) -> T:
    """Read `kind`'s fields from `environ`.

    Raises:
        BadSetting: names every variable that is missing or wrong, and the rule; never its value.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field, hint in typing.get_type_hints(kind).items():
        name = field.upper()
        try:
            values[field] = _parse(hint, environ[name])
        except KeyError:
            faults.append(f"{name} is not set")
        except (ValueError, InvalidOperation):
            faults.append(f"{name} must be {_wanted(hint)}")
    if faults:
        raise BadSetting("; ".join(faults))
    return kind(**values)


def _parse(hint: Any, text: str) -> Any:
    if typing.get_origin(hint) is Literal:
        return _one_of(typing.get_args(hint), text)
    parser: Callable[[str], Any] = _PARSERS[hint]
    return parser(text)


def _one_of(options: tuple[str, ...], text: str) -> str:
    if text not in options:
        raise ValueError(text)
    return text


def _filled(text: str) -> str:
    if not text:
        raise ValueError("empty")
    return text


def _price(text: str) -> Decimal:
    price = Decimal(text)
    if not price.is_finite() or price < 0:
        raise ValueError("no price")
    return price


def _list(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


_PARSERS: dict[Any, Callable[[str], Any]] = {str: _filled, int: int, Decimal: _price, tuple[str, ...]: _list}


def _wanted(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(typing.get_args(hint))
    return {str: "a text that is not empty", int: "a whole number", Decimal: "a decimal number from 0"}[hint]
