"""`make demo`, as a newcomer runs it."""

import json
import os
import subprocess
from pathlib import Path

from local.ports import free_ports
from local.settings import ROOT
from tests.e2e.wanflow import Wanflow, marker, read_video

KEYS = [
    "job_id",
    "status",
    "video",
    "bytes",
    "width",
    "height",
    "duration_seconds",
    "cost_usd",
    "polls",
    "seconds",
]


def demo(state: Path, arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    aws, mock = free_ports(2)
    ours = {"WANFLOW_AWS_PORT": str(aws), "WANFLOW_MOCK_PORT": str(mock), "WANFLOW_STATE_DIR": str(state)}
    command = ["make", "--no-print-directory", "demo", f"ARGS={arguments}"]
    return subprocess.run(  # noqa: PLW1510 - the caller looks at the exit code
        command, cwd=ROOT, env={**os.environ, **ours, **environ}, capture_output=True, text=True, timeout=240
    )


def test_the_demo_makes_the_asked_video_from_the_pictures_of_the_project(tmp_path: Path) -> None:
    ended = demo(tmp_path, "--size 720*1280 --duration 3 --prompt 'character1 dances with character2'")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads(ended.stdout.splitlines()[-1])
    assert list(summary) == KEYS
    video = ROOT / summary["video"]
    facts = read_video(video.read_bytes())
    video.unlink()
    assert summary["status"] == "completed"
    assert (summary["width"], summary["height"], summary["duration_seconds"]) == (720, 1280, 3.0)
    assert (facts.width, facts.height, facts.seconds) == (720, 1280, 3.0)
    assert summary["cost_usd"] == "0.30"
    assert "Store Result" in ended.stdout
    assert "completed" in ended.stderr


def test_a_failed_demo_tells_why_and_talks_to_the_provider_of_the_environment(tmp_path: Path, wanflow: Wanflow) -> None:
    scene = marker()
    provider = wanflow.stack.endpoints

    ended = demo(
        tmp_path,
        f"--prompt 'character1 fails, {scene} [[mock:001028004]]'",
        WAN_API_BASE_URL=provider.wan_url,
        WAN_API_KEY=provider.wan_api_key,
    )

    assert ended.returncode != 0
    assert "001028004: Invalid reference URL format" in ended.stdout
    assert json.loads(ended.stdout.splitlines()[-1])["status"] == "failed"
    assert len(wanflow.submits(scene)) == 1
