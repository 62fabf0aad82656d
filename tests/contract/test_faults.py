"""Every fault word of the mock through the real client: what the client makes of it, and whether a task was created.

The second table is the point: where a task exists at the provider, the client must never claim that none does.
"""

from decimal import Decimal
from typing import Any

import pytest

from mock_server.directives import FAULTS_OF_STAGE
from mock_server.responses_door import InProcessMock
from tests.conftest import WanMock
from tests.contract.conftest import Keys, make_client
from tests.fakes import mp4, wan_request
from wanflow.errors import DownloadFailed
from wanflow.wan_client import (
    PollUnclear,
    ResultRefused,
    SubmitError,
    SubmitOutcomeUnknown,
    SubmitRejected,
    SubmitThrottled,
    TaskGone,
    TaskNotCreated,
    WanClient,
)

# fault -> (what the client raises, the code that it tells)
SUBMIT: dict[str, tuple[type[SubmitError], str]] = {
    "timeout": (SubmitOutcomeUnknown, "no_answer"),
    "slow": (SubmitOutcomeUnknown, "no_answer"),
    "reset": (SubmitOutcomeUnknown, "no_answer"),
    "empty": (SubmitOutcomeUnknown, "001028096"),
    "lost-answer": (SubmitOutcomeUnknown, "no_answer"),
    "malformed": (SubmitOutcomeUnknown, "001028096"),
    "html": (SubmitOutcomeUnknown, "provider_error"),
    "html@200": (SubmitOutcomeUnknown, "001028096"),
    "wrong-type": (SubmitOutcomeUnknown, "001028096"),
    "no-id": (SubmitOutcomeUnknown, "001028096"),
    "http-200": (SubmitOutcomeUnknown, "ok"),
    "http-204": (SubmitOutcomeUnknown, "001028096"),
    "http-302": (SubmitOutcomeUnknown, "found"),
    "http-400": (SubmitRejected, "bad_request"),
    "http-403": (SubmitRejected, "forbidden"),
    "http-404": (SubmitRejected, "not_found"),
    "http-413": (SubmitRejected, "*"),
    "http-415": (SubmitRejected, "unsupported_media_type"),
    "http-429": (SubmitThrottled, "too_many_requests"),
    "http-500": (SubmitOutcomeUnknown, "internal_server_error"),
    "http-502": (SubmitOutcomeUnknown, "bad_gateway"),
    "http-503": (SubmitOutcomeUnknown, "service_unavailable"),
    "http-504": (SubmitOutcomeUnknown, "gateway_timeout"),
}

POLL: dict[str, tuple[type[Exception] | None, str]] = {
    "timeout": (PollUnclear, "no_answer"),
    "slow": (PollUnclear, "no_answer"),
    "reset": (PollUnclear, "no_answer"),
    "empty": (PollUnclear, "001028096"),
    "lost-answer": (PollUnclear, "no_answer"),
    "malformed": (PollUnclear, "001028096"),
    "html": (PollUnclear, "provider_error"),
    "html@200": (PollUnclear, "001028096"),
    "wrong-type": (None, "running"),
    "no-id": (None, "completed"),
    "unknown-status": (None, "running"),
    "no-output": (PollUnclear, "001028096"),
    "http-204": (PollUnclear, "provider_error"),
    "http-302": (PollUnclear, "found"),
    "http-400": (PollUnclear, "bad_request"),
    "http-403": (PollUnclear, "forbidden"),
    "http-404": (TaskGone, "result_unavailable"),
    "http-429": (PollUnclear, "too_many_requests"),
    "http-500": (PollUnclear, "internal_server_error"),
    "http-503": (PollUnclear, "service_unavailable"),
}

DOWNLOAD: dict[str, type[Exception]] = {
    "timeout": DownloadFailed,
    "reset": DownloadFailed,
    "cut": DownloadFailed,
    "wrong-length": DownloadFailed,
    "http-302": DownloadFailed,
    "http-403": ResultRefused,
    "http-404": ResultRefused,
    "http-410": ResultRefused,
    "http-416": DownloadFailed,
    "http-429": DownloadFailed,
    "http-500": DownloadFailed,
    "http-503": DownloadFailed,
}
# What the client cannot see: files.py looks at the bytes.
DOWNLOAD_FOR_THE_STORE = {"empty", "not-mp4", "slow"}


def words(table: dict[str, object]) -> set[str]:
    return {fault.partition("@")[0] for fault in table if not fault.startswith("http-")}


def test_no_fault_word_of_the_mock_is_left_out() -> None:
    # At submit an unknown status comes with a task id, so it is no fault there.
    assert words(dict(SUBMIT)) == set(FAULTS_OF_STAGE["submit"]) - {"unknown-status"}
    assert words(dict(POLL)) == set(FAULTS_OF_STAGE["poll"])
    assert words(dict(DOWNLOAD)) | DOWNLOAD_FOR_THE_STORE == set(FAULTS_OF_STAGE["download"])


@pytest.mark.parametrize("fault", SUBMIT)
def test_what_a_submit_tells(wan: InProcessMock, client: WanClient, fault: str) -> None:
    kind, code = SUBMIT[fault]
    with pytest.raises(SubmitError) as caught:
        client.submit(wan_request(prompt=f"character1 [[mock:submit:{fault}]]"))
    assert type(caught.value) is kind
    assert code in {"*", caught.value.info.code}
    assert caught.value.info.message


@pytest.mark.parametrize("fault", SUBMIT)
def test_the_client_never_denies_a_task_that_the_mock_created(wan: InProcessMock, fault: str) -> None:
    with pytest.raises(SubmitError) as caught:
        make_client(wan.url).submit(wan_request(prompt=f"character1 [[mock:submit:{fault}]]"))
    created = len(wan.simulator.state.tasks)
    assert created <= 1
    assert not (created and isinstance(caught.value, TaskNotCreated))


def test_a_submit_goes_out_once_whatever_becomes_of_it(wan: InProcessMock, client: WanClient) -> None:
    for fault in SUBMIT:
        before = len(list(wan.simulator.state.journal.matching({"stage": "submit"})))
        with pytest.raises(SubmitError):
            client.submit(wan_request(prompt=f"character1 [[mock:submit:{fault}]]"))
        assert len(list(wan.simulator.state.journal.matching({"stage": "submit"}))) == before + 1


def test_a_submit_with_an_unknown_status_word_is_a_task_all_the_same(client: WanClient) -> None:
    task = client.submit(wan_request(prompt="character1 [[mock:submit:unknown-status]]"))
    assert task.task_id
    assert task.status == "warming_up"


@pytest.mark.parametrize("fault", POLL)
def test_what_a_poll_tells(wan: InProcessMock, client: WanClient, fault: str) -> None:
    kind, code = POLL[fault]
    task_id = client.submit(wan_request(prompt=f"character1 [[mock:poll:{fault}]]")).task_id
    wan.clock.advance(10)
    if kind is None:
        assert client.get_task(task_id).state == code
        return
    with pytest.raises(kind) as caught:
        client.get_task(task_id)
    assert caught.value.info.code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", DOWNLOAD)
def test_what_a_download_tells(wan: InProcessMock, client: WanClient, fault: str) -> None:
    url = finished_video(wan, client, f"character1 [[mock:download:{fault}]]")
    with pytest.raises(DOWNLOAD[fault]), client.open_result(url) as body:
        b"".join(body.chunks)
    # It struck once: the next one gets the video.
    with client.open_result(url) as body:
        assert body.announced_bytes == 5000
        assert b"".join(body.chunks) == mp4(5000)


def finished_video(wan: InProcessMock, client: WanClient, prompt: str = "character1") -> str:
    task_id = client.submit(wan_request(prompt=prompt)).task_id
    wan.clock.advance(10)
    result = client.get_task(task_id).result
    assert result is not None
    return str(result["output"][0]["content"][0]["url"])


# --- What is no fault ----------------------------------------------------------------------------------------------


def test_a_task_s_whole_life(wan: InProcessMock, client: WanClient) -> None:
    submitted = client.submit(wan_request(parameters={"size": "1280*720", "duration": 10}))
    assert submitted.status == "queued"
    assert client.get_task(submitted.task_id).state == "running"
    wan.clock.advance(1.5)
    assert client.get_task(submitted.task_id).status == "processing"
    wan.clock.advance(5)
    task = client.get_task(submitted.task_id)
    assert task.state == "completed"
    assert task.result is not None
    assert task.result["usage"] == {"cost": "1.00", "discount": 0}
    assert Decimal(task.result["usage"]["cost"]) == Decimal(1)
    assert task.result["output"][0]["jobId"] == submitted.task_id
    assert task.result["metadata"]["size"] == "1280*720"


def test_the_provider_asks_for_a_pause_in_whole_seconds(client: WanClient) -> None:
    with pytest.raises(SubmitThrottled) as caught:
        client.submit(wan_request(prompt="character1 [[mock:submit:http-429@17]]"))
    assert caught.value.retry_after_seconds == 17
    task_id = client.submit(wan_request(prompt="character1 [[mock:poll:http-503@9]]")).task_id
    with pytest.raises(PollUnclear) as unclear:
        client.get_task(task_id)
    assert unclear.value.retry_after_seconds == 9


def test_too_many_running_tasks_are_a_429_that_created_nothing(make_wan: WanMock) -> None:
    wan = make_wan(max_running=1)
    client = make_client(wan.url)
    client.submit(wan_request())
    with pytest.raises(SubmitThrottled) as caught:
        client.submit(wan_request())
    assert caught.value.retry_after_seconds is not None
    assert len(wan.simulator.state.tasks) == 1


def test_an_expired_task_is_gone_and_its_link_is_over(wan: InProcessMock, client: WanClient) -> None:
    task_id = client.submit(wan_request()).task_id
    url = finished_video(wan, client)
    wan.clock.advance(25 * 3600)
    with pytest.raises(TaskGone):
        client.get_task(task_id)
    with pytest.raises(ResultRefused), client.open_result(url):
        pass


def test_a_bad_parameter_is_refused_for_good_and_the_field_named(client: WanClient) -> None:
    with pytest.raises(SubmitRejected) as caught:
        client.submit(wan_request(parameters={"duration": 99}))
    assert caught.value.info.code == "001028099"
    assert "duration" in caught.value.info.message


def test_a_refused_key_is_read_anew_once(make_wan: WanMock) -> None:
    wan = make_wan(api_keys=("new",))
    keys = Keys(cached="old", fresh="new")
    client = make_client(wan.url, keys)
    task_id = client.submit(wan_request()).task_id
    assert client.get_task(task_id).state == "running"
    assert keys.reads == [False, True, False, True]


def test_a_key_that_stays_refused_creates_nothing(make_wan: WanMock) -> None:
    wan = make_wan(api_keys=("another",))
    client = make_client(wan.url)
    with pytest.raises(SubmitRejected) as caught:
        client.submit(wan_request())
    assert caught.value.info.code == "provider_unauthorized"
    with pytest.raises(PollUnclear) as unclear:
        client.get_task("some-task")
    assert unclear.value.info.code == "provider_unauthorized"
    assert len(wan.simulator.state.tasks) == 0


def test_paths_are_settings_on_both_sides(make_wan: WanMock) -> None:
    paths: dict[str, Any] = {"submit_path": "/api/tasks/new", "status_path": "/api/tasks/{id}/status"}
    wan = make_wan(**paths)
    client = make_client(wan.url, **paths)
    assert client.get_task(client.submit(wan_request()).task_id).state == "running"


def test_a_task_id_that_is_no_plain_word_does_not_lead_elsewhere(client: WanClient) -> None:
    for task_id in ("../../_mock/ledger", "a/b", "a?b=c", "ü"):
        with pytest.raises(TaskGone):
            client.get_task(task_id)
