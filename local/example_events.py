"""The example events of `events/`, made to fit a stack, and what the functions answer to them there.

The events name a job, a batch, a bucket and a receiver of webhooks that exist nowhere. `make sam-local-test` and the
test of the built functions (tests/runtime) put real ones in their places. The job is one that has completed: so each
answer is certain, and is what a step answers that is repeated after its end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from local.settings import ROOT

EVENTS = ROOT / "events"


@dataclass(frozen=True)
class Scene:
    """What the example events name."""

    job_id: str
    batch_id: str
    bucket: str
    receiver: str


IN_THE_FILES = Scene(
    job_id="vid_06f9c6t2rw0000000000000000",
    batch_id="bat_06f9c6t2rw0000000000000000",
    bucket="wanflow-videos-bucket",
    receiver="https://hooks.example.com/wanflow",
)

PARAMETERS: Mapping[str, str] = {"CorsOrigins": "https://app.example.com"}
"""Parameters of the template that the events take for granted."""

# The row of a batch is a job of its own name: whoever sends it again sends the same.
_REQUEST = json.dumps(json.loads((EVENTS / "accept_row" / "row.json").read_text("utf-8"))["item"]["request"]).encode()

INBOX: Mapping[str, bytes] = {
    "inbox/request.json": _REQUEST,
    "inbox/k3yid0f4l1/garden.json": _REQUEST,
    "inbox/alice/orders.jsonl": _REQUEST + b"\n",
    "inbox/alice/orders.csv": b"prompt,reference_urls,size,duration\n"
    b"character1 waves,https://example.com/character.jpg,1280*720,2\n",
    # No prompt comes with it, and it is no picture: the verdict says so.
    "inbox/alice/face.png": b"no picture",
}
"""What must lie in the bucket for the events of accept_upload: key -> content."""

JOB = re.compile("vid_[0-9a-z]{26}")
BATCH = re.compile("bat_[0-9a-z]{26}")
COMPLETED = {"job_id": JOB, "status": "completed"}
NOTHING_TO_DO = {"job_id": JOB, "next_step": "finish", "wait_seconds": 0}
TAKEN: dict[str, Any] = {"batchItemFailures": []}

ANSWERS: Mapping[str, Mapping[str, Any] | None] = {
    "accept_row/row": {"job_id": JOB},
    "accept_upload/batch_csv": {"job_id": BATCH, "verdict": "outbox/alice/orders.csv.result.json"},
    "accept_upload/batch_jsonl": {"job_id": BATCH, "verdict": "outbox/alice/orders.jsonl.result.json"},
    "accept_upload/folder": {"job_id": None, "verdict": None},
    "accept_upload/image_with_prompt": {"job_id": None, "verdict": "outbox/alice/face.png.result.json"},
    "accept_upload/request": {"job_id": JOB, "verdict": "outbox/request.json.result.json"},
    "accept_upload/request_of_owner": {"job_id": JOB, "verdict": "outbox/k3yid0f4l1/garden.json.result.json"},
    "deliver_webhook/again": TAKEN,
    "deliver_webhook/first": TAKEN,
    "finish_batch/batch": {"rows": 1},
    "finish_job/broken_execution": COMPLETED,
    "finish_job/caught_error": COMPLETED,
    "finish_job/ended": COMPLETED,
    "poll_task/first": {**NOTHING_TO_DO, "polls": 0},
    "poll_task/later": {**NOTHING_TO_DO, "polls": 12},
    "reconcile_jobs/schedule": {"called": 0},
    "serve_api/ask_videos": {"statusCode": 204},
    "serve_api/cancel_video": {"statusCode": 409},
    "serve_api/create_upload": {"statusCode": 201},
    "serve_api/create_video": {"statusCode": 202},
    "serve_api/create_video_broken_json": {"statusCode": 400},
    "serve_api/create_video_invalid": {"statusCode": 400},
    "serve_api/create_video_with_key": {"statusCode": 202},
    "serve_api/estimate": {"statusCode": 200},
    "serve_api/get_video": {"statusCode": 200},
    "serve_api/list_videos": {"statusCode": 200},
    "serve_api/purge_video": {"statusCode": 204},
    "serve_console/missing_file": {"statusCode": 404},
    "serve_console/page": {"statusCode": 200},
    "store_result/completed": {**NOTHING_TO_DO, "polls": 6},
    "submit_task/again": {**NOTHING_TO_DO, "polls": 4},
    "submit_task/first": {**NOTHING_TO_DO, "polls": 0},
    "take_slot/again": None,
    "take_slot/first": None,
}
"""Event -> what its answer holds, at least; a pattern must match the whole text. None: the answer is null."""


def complaint(name: str, answer: Any) -> str:
    """What is wrong with the answer to an event, empty if nothing is."""
    expected = ANSWERS[name]
    if expected is None:
        return "" if answer is None else f"null was expected, got {answer!r}"
    if not isinstance(answer, dict):
        return f"an object was expected, got {answer!r}"
    if "errorType" in answer:
        return f"failed with {answer['errorType']}: {answer.get('errorMessage')}"
    wrong = [
        f"{key} should be {_shown(value)}, got {answer.get(key, 'nothing')!r}"
        for key, value in expected.items()
        if key not in answer or not _fits(value, answer[key])
    ]
    return "; ".join(wrong) and f"{'; '.join(wrong)}, in {json.dumps(answer)[:500]}"


def _fits(expected: Any, value: Any) -> bool:
    if isinstance(expected, re.Pattern):
        return isinstance(value, str) and expected.fullmatch(value) is not None
    return bool(value == expected)


def _shown(expected: Any) -> str:
    return expected.pattern if isinstance(expected, re.Pattern) else repr(expected)


def example_events() -> list[str]:
    """`function/variant` of every event; the one that deletes the job comes last."""
    names = [f"{path.parent.name}/{path.stem}" for path in EVENTS.glob("*/*.json")]
    return sorted(names, key=lambda name: (name == "serve_api/purge_video", name))


def event_for(name: str, scene: Scene) -> dict[str, Any]:
    """An example event that names the things of `scene`."""
    text = (EVENTS / f"{name}.json").read_text("utf-8")
    for field in fields(Scene):
        text = text.replace(getattr(IN_THE_FILES, field.name), getattr(scene, field.name))
    event: dict[str, Any] = json.loads(text)
    return event
