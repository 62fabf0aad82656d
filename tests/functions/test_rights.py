"""The guard on rights itself: a test that can see nothing would let every policy through."""

import pytest

from mock_server.responses_door import InProcessMock
from tests.fakes import wan_request, wav
from tests.stack import OWNER, Stack


def take_away(stack: Stack, folder: str, action: str) -> None:
    for statement in stack.template.statements(folder):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [name for name in actions if name != action]


@pytest.mark.parametrize("action", ["dynamodb:PutItem", "states:StartExecution"])
def test_a_call_without_its_right_is_seen(stack: Stack, action: str) -> None:
    take_away(stack, "serve_api", action)
    with pytest.raises(AssertionError, match=action):
        stack.call("POST", "/videos", wan_request())


def test_a_link_without_its_right_is_seen(stack: Stack, wan: InProcessMock) -> None:
    stack.put(f"uploads/{OWNER}/voice.wav", wav(5))
    job_id = stack.ready_job(wan_request(audio_url=f"s3://{stack.bucket}/uploads/{OWNER}/voice.wav"))
    take_away(stack, "submit_task", "s3:GetObject")
    with pytest.raises(AssertionError, match=r"s3:GetObject on arn:aws:s3:::.*/uploads/"):
        stack.submit(job_id)


def test_a_wake_up_call_without_its_right_is_seen(stack: Stack) -> None:
    job_id = stack.create_job()
    take_away(stack, "take_slot", "states:SendTaskSuccess")
    with pytest.raises(AssertionError, match="states:SendTaskSuccess"):
        stack.take_slot(job_id)
