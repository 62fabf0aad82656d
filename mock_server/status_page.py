"""`/_mock/`: one plain HTML page on what goes on, without JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from .clock import iso
from .faults import Scenario
from .ledger import ledger_json
from .state import State
from .tasks import Task

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2430;
  background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #d5dae1; vertical-align: top }
code { font-size: .9em } .empty { color: #55606e }
@media (prefers-color-scheme: dark) { body { color: #e4e8ee; background: #14181f } th, td { border-color: #39424f }
  .empty { color: #9aa5b4 } a { color: #8ab4ff } }
"""
_PROMPT_CHARACTERS = 120
_ACCOUNT_COLUMNS = ("account", "created", "running", "completed", "failed", "expired", "billed USD")


def status_page(state: State, most_tasks: int) -> str:
    """The page: clock, ledger, armed faults, the newest tasks."""
    now = state.clock.now()
    ledger = ledger_json(state.accounts.values())
    keys = ledger.pop("keys")
    books = [("all", *ledger.values()), *((name, *account.values()) for name, account in keys.items())]
    scenarios = [_scenario_row(scenario) for scenario in state.faults.scenarios()]
    tasks = [_task_row(state, task, now) for task in state.tasks.newest(most_tasks)]
    columns = ("prompt", "status", "created", "ends", "polls", "billed USD", "faults asked for", "account", "task")
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Mock Wan server</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{_STYLE}</style></head><body><h1>Mock Wan server</h1>",
            f"<p>Virtual time <code>{iso(now)}</code>, speed {state.clock.speed:g}. ",
            '<a href="/_mock/requests">requests</a> · <a href="/_mock/ledger">ledger</a> · ',
            '<a href="/_mock/state">state</a> · <a href="/_mock/scenarios">scenarios and grammar</a></p>',
            "<h2>Ledger</h2>",
            _table(_ACCOUNT_COLUMNS, books, ""),
            "<h2>Faults armed</h2>",
            _table(
                ("scenario", "action", "prompt has", "from the nth", "times", "probability", "matched", "struck"),
                scenarios,
                "None. Arm one with POST /_mock/scenarios, or with a directive in a prompt.",
            ),
            f"<h2>{_tasks_title(len(tasks), len(state.tasks))}</h2>",
            _table(columns, tasks, "None yet."),
            "</body></html>\n",
        )
    )


def _tasks_title(shown: int, count: int) -> str:
    return "Tasks" if shown == count else f"Tasks: the newest {shown} of {count}"


def _scenario_row(scenario: Scenario) -> tuple[object, ...]:
    fault = scenario.fault
    times = "until removed" if fault.times is None else fault.times
    counts = (scenario.matched, scenario.struck)
    return scenario.id, fault.spelled, scenario.prompt, scenario.nth, times, scenario.probability, *counts


def _task_row(state: State, task: Task, now: float) -> tuple[object, ...]:
    status = state.tasks.status_at(task, now)
    if task.failure is not None:
        status += f" {task.failure.code}"
    if task.expired:
        status += ", expired"
    prompt = state.scrub(task.draft.prompt)
    shown = prompt if len(prompt) <= _PROMPT_CHARACTERS else f"{prompt[:_PROMPT_CHARACTERS]}…"
    asked = " ".join(fault.spelled for fault in task.faults)
    ends = iso(task.ended_at if task.ended_at is not None else task.schedule.ends_at)
    billed = task.cost_usd if status.startswith("completed") else ""
    return (
        shown,
        status,
        _clock_time(iso(task.created_at)),
        _clock_time(ends),
        task.reads,
        billed,
        asked,
        task.account.name,
        task.id,
    )


def _clock_time(moment: str) -> str:
    """The time of day: the page says the date once, and a column of whole moments would push the rest out."""
    return moment[11:19]


def _table(columns: Iterable[str], rows: Sequence[tuple[object, ...]], when_empty: str) -> str:
    if not rows:
        return f'<p class="empty">{escape(when_empty)}</p>'
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
