"""The links of the videos behave like a CDN's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mock.doors import Door, request_with


@pytest.fixture
def link(door: Door) -> str:
    task = door.created(request_with())
    door.advance(10)
    return door.link(task)


def test_a_video_is_served_without_a_key(door: Door, link: str) -> None:
    video = door.download(link)
    assert (video.status, video.headers["Content-Type"], video.body[4:8]) == (200, "video/mp4", b"ftyp")
    assert video.headers["Content-Length"] == str(len(video.body))
    assert video.headers["Accept-Ranges"] == "bytes"


def test_head_tells_the_length_and_uses_up_no_fault(door: Door) -> None:
    task = door.created(request_with(prompt="[[mock:download:http-404]]"))
    door.advance(10)
    link = door.link(task)
    head = door.call("HEAD", link, key=None)
    assert (head.status, head.body) == (200, b"")
    assert door.download(link).status == 404
    assert head.headers["Content-Length"] == str(len(door.download(link).body))


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-10", 206, slice(-10, None)),
        ("bytes=5-5", 206, slice(5, 6)),
        ("bytes=0-999999999", 206, slice(0, None)),
        ("bytes=-999999999", 206, slice(0, None)),
        ("bytes=999999999-", 416, slice(0, 0)),
        ("bytes=9-1", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
        ("bytes=0-1,5-6", 200, slice(0, None)),
        ("bytes=-", 200, slice(0, None)),
        ("pages=1-2", 200, slice(0, None)),
    ],
)
def test_a_range_is_served(door: Door, link: str, asked: str, status: int, part: slice) -> None:
    whole = door.download(link).body
    answer = door.download(link, headers={"Range": asked})
    assert answer.status == status
    assert answer.body == whole[part]
    if status == 206:
        first, end, _ = part.indices(len(whole))
        assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(whole)}"
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"


def test_a_range_of_another_version_is_answered_whole(door: Door, link: str) -> None:
    etag = door.download(link).headers["ETag"]
    statuses = {etag: 206, '"other"': 200}
    for given, status in statuses.items():
        assert door.download(link, headers={"Range": "bytes=0-1", "If-Range": given}).status == status


def test_a_guessed_link_is_refused(door: Door, link: str) -> None:
    assert door.download(link.replace(".mp4", "0.mp4")).status == 403


def test_a_task_that_has_not_completed_has_no_link(open_door: Any) -> None:
    door: Door = open_door()
    door.created(request_with())
    (task,) = door.simulator.state.tasks.newest(1)
    assert door.download(f"{door.url}/videos/{task.link_token}.mp4").status == 403


def test_links_start_with_the_public_url_where_one_is_set(open_door: Any) -> None:
    door: Door = open_door(public_url="https://cdn.example.com")
    task = door.created(request_with())
    door.advance(10)
    assert door.link(task).startswith("https://cdn.example.com/videos/")


def test_other_paths_can_be_set(open_door: Any) -> None:
    door: Door = open_door(submit_path="/api/v2/jobs", status_path="/api/v2/jobs/{id}/status")
    task = door.call("POST", "/api/v2/jobs", json=request_with()).json["id"]
    assert door.call("GET", f"/api/v2/jobs/{task}/status").json["id"] == task
    assert door.call("GET", f"/api/v2/jobs/{task}").status == 404
    assert door.submit(request_with()).status == 404


def test_two_keys_have_two_accounts_and_other_prices_other_costs(open_door: Any) -> None:
    from decimal import Decimal

    door: Door = open_door(prices={"720P": Decimal("0.125"), "1080P": Decimal(0)})
    tasks = [door.created(request_with(size=size, duration=2)) for size in ("960*960", "1440*1440")]
    door.advance(10)
    assert [door.poll(task).json["usage"]["cost"] for task in tasks] == ["0.250", "0"]
