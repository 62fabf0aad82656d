"""Which fault strikes a request: first the scenarios armed over `/_mock/scenarios`, then the prompt's directives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from .directives import STAGES, Fault, known_faults, parse_fault
from .errors import InvalidRequestError

Fits = Callable[[Fault], bool]
"""Whether a fault can show at this moment: `no-output` needs a finished task, `no-id` a valid submit."""


@dataclass(slots=True)
class Scenario:
    """A fault armed for every request that matches: stage, a text in the prompt, from the n-th matching request on.

    `fault.times` None means until it is removed. `probability` 0..1 is asked anew for each matching request.
    """

    id: str
    fault: Fault
    prompt: str = ""
    nth: int = 1
    probability: float = 1.0
    matched: int = 0
    struck: int = 0

    def as_json(self) -> dict[str, Any]:
        """The scenario as `/_mock/scenarios` shows it, with how often it matched and struck."""
        return {
            "id": self.id,
            "match": {"stage": self.fault.stage, "prompt": self.prompt, "nth": self.nth},
            "action": self.fault.spelled.partition(":")[2],
            "times": self.fault.times,
            "probability": self.probability,
            "matched": self.matched,
            "struck": self.struck,
        }


class FaultBook:
    """All armed scenarios and the strike counts of the submit stage; a task keeps the counts of its own stages."""

    def __init__(self, randomness: Random) -> None:
        self._randomness = randomness
        self._scenarios: dict[str, Scenario] = {}
        self._submit_strikes: dict[tuple[str, str], dict[int, int]] = {}
        self._armed = 0

    def arm(self, document: dict[str, Any]) -> Scenario:
        """A scenario from its JSON (see `Scenario`); raises InvalidRequestError that names the field."""
        self._armed += 1
        scenario = scenario_from(document, f"scenario-{self._armed}")
        self._scenarios[scenario.id] = scenario
        return scenario

    def scenarios(self) -> list[Scenario]:
        """In the order in which they were armed, which is the order in which they are asked."""
        return list(self._scenarios.values())

    def disarm(self, scenario_id: str) -> bool:
        """Whether there was such a scenario."""
        return self._scenarios.pop(scenario_id, None) is not None

    def disarm_all(self) -> None:
        """Take every scenario away. The counts of directives stay."""
        self._scenarios.clear()

    def submit_strikes(self, account: str, prompt: str) -> dict[int, int]:
        """The strikes of a prompt's directives at submit: per key and whole prompt, so that a retry is counted on."""
        return self._submit_strikes.setdefault((account, prompt), {})

    def may_strike(self, faults: tuple[Fault, ...]) -> bool:
        """Whether it has to be asked at all what strikes a request with these `faults` in its prompt."""
        return bool(faults or self._scenarios)

    def strike(
        self, stage: str, prompt: str, faults: tuple[Fault, ...], strikes: dict[int, int], fits: Fits
    ) -> Fault | None:
        """The fault that strikes this request, counted; None if all goes well."""
        for scenario in self._scenarios.values():
            if self._strikes(scenario, stage, prompt, fits):
                return scenario.fault
        for index, fault in enumerate(faults):
            used = strikes.get(index, 0)
            if fault.stage == stage and (fault.times is None or used < fault.times) and fits(fault):
                strikes[index] = used + 1
                return fault
        return None

    def _strikes(self, scenario: Scenario, stage: str, prompt: str, fits: Fits) -> bool:
        if scenario.fault.stage != stage or scenario.prompt not in prompt or not fits(scenario.fault):
            return False
        scenario.matched += 1
        used_up = scenario.fault.times is not None and scenario.struck >= scenario.fault.times
        if used_up or scenario.matched < scenario.nth:
            return False
        if scenario.probability < 1.0 and self._randomness.random() >= scenario.probability:
            return False
        scenario.struck += 1
        return True


def scenario_from(document: dict[str, Any], scenario_id: str) -> Scenario:
    """Read `{match: {stage, prompt, nth}, action, times, probability}`; everything but `action` has a default.

    `action` is a FAULT of the grammar, with its stage in front or in `match.stage`; a bare code has a natural stage.
    """
    match = document.get("match", {})
    if not isinstance(match, dict):
        raise InvalidRequestError("match must be an object")
    _refuse_unknown(document, ("match", "action", "times", "probability"), "")
    _refuse_unknown(match, ("stage", "prompt", "nth"), "match.")
    fault = _action(document.get("action"), match.get("stage"))
    if "times" in document:
        times = document["times"]
        fault = replace(fault, times=None if times is None else _count(times, "times"))
    prompt = match.get("prompt", "")
    if not isinstance(prompt, str):
        raise InvalidRequestError("match.prompt must be a string")
    probability = document.get("probability", 1.0)
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise InvalidRequestError("probability must be a number, 0 - 1")
    return Scenario(scenario_id, fault, prompt, _count(match.get("nth", 1), "match.nth"), float(probability))


def _action(action: object, stage: object) -> Fault:
    if stage is not None and stage not in STAGES:
        raise InvalidRequestError(f"match.stage must be one of {', '.join(STAGES)}")
    if not isinstance(action, str):
        raise InvalidRequestError("action is required: a string")
    own_stage, separator, name = action.strip().lower().rpartition(":")
    given = stage if isinstance(stage, str) else None
    fault = parse_fault(name, own_stage if separator else given)
    if fault is None or (given is not None and fault.stage != given):
        raise InvalidRequestError(f"action: unknown fault {action[:60]!r}. {known_faults()}")
    return fault


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequestError(f"{name} must be an integer, 1 or more")
    return value


def _refuse_unknown(document: dict[str, Any], known: tuple[str, ...], prefix: str) -> None:
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise InvalidRequestError(f"unknown field {prefix}{unknown[0]}; known: {', '.join(known)}")
