"""The HTTPS API: what is wrong is named before anything is paid, a repeated key is one job, others' jobs are none."""

import base64
import importlib
import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from mock_server.responses_door import InProcessMock
from tests.conftest import LogLines, WanMock
from tests.fakes import FakeClock, FakeLambdaContext, mp4, png, wan_request
from tests.stack import OWNER, Answer, Stack, clear_clients, clear_wiring, event_file, proxy_event
from wanflow import aws
from wanflow.ids import is_job_id
from wanflow.render_statistics import RenderStatistics

ERROR_SHAPE = {"code", "message", "violations"}


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(violation["field"], violation["code"]) for violation in answer.body["error"]["violations"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/videos"), ("POST", "/uploads"), ("GET", "/videos/vid_1"), ("OPTIONS", "/videos"), ("GET", "/nowhere")],
)
def test_no_cache_keeps_an_answer(stack: Stack, method: str, path: str) -> None:
    body = {"content_type": "image/png", "bytes": 1} if method == "POST" else None
    assert stack.call(method, path, body).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("owner", "status"), [(OWNER, 202), (None, 415)])
def test_where_no_key_is_asked_for_a_type_is(stack: Stack, owner: str | None, status: int) -> None:
    """A web page may send a request without a type to `sam local start-api`, and pay with somebody else's money."""
    event = proxy_event("POST", "/videos", wan_request(), owner=owner, headers={"Content-Type": None})  # type: ignore[dict-item]
    assert stack.invoke("serve_api", event)["statusCode"] == status
    assert len(stack.executions()) == (1 if status == 202 else 0)


# --- POST /videos ------------------------------------------------------------------------------------------------


def test_a_good_request_becomes_a_job_and_a_workflow(stack: Stack) -> None:
    answer = stack.call("POST", "/videos", wan_request(metadata={"order": "4711"}))
    job_id = answer.body["id"]
    assert answer.status == 202
    assert is_job_id(job_id)
    assert answer.headers["Location"] == f"/v1/videos/{job_id}"
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/json"
    assert stack.executions() == [job_id]
    assert stack.is_in_open_jobs(job_id)
    assert answer.body["status"] == "queued"
    assert answer.body["progress"] == 0
    assert answer.body["estimate"] == {"cost_usd": "0.75"}
    assert answer.body["metadata"] == {"order": "4711"}
    assert answer.body["request"]["parameters"]["size"] == "1920*1080"
    assert answer.body["created_at"] == "2026-01-31T12:00:00.000Z"


def test_the_execution_is_started_with_the_job_id_alone(stack: Stack) -> None:
    job_id = stack.create_job()
    arn = f"{stack.state_machine_arn.replace(':stateMachine:', ':execution:')}:{job_id}"
    assert json.loads(aws.stepfunctions().describe_execution(executionArn=arn)["input"]) == {"job_id": job_id}


def test_warnings_are_told_and_a_long_prompt_is_cut(stack: Stack) -> None:
    answer = stack.call("POST", "/videos", wan_request(prompt="人" * 1501))
    assert answer.status == 202
    assert answer.body["request"]["input"]["prompt"] == "人" * 1500
    assert [warning["code"] for warning in answer.body["warnings"]] == ["prompt_truncated", "reference_never_named"]


def test_every_violation_is_named_at_once_and_nothing_is_written(stack: Stack) -> None:
    event = event_file("serve_api", "create_video_invalid")
    answer = stack.invoke("serve_api", event)
    body = json.loads(answer["body"])
    assert answer["statusCode"] == 400
    assert body["error"]["code"] == "001028001"
    assert [(violation["field"], violation["code"]) for violation in body["error"]["violations"]] == [
        ("input.prompt", "invalid_request"),
        ("input.reference_urls", "001028001"),
        ("parameters.size", "invalid_request"),
        ("parameters.duration", "invalid_request"),
    ]
    assert stack.item_count() == 0
    assert stack.executions() == []
    assert stack.keys() == []


def test_what_is_wrong_inside_of_a_reference_is_named_beside_what_is_wrong_with_the_text(stack: Stack) -> None:
    inline = "data:image/png;base64," + base64.b64encode(png(width=100)).decode()
    missing = f"s3://{stack.bucket}/uploads/{OWNER}/missing.png"
    references = ["ftp://example.com/a.png", inline, missing]
    request = wan_request(reference_urls=references, parameters={"duration": 99})
    answer = stack.call("POST", "/videos", request)
    assert answer.status == 400
    assert codes(answer) == [
        ("input.reference_urls[0]", "001028004"),
        ("parameters.duration", "invalid_request"),
        ("input.reference_urls[1]", "invalid_request"),
        ("input.reference_urls[2]", "001028004"),
    ]
    assert stack.call("POST", "/estimates", request).body["violations"] == answer.body["error"]["violations"]


def test_a_refused_request_makes_no_client_of_aws_at_all(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    clear_clients()
    clear_wiring()

    def no_client(*_: object, **__: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr("wanflow.aws._client", no_client)
    for variant in ("create_video_invalid", "create_video_broken_json"):
        answer = stack.invoke("serve_api", event_file("serve_api", variant))
        assert answer["statusCode"] == 400


def test_broken_json_is_answered_with_line_and_column(stack: Stack) -> None:
    answer = stack.call("POST", "/videos", '{"model": "wan26_r2v",\n "input": }')
    assert answer.status == 400
    assert codes(answer) == [("body", "invalid_request")]
    assert "line 2, column 11" in answer.body["error"]["violations"][0]["message"]


@pytest.mark.parametrize("body", [None, "", "[]", '"text"', "null", "5", "true", '{"a": NaN}', "[" * 100_000])
def test_a_body_that_is_no_object_is_a_400(stack: Stack, body: str | None) -> None:
    answer = stack.call("POST", "/videos", body)
    assert answer.status == 400
    assert set(answer.body["error"]) == ERROR_SHAPE
    assert codes(answer)[0][0] == "body"


def test_a_base64_body_is_read_as_what_it_is(stack: Stack) -> None:
    body = base64.b64encode(json.dumps(wan_request()).encode()).decode()
    assert stack.call("POST", "/videos", body, isBase64Encoded=True).status == 202


@pytest.mark.parametrize("body", ["not base64 at all!", base64.b64encode(b"\xff\xfe").decode()])
def test_a_body_that_cannot_be_decoded_is_a_400(stack: Stack, body: str) -> None:
    answer = stack.call("POST", "/videos", body, isBase64Encoded=True)
    assert answer.status == 400
    assert codes(answer) == [("body", "invalid_request")]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"]
)
def test_json_under_its_various_names_is_taken(stack: Stack, content_type: str) -> None:
    assert stack.call("POST", "/videos", wan_request(), headers={"Content-Type": content_type}).status == 202


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml", ""])
def test_another_type_of_body_is_a_415(stack: Stack, content_type: str) -> None:
    answer = stack.call("POST", "/videos", wan_request(), headers={"Content-Type": content_type})
    assert answer.status == 415
    assert answer.body["error"]["code"] == "unsupported_media_type"


def test_inline_references_that_are_too_large_together_are_a_413_that_says_where_to_put_them(stack: Stack) -> None:
    inline = "data:image/png;base64," + base64.b64encode(b"\x89PNG" + b"\0" * (2 * 1024 * 1024)).decode()
    answer = stack.call("POST", "/videos", wan_request(reference_urls=[inline, inline]))
    assert answer.status == 413
    assert answer.body["error"]["code"] == "too_large"
    assert "uploads/" in answer.body["error"]["message"]
    assert stack.item_count() == 0


def test_a_data_uri_is_never_told_back(stack: Stack) -> None:
    inline = "data:image/png;base64," + base64.b64encode(png()).decode()
    answer = stack.call("POST", "/videos", wan_request(reference_urls=[inline]))
    job_id = answer.body["id"]
    (told,) = answer.body["request"]["input"]["reference_urls"]
    assert told.startswith(f"s3://{stack.bucket}/uploads/{OWNER}/{job_id}/1")
    assert stack.read(told.removeprefix(f"s3://{stack.bucket}/")) == png()


@pytest.mark.parametrize("prefix", ["uploads/somebody/", "inbox/somebody/", "videos/", "uploads/key-id-of-alice2/"])
def test_a_reference_into_somebody_else_s_prefix_is_refused(stack: Stack, prefix: str) -> None:
    stack.put(f"{prefix}face.png", png())
    answer = stack.call("POST", "/videos", wan_request(reference_urls=[f"s3://{stack.bucket}/{prefix}face.png"]))
    assert answer.status == 400
    assert codes(answer) == [("input.reference_urls[0]", "001028004")]


# --- Idempotency-Key ---------------------------------------------------------------------------------------------


def test_the_same_key_gives_the_original_job(stack: Stack) -> None:
    event = event_file("serve_api", "create_video_with_key")
    first, again = (stack.invoke("serve_api", event) for _ in range(2))
    assert (first["statusCode"], again["statusCode"]) == (202, 200)
    assert json.loads(first["body"])["id"] == json.loads(again["body"])["id"]
    assert stack.item_count() == 1
    assert len(stack.executions()) == 1


def test_the_order_of_a_body_s_fields_does_not_make_it_another_one(stack: Stack) -> None:
    headers = {"Idempotency-Key": "k"}
    body = wan_request(parameters={"size": "1280*720", "duration": 5})
    turned = dict(reversed(body.items()))
    assert stack.create_job(body, headers=headers) == stack.create_job(turned, headers=headers)


def test_the_same_key_with_another_body_is_a_409(stack: Stack) -> None:
    headers = {"Idempotency-Key": "k"}
    stack.create_job(headers=headers)
    answer = stack.call("POST", "/videos", wan_request(prompt="character1 sleeps"), headers=headers)
    assert answer.status == 409
    assert answer.body["error"]["code"] == "conflict"
    assert stack.item_count() == 1


def test_a_repeat_with_another_body_does_not_touch_the_original_s_pictures(stack: Stack) -> None:
    headers = {"Idempotency-Key": "k"}
    first, second = ("data:image/png;base64," + base64.b64encode(png(size, 400)).decode() for size in (400, 500))
    job_id = stack.create_job(wan_request(reference_urls=[first]), headers=headers)
    answer = stack.call("POST", "/videos", wan_request(reference_urls=[second]), headers=headers)
    assert answer.status == 409
    (kept,) = stack.job(job_id).request["input"]["reference_urls"]
    assert stack.read(kept.removeprefix(f"s3://{stack.bucket}/")) == png(400, 400)


def test_the_same_key_of_another_owner_is_another_job(stack: Stack) -> None:
    headers = {"Idempotency-Key": "k"}
    mine = stack.create_job(headers=headers)
    assert stack.create_job(headers=headers, owner="key-id-of-bob") != mine


def test_a_key_that_comes_again_after_the_end_still_gives_the_original_job(stack: Stack, wan: InProcessMock) -> None:
    headers = {"Idempotency-Key": "k"}
    job_id = stack.create_job(headers=headers)
    stack.finish(job_id, execution_status="ABORTED")
    answer = stack.call("POST", "/videos", wan_request(), headers=headers)
    assert (answer.status, answer.body["id"], answer.body["status"]) == (200, job_id, "failed")


def test_a_repeat_starts_the_workflow_that_the_first_call_could_not_start(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "k"}
    with monkeypatch.context() as patch:
        patch.setattr(aws.stepfunctions(), "start_execution", _unreachable)
        assert stack.call("POST", "/videos", wan_request(), headers=headers).status == 202
    assert stack.executions() == []
    job_id = stack.create_job(headers=headers)
    assert stack.executions() == [job_id]


def _unreachable(**_: Any) -> None:
    raise ConnectTimeoutError(endpoint_url="https://states.example")


@pytest.mark.parametrize("key", ["", "x" * 256, "line\nbreak"])
def test_a_key_that_is_none_is_a_400(stack: Stack, key: str) -> None:
    answer = stack.call("POST", "/videos", wan_request(), headers={"Idempotency-Key": key})
    assert answer.status == 400
    assert codes(answer) == [("Idempotency-Key", "invalid_request")]


def test_the_longest_key_is_taken(stack: Stack) -> None:
    assert stack.call("POST", "/videos", wan_request(), headers={"Idempotency-Key": "x" * 255}).status == 202


# --- Money -------------------------------------------------------------------------------------------------------


def test_a_job_over_the_budget_is_a_402_and_nothing_is_written(stack: Stack) -> None:
    stack.template.parameters["MaxCostPerJobUsd"] = "0.74"
    answer = stack.call("POST", "/videos", wan_request())
    assert answer.status == 402
    assert answer.body["error"]["code"] == "budget_exceeded"
    assert "0.75" in answer.body["error"]["message"]
    assert stack.item_count() == 0


def test_the_daily_budget_is_reserved_by_each_job_and_a_new_day_starts_anew(stack: Stack, clock: FakeClock) -> None:
    stack.template.parameters["DailyBudgetUsd"] = "1.50"
    stack.create_job()
    stack.create_job()
    answer = stack.call("POST", "/videos", wan_request())
    assert answer.status == 402
    assert "1.5" in answer.body["error"]["message"]
    clock.advance(86400)
    assert stack.call("POST", "/videos", wan_request()).status == 202


def test_what_was_not_spent_is_free_again(stack: Stack, wan: InProcessMock, clock: FakeClock) -> None:
    stack.template.parameters["DailyBudgetUsd"] = "0.75"
    refused = stack.ready_job(wan_request(prompt="character1 [[mock:001028004]]"))
    assert stack.call("POST", "/videos", wan_request()).status == 402
    stack.submit(refused)
    stack.finish(refused)
    again = stack.ready_job()
    stack.submit(again)
    clock.advance(5)
    stack.poll(again)
    stack.store(again)
    stack.finish(again)
    assert stack.job(again).booked_usd == Decimal("0.75")
    assert stack.call("POST", "/videos", wan_request()).status == 402


def test_what_may_still_be_billed_stays_spent(stack: Stack, wan: InProcessMock) -> None:
    stack.template.parameters["DailyBudgetUsd"] = "0.75"
    unknown = stack.ready_job(wan_request(prompt="character1 [[mock:submit:lost-answer]]"))
    stack.submit(unknown)
    stack.finish(unknown)
    assert stack.job(unknown).booked_usd == Decimal("0.75")
    assert stack.call("POST", "/videos", wan_request()).status == 402


def test_one_owner_s_budget_leaves_the_others_theirs(stack: Stack) -> None:
    stack.template.parameters["DailyBudgetPerOwnerUsd"] = "0.75"
    stack.create_job()
    answer = stack.call("POST", "/videos", wan_request())
    assert answer.status == 402
    assert "this owner" in answer.body["error"]["message"]
    assert stack.call("POST", "/videos", wan_request(), owner="key-id-of-bob").status == 202


# --- GET and DELETE ----------------------------------------------------------------------------------------------


def test_a_running_job_tells_its_progress_and_when_to_ask_again(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = stack.ready_job()
    stack.submit(job_id)
    clock.advance(160)
    answer = stack.call("GET", f"/videos/{job_id}")
    assert answer.status == 200
    assert answer.body["status"] == "processing"
    assert 40 <= answer.body["progress"] <= 95
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert [attempt["task_id"] for attempt in answer.body["attempts"]] == [stack.job(job_id).task_id]


def test_a_caller_is_told_to_ask_again_just_after_the_workflow_s_next_poll(
    stack: Stack, make_wan: WanMock, clock: FakeClock
) -> None:
    make_wan(render_seconds=3000)
    job_id = stack.ready_job()
    wait = stack.submit(job_id)["wait_seconds"]
    for _ in range(5):
        clock.advance(4)
        told = int(stack.call("GET", f"/videos/{job_id}").headers["Retry-After"])
        assert told == pytest.approx(wait - 4 + 3, abs=1)
        clock.advance(wait - 4)
        wait = stack.poll(job_id)["wait_seconds"]


def test_a_job_that_waits_for_a_slot_is_asked_for_again_soon_and_reads_no_render_times(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RenderStatistics, "schedule", lambda *_: pytest.fail("a read that tells nothing"))
    answer = stack.call("GET", f"/videos/{stack.create_job()}")
    assert answer.body["progress"] == 0
    assert 1 <= int(answer.headers["Retry-After"]) <= 10


def test_a_finished_job_has_the_video_s_presigned_url_and_its_cost(
    stack: Stack, wan: InProcessMock, clock: FakeClock
) -> None:
    job_id = stack.ready_job()
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    stack.finish(job_id, polls=1)
    answer = stack.call("GET", f"/videos/{job_id}")
    assert answer.body["status"] == "completed"
    assert answer.body["progress"] == 100
    assert answer.body["usage"] == {"cost": "0.75", "discount": 0}
    assert answer.body["polls"] == 1
    assert "Retry-After" not in answer.headers
    (output,) = answer.body["output"]
    url = urlsplit(output["content"][0]["url"])
    assert url.path.endswith(f"videos/{job_id}.mp4")
    assert parse_qs(url.query)["X-Amz-Expires"] == ["3600"]
    assert output["jobId"] == stack.job(job_id).task_id
    assert stack.read(f"videos/{job_id}.mp4") == mp4(5000)


@pytest.mark.parametrize("job_id", ["vid_00000000000000000000000000", "vid_x", "..", "%2e%2e", "a" * 300])
def test_a_job_that_does_not_exist_is_a_404(stack: Stack, job_id: str) -> None:
    for method in ("GET", "DELETE"):
        answer = stack.call(method, f"/videos/{job_id}")
        assert answer.status == 404
        assert answer.body["error"]["code"] == "not_found"
        assert set(answer.body["error"]) == ERROR_SHAPE


def test_another_owner_s_job_cannot_be_told_from_none(stack: Stack) -> None:
    job_id = stack.create_job()
    for method in ("GET", "DELETE"):
        other = stack.call(method, f"/videos/{job_id}", owner="key-id-of-bob")
        none = stack.call(method, "/videos/vid_00000000000000000000000000", owner="key-id-of-bob")
        assert (other.status, other.body) == (404, none.body)
    assert stack.job(job_id).failure is None


def test_without_a_key_as_under_sam_local_the_owner_is_local(stack: Stack) -> None:
    job_id = stack.create_job(owner=None)
    assert stack.job(job_id).owner == "local"
    assert stack.call("GET", f"/videos/{job_id}", owner=None).status == 200


def test_cancelling_a_waiting_job_is_free_and_stops_its_workflow(stack: Stack) -> None:
    job_id = stack.create_job()
    answer = stack.call("DELETE", f"/videos/{job_id}")
    assert answer.status == 202
    assert answer.body["cancel_requested"] is True
    assert stack.finish(job_id, execution_status="ABORTED")["status"] == "canceled"
    again = stack.call("DELETE", f"/videos/{job_id}")
    assert (again.status, again.body["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("PUT", "/videos"), ("PATCH", "/videos/x")])
def test_a_path_or_method_that_is_not_there_is_a_404_in_our_shape(stack: Stack, method: str, path: str) -> None:
    answer = stack.call(method, path)
    assert answer.status == 404
    assert set(answer.body["error"]) == ERROR_SHAPE


# --- Lists, uploads, estimates, purge ----------------------------------------------------------------------------


def test_a_list_holds_the_owner_s_jobs_alone_newest_first_page_by_page(stack: Stack, clock: FakeClock) -> None:
    mine = []
    for _ in range(3):
        mine.append(stack.create_job())
        stack.create_job(owner="key-id-of-bob")
        clock.advance(1)
    first = stack.call("GET", "/videos", queryStringParameters={"limit": "2"})
    assert first.status == 200
    second = stack.call("GET", "/videos", queryStringParameters={"limit": "2", "cursor": first.body["next_cursor"]})
    listed = [video["id"] for page in (first, second) for video in page.body["videos"]]
    assert listed == mine[::-1]
    assert second.body["next_cursor"] is None


def test_a_list_stays_itself_while_jobs_are_added(stack: Stack, clock: FakeClock) -> None:
    before = []
    for _ in range(4):
        before.append(stack.create_job())
        clock.advance(1)
    first = stack.call("GET", "/videos", queryStringParameters={"limit": "2"})
    stack.create_job()
    second = stack.call("GET", "/videos", queryStringParameters={"limit": "2", "cursor": first.body["next_cursor"]})
    assert [video["id"] for page in (first, second) for video in page.body["videos"]] == before[::-1]


def test_a_list_can_be_of_one_status(stack: Stack) -> None:
    ended = stack.create_job()
    stack.create_job()
    stack.finish(ended, execution_status="ABORTED")
    answer = stack.call("GET", "/videos", queryStringParameters={"status": "failed"})
    assert [video["id"] for video in answer.body["videos"]] == [ended]


def test_another_owner_s_cursor_leads_into_one_s_own_list_alone(stack: Stack, clock: FakeClock) -> None:
    for _ in range(2):
        stack.create_job()
        clock.advance(1)
    cursor = stack.call("GET", "/videos", queryStringParameters={"limit": "1"}).body["next_cursor"]
    answer = stack.call("GET", "/videos", owner="key-id-of-bob", queryStringParameters={"cursor": cursor})
    assert (answer.status, answer.body["videos"]) == (200, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "2.0"),
        ("limit", "-1"),
        ("status", "done"),
        ("cursor", "%%%"),
        ("cursor", "aGVsbG8"),
        ("cursor", "ü"),
    ],
)
def test_a_wrong_query_parameter_is_a_400_by_name(stack: Stack, name: str, value: str) -> None:
    answer = stack.call("GET", "/videos", queryStringParameters={name: value})
    assert answer.status == 400
    assert codes(answer) == [(name, "invalid_request")]


def test_an_upload_s_place_is_bound_to_owner_type_and_size(stack: Stack) -> None:
    answer = stack.call("POST", "/uploads", {"content_type": "image/png", "bytes": 1000})
    assert answer.status == 201
    key = answer.body["fields"]["key"]
    assert key.startswith(f"uploads/{OWNER}/")
    assert key.endswith(".png")
    assert answer.body["reference"] == f"s3://{stack.bucket}/{key}"
    assert answer.body["expires_at"] == "2026-01-31T13:00:00.000Z"
    policy = json.loads(base64.b64decode(answer.body["fields"]["policy"]))
    assert ["content-length-range", 1, 1000] in policy["conditions"]
    assert {"Content-Type": "image/png"} in policy["conditions"]
    stack.put(key, png())
    assert stack.create_job(wan_request(reference_urls=[answer.body["reference"]]))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"content_type": "image/gif", "bytes": 1}, ["content_type"]),
        ({"content_type": "image/png", "bytes": 0}, ["bytes"]),
        ({"content_type": "image/png", "bytes": 10 * 1024 * 1024 + 1}, ["bytes"]),
        ({"content_type": "image/png", "bytes": True}, ["bytes"]),
        ({"bytes": "1"}, ["content_type", "bytes"]),
        ({"content_type": "image/png", "bytes": 1, "name": "x"}, ["name"]),
        ([], ["body"]),
    ],
)
def test_an_upload_that_the_provider_would_not_take_gets_no_place(
    stack: Stack, body: object, fields: list[str]
) -> None:
    answer = stack.call("POST", "/uploads", body)
    assert answer.status == 400
    assert [field for field, _ in codes(answer)] == fields


def test_an_estimate_pays_nothing_and_writes_nothing(stack: Stack) -> None:
    answer = stack.call("POST", "/estimates", wan_request(parameters={"size": "1280*720", "duration": 10}))
    assert answer.status == 200
    assert answer.body == {"cost_usd": "1.00", "tier": "720P", "seconds": 10, "warnings": [], "violations": []}
    assert stack.item_count() == 0


def test_an_estimate_of_an_invalid_request_tells_what_is_wrong_and_what_can_be_told(stack: Stack) -> None:
    answer = stack.call("POST", "/estimates", wan_request(reference_urls=[], parameters={"size": "1:1"}))
    assert answer.status == 200
    assert (answer.body["cost_usd"], answer.body["tier"], answer.body["seconds"]) == (None, None, 5)
    assert [violation["code"] for violation in answer.body["violations"]] == ["001028001", "invalid_request"]


def test_a_purge_leaves_nothing_of_a_finished_job(stack: Stack, wan: InProcessMock, clock: FakeClock) -> None:
    inline = "data:image/png;base64," + base64.b64encode(png()).decode()
    job_id = stack.ready_job(wan_request(reference_urls=[inline]))
    refused = stack.call("DELETE", f"/videos/{job_id}", queryStringParameters={"purge": "true"})
    assert (refused.status, refused.body["error"]["code"]) == (409, "conflict")
    stack.submit(job_id)
    clock.advance(5)
    stack.poll(job_id)
    stack.store(job_id)
    stack.finish(job_id)
    answer = stack.call("DELETE", f"/videos/{job_id}", queryStringParameters={"purge": "true"})
    assert (answer.status, answer.body) == (204, None)
    assert stack.keys() == []
    assert stack.call("GET", f"/videos/{job_id}").status == 404


# --- When something breaks ---------------------------------------------------------------------------------------


def test_a_passing_fault_of_aws_is_a_503_that_says_when_to_come_back(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(**_: Any) -> None:
        error = {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(error, "PutItem")  # type: ignore[arg-type]

    monkeypatch.setattr(aws.dynamodb(), "put_item", throttled)
    answer = stack.call("POST", "/videos", wan_request())
    assert answer.status == 503
    assert answer.body["error"]["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "5"
    assert stack.executions() == []


def test_a_bug_is_a_500_without_its_story_and_is_logged_whole(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, log: LogLines
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("the secret detail")

    monkeypatch.setattr("wanflow.records.JobRecords.get", broken)
    answer = stack.call("GET", "/videos/vid_00000000000000000000000000")
    assert answer.status == 500
    assert answer.body == {
        "error": {"code": "internal_error", "message": "something broke on our side", "violations": []}
    }
    assert "the secret detail" in log.text


def test_no_reference_s_content_or_signature_is_ever_logged(stack: Stack, wan: InProcessMock, log: LogLines) -> None:
    inline = "data:image/png;base64," + base64.b64encode(png()).decode()
    job_id = stack.ready_job(wan_request(reference_urls=[inline]))
    stack.submit(job_id)
    stack.call("GET", f"/videos/{job_id}")
    assert "task submitted" in log.text
    assert inline[40:80] not in log.text
    assert "X-Amz-Signature=" not in log.text
    assert "test-key" not in log.text


# --- What a job waits for ----------------------------------------------------------------------------------------


def control(stack: Stack, **values: Any) -> None:
    """What the operator or the breaker has written."""
    item = {"pk": {"S": "control"}, "sk": {"S": "submits"}, **values}
    aws.dynamodb().put_item(TableName=stack.table, Item=item)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"paused": {"BOOL": True}}, "submits_paused"),
        ({"failures": {"N": "10"}, "blocked_until": {"S": "2026-01-31T12:01:00.000Z"}}, "provider_unavailable"),
    ],
)
def test_a_job_that_is_kept_from_the_provider_says_why(stack: Stack, values: dict[str, Any], code: str) -> None:
    job_id = stack.create_job()
    assert "waiting" not in stack.call("GET", f"/videos/{job_id}").body
    control(stack, **values)
    told = stack.call("GET", f"/videos/{job_id}").body["waiting"]
    assert told["code"] == code
    (listed,) = stack.call("GET", "/videos").body["videos"]
    assert listed["waiting"] == told


def test_a_job_that_is_at_the_provider_waits_for_nobody(stack: Stack, wan: InProcessMock) -> None:
    job_id = stack.ready_job()
    stack.submit(job_id)
    control(stack, paused={"BOOL": True})
    assert "waiting" not in stack.call("GET", f"/videos/{job_id}").body
    stack.call("DELETE", f"/videos/{job_id}")
    stack.finish(job_id)
    assert "waiting" not in stack.call("GET", f"/videos/{job_id}").body


# --- Web pages ---------------------------------------------------------------------------------------------------

PAGE = "https://app.example.com"


def preflight(stack: Stack) -> Answer:
    return Answer(stack.invoke("serve_api", event_file("serve_api", "ask_videos")))


@pytest.mark.parametrize(("origins", "told"), [("*", "*"), (PAGE, PAGE), (f"http://localhost:3000,{PAGE}", PAGE)])
def test_a_page_of_an_allowed_origin_may_do_what_a_program_may(stack: Stack, origins: str, told: str) -> None:
    stack.template.parameters["CorsOrigins"] = origins
    answer = preflight(stack)
    assert (answer.status, answer.body) == (204, None)
    assert answer.headers["Access-Control-Allow-Origin"] == told
    assert answer.headers["Access-Control-Allow-Methods"] == "DELETE,GET,OPTIONS,POST"
    headers = {name.lower() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"x-api-key", "content-type", "idempotency-key"} <= headers
    assert "Access-Control-Allow-Credentials" not in answer.headers
    created = stack.call("POST", "/videos", wan_request(), headers={"Origin": PAGE})
    assert created.status == 202
    assert created.headers["Access-Control-Allow-Origin"] == told
    assert created.headers["Access-Control-Expose-Headers"] == "Location,Retry-After,X-Request-Id"


@pytest.mark.parametrize("path", ["/videos/vid_00000000000000000000000000", "/videos?limit=x", "/nothing"])
def test_a_page_may_read_why_it_was_refused(stack: Stack, path: str) -> None:
    stack.template.parameters["CorsOrigins"] = PAGE
    answer = stack.call("GET", path, headers={"Origin": PAGE})
    assert answer.status in {400, 404}
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE


def test_a_page_may_read_that_something_broke(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.template.parameters["CorsOrigins"] = "*"
    monkeypatch.setattr("wanflow.records.JobRecords.get", lambda *_: 1 / 0)
    answer = stack.call("GET", "/videos/vid_00000000000000000000000000", headers={"Origin": PAGE})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (500, "*")


@pytest.mark.parametrize("origins", ["", "https://other.example.com", f"{PAGE}:8443", "http://app.example.com"])
def test_other_pages_get_no_permission(stack: Stack, origins: str) -> None:
    stack.template.parameters["CorsOrigins"] = origins
    answers = preflight(stack), stack.call("GET", "/videos", headers={"Origin": PAGE})
    assert not [name for answer in answers for name in answer.headers if name.startswith("Access-Control-Allow-Origin")]


def test_a_page_may_read_every_refusal_of_the_gateway(stack: Stack) -> None:
    told = stack.template.properties("Api")["GatewayResponses"].values()
    assert {each["ResponseParameters"]["Headers"]["Access-Control-Allow-Origin"] for each in told} == {"'*'"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [("", True), ("*", True), (PAGE, True), (f"{PAGE},http://localhost:3000", True)]
    + [
        (text, False)
        for text in ("app.example.com", f"{PAGE}/", f"{PAGE}, http://a", f"{PAGE},*", "https://*.example.com")
    ],
)
def test_an_origin_that_no_browser_would_send_is_refused_when_the_stack_is_deployed(
    stack: Stack, text: str, fits: bool
) -> None:
    pattern = stack.template.raw["Parameters"]["CorsOrigins"]["AllowedPattern"]
    assert bool(re.search(pattern, text)) is fits


# --- The events that `sam local invoke` gets ---------------------------------------------------------------------


def test_the_example_events_are_answered(stack: Stack) -> None:
    created = stack.invoke("serve_api", event_file("serve_api", "create_video"))
    assert created["statusCode"] == 202
    job_id = json.loads(created["body"])["id"]
    answers = {}
    # The job has not ended, so that it cannot be purged.
    for variant in ("get_video", "list_videos", "create_upload", "estimate", "cancel_video", "purge_video"):
        text = json.dumps(event_file("serve_api", variant)).replace("vid_06f9c6t2rw0000000000000000", job_id)
        answers[variant] = stack.invoke("serve_api", json.loads(text))
    assert {variant: answer["statusCode"] for variant, answer in answers.items()} == {
        "get_video": 200,
        "list_videos": 200,
        "create_upload": 201,
        "estimate": 200,
        "cancel_video": 202,
        "purge_video": 409,
    }
    assert [video["id"] for video in json.loads(answers["list_videos"]["body"])["videos"]] == [job_id]


def test_a_missing_variable_fails_by_name_at_the_first_call(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.create_job()
    monkeypatch.delenv("PRICE_720P_PER_SECOND")
    clear_wiring()
    app = importlib.import_module("functions.serve_api.app")
    with pytest.raises(Exception, match="PRICE_720P_PER_SECOND is not set"):
        app.lambda_handler(proxy_event("GET", "/videos/x"), FakeLambdaContext())
