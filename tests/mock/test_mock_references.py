"""References and audio are really looked into: data URIs at submit, fetched URLs when the task is made."""

from __future__ import annotations

from typing import Any

import pytest

from mock_server.fetching import is_loopback
from tests.mock.doors import Door, request_with, with_input
from tests.mock.media_files import data_uri, movie, padded_picture, picture, sound, web_server

MEGABYTE = 1024 * 1024

BAD_MEDIA: list[tuple[str, bytes, str, str]] = [
    # what, content, name of the file, code
    ("a picture that is too narrow", picture(width=359), "a.png", "001028099"),
    ("a picture that is too high", picture(height=2001), "a.png", "001028099"),
    ("a PNG with transparency", picture("PNG", mode="RGBA"), "a.png", "001028099"),
    ("a GIF under another name", picture("GIF"), "a.png", "001028004"),
    ("a picture over 10 MB", padded_picture(10 * MEGABYTE + 1), "a.jpg", "001028099"),
    ("noise", b"\x01\x02 noise", "a.png", "001028004"),
    ("a text", b"<!doctype html><p>Not found", "a.png", "001028004"),
    ("a sound", sound(5), "a.png", "001028004"),
    ("a video that is too short", movie(2.9), "a.mp4", "001028099"),
    ("a video that is too long", movie(30.5), "a.mov", "001028099"),
]
BAD_IDS = [row[0] for row in BAD_MEDIA]


@pytest.mark.parametrize(("content", "name", "code"), [row[1:] for row in BAD_MEDIA], ids=BAD_IDS)
def test_a_bad_data_uri_is_refused_at_submit(door: Door, content: bytes, name: str, code: str) -> None:
    mime = "video/mp4" if name.endswith(("mp4", "mov")) else "image/png"
    outcome = door.submit(request_with(references=[data_uri(picture()), data_uri(content, mime)]))
    assert (outcome.status, outcome.code) == (400, code)
    assert "input.reference_urls[1]" in outcome.message
    assert door.ledger()["created"] == 0


@pytest.mark.parametrize(("content", "name", "code"), [row[1:] for row in BAD_MEDIA], ids=BAD_IDS)
def test_a_bad_fetched_reference_fails_the_task_unbilled(door: Door, content: bytes, name: str, code: str) -> None:
    with web_server({f"/{name}": content, "/good.jpg": picture()}) as url:
        task = door.created(request_with(references=[f"{url}/good.jpg", f"{url}/{name}"]))
    assert door.poll(task).json["status"] == "queued"
    door.advance(1)
    outcome = door.poll(task)
    assert (outcome.status, outcome.json["status"], outcome.code) == (200, "failed", code)
    assert "input.reference_urls[1]" in outcome.message
    assert (door.ledger()["failed"], door.ledger()["billed_usd"]) == (1, "0.00")


GOOD_MEDIA = [
    picture("JPEG", 360, 2000),
    picture("PNG"),
    picture("BMP"),
    picture("WEBP"),
    picture("WEBP", mode="RGBA"),
    padded_picture(10 * MEGABYTE),
    movie(3),
    movie(30, "mov"),
]


@pytest.mark.parametrize("content", GOOD_MEDIA, ids=range(len(GOOD_MEDIA)))
def test_good_media_are_taken_whatever_their_name_says(door: Door, content: bytes) -> None:
    with web_server({"/a.png": content}) as url:
        tasks = [door.created(request_with(references=[ref])) for ref in (f"{url}/a.png", data_uri(content))]
    door.advance(10)
    assert [door.poll(task).json["status"] for task in tasks] == ["completed", "completed"]


def test_four_videos_by_their_content_are_too_many(door: Door) -> None:
    with web_server({"/a": movie(5)}) as url:
        task = door.created(request_with(references=[f"{url}/a"] * 4))
    door.advance(1)
    assert door.poll(task).code == "001028003"


@pytest.mark.parametrize("path", ["/missing.png", "/to?file:///etc/hosts", "/to?http://192.0.2.1/a.png"])
def test_a_reference_that_cannot_be_fetched_fails_the_task(door: Door, path: str) -> None:
    with web_server({}) as url:
        task = door.created(request_with(references=[f"{url}{path}"]))
    door.advance(1)
    assert door.poll(task).code == "001028004"


def test_a_server_that_is_gone_fails_the_task(door: Door) -> None:
    with web_server({}) as url:
        pass
    task = door.created(request_with(references=[f"{url}/a.png"]))
    door.advance(1)
    assert door.poll(task).code == "001028004"


AUDIO: list[tuple[str, bytes, str]] = [
    ("three seconds", sound(3), "completed"),
    ("thirty seconds", sound(30), "completed"),
    ("too short", sound(2.5), "failed"),
    ("too long", sound(31), "failed"),
    ("a picture", picture(), "failed"),
    ("noise", b"\x01\x02 noise", "failed"),
    ("over 15 MB", sound(5).ljust(15 * MEGABYTE + 1, b"\0"), "failed"),
]


@pytest.mark.parametrize(("content", "end"), [row[1:] for row in AUDIO], ids=[row[0] for row in AUDIO])
def test_audio_is_looked_into(door: Door, content: bytes, end: str) -> None:
    with web_server({"/song.mp3": content}) as url:
        task = door.created(with_input(audio_url=f"{url}/song.mp3"))
    door.advance(10)
    document = door.poll(task).json
    assert document["status"] == end
    if end == "failed":
        assert document["error"]["code"] == "001028099"
        assert "input.audio_url" in document["error"]["message"]


def test_with_none_a_url_is_judged_by_its_text_alone(open_door: Any) -> None:
    door: Door = open_door(fetch_references="none")
    with web_server({"/a.png": b"noise"}) as url:
        task = door.created(request_with(references=[f"{url}/a.png"]))
    door.advance(10)
    assert door.poll(task).json["status"] == "completed"


def test_a_data_uri_is_looked_into_even_with_none(open_door: Any) -> None:
    door: Door = open_door(fetch_references="none")
    assert door.submit(request_with(references=[data_uri(b"noise")])).code == "001028004"


def test_with_all_every_url_is_fetched(open_door: Any) -> None:
    door: Door = open_door(fetch_references="all")
    with web_server({"/a.png": picture()}) as url:
        task = door.created(request_with(references=[f"{url}/to?{url}/a.png"]))
    door.advance(10)
    assert door.poll(task).json["status"] == "completed"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:80/a", True),
        ("http://bucket.localhost/a", True),
        ("http://127.9.9.9/a", True),
        ("http://[::1]/a", True),
        ("http://localhost.example.com/a", False),
        ("http://10.0.0.1/a", False),
        ("http://example.com/a", False),
    ],
)
def test_loopback_is_told_by_the_name_alone(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


def test_a_task_keeps_no_decoded_media_and_one_copy_of_each_for_the_videos(open_door: Any) -> None:
    door: Door = open_door()
    big = padded_picture(MEGABYTE)
    for _ in range(5):
        door.submit(request_with(references=[data_uri(big), data_uri(big)]))
    tasks = door.simulator.state.tasks.newest(5)
    assert all(reference.data is None for task in tasks for reference in task.draft.references)
    assert {digest for task in tasks for digest in task.digests.values()} == {tasks[0].digests[0]}


def test_the_clip_gets_the_pictures_the_parameters_and_the_sound(open_door: Any) -> None:
    clips = []

    class Recorder:
        def render(self, clip: Any) -> bytes:
            clips.append(clip)
            return b"video"

    door: Door = open_door(renderer=Recorder())
    with web_server({"/song": sound(4)}) as url:
        document = with_input(
            prompt="字" * 1600,
            audio_url=f"{url}/song",
            reference_urls=["https://example.com/a.png", data_uri(picture())],
        )
        task = door.created(
            {**document, "parameters": {"size": "832*1088", "duration": 7, "watermark": True, "seed": 5}}
        )
    door.advance(10)
    assert door.download(door.link(task)).body == b"video"
    (clip,) = clips
    assert (clip.width, clip.height, clip.duration_seconds, clip.audio, clip.watermark) == (832, 1088, 7, True, True)
    assert clip.prompt == "字" * 1500
    assert clip.references == (b"", picture())
    assert clip.audio_track == sound(4)
    assert ("seed", "5") in clip.details
