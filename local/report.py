"""What the demo says about a job that has ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import av

from local.deploy import client
from local.settings import ROOT
from local.stack import Stack

FINAL = {"completed", "failed", "canceled"}
POLL_STATE = "Poll Task"


Timeline = list[tuple[float, str]]
"""The workflow's states in their order, each with the seconds since the request."""


@dataclass(frozen=True)
class VideoFacts:
    """What the MP4 itself says."""

    width: int
    height: int
    seconds: float


def timeline(stack: Stack, document: dict[str, Any]) -> Timeline:
    workflow = client("stepfunctions", stack.settings)
    execution = stack.endpoints.state_machine_arn.replace(":stateMachine:", ":execution:") + f":{document['id']}"
    created = datetime.fromisoformat(document["created_at"])
    states: Timeline = []
    for page in workflow.get_paginator("get_execution_history").paginate(executionArn=execution):
        for event in page["events"]:
            if event["type"].endswith("StateEntered"):
                name = event["stateEnteredEventDetails"]["name"]
                states.append(((event["timestamp"] - created).total_seconds(), name))
    return states


def show(document: dict[str, Any], seconds: float, steps: Timeline, video: Path) -> int:
    """Print the report for a person, and as the last line the same for a program."""
    completed = document["status"] == "completed"
    facts = video_facts(video) if completed else None
    print(f"\nJob {document['id']}: {document['status']} after {seconds:.1f} s\n")
    print("\n".join(timeline_lines(document, steps)))
    if document.get("error"):
        print(f"\nError {document['error']['code']}: {document['error']['message']}")
    print(f"\nCost   {cost_line(document)}")
    if facts is not None:
        size = video.stat().st_size
        print(f"Video  {relative(video)}: {facts.width} x {facts.height}, {facts.seconds:g} s, {size:,} bytes")
    print()
    print(json.dumps(summary(document, seconds, video, facts)), flush=True)
    return 0 if completed else 1


def timeline_lines(document: dict[str, Any], steps: Timeline) -> list[str]:
    lines = [(0.0, "accepted"), *collapsed(steps)]
    end = seconds_between(document["created_at"], document["ended_at"])
    return [f"  {at:7.1f} s  {what}" for at, what in [*lines, (end, document["status"])]]


def seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def collapsed(states: Timeline) -> Timeline:
    """Only the steps that do something; a run of polls becomes one line."""
    lines: Timeline = []
    polls = 0
    for at, name in states:
        if name == POLL_STATE:
            polls += 1
            if polls > 1:
                lines[-1] = (lines[-1][0], f"{POLL_STATE} (asked {polls} times, last at {at:.1f} s)")
                continue
        elif name.startswith("Wait") or name.endswith("?"):
            continue
        else:
            polls = 0
        lines.append((at, name))
    return lines


def cost_line(document: dict[str, Any]) -> str:
    cost = (document.get("usage") or {}).get("cost")
    estimate = (document.get("estimate") or {}).get("cost_usd")
    if cost is None:
        return "none reported by the provider"
    return f"${Decimal(cost):.2f}" + (f" (estimated at ${Decimal(estimate):.2f})" if estimate else "")


def summary(document: dict[str, Any], seconds: float, video: Path, facts: VideoFacts | None) -> dict[str, Any]:
    return {
        "job_id": document["id"],
        "status": document["status"],
        "video": relative(video) if facts else None,
        "bytes": video.stat().st_size if facts else None,
        "width": facts.width if facts else None,
        "height": facts.height if facts else None,
        "duration_seconds": facts.seconds if facts else None,
        "cost_usd": (document.get("usage") or {}).get("cost"),
        "polls": document["polls"],
        "seconds": round(seconds, 1),
    }


def video_facts(path: Path) -> VideoFacts:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        length = Decimal(container.duration or 0) / av.time_base
        return VideoFacts(stream.width, stream.height, round(float(length), 3))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))
