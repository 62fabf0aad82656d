"""Many requests in one file, and pictures that carry their prompt: put under inbox/, answered under outbox/."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from benchmarks import big_batch
from local.deploy import client
from tests.e2e.wanflow import Wanflow, jpeg, marker
from tests.unit.media_files import movie


def row(prompt: str) -> str:
    """One line of a batch; the mock does not fetch what is not on loopback."""
    wan_input = {"prompt": prompt, "reference_urls": ["https://example.com/fox.png"]}
    parameters = {"size": "1280*720", "duration": 2, "audio": False}
    return json.dumps({"model": "wan26_r2v", "input": wan_input, "parameters": parameters})


def verdict(wanflow: Wanflow, key: str, containing: bytes = b'"ended"') -> dict[str, Any]:
    content = wanflow.wait_for_object(f"outbox/{key.removeprefix('inbox/')}.result.json", containing)
    document: dict[str, Any] = json.loads(content)
    return document


def test_a_batch_of_json_lines_makes_every_good_row_and_names_every_bad_one(wanflow: Wanflow) -> None:
    scene = marker()
    key = f"inbox/team/büro + {scene}.jsonl"
    lines = [row(f"character1 runs {number}, {scene}") for number in range(6)]
    lines[1] = '{"model": "wan26_r2v", oops}'
    lines[4] = row("")
    lines.insert(3, "")

    wanflow.upload(key, "\n".join(lines).encode())
    told = verdict(wanflow, key)

    assert told["totals"] == {"rows": 6, "completed": 4, "refused": 2}
    refused = {each["row"]: each["violations"] for each in told["rows"] if each["status"] == "refused"}
    assert refused[2][0]["message"].endswith("at line 1, column 24")
    assert refused[6][0]["field"] == "input.prompt"
    assert len(wanflow.tasks(scene)) == 4
    videos = {each["job_id"] for each in told["rows"] if each["status"] == "completed"}
    found = wanflow.s3.list_objects_v2(Bucket=wanflow.bucket, Prefix="videos/")["Contents"]
    assert videos <= {item["Key"].removeprefix("videos/").removesuffix(".mp4") for item in found}


def test_every_good_row_is_paid_once_and_every_bad_one_is_named(wanflow: Wanflow) -> None:
    report = big_batch.run(wanflow.stack.settings, wanflow.stack.endpoints, rows=24, bad=len(big_batch.KINDS))

    assert report.broken == []
    assert report.totals == {"rows": 24, "completed": 18, "refused": 6}
    assert report.fields == dict.fromkeys(big_batch.KINDS, 1)
    assert report.tasks == {"completed": 18}


def test_a_batch_of_csv_reads_its_columns(wanflow: Wanflow) -> None:
    scene = marker()
    key = f"inbox/préparé/50% + {scene}.csv"
    table = (
        "prompt,reference_urls,size,duration,audio,metadata.order\n"
        f'"character1 and character2, {scene}",https://example.com/a.png https://example.com/b.jpg,960*960,2,false,A-1\n'
        f"character1 fails {scene} [[mock:001028004]],https://example.com/a.png,960*960,2,false,A-2\n"
        f"character1 for ever {scene},https://example.com/a.png,960*960,99,false,A-3\n"
    )

    wanflow.upload(key, table.encode("utf-8-sig"))
    told = verdict(wanflow, key)

    assert told["totals"] == {"rows": 3, "completed": 1, "failed": 1, "refused": 1}
    by_row = {each["row"]: each for each in told["rows"]}
    assert by_row[2]["error"]["code"] == "001028004"
    assert by_row[3]["violations"][0]["field"] == "parameters.duration"
    document = json.loads(
        wanflow.s3.get_object(Bucket=wanflow.bucket, Key=f"videos/{by_row[1]['job_id']}.json")["Body"].read()
    )
    assert document["metadata"] == {"order": "A-1"}
    assert document["request"]["input"]["reference_urls"] == ["https://example.com/a.png", "https://example.com/b.jpg"]


def test_a_file_that_is_no_batch_is_told_why(wanflow: Wanflow) -> None:
    key = f"inbox/{marker()}.csv"

    wanflow.upload(key, b"prompt,refs\nhello,https://example.com/a.png\n")
    told = verdict(wanflow, key, containing=b'"refused"')

    assert "'refs'" in told["error"]["violations"][0]["message"]


@pytest.mark.parametrize(("ending", "content"), [("jpg", jpeg()), ("mp4", movie())], ids=["picture", "clip"])
def test_a_picture_or_clip_with_a_prompt_becomes_a_job_with_itself_as_character1(
    wanflow: Wanflow, ending: str, content: bytes
) -> None:
    scene = marker()
    key = f"inbox/ein bild + {scene}.{ending}"
    metadata = {"prompt": quote(f"character1 lächelt, {scene}"), "parameters": '{"size": "1280*720", "duration": 2}'}

    wanflow.s3.put_object(Bucket=wanflow.bucket, Key=key, Body=content, Metadata=metadata)
    told = verdict(wanflow, key, containing=b'"completed"')

    assert told["request"]["input"]["prompt"] == f"character1 lächelt, {scene}"
    assert told["request"]["input"]["reference_urls"] == [f"s3://{wanflow.bucket}/{key}"]


def test_a_picture_without_a_prompt_is_told_the_name_to_use(wanflow: Wanflow) -> None:
    key = f"inbox/team/{marker()}.jpg"

    wanflow.upload(key, jpeg())
    told = verdict(wanflow, key, containing=b"stored")

    assert told == {"status": "stored", "reference": f"s3://{wanflow.bucket}/{key}"}


def test_an_s3_event_that_comes_twice_makes_one_job(wanflow: Wanflow) -> None:
    scene = marker()
    prompt = f"character1 once {scene}"
    table = f"prompt,reference_urls,duration,audio\n{prompt},https://example.com/a.png,2,false\n"
    metadata = {"prompt": quote(prompt), "parameters": '{"duration": 2, "audio": false}'}
    files = {"json": row(prompt).encode(), "jsonl": row(prompt).encode(), "csv": table.encode(), "jpg": jpeg()}
    keys = [f"inbox/{scene}.{ending}" for ending in files]
    for key, content in zip(keys, files.values(), strict=True):
        given = metadata if key.endswith("jpg") else {}
        wanflow.s3.put_object(Bucket=wanflow.bucket, Key=key, Body=content, Metadata=given)
    for key in keys:
        verdict(wanflow, key, containing=b'"completed"')

    # The uploads' own events made a job each; now one more event for each file, delivered twice.
    answers = {key: {accept_again(wanflow, key) for _ in range(2)} for key in keys}
    for key in keys:
        verdict(wanflow, key, containing=b'"completed"')

    assert [len(ids) for ids in answers.values()] == [1] * len(files)
    assert len(wanflow.tasks(scene)) == 2 * len(files)


def accept_again(wanflow: Wanflow, key: str) -> str:
    """Deliver an event of S3 to accept_upload, with a sequencer of its own; the id of the job or batch."""
    lambdas = client("lambda", wanflow.stack.settings)
    functions = lambdas.get_paginator("list_functions").paginate().build_full_result()["Functions"]
    name = next(each["FunctionName"] for each in functions if "AcceptUpload" in each["FunctionName"])
    event = {"detail": {"bucket": {"name": wanflow.bucket}, "object": {"key": key, "sequencer": "0A"}}}
    answer = json.loads(lambdas.invoke(FunctionName=name, Payload=json.dumps(event).encode())["Payload"].read())
    job_id: str = answer["job_id"]
    return job_id
