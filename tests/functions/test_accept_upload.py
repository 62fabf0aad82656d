"""Accept Upload: a file under inbox/ becomes a job, and its verdict lies under outbox/, good or bad."""

import json
from typing import Any

import pytest

from tests.fakes import png, wan_request
from tests.stack import Stack, event_file
from wanflow import aws
from wanflow.errors import AwsUnavailable


def uploaded(key: str, sequencer: str = "00617F08299329D189") -> dict[str, Any]:
    event = event_file("accept_upload", "request")
    event["detail"]["object"] |= {"key": key, "sequencer": sequencer}
    return event


def drop(stack: Stack, key: str, content: bytes | str, **options: str) -> Any:
    stack.put(key, content)
    return stack.invoke("accept_upload", uploaded(key, **options))


def test_a_good_request_becomes_a_job_with_its_verdict(stack: Stack) -> None:
    stack.put("inbox/request.json", json.dumps(wan_request()))
    answer = stack.invoke("accept_upload", event_file("accept_upload", "request"))
    job_id = answer["job_id"]
    assert answer["verdict"] == "outbox/request.json.result.json"
    verdict = stack.read_json("outbox/request.json.result.json")
    assert (verdict["id"], verdict["status"]) == (job_id, "queued")
    assert stack.executions() == [job_id]
    assert stack.job(job_id).owner == "s3"


def test_a_file_in_an_owner_s_folder_is_that_owner_s_job(stack: Stack) -> None:
    event = event_file("accept_upload", "request_of_owner")
    stack.put(event["detail"]["object"]["key"], json.dumps(wan_request()))
    job_id = stack.invoke("accept_upload", event)["job_id"]
    assert stack.job(job_id).owner == "k3yid0f4l1"
    assert stack.call("GET", f"/videos/{job_id}", owner="k3yid0f4l1").status == 200
    assert stack.keys("outbox/") == ["outbox/k3yid0f4l1/garden.json.result.json"]


def test_the_same_event_twice_is_one_job(stack: Stack) -> None:
    first = drop(stack, "inbox/request.json", json.dumps(wan_request()))
    again = stack.invoke("accept_upload", uploaded("inbox/request.json"))
    assert again == first
    assert stack.item_count() == 1


def test_a_repeated_event_does_not_overwrite_a_later_verdict(stack: Stack) -> None:
    answer = drop(stack, "inbox/request.json", json.dumps(wan_request()))
    stack.finish(answer["job_id"], execution_status="ABORTED")
    stack.invoke("accept_upload", uploaded("inbox/request.json"))
    assert stack.read_json(answer["verdict"])["status"] == "failed"


def test_a_new_upload_of_the_same_name_is_a_new_job(stack: Stack) -> None:
    first = drop(stack, "inbox/request.json", json.dumps(wan_request()))
    second = drop(stack, "inbox/request.json", json.dumps(wan_request()), sequencer="00617F08299329D190")
    assert first["job_id"] != second["job_id"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"model": "wan26_r2v",\n "input": }', "at line 2, column 11"),
        ("", "is empty"),
        (b'{"model": "\xff"}', "no valid UTF-8"),
        ("[1, 2]", "must be an object"),
    ],
)
def test_a_broken_file_gets_a_verdict_that_says_what_is_wrong_where(
    stack: Stack, content: bytes | str, words: str
) -> None:
    answer = drop(stack, "inbox/request.json", content)
    assert answer == {"verdict": "outbox/request.json.result.json", "job_id": None}
    verdict = stack.read_json("outbox/request.json.result.json")
    assert verdict["status"] == "refused"
    assert any(words in violation["message"] for violation in verdict["error"]["violations"])
    assert stack.item_count() == 0
    assert stack.executions() == []


def test_an_invalid_request_gets_the_wan_codes_in_its_verdict(stack: Stack) -> None:
    drop(stack, "inbox/request.json", json.dumps(wan_request(reference_urls=[])))
    error = stack.read_json("outbox/request.json.result.json")["error"]
    assert error["code"] == "001028001"
    assert [(violation["field"], violation["code"]) for violation in error["violations"]] == [
        ("input.reference_urls", "001028001")
    ]


def test_a_file_of_another_type_gets_a_verdict_too(stack: Stack) -> None:
    drop(stack, "inbox/notes.txt", "hello")
    verdict = stack.read_json("outbox/notes.txt.result.json")
    assert verdict["status"] == "refused"
    assert verdict["error"]["violations"][0]["field"] == "file"


def test_a_file_that_is_too_large_gets_a_verdict_too(stack: Stack) -> None:
    drop(stack, "inbox/request.json", b" " * (6 * 1024 * 1024 + 1))
    verdict = stack.read_json("outbox/request.json.result.json")
    assert verdict["error"]["code"] == "too_large"


def test_a_file_that_is_gone_by_now_gets_a_verdict_too(stack: Stack) -> None:
    answer = stack.invoke("accept_upload", uploaded("inbox/gone.json"))
    assert answer["job_id"] is None
    assert stack.read_json("outbox/gone.json.result.json")["error"]["code"] == "not_found"


def test_a_key_with_blanks_and_umlauts_is_taken_as_it_is(stack: Stack) -> None:
    answer = drop(stack, "inbox/mein Käse + 50%.json", json.dumps(wan_request()))
    assert answer["job_id"] is not None
    assert stack.keys("outbox/") == ["outbox/mein Käse + 50%.json.result.json"]


def test_a_folder_made_in_the_console_is_passed_over(stack: Stack) -> None:
    answer = stack.invoke("accept_upload", event_file("accept_upload", "folder"))
    assert answer == {"verdict": None, "job_id": None}
    assert stack.keys() == []


def test_an_upload_over_the_budget_gets_a_verdict(stack: Stack) -> None:
    stack.template.parameters["MaxCostPerJobUsd"] = "0.10"
    answer = drop(stack, "inbox/request.json", json.dumps(wan_request()))
    assert answer["job_id"] is None
    assert stack.read_json("outbox/request.json.result.json")["error"]["code"] == "budget_exceeded"


# --- Media that carry their prompt, and batches --------------------------------------------------------------------


def test_a_picture_with_a_prompt_is_a_job_with_itself_as_character1(stack: Stack) -> None:
    event = event_file("accept_upload", "image_with_prompt")
    key = event["detail"]["object"]["key"]
    metadata = {"prompt": "character1%20isst%20K%C3%A4se", "parameters": '{"size": "1280*720"}'}
    stack.put(key, png(), metadata)
    answer = stack.invoke("accept_upload", event)
    job = stack.job(answer["job_id"])
    assert job.owner == "alice"
    assert job.request["input"] == {
        "prompt": "character1 isst Käse",
        "reference_urls": [f"s3://{stack.bucket}/{key}"],
    }
    assert job.request["parameters"]["size"] == "1280*720"
    assert stack.read_json("outbox/alice/face.png.result.json")["id"] == job.id


def test_a_picture_without_a_prompt_is_just_stored(stack: Stack) -> None:
    event = event_file("accept_upload", "image_with_prompt")
    stack.put(event["detail"]["object"]["key"], png())
    assert stack.invoke("accept_upload", event)["job_id"] is None
    assert stack.read_json("outbox/alice/face.png.result.json") == {
        "status": "stored",
        "reference": f"s3://{stack.bucket}/inbox/alice/face.png",
    }


def test_a_picture_that_breaks_a_rule_gets_a_verdict(stack: Stack) -> None:
    stack.put("inbox/alice/face.png", png(100, 100), {"prompt": "character1", "parameters": "{broken"})
    stack.invoke("accept_upload", event_file("accept_upload", "image_with_prompt"))
    assert stack.read_json("outbox/alice/face.png.result.json")["error"]["code"] == "invalid_request"
    stack.put("inbox/alice/face.png", png(100, 100), {"prompt": "character1"})
    stack.invoke("accept_upload", event_file("accept_upload", "image_with_prompt"))
    (violation,) = stack.read_json("outbox/alice/face.png.result.json")["error"]["violations"]
    assert violation["field"] == "input.reference_urls[0]"


def test_a_csv_batch_starts_its_map_with_small_data(stack: Stack) -> None:
    event = event_file("accept_upload", "batch_csv")
    table = (
        "prompt,reference_urls,size,duration,watermark,metadata.order\n"
        '"character1 walks, slowly",https://example.com/a.png https://example.com/b.png,1280*720,5,true,4711\n'
        "character1,https://example.com/a.png,1280*720,five,,\n"
    )
    stack.put(event["detail"]["object"]["key"], table)
    answer = stack.invoke("accept_upload", event)
    started = stack.execution_input(answer["job_id"])
    assert len(json.dumps(started)) < 1024
    (line,) = stack.read(started["items_key"]).decode().splitlines()
    assert json.loads(line)["request"] == {
        "model": "wan26_r2v",
        "input": {
            "prompt": "character1 walks, slowly",
            "reference_urls": ["https://example.com/a.png", "https://example.com/b.png"],
        },
        "parameters": {"size": "1280*720", "duration": 5, "watermark": True},
        "metadata": {"order": "4711"},
    }
    refused = stack.read_json("outbox/alice/orders.csv.result.json")["rows"][1]
    assert refused["row"] == 2
    assert refused["violations"][0]["field"] == "parameters.duration"


def test_the_same_batch_event_twice_is_one_batch(stack: Stack) -> None:
    event = event_file("accept_upload", "batch_jsonl")
    stack.put(event["detail"]["object"]["key"], json.dumps(wan_request()) + "\n")
    assert stack.invoke("accept_upload", event) == stack.invoke("accept_upload", event)


def test_a_batch_without_a_valid_row_has_its_last_verdict_at_once(stack: Stack) -> None:
    event = event_file("accept_upload", "batch_jsonl")
    stack.put(event["detail"]["object"]["key"], '{"model": 1}\nnonsense\n')
    assert stack.invoke("accept_upload", event) == stack.invoke("accept_upload", event)
    told = stack.read_json("outbox/alice/orders.jsonl.result.json")
    assert (told["status"], told["totals"]) == ("ended", {"rows": 2, "refused": 2})
    assert stack.executions("RunBatchStateMachine") == []


@pytest.mark.parametrize("content", ["", "\n\n", b"\xff\xfe"])
def test_a_batch_that_is_none_gets_a_verdict(stack: Stack, content: bytes | str) -> None:
    event = event_file("accept_upload", "batch_jsonl")
    stack.put(event["detail"]["object"]["key"], content)
    assert stack.invoke("accept_upload", event)["job_id"] is None
    assert stack.read_json("outbox/alice/orders.jsonl.result.json")["status"] == "refused"


# --- The event, and faults of AWS ----------------------------------------------------------------------------------


def test_a_passing_fault_of_aws_makes_no_verdict_but_another_try(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put("inbox/request.json", json.dumps(wan_request()))
    with monkeypatch.context() as patch:
        patch.setattr("wanflow.files.Files.put_json", _die)
        with pytest.raises(AwsUnavailable):
            stack.invoke("accept_upload", uploaded("inbox/request.json"))
    # The record was written before the verdict: the second try must still write it.
    answer = stack.invoke("accept_upload", uploaded("inbox/request.json"))
    assert stack.item_count() == 1
    assert stack.read_json(answer["verdict"])["id"] == answer["job_id"]


def _die(*_: object) -> None:
    raise AwsUnavailable("no answer")


def test_the_rule_s_pattern_fits_the_example_events(stack: Stack) -> None:
    function = stack.template.functions()["accept_upload"]
    (source,) = stack.template.properties(function)["Events"].values()
    pattern = source["Properties"]["Pattern"]
    event = event_file("accept_upload", "request")
    assert event["source"] in pattern["source"]
    assert event["detail-type"] in pattern["detail-type"]
    assert pattern["detail"]["bucket"]["name"] == [stack.bucket]
    assert event["detail"]["object"]["key"].startswith(pattern["detail"]["object"]["key"][0]["prefix"])
    assert aws.s3().head_bucket(Bucket=stack.bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
