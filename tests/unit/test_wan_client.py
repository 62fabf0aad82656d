"""The Wan client's reading of answers: what the mock would never send, the provider may."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from tests.fakes import wan_request
from wanflow.connections import ForbiddenAddress, open_session
from wanflow.errors import DownloadFailed
from wanflow.wan_client import (
    MAX_VIDEO_BYTES,
    PollUnclear,
    ResultRefused,
    SubmitOutcomeUnknown,
    SubmitRejected,
    SubmitThrottled,
    WanClient,
    WanTask,
    video_urls,
)

BASE = "https://wan.example"
SUBMIT = f"{BASE}/v1/videos"
VIDEO = {"type": "video", "url": "https://cdn.example/a.mp4"}


class Monotonic:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
def client(monotonic: Monotonic) -> WanClient:
    return WanClient(
        open_session,
        lambda _anew: "key",
        open_public_session=requests.Session,
        monotonic=monotonic,
        base_url=BASE,
    )


@pytest.fixture
def wan() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def poll(client: WanClient, wan: responses.RequestsMock, **answer: Any) -> WanTask:
    wan.get(f"{SUBMIT}/t1", **answer)
    return client.get_task("t1")


# --- Submit --------------------------------------------------------------------------------------------------------


def test_a_submit_carries_the_key_and_the_request(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.post(
        SUBMIT,
        json={"id": "t1", "status": "queued"},
        match=[
            responses.matchers.json_params_matcher(wan_request()),
            responses.matchers.header_matcher({"Authorization": "Bearer key", "Content-Type": "application/json"}),
        ],
    )
    assert client.submit(wan_request()).task_id == "t1"


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(
    ("answer", "task_id"),
    [
        ({"id": "a"}, "a"),
        ({"task_id": "b"}, "b"),
        ({"taskId": "c"}, "c"),
        ({"jobId": "d"}, "d"),
        ({"id": 12345}, "12345"),
        ({"jobId": "d", "taskId": "c", "task_id": "b", "id": "a"}, "a"),
        ({"id": "", "task_id": "b"}, "b"),
        ({"id": None, "jobId": "d"}, "d"),
        ({"id": True, "jobId": "d"}, "d"),
    ],
)
def test_a_task_id_is_found_under_its_four_names(
    client: WanClient, wan: responses.RequestsMock, status: int, answer: dict[str, Any], task_id: str
) -> None:
    wan.post(SUBMIT, json=answer, status=status)
    assert client.submit(wan_request()).task_id == task_id


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"t1"', b"{}", b'{"id": []}', b"\xff", b"[" * 100_000, b"{" * 10]
)
def test_a_success_without_a_task_id_leaves_it_open(
    client: WanClient, wan: responses.RequestsMock, body: bytes
) -> None:
    wan.post(SUBMIT, body=body)
    with pytest.raises(SubmitOutcomeUnknown) as caught:
        client.submit(wan_request())
    assert caught.value.info.code == "001028096"


def test_a_giant_answer_is_not_read_to_its_end(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.post(SUBMIT, body=b'{"id": "' + b"x" * 3_000_000 + b'"}')
    with pytest.raises(SubmitOutcomeUnknown):
        client.submit(wan_request())


def test_a_redirect_is_not_followed_with_the_key_in_hand(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.post(SUBMIT, status=307, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(SubmitOutcomeUnknown):
        client.submit(wan_request())
    assert len(wan.calls) == 1


@pytest.mark.parametrize("code", ["001028096", "001028097"])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_two_codes_leave_it_open_under_every_status(
    client: WanClient, wan: responses.RequestsMock, code: str, status: int
) -> None:
    wan.post(SUBMIT, json={"error": {"code": code, "message": "?"}}, status=status)
    with pytest.raises(SubmitOutcomeUnknown):
        client.submit(wan_request())


def test_an_error_beats_a_task_id(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.post(SUBMIT, json={"id": "t1", "status": "failed", "error": {"code": "001028004", "message": "no"}})
    with pytest.raises(SubmitRejected):
        client.submit(wan_request())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("17", 17), ("0", 0), (" 5 ", 5), ("99999999", 3600), ("-1", None), ("soon", None), (None, None)],
)
def test_retry_after_is_whole_seconds_of_at_most_an_hour(
    client: WanClient, wan: responses.RequestsMock, header: str | None, seconds: int | None
) -> None:
    wan.post(SUBMIT, status=429, headers={"Retry-After": header} if header is not None else {})
    with pytest.raises(SubmitThrottled) as caught:
        client.submit(wan_request())
    assert caught.value.retry_after_seconds == seconds


def test_a_provider_s_long_message_is_cut_and_a_strange_error_is_no_crash(
    client: WanClient, wan: responses.RequestsMock
) -> None:
    wan.post(SUBMIT, json={"error": {"code": "x" * 1000, "message": "y" * 10_000}}, status=400)
    with pytest.raises(SubmitRejected) as caught:
        client.submit(wan_request())
    assert len(str(caught.value)) < 600
    for error in ("text", ["list"], {"message": "no code"}, {"code": {"deep": 1}, "message": None}, 5):
        wan.replace("POST", SUBMIT, json={"error": error}, status=400)
        with pytest.raises(SubmitRejected):
            client.submit(wan_request())


# --- Poll ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "processing", "RUNNING", "", "sleeping", None, 7])
def test_every_word_but_two_means_still_running(client: WanClient, wan: responses.RequestsMock, status: object) -> None:
    assert poll(client, wan, json={"id": "t1", "status": status}).state == "running"


@pytest.mark.parametrize("status", ["completed", "COMPLETED", "Completed"])
def test_completed_is_a_result_with_its_money_as_it_came(
    client: WanClient, wan: responses.RequestsMock, status: str
) -> None:
    body = (
        f'{{"status": "{status}", "output": [{{"content": [{{"type": "video", "url": "https://cdn.example/a.mp4"}}],'
        ' "jobId": "r1"}], "usage": {"cost": "0.750", "discount": 0.10}, "metadata": {"a": 1}}'
    )
    task = poll(client, wan, body=body)
    assert task.state == "completed"
    assert task.result is not None
    assert task.result["usage"]["cost"] == "0.750"
    assert str(task.result["usage"]["discount"]) == "0.10"


@pytest.mark.parametrize(
    "output", [None, [], {}, "none", [{}], [{"content": None}], [{"content": [{"type": "image", "url": "x"}]}], [7]]
)
def test_completed_without_a_video_is_asked_again(
    client: WanClient, wan: responses.RequestsMock, output: object
) -> None:
    with pytest.raises(PollUnclear) as caught:
        poll(client, wan, json={"status": "completed", "output": output})
    assert caught.value.info.code == "001028096"


def test_a_result_too_large_for_a_record_loses_its_metadata_but_never_its_video(
    client: WanClient, wan: responses.RequestsMock
) -> None:
    metadata = {"log": "x" * 300_000}
    task = poll(client, wan, json={"status": "completed", "output": [{"content": [VIDEO]}], "metadata": metadata})
    assert task.result is not None
    assert video_urls(task.result) == [VIDEO["url"]]
    assert len(json.dumps(task.result)) < 1000


def test_an_output_too_large_for_a_record_is_asked_again(client: WanClient, wan: responses.RequestsMock) -> None:
    with pytest.raises(PollUnclear, match="more than 65536"):
        poll(client, wan, json={"status": "completed", "output": [{"content": [VIDEO] * 3000}]})


def test_failed_without_a_reason_gets_one_of_ours(client: WanClient, wan: responses.RequestsMock) -> None:
    task = poll(client, wan, json={"status": "failed"})
    assert task.error is not None
    assert task.error.code == "generation_failed"


@pytest.mark.parametrize("status", [400, 403, 405, 429, 500, 502, 599])
def test_a_status_without_a_code_is_asked_again_even_where_the_body_says_failed(
    client: WanClient, wan: responses.RequestsMock, status: int
) -> None:
    with pytest.raises(PollUnclear):
        poll(client, wan, json={"status": "failed"}, status=status)


def test_videos_are_found_in_order_and_other_things_passed_over() -> None:
    second = {"type": "video", "url": "https://cdn.example/b.mp4"}
    output = [
        {"content": [VIDEO, {"type": "image", "url": "x"}, "junk"]},
        "junk",
        {"content": [second]},
        {"content": 5},
    ]
    assert video_urls({"output": output}) == [VIDEO["url"], second["url"]]


# --- Download ------------------------------------------------------------------------------------------------------


def test_no_key_goes_to_the_cdn(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.get(VIDEO["url"], body=b"video", match=[no_key], auto_calculate_content_length=True)
    with client.open_result(VIDEO["url"]) as body:
        assert b"".join(body.chunks) == b"video"
        assert body.announced_bytes == 5


def no_key(request: requests.PreparedRequest) -> tuple[bool, str]:
    return "Authorization" not in request.headers, "the key was sent along"


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example/a.mp4",
        "ftp://cdn.example/a.mp4",
        "file:///etc/passwd",
        "//cdn.example/a.mp4",
        "",
        "http://wan.example/a.mp4",
        "https:/a.mp4",
        "javascript:1",
        "http://[::1/a.mp4",
    ],
)
def test_a_link_that_is_no_https_link_is_not_followed(client: WanClient, url: str) -> None:
    with pytest.raises((ResultRefused, DownloadFailed)), client.open_result(url):
        pass


def test_a_link_to_the_api_s_own_host_is_followed_even_over_http() -> None:
    own = WanClient(
        open_session,
        lambda _anew: "key",
        open_public_session=_not_this_one,
        monotonic=Monotonic(),
        base_url="http://127.0.0.1:8787",
    )
    with responses.RequestsMock() as wan:
        wan.get("http://127.0.0.1:8787/videos/a.mp4", body=b"video")
        with own.open_result("http://127.0.0.1:8787/videos/a.mp4") as body:
            assert b"".join(body.chunks) == b"video"


def _not_this_one() -> requests.Session:
    raise AssertionError("the API's own host needs no public session")


def test_an_address_that_is_not_public_ends_the_link(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.get(VIDEO["url"], body=ForbiddenAddress("the link leads to an address that is not public"))
    with pytest.raises(ResultRefused) as caught, client.open_result(VIDEO["url"]):
        pass
    assert caught.value.info.code == "result_unavailable"


def test_a_redirect_of_the_cdn_is_not_followed(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.get(VIDEO["url"], status=302, headers={"Location": "http://169.254.169.254/"})
    with pytest.raises(DownloadFailed), client.open_result(VIDEO["url"]):
        pass
    assert len(wan.calls) == 1


def test_a_giant_is_refused_by_its_announced_length(client: WanClient, wan: responses.RequestsMock) -> None:
    wan.get(
        VIDEO["url"],
        body=b"x",
        headers={"Content-Length": str(MAX_VIDEO_BYTES + 1)},
        auto_calculate_content_length=False,
    )
    with pytest.raises(ResultRefused), client.open_result(VIDEO["url"]):
        pass


def test_a_giant_that_announces_nothing_is_refused_on_the_way(
    client: WanClient, wan: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wanflow.wan_client.MAX_VIDEO_BYTES", 1000)
    wan.get(VIDEO["url"], body=b"x" * 1001)
    with pytest.raises(ResultRefused), client.open_result(VIDEO["url"]) as body:
        b"".join(body.chunks)


def test_a_cdn_that_trickles_for_ever_is_left(
    client: WanClient, wan: responses.RequestsMock, monotonic: Monotonic
) -> None:
    wan.get(VIDEO["url"], body=b"x" * 600_000)
    with client.open_result(VIDEO["url"]) as body:
        assert next(body.chunks)
        monotonic.now += 601
        with pytest.raises(DownloadFailed, match="too slowly"):
            next(body.chunks)


def test_a_presigned_link_is_in_no_error_message(client: WanClient, wan: responses.RequestsMock) -> None:
    url = f"{VIDEO['url']}?Signature=very-secret"
    wan.get(url, body=requests.ConnectionError(f"could not reach {url}"))
    with pytest.raises(DownloadFailed) as caught, client.open_result(url):
        pass
    assert "very-secret" not in str(caught.value)
