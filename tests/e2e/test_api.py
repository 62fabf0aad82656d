"""The HTTPS API: create, ask, download, and every way to be refused."""

import hashlib

import requests

from tests.e2e.wanflow import Wanflow, jpeg, marker, picture, read_video


def test_a_job_goes_from_the_request_to_a_video_of_the_asked_size_and_length(wanflow: Wanflow) -> None:
    request = wanflow.request("character1 waves", size="832*1088", duration=3, audio=True)

    created = wanflow.post(request)
    document = wanflow.wait(created.json()["id"])

    assert created.status_code == 202
    assert created.headers["Location"].endswith(f"/videos/{document['id']}")
    assert document["status"] == "completed"
    assert document["usage"]["cost"] == "0.30"
    video = requests.get(document["output"][0]["content"][0]["url"], timeout=60)
    facts = read_video(video.content)
    assert (facts.width, facts.height, facts.seconds, facts.has_sound) == (832, 1088, 3.0, True)


def test_the_video_and_its_document_are_in_the_bucket(wanflow: Wanflow) -> None:
    document = wanflow.wait(wanflow.create("character1 sings"))

    stored = wanflow.s3.get_object(Bucket=wanflow.bucket, Key=f"videos/{document['id']}.mp4")["Body"].read()
    linked = requests.get(document["output"][0]["content"][0]["url"], timeout=60).content

    assert hashlib.sha256(stored).digest() == hashlib.sha256(linked).digest()
    assert wanflow.wait_for_object(f"videos/{document['id']}.json")


def test_references_in_the_bucket_may_be_named_by_their_s3_address(wanflow: Wanflow) -> None:
    key = f"uploads/{wanflow.stack.outputs['ApiKeyId']}/me.jpg"
    wanflow.upload(key, jpeg())
    request = wanflow.request("character1 swims")
    request["input"]["reference_urls"] = [f"s3://{wanflow.bucket}/{key}"]

    document = wanflow.wait(wanflow.post(request).json()["id"])

    assert document["status"] == "completed", document


def test_a_running_job_says_when_to_ask_again(wanflow: Wanflow) -> None:
    answer = wanflow.post(wanflow.request("character1 waits"))

    assert int(answer.headers["Retry-After"]) >= 1
    wanflow.wait(answer.json()["id"])


def test_the_same_idempotency_key_gives_the_original_job(wanflow: Wanflow) -> None:
    scene = marker()
    request = wanflow.request(f"character1 runs, {scene}")
    headers = {"Idempotency-Key": scene}

    first, second = (wanflow.post(request, **headers) for _ in range(2))
    other = wanflow.post(wanflow.request("character1 rests"), **headers)

    assert (first.status_code, second.status_code, other.status_code) == (202, 200, 409)
    assert first.json()["id"] == second.json()["id"]
    wanflow.wait(first.json()["id"])
    assert len(wanflow.submits(scene)) == 1


def test_without_an_api_key_nobody_gets_in(wanflow: Wanflow) -> None:
    for headers in ({}, {"x-api-key": "wrong"}):
        answer = requests.post(f"{wanflow.url}/videos", json=wanflow.request("hello"), headers=headers, timeout=60)

        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"


def test_a_request_that_breaks_rules_is_told_all_of_them_with_their_codes(wanflow: Wanflow) -> None:
    request = {
        "model": "wan26_r2v",
        "input": {"prompt": "", "reference_urls": []},
        "parameters": {"size": "640*480", "duration": 5.5, "watermark": "true", "seed": -1},
    }

    answer = wanflow.post(request)

    assert answer.status_code == 400
    error = answer.json()["error"]
    found = {each["field"]: each["code"] for each in error["violations"]}
    assert found == {
        "input.prompt": "invalid_request",
        "input.reference_urls": "001028001",
        "parameters.size": "invalid_request",
        "parameters.duration": "invalid_request",
        "parameters.watermark": "invalid_request",
        "parameters.seed": "invalid_request",
    }
    assert error["code"] == "001028001"


def test_each_code_of_the_reference_list_is_reached_by_a_real_bad_request(wanflow: Wanflow) -> None:
    image, video = picture(), "https://example.com/clip.mp4"
    lists = {
        "001028001": [],
        "001028002": [image] * 6,
        "001028003": [video] * 4,
        "001028004": ["ftp://example.com/a.png"],
    }
    for code, references in lists.items():
        request = wanflow.request("character1 looks up")
        request["input"]["reference_urls"] = references

        answer = wanflow.post(request)

        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_body_that_is_no_json_is_refused_with_the_place_of_the_mistake(wanflow: Wanflow) -> None:
    headers = {"content-type": "application/json"}

    answer = wanflow.http.post(f"{wanflow.url}/videos", data='{"model": ,}', headers=headers, timeout=60)

    assert answer.status_code == 400
    assert "line 1" in answer.text


def test_unknown_jobs_and_paths_are_not_found(wanflow: Wanflow) -> None:
    for path in ("/videos/vid_00000000000000000000000000", "/videos/nonsense", "/nothing"):
        answer = wanflow.http.get(f"{wanflow.url}{path}", timeout=60)

        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
