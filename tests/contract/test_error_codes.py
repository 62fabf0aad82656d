"""The nine codes, by three witnesses that do not know each other: the page, the mock's table, the client's sets."""

import pytest

from mock_server.errors import ERROR_CODES, FAILED_IN_BODY
from mock_server.responses_door import InProcessMock
from tests.contract.conftest import make_client
from tests.fakes import wan_request
from wanflow import validation, wan_client
from wanflow.wan_client import (
    PollUnclear,
    SubmitError,
    SubmitFailed,
    SubmitOutcomeUnknown,
    SubmitRejected,
    WanClient,
    WanTask,
)

# Wan page, Error Codes, copied by hand.
PAGE = {
    "001028001": "reference_urls must be an array with 1-5 items",
    "001028002": "reference_urls can contain maximum 5 images",
    "001028003": "reference_urls can contain maximum 3 videos",
    "001028004": "Invalid reference URL format",
    "001028095": "Internal generation error",
    "001028096": "Result parsing error",
    "001028097": "HTTP error response",
    "001028098": "Status check error",
    "001028099": "Task creation error",
}

CLIENT_NAMES = {
    "INTERNAL_GENERATION_ERROR": "001028095",
    "RESULT_PARSING_ERROR": "001028096",
    "HTTP_ERROR_RESPONSE": "001028097",
    "STATUS_CHECK_ERROR": "001028098",
    "TASK_CREATION_ERROR": "001028099",
}


def test_the_mock_knows_the_page_s_codes_word_for_word() -> None:
    assert {code: row.description for code, row in ERROR_CODES.items()} == PAGE


def test_the_client_knows_the_page_s_codes() -> None:
    assert {name: getattr(wan_client, name) for name in CLIENT_NAMES} == CLIENT_NAMES
    assert wan_client.REQUEST_CODES | set(CLIENT_NAMES.values()) == set(PAGE)


def test_our_own_validation_uses_the_page_s_words() -> None:
    ours = dict([validation.NOT_ONE_TO_FIVE, validation.TOO_MANY_IMAGES, validation.TOO_MANY_VIDEOS])
    ours |= dict([validation.BAD_REFERENCE])
    assert ours == {code: PAGE[code] for code in sorted(wan_client.REQUEST_CODES)}


SUBMIT_MEANS: dict[str, type[SubmitError]] = {
    "001028001": SubmitRejected,
    "001028002": SubmitRejected,
    "001028003": SubmitRejected,
    "001028004": SubmitRejected,
    "001028095": SubmitFailed,
    "001028096": SubmitOutcomeUnknown,
    "001028097": SubmitOutcomeUnknown,
    "001028098": SubmitOutcomeUnknown,
    "001028099": SubmitFailed,
}
POLL_ENDS_TASK = {"001028001", "001028002", "001028003", "001028004", "001028095", "001028096", "001028099"}
ENDS_WITH_A_FRESH_TASK = {"001028095", "001028096"}


@pytest.mark.parametrize("code", PAGE)
@pytest.mark.parametrize("how", ["", "@200", "@500", "@502"])
def test_a_code_at_submit_means_the_same_under_every_http_status(client: WanClient, code: str, how: str) -> None:
    with pytest.raises(SubmitError) as caught:
        client.submit(wan_request(prompt=f"character1 [[mock:submit:{code}{how}]]"))
    expected = SUBMIT_MEANS[code]
    assert type(caught.value) is expected
    assert caught.value.info.code == code
    assert PAGE[code] in caught.value.info.message


@pytest.mark.parametrize("code", PAGE)
def test_a_code_at_submit_creates_nothing_at_the_mock(wan: InProcessMock, code: str) -> None:
    with pytest.raises(SubmitError):
        make_client(wan.url).submit(wan_request(prompt=f"character1 [[mock:submit:{code}]]"))
    assert len(wan.simulator.state.tasks) == 0


def poll(client: WanClient, prompt: str) -> WanTask:
    task = client.submit(wan_request(prompt=prompt))
    return client.get_task(task.task_id)


@pytest.mark.parametrize("code", sorted(POLL_ENDS_TASK))
def test_a_code_that_ends_a_task_at_poll_is_a_failed_task(client: WanClient, code: str) -> None:
    task = poll(client, f"character1 [[mock:poll:{code}]]")
    assert task.state == "failed"
    assert task.error is not None
    assert task.error.code == code
    assert (code in wan_client.GENERATION_FAILED_CODES) == (code in ENDS_WITH_A_FRESH_TASK)


@pytest.mark.parametrize("code", sorted(set(PAGE) - POLL_ENDS_TASK))
@pytest.mark.parametrize("how", ["", "@200", "@400", "@404"])
def test_a_code_that_leaves_a_task_open_beats_every_status(client: WanClient, code: str, how: str) -> None:
    with pytest.raises(PollUnclear) as caught:
        poll(client, f"character1 [[mock:poll:{code}{how}]]")
    assert caught.value.info.code == code


@pytest.mark.parametrize("code", sorted(ENDS_WITH_A_FRESH_TASK))
@pytest.mark.parametrize("how", ["@200", "@500"])
def test_a_failed_generation_is_known_under_every_http_status(client: WanClient, code: str, how: str) -> None:
    assert poll(client, f"character1 [[mock:poll:{code}{how}]]").state == "failed"


def test_the_mock_ends_a_task_for_the_codes_that_the_client_takes_for_an_end() -> None:
    assert {code for code, row in ERROR_CODES.items() if row.ends_task} == POLL_ENDS_TASK
    assert {code for code, row in ERROR_CODES.items() if row.poll_status == FAILED_IN_BODY} == POLL_ENDS_TASK
