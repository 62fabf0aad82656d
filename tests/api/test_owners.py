"""Keys and owners: a mapped key acts for its owner, so that keys can be replaced."""

from typing import Any

import pytest

from tests.fakes import wan_request
from tests.gateway import API_URL, Gateway
from tests.stack import OWNER, Stack
from wanflow import aws
from wanflow.owners import REMEMBERED_SECONDS, Owners


def give(stack: Stack, key_id: str, owner: str) -> None:
    """What `make key` writes."""
    item = {"pk": {"S": f"key#{key_id}"}, "sk": {"S": "key"}, "owner": {"S": owner}}
    aws.dynamodb().put_item(TableName=stack.table, Item=item)


def test_two_keys_of_one_owner_see_the_same_jobs_and_a_third_does_not(stack: Stack) -> None:
    give(stack, "old", "alice")
    give(stack, "new", "alice")
    job_id = stack.create_job(owner="old")
    assert stack.job(job_id).owner == "alice"
    assert stack.call("GET", f"/videos/{job_id}", owner="new").status == 200
    assert [job["id"] for job in stack.call("GET", "/videos", owner="new").body["videos"]] == [job_id]
    assert stack.call("GET", f"/videos/{job_id}", owner=OWNER).status == 404


def test_a_new_key_may_take_over_the_jobs_of_a_key_that_had_no_name(stack: Stack) -> None:
    job_id = stack.create_job()
    give(stack, "successor", OWNER)
    assert stack.call("GET", f"/videos/{job_id}", owner="successor").status == 200


def test_uploads_and_s3_references_lie_under_the_owner_s_name(stack: Stack) -> None:
    give(stack, "old", "alice")
    upload = stack.call("POST", "/uploads", {"content_type": "image/png", "bytes": 5}, owner="old")
    assert upload.body["reference"].startswith(f"s3://{stack.bucket}/uploads/alice/")
    request = wan_request(reference_urls=[f"s3://{stack.bucket}/uploads/old/a.png"])
    refused = stack.call("POST", "/videos", request, owner="old")
    assert f"must lie under s3://{stack.bucket}/uploads/alice/" in refused.body["error"]["violations"][0]["message"]


def test_an_owner_is_asked_for_once_a_minute(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    now = [1000.0]

    class Client:
        def get_item(self, Key: Any, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's own names
            asked.append(Key["pk"]["S"])
            return {"Item": {"owner": {"S": "alice"}}} if Key["pk"]["S"] == "key#a" else {}

    owners = Owners(Client, "table", lambda: now[0])  # type: ignore[arg-type]
    for _ in range(3):
        assert (owners.of_key("a"), owners.of_key("b")) == ("alice", "b")
    assert asked == ["key#a", "key#b"]
    now[0] += REMEMBERED_SECONDS
    assert owners.of_key("a") == "alice"
    assert asked == ["key#a", "key#b", "key#a"]


@pytest.mark.parametrize("query", ["?purge=1", "?purge=TRUE", "?purg=true"])
def test_a_misspelt_purge_cancels_nothing(stack: Stack, gateway: Gateway, query: str) -> None:
    job_id = stack.create_job()
    answer = gateway.session().delete(f"{API_URL}/videos/{job_id}{query}", headers={"x-api-key": "the-key-of-alice"})
    assert answer.status_code == 400
    assert stack.job(job_id).failure is None
