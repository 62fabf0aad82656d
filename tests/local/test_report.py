"""What the demo says at its end."""

import json
from pathlib import Path
from typing import Any

import pytest

from local import report
from local.report import VideoFacts
from local.settings import ROOT

STATES = [
    (0.4, "Submit Task"),
    (0.9, "Submitted?"),
    (1.0, "Wait Before Poll"),
    (3.0, "Poll Task"),
    (4.0, "Wait Before Poll"),
    (6.0, "Poll Task"),
    (7.0, "Store Result"),
]


def document(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "vid_1",
        "status": status,
        "created_at": "2026-01-01T00:00:00.000Z",
        "ended_at": "2026-01-01T00:00:08.500Z",
        "polls": 2,
        "estimate": {"cost_usd": "0.50"},
        **more,
    }


def test_the_last_line_of_a_finished_job_is_one_json_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report, "video_facts", lambda _: VideoFacts(1280, 720, 5.0))
    monkeypatch.setattr(report, "ROOT", tmp_path)
    video = tmp_path / "demo-output" / "vid_1.mp4"
    video.parent.mkdir()
    video.write_bytes(b"123")

    code = report.show(document("completed", usage={"cost": "0.50", "discount": 1}), 9.04, STATES, video)

    printed = capsys.readouterr().out
    assert code == 0
    assert json.loads(printed.splitlines()[-1]) == {
        "job_id": "vid_1",
        "status": "completed",
        "video": "demo-output/vid_1.mp4",
        "bytes": 3,
        "width": 1280,
        "height": 720,
        "duration_seconds": 5.0,
        "cost_usd": "0.50",
        "polls": 2,
        "seconds": 9.0,
    }
    assert "$0.50" in printed
    assert "asked 2 times" in printed


def test_a_failed_job_tells_its_code_and_message_and_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    failed = document("failed", error={"code": "001028095", "message": "Internal generation error"})

    code = report.show(failed, 9.0, STATES, ROOT / "demo-output" / "none.mp4")

    printed = capsys.readouterr().out
    assert code == 1
    assert "001028095: Internal generation error" in printed
    last = json.loads(printed.splitlines()[-1])
    assert (last["status"], last["video"], last["cost_usd"]) == ("failed", None, None)
