"""Requests as files: put under inbox/, answered under outbox/."""

import json

from tests.e2e.wanflow import Wanflow, marker, read_video


def test_a_request_file_becomes_a_video_and_a_verdict(wanflow: Wanflow) -> None:
    name = f"Übung 100% + 名前/{marker()}"
    request = wanflow.request(f"character1 dances, {name}", size="720*1280")

    wanflow.upload(f"inbox/{name}.json", json.dumps(request).encode())
    verdict = json.loads(wanflow.wait_for_object(f"outbox/{name}.json.result.json", containing=b'"completed"'))

    assert verdict["status"] == "completed"
    assert verdict["usage"]["cost"] == "0.20"
    video = wanflow.s3.get_object(Bucket=wanflow.bucket, Key=f"videos/{verdict['id']}.mp4")["Body"].read()
    facts = read_video(video)
    assert (facts.width, facts.height, facts.seconds) == (720, 1280, 2.0)


def test_the_same_file_uploaded_again_is_a_new_job(wanflow: Wanflow) -> None:
    name = marker()
    request = json.dumps(wanflow.request(f"character1 jumps, {name}")).encode()

    ids = set()
    for _ in range(2):
        wanflow.upload(f"inbox/{name}.json", request)
        verdict = json.loads(wanflow.wait_for_object(f"outbox/{name}.json.result.json", containing=b'"completed"'))
        ids.add(verdict["id"])
        wanflow.s3.delete_object(Bucket=wanflow.bucket, Key=f"outbox/{name}.json.result.json")

    assert len(ids) == 2
    assert len(wanflow.tasks(name)) == 2


def test_nothing_outside_of_the_inbox_starts_anything(wanflow: Wanflow) -> None:
    name = marker()
    request = json.dumps(wanflow.request(f"character1 stays, {name} [[mock:001028004]]")).encode()

    for folder in ("outbox", "videos", "uploads", "batches"):
        wanflow.upload(f"{folder}/{name}.json", request)
    wanflow.upload(f"inbox/{name}.json", request)
    wanflow.wait_for_object(f"outbox/{name}.json.result.json", containing=b'"failed"')

    assert len(wanflow.submits(name)) == 1


def test_a_failed_job_is_told_in_the_verdict(wanflow: Wanflow) -> None:
    name = marker()
    request = wanflow.request(f"character1 falls, {name} [[mock:001028004]]")

    wanflow.upload(f"inbox/team/{name}.json", json.dumps(request).encode())
    verdict = json.loads(wanflow.wait_for_object(f"outbox/team/{name}.json.result.json", containing=b'"failed"'))

    assert verdict["error"]["code"] == "001028004"


def test_a_broken_file_is_told_the_line_and_column_of_its_mistake(wanflow: Wanflow) -> None:
    name = marker()

    wanflow.upload(f"inbox/{name}.json", b'{\n  "model": "wan26_r2v",\n  "input": {"prompt": oops}\n}')
    verdict = wanflow.wait_for_object(f"outbox/{name}.json.result.json").decode()

    assert "line 3" in verdict
    assert "column 23" in verdict


def test_a_request_file_that_breaks_rules_is_told_all_of_them(wanflow: Wanflow) -> None:
    name = marker()
    request = {"model": "wan26_r2v", "input": {"prompt": "hello", "reference_urls": []}, "parameters": {"duration": 99}}

    wanflow.upload(f"inbox/{name}.json", json.dumps(request).encode())
    verdict = json.loads(wanflow.wait_for_object(f"outbox/{name}.json.result.json"))

    fields = {each["field"]: each["code"] for each in verdict["error"]["violations"]}
    assert fields == {"input.reference_urls": "001028001", "parameters.duration": "invalid_request"}
