"""The client over the running stack: presigned forms and links are signed for real."""

from pathlib import Path

import pytest

from tests.e2e.wanflow import Wanflow as LocalWanflow
from tests.e2e.wanflow import jpeg, marker, read_video
from wanflow_client import NotFound, VideoRequest, Wanflow


@pytest.fixture
def client(wanflow: LocalWanflow) -> Wanflow:
    return Wanflow(wanflow.url, wanflow.stack.endpoints.api_key)


def test_a_local_picture_becomes_a_local_video(client: Wanflow, wanflow: LocalWanflow, tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_bytes(jpeg())
    scene = marker()
    request = VideoRequest(
        prompt=f"character1 laughs, {scene}",
        references=[tmp_path / "me.jpg"],
        size="1280*720",
        duration=2,
        metadata={"scene": scene},
    )
    assert client.estimate(request)["cost_usd"] == "0.20"
    job = client.create_and_wait(request, timeout_seconds=240)
    path = client.download(job, tmp_path / "film.mp4")
    facts = read_video(path.read_bytes())
    assert (facts.width, facts.height, facts.seconds) == (1280, 720, 2.0)
    assert len(wanflow.submits(scene)) == 1
    assert next(each for each in client.list() if each["metadata"].get("scene") == scene)["id"] == job["id"]

    client.purge(job)

    with pytest.raises(NotFound):
        client.get(job)


def test_a_job_is_canceled(client: Wanflow, wanflow: LocalWanflow) -> None:
    job = client.create(VideoRequest(prompt="character1 leaves", references=["https://example.com/a.png"], duration=2))
    client.cancel(job)
    assert wanflow.wait(job["id"])["status"] == "canceled"
