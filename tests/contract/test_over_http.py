"""The transport's own faults over real sockets: what was sent, and what never left."""

import socket

import pytest

from mock_server.running import RunningMock
from tests.contract.conftest import QUICK, Keys, make_client
from tests.fakes import mp4, wan_request
from wanflow.errors import DownloadFailed
from wanflow.wan_client import PollUnclear, SubmitFailed, SubmitOutcomeUnknown, SubmitRejected, Timeouts, WanClient

# Long enough for a busy machine; only what is meant to time out is not waited for.
PATIENT = Timeouts(connect_seconds=5, submit_seconds=10, poll_seconds=10, download_seconds=10)


@pytest.fixture
def client(http_mock: RunningMock) -> WanClient:
    return make_client(http_mock.url, timeouts=PATIENT)


def client_for(http_mock: RunningMock, fault: str) -> WanClient:
    """A client that waits as long as this fault is worth."""
    is_slow = fault.startswith(("timeout", "slow"))
    return make_client(http_mock.url, timeouts=QUICK if is_slow else PATIENT)


@pytest.mark.parametrize("fault", ["reset", "lost-answer", "timeout@5", "slow@5", "malformed", "empty"])
def test_a_submit_without_a_whole_answer_is_of_unknown_outcome(http_mock: RunningMock, fault: str) -> None:
    with pytest.raises(SubmitOutcomeUnknown):
        client_for(http_mock, fault).submit(wan_request(prompt=f"character1 [[mock:submit:{fault}]]"))
    assert len(http_mock.requests(stage="submit")) == 1


def test_a_lost_answer_leaves_a_task_that_will_be_billed(http_mock: RunningMock, client: WanClient) -> None:
    with pytest.raises(SubmitOutcomeUnknown):
        client.submit(wan_request(prompt="character1 [[mock:submit:lost-answer]]"))
    assert http_mock.ledger()["created"] == 1


def test_a_refused_connection_certainly_created_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(SubmitFailed) as caught:
            make_client(f"http://127.0.0.1:{port}").submit(wan_request())
    assert caught.value.info.code == "provider_unreachable"


def test_a_name_that_does_not_exist_certainly_created_nothing() -> None:
    with pytest.raises(SubmitFailed) as caught:
        make_client("http://no-such-host.invalid").submit(wan_request())
    assert caught.value.info.code == "provider_unreachable"


def test_tls_to_a_server_that_speaks_none_certainly_created_nothing(http_mock: RunningMock) -> None:
    with pytest.raises(SubmitFailed):
        make_client(http_mock.url.replace("http://", "https://"), timeouts=PATIENT).submit(wan_request())
    assert http_mock.requests() == []


@pytest.mark.parametrize("fault", ["reset", "lost-answer", "timeout@5", "malformed"])
def test_a_poll_without_a_whole_answer_is_asked_again(http_mock: RunningMock, client: WanClient, fault: str) -> None:
    task_id = client.submit(wan_request(prompt=f"character1 [[mock:poll:{fault}*1]]")).task_id
    with pytest.raises(PollUnclear):
        client_for(http_mock, fault).get_task(task_id)
    assert client.get_task(task_id).state == "completed"


@pytest.mark.parametrize("fault", ["reset", "cut", "wrong-length", "timeout@5"])
def test_a_cut_download_is_never_taken_for_a_whole_one(http_mock: RunningMock, client: WanClient, fault: str) -> None:
    task_id = client.submit(wan_request(prompt=f"character1 [[mock:download:{fault}]]")).task_id
    result = client.get_task(task_id).result
    assert result is not None
    url = result["output"][0]["content"][0]["url"]
    with pytest.raises(DownloadFailed), client_for(http_mock, fault).open_result(url) as body:
        b"".join(body.chunks)
    with client.open_result(url) as body:
        assert b"".join(body.chunks) == mp4(5000)
        assert body.announced_bytes == 5000


def test_the_mock_refuses_a_wrong_key_and_creates_nothing(http_mock: RunningMock) -> None:
    with pytest.raises(SubmitRejected):
        make_client(http_mock.url, Keys("wrong", "wrong"), PATIENT).submit(wan_request())
    assert http_mock.ledger()["created"] == 0
