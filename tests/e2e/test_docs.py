"""What the pages tell people to type, typed as it stands: curl, the AWS CLI, `wanflow`, make, Python, on the stack.

Each `follow_…` follows one page and types all of its blocks that stand in `RUN` (tests/docs/classes.py).
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local import surroundings
from local.deploy import client
from local.ports import free_ports
from local.up import shell_variables
from mock_server.running import RunningMock
from tests.docs.classes import RUN
from tests.docs.pages import ROOT
from tests.docs.reader import Reader, reading
from tests.e2e.wanflow import Wanflow, read_video


class Following:
    """Opens a page for a reader who has a shell, the repository, and this stack as `make up` gives it."""

    def __init__(self, wanflow: Wanflow, folder: Path) -> None:
        self._wanflow = wanflow
        self._folder = folder

    @contextmanager
    def __call__(self, page: str, elsewhere: dict[str, str] | None = None) -> Iterator[Reader]:
        file = self._folder / "variables"
        file.write_text(shell_variables(self._wanflow.stack), encoding="utf-8")
        with reading(
            page, self._folder, surroundings.clean(), {".local/env": str(file), **(elsewhere or {})}
        ) as reader:
            if page != "docs/local-stack.md":
                reader.types(". .local/env")
            yield reader
        assert reader.ran == {key for key in RUN if key.startswith(f"{page}#")}, "the page's blocks in RUN"


def follow_readme(following: Following, wanflow: Wanflow) -> None:
    with following("README.md") as reader:
        reader.saves("ask-for-a-video", "json", "request.json")
        job = json.loads(reader.runs("ask-for-a-video"))
        assert job["metadata"] == {"order": "A-1007"}
        assert json.loads(reader.runs("ask-for-a-video"))["id"] == job["id"], "the same Idempotency-Key"
        reader.gives(ID=job["id"])
        asked, canceled = documents(reader.runs("ask-for-a-video/2"))
        assert asked["id"] == job["id"]
        assert canceled.get("id") == job["id"] or canceled["error"]["code"] == "conflict", "canceled, or too late"

        reader.saves("or-drop-a-file-into-s3", "csv", "rows.csv")
        reader.runs("or-drop-a-file-into-s3/2")
        reader.runs("or-drop-a-file-into-s3/3")
        verdict = json.loads(reader.runs_until_it_works("or-drop-a-file-into-s3"))
        assert verdict["request"]["input"]["prompt"] == "character1 and character2 dance in the rain"

        reader.runs("ask-for-a-video/3")
        assert read_video((reader.folder / "fox.mp4").read_bytes()).seconds == 5.0

        batch = json.loads(wanflow.wait_for_object("outbox/rows.csv.result.json", containing=b'"completed":2'))
        assert [row["row"] for row in batch["rows"]] == [1, 2]
        picture = json.loads(wanflow.wait_for_object("outbox/fox.png.result.json", containing=b'"completed"'))
        assert picture["request"]["parameters"]["size"] == "1280*720"

        (reader.folder / "wan-api-key.txt").write_text(wanflow.stack.endpoints.wan_api_key, encoding="utf-8")
        reader.runs("deploy-to-aws/2")
        told = [wanflow.stack.outputs["ApiUrl"], wanflow.stack.endpoints.api_key, wanflow.bucket]
        assert reader.types('echo "$API_URL $API_KEY $BUCKET"').split() == told


def follow_client(following: Following, wanflow: Wanflow) -> None:
    with following("client/README.md") as reader:
        # The job that is canceled must still be there by then.
        prompts = {"request.json": "character1 waves", "long.json": "character1 waits [[mock:poll:unknown-status]]"}
        for name, prompt in prompts.items():
            (reader.folder / name).write_text(json.dumps(wanflow.request(prompt)), encoding="utf-8")
        reader.types("pip install ./client")
        assert "s3://" in reader.runs("command", **{'request.json)"': 'long.json)"'})
        for name in ("fox.mp4", "video.mp4", "again.mp4"):
            assert read_video((reader.folder / name).read_bytes()).width == 1280

        printed = reader.runs_python(
            "python",
            **{
                '"https://….execute-api.us-east-1.amazonaws.com/v1"': repr(wanflow.url),
                '"the API key"': repr(wanflow.stack.endpoints.api_key),
            },
        )
        assert printed.startswith("0.50\n")
        assert "completed 100" in printed
        assert read_video((reader.folder / "meeting.mp4").read_bytes()).has_sound


def follow_events(following: Following, wanflow: Wanflow) -> None:
    stack = wanflow.stack
    (port,) = free_ports(1)
    with following("docs/events.md") as reader:
        reader.gives(WebhookSecretArn=stack.outputs["WebhookSecretArn"])
        secret = reader.runs("the-secret").strip()
        assert secret == stack.endpoints.webhook_secret

        printed = reader.starts("webhooks", **{"whsec_…": secret, "9000": str(port)})
        request = {**wanflow.request("character1 waves"), "callback_url": f"http://127.0.0.1:{port}/"}
        job_id = wanflow.post(request).json()["id"]
        reader.types_until_it_works(f"grep '{job_id} is ready' {printed}")

        # Not the stack's own: the text is no webhook.
        sqs = client("sqs", stack.settings)
        letters, back = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("docs-letters", "docs-back"))
        sqs.send_message(QueueUrl=letters, MessageBody="never delivered")
        reader.gives(WebhookDeadLettersUrl=letters, WebhookQueueUrl=back)
        assert "never delivered" in reader.runs("replay")
        reader.runs("replay/2")
        assert [message["Body"] for message in sqs.receive_message(QueueUrl=back)["Messages"]] == ["never delivered"]

        # Not the stack's own: what other tests sign must stay valid.
        arn = client("secretsmanager", stack.settings).create_secret(Name="docs", SecretString="one")["ARN"]
        reader.gives(WebhookSecretArn=arn)
        reader.runs("the-secret/2")
        reader.runs("the-secret/3")
        versions = client("secretsmanager", stack.settings).list_secret_version_ids(SecretId=arn)["Versions"]
        assert [version["VersionStages"] for version in versions if version.get("VersionStages")] == [["AWSCURRENT"]]


def follow_operations(following: Following, wanflow: Wanflow) -> None:
    sqs = client("sqs", wanflow.stack.settings)
    with following("docs/operations.md") as reader:
        reader.runs("how-do-i-run-it")
        unknown = wanflow.create("character1 is lost [[mock:submit:lost-answer]]")
        job_id = wanflow.create("character1 waits")
        reader.gives(JOB=job_id)
        item, history = documents(reader.runs("what-became-of-a-job"))
        assert item["Item"]["pk"]["S"] == f"job#{job_id}"
        assert history["events"]

        paused, resumed = reader.runs("stop-submits-and-go-on").splitlines()
        assert paused.startswith("Paused")
        assert resumed.startswith("Resumed")
        assert '"called"' in reader.runs("stop-submits-and-go-on/2")
        reader.runs("stop-submits-and-go-on/3")

        queue = wanflow.stack.outputs["LostEventsQueueUrl"]
        event = json.loads((ROOT / "events" / "accept_upload" / "request.json").read_text("utf-8"))
        event["detail"] |= {"bucket": {"name": wanflow.bucket}, "object": {"key": "inbox/lost.json", "sequencer": "1"}}
        wanflow.upload("elsewhere/lost.json", b"")
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
        (message,) = json.loads(reader.runs("lost-events"))["Messages"]
        (reader.folder / "body.json").write_text(message["Body"], encoding="utf-8")
        assert "StatusCode" in reader.runs("lost-events/2")
        reader.gives(RECEIPT_HANDLE=message["ReceiptHandle"])
        reader.runs("lost-events/3")
        assert wanflow.wait(job_id)["status"] == "completed"

        assert wanflow.wait(unknown)["error"]["code"] == "submit_outcome_unknown"
        reader.gives(JOB=unknown)
        assert f"Freed the slot of {unknown}" in reader.runs("a-slot-that-an-unknown-outcome-holds")


def follow_faq(following: Following, wanflow: Wanflow) -> None:
    with following("docs/faq.md") as reader:
        key = "s/^key id *//p"
        reader.gives(OLD_KEY_ID=reader.types(f"make key NAME=docs-alice STACK=$STACK | sed -n '{key}'").strip())
        said = reader.runs("how-do-i-rotate-keys", alice="docs-alice")
        assert "Older keys of docs-alice" in said
        assert "Disabled" in said

        reader.types("pip install ./client")
        url = reader.runs_python("i-call-the-providers-api-myself-and-wait-in-a-loop-what-changes").strip()
        assert read_video(wanflow.http.get(url, headers={"x-api-key": None}, timeout=60).content).seconds == 5.0


def follow_local_stack(following: Following, wanflow: Wanflow) -> None:
    wanflow.upload("uploads/docs.txt", b"here")
    with following("docs/local-stack.md") as reader:
        printed = reader.runs("how-does-it-run-on-my-machine")
        assert "uploads/" in printed
        assert "stateMachineArn" in printed


def follow_money(following: Following, _wanflow: Wanflow) -> None:
    with following("docs/money.md") as reader:
        assert "| a month |" in reader.runs("a-worked-example").replace("**", "")


def follow_mock_server(following: Following, _wanflow: Wanflow) -> None:
    with RunningMock() as mock, following("mock_server/README.md", {"http://127.0.0.1:8787": mock.url}) as reader:
        reader.runs("scenarios")
        created, unknown = documents(reader.runs("the-mock-wan-server/2"))
        assert unknown["error"]
        mock.advance(5)
        _, completed = documents(reader.runs("the-mock-wan-server/2", **{"videos/ID": f"videos/{created['id']}"}))
        assert completed["status"] == "completed"


WALKS = {
    "README.md": follow_readme,
    "client/README.md": follow_client,
    "docs/operations.md": follow_operations,
    "docs/events.md": follow_events,
    "docs/faq.md": follow_faq,
    "docs/local-stack.md": follow_local_stack,
    "docs/money.md": follow_money,
    "mock_server/README.md": follow_mock_server,
}


@pytest.fixture(scope="module")
def walks(
    request: pytest.FixtureRequest, wanflow: Wanflow, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """All chosen pages are followed at once, by people who mostly wait for videos."""
    chosen = [page for page in WALKS if any(f"[{page}]" in item.name for item in request.session.items)]
    with ThreadPoolExecutor(len(chosen)) as pool:
        yield {
            page: pool.submit(WALKS[page], Following(wanflow, tmp_path_factory.mktemp("reader")), wanflow)
            for page in chosen
        }


@pytest.mark.parametrize("page", WALKS)
def test_what_a_page_tells_people_to_type_works(walks: dict[str, Future[None]], page: str) -> None:
    walks[page].result()


def test_every_page_with_commands_to_run_is_followed() -> None:
    assert {key.partition("#")[0] for key in RUN} == set(WALKS)


def documents(text: str) -> list[dict[str, Any]]:
    """JSON documents that were printed one after the other, with or without a line's end between them."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].strip()
    return found
