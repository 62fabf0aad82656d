"""The HTTPS API: create, ask, download, and every way to be refused."""

import hashlib
import io
import os

import pytest
import requests
from botocore.exceptions import ClientError
from PIL import Image

from tests.e2e.wanflow import Wanflow, jpeg, marker, picture, read_video
from tests.fakes import crc32_text
from wanflow.video_upload import HELD_BYTES


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


def test_a_long_video_is_streamed_and_checked_as_a_whole(wanflow: Wanflow) -> None:
    key = f"uploads/{wanflow.stack.outputs['ApiKeyId']}/noise.png"
    wanflow.upload(key, noise())
    request = wanflow.request("character1 flickers", size="1920*1080", duration=15)
    request["input"]["reference_urls"] = [f"s3://{wanflow.bucket}/{key}"] * 5

    document = wanflow.wait(wanflow.post(request).json()["id"])

    place = {"Bucket": wanflow.bucket, "Key": f"videos/{document['id']}.mp4"}
    video = wanflow.s3.get_object(**place)["Body"].read()
    told = wanflow.s3.head_object(**place, ChecksumMode="ENABLED")
    assert len(video) > HELD_BYTES
    assert told["ETag"].endswith('-1"')
    assert told["ChecksumCRC32"] == crc32_text(video)


def test_an_upload_whose_checksum_is_not_that_of_all_of_it_makes_no_object(wanflow: Wanflow) -> None:
    # The engine's part of it, which local/engine_patches.py adds.
    place = {"Bucket": wanflow.bucket, "Key": f"videos/{marker()}.mp4"}
    upload = wanflow.s3.create_multipart_upload(**place, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    place["UploadId"] = upload["UploadId"]
    part = wanflow.s3.upload_part(**place, PartNumber=1, Body=b"some bytes")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    with pytest.raises(ClientError, match="BadDigest"):
        wanflow.s3.complete_multipart_upload(
            **place, MultipartUpload=parts, ChecksumCRC32="AAAAAA==", ChecksumType="FULL_OBJECT"
        )
    wanflow.s3.abort_multipart_upload(**place)


def noise() -> bytes:
    """A picture that no encoder makes small."""
    side = 700
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(side * side * 3)).save(buffer, "PNG")
    return buffer.getvalue()


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


# --- Cancel, delete, list --------------------------------------------------------------------------------------------


def test_an_ended_job_can_be_deleted_and_not_canceled(wanflow: Wanflow) -> None:
    document = wanflow.wait(wanflow.create("character1 vanishes"))
    url = f"{wanflow.url}/videos/{document['id']}"

    canceled = wanflow.http.delete(url, timeout=60)
    purged = wanflow.until_settled(lambda: wanflow.http.delete(url, params={"purge": "true"}, timeout=60))

    assert (canceled.status_code, canceled.json()["error"]["code"]) == (409, "conflict")
    assert (purged.status_code, purged.content) == (204, b"")
    assert wanflow.http.get(url, timeout=60).status_code == 404
    assert wanflow.http.delete(url, params={"purge": "true"}, timeout=60).status_code == 404
    kept = wanflow.s3.list_objects_v2(Bucket=wanflow.bucket, Prefix=f"videos/{document['id']}")
    assert kept["KeyCount"] == 0
    assert requests.get(document["output"][0]["content"][0]["url"], timeout=60).status_code == 404


def test_a_running_job_can_be_canceled_and_not_deleted(wanflow: Wanflow) -> None:
    url = f"{wanflow.url}/videos/{wanflow.create('character1 hesitates')}"

    purged = wanflow.http.delete(url, params={"purge": "true"}, timeout=60)
    misspelled = wanflow.http.delete(url, params={"purg": "true"}, timeout=60)
    canceled = wanflow.http.delete(url, timeout=60)

    assert (purged.status_code, purged.json()["error"]["code"]) == (409, "conflict")
    assert (misspelled.status_code, misspelled.json()["error"]["violations"][0]["field"]) == (400, "purg")
    assert canceled.status_code == 202
    assert wanflow.wait(url.rsplit("/", 1)[1])["status"] == "canceled"


def test_a_list_stays_what_it_was_while_jobs_are_added(wanflow: Wanflow) -> None:
    caller = wanflow.as_owner(marker())
    fails = "character1 queues up [[mock:001028001]]"
    first = [caller.create(fails) for _ in range(5)]
    pages = [caller.videos(limit="2")]
    added = [caller.create(fails) for _ in range(2)]

    while pages[-1]["next_cursor"]:
        pages.append(caller.videos(limit="2", cursor=pages[-1]["next_cursor"]))

    assert [job["id"] for page in pages for job in page["videos"]] == first[::-1]
    everything = [job["id"] for job in caller.videos()["videos"]]
    assert everything == added[::-1] + first[::-1]
    assert {caller.wait(job_id)["status"] for job_id in everything} == {"failed"}
    assert [job["id"] for job in caller.videos(status="failed")["videos"]] == everything
    assert caller.videos(status="queued") == {"videos": [], "next_cursor": None}


# --- Estimates and uploads -------------------------------------------------------------------------------------------


def test_an_estimate_tells_the_price_and_every_broken_rule_and_pays_nothing(wanflow: Wanflow) -> None:
    scene = marker()
    good, bad = wanflow.request(f"character1 asks, {scene}", duration=7), wanflow.request("", size="1920*1080", seed=-1)

    answers = [wanflow.http.post(f"{wanflow.url}/estimates", json=each, timeout=60) for each in (good, bad)]

    assert [answer.status_code for answer in answers] == [200, 200]
    told = [answer.json() for answer in answers]
    assert told[0] == {"cost_usd": "0.70", "tier": "720P", "seconds": 7, "warnings": [], "violations": []}
    assert [each["field"] for each in told[1]["violations"]] == ["input.prompt", "parameters.seed"]
    assert (told[1]["cost_usd"], told[1]["tier"]) == ("0.30", "1080P")
    assert wanflow.submits(scene) == []


@pytest.mark.parametrize(
    ("changes", "more_bytes", "status", "code"),
    [
        ({"Content-Type": "text/html"}, 0, 403, "AccessDenied"),
        ({"key": "uploads/somebody/else.jpg"}, 0, 403, "AccessDenied"),
        ({"key": "inbox/request.json"}, 0, 403, "AccessDenied"),
        ({}, 1, 400, "EntityTooLarge"),
    ],
    ids=["another type", "another's prefix", "the inbox", "a byte too many"],
)
def test_a_presigned_form_is_for_one_file_of_its_type_size_and_place(
    wanflow: Wanflow, changes: dict[str, str], more_bytes: int, status: int, code: str
) -> None:
    asked = {"content_type": "image/jpeg", "bytes": 1000}
    form = wanflow.http.post(f"{wanflow.url}/uploads", json=asked, timeout=60).json()
    content = b"a" * (1000 + more_bytes)

    sent = requests.post(form["url"], data={**form["fields"], **changes}, files={"file": content}, timeout=60)

    assert (sent.status_code, f"<Code>{code}</Code>" in sent.text) == (status, True)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"content_type": "image/gif", "bytes": 1000}, "content_type"),
        ({"content_type": "image/png", "bytes": 20_000_000}, "bytes"),
        ({"content_type": "image/png", "bytes": 1000, "name": "../x"}, "name"),
    ],
)
def test_no_form_is_made_for_what_the_provider_does_not_take(
    wanflow: Wanflow, asked: dict[str, object], field: str
) -> None:
    answer = wanflow.http.post(f"{wanflow.url}/uploads", json=asked, timeout=60)

    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["error"]["violations"]] == [field]
