"""Web pages of other addresses: what a browser asks before it lets them use the API and the bucket."""

import base64
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from tests.e2e.wanflow import Wanflow, jpeg, listening

PAGE = "https://app.example.com"


def ask_first(url: str, method: str, *headers: str) -> requests.Response:
    """A browser's preflight request: without key, cookie or signature."""
    asked = {"Origin": PAGE, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = ",".join(headers)
    return requests.options(url, headers=asked, timeout=60)


def allowed(answer: requests.Response) -> str | None:
    return answer.headers.get("Access-Control-Allow-Origin")


def form(wanflow: Wanflow, content: bytes, content_type: str = "image/jpeg") -> dict[str, Any]:
    asked = {"content_type": content_type, "bytes": len(content)}
    answer = wanflow.http.post(f"{wanflow.url}/uploads", json=asked, timeout=60)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_page_sends_a_file_by_the_presigned_form_and_makes_a_video_that_it_can_load(wanflow: Wanflow) -> None:
    upload = form(wanflow, jpeg())

    asked = ask_first(upload["url"], "POST", "content-type")
    sent = requests.post(
        upload["url"], data=upload["fields"], files={"file": jpeg()}, headers={"Origin": PAGE}, timeout=60
    )

    assert (asked.status_code, allowed(asked)) == (200, "*")
    assert (sent.status_code, allowed(sent)) == (204, "*")
    request = wanflow.request("character1 reads")
    request["input"]["reference_urls"] = [upload["reference"]]
    document = wanflow.wait(wanflow.post(request).json()["id"])
    link = document["output"][0]["content"][0]["url"]
    assert allowed(ask_first(link, "GET", "range")) == "*"
    part = requests.get(link, headers={"Origin": PAGE, "Range": "bytes=4-7"}, timeout=60)
    assert (part.status_code, part.content, allowed(part)) == (206, b"ftyp", "*")
    assert "Content-Range" in part.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_no_page_may_use_another_method_on_the_bucket(wanflow: Wanflow, method: str) -> None:
    answer = ask_first(f"{wanflow.stack.endpoints.aws_endpoint}/{wanflow.bucket}/uploads/a.png", method)

    assert (answer.status_code, allowed(answer)) == (403, None)


def test_a_page_uses_the_api_and_reads_its_answers_and_refusals(wanflow: Wanflow) -> None:
    asked = ask_first(f"{wanflow.url}/videos", "POST", "x-api-key", "content-type", "idempotency-key")

    assert (asked.status_code, allowed(asked)) == (204, "*")
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    for path, key, status in (("/videos?limit=1", True, 200), ("/videos?limit=x", True, 400), ("/videos", False, 403)):
        send = wanflow.http if key else requests.Session()
        answer = send.get(f"{wanflow.url}{path}", headers={"Origin": PAGE}, timeout=60)
        assert (answer.status_code, allowed(answer)) == (status, "*")


@pytest.mark.parametrize("path", ["/videos/vid_00000000000000000000000000", "/uploads", "/estimates"])
def test_no_preflight_request_needs_a_key(wanflow: Wanflow, path: str) -> None:
    assert ask_first(wanflow.url + path, "POST", "x-api-key").status_code == 204


def test_no_foreign_page_gets_at_the_engine_itself(wanflow: Wanflow) -> None:
    engine = wanflow.stack.endpoints.aws_endpoint
    form = {"Action": "CreateStack", "StackName": "of-a-page", "Version": "2010-05-15", "TemplateBody": "{}"}

    made = requests.post(engine, data=form, headers={"Origin": PAGE}, timeout=60)
    # As a browser asks for the address of a picture.
    seen = requests.get(engine, params=form, headers={"Sec-Fetch-Site": "cross-site"}, timeout=60)
    asked = ask_first(f"{engine}/2015-03-31/functions", "POST", "content-type")

    assert seen.status_code == 403
    assert (made.status_code, allowed(made)) == (403, None)
    assert (asked.status_code, allowed(asked)) == (403, None)


# --- The same in a real browser --------------------------------------------------------------------------------------

MAKE_A_VIDEO = """
async ([api, key, request, picture]) => {
  const call = async (path, body, headers = {}) => {
    const answer = await fetch(api + path, {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    return [answer, await answer.json()];
  };
  const file = new Blob([Uint8Array.from(atob(picture), (c) => c.charCodeAt(0))], { type: "image/jpeg" });
  const [, upload] = await call("/uploads", { content_type: file.type, bytes: file.size });
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", file);
  const sent = await fetch(upload.url, { method: "POST", body: form });
  request.input.reference_urls = [upload.reference];
  const [made, job] = await call("/videos", request, { "idempotency-key": crypto.randomUUID() });
  const [refused, why] = await call("/videos", {});
  const stranger = await fetch(api + "/videos");
  return {
    sent: sent.status, made: made.status, job: job.id,
    location: made.headers.get("location"), retryAfter: made.headers.get("retry-after"),
    refused: refused.status, why: why.error.code,
    stranger: stranger.status, strange: (await stranger.json()).error.code,
  };
}
"""
LOAD_THE_VIDEO = """
async (link) => {
  const video = await (await fetch(link)).blob();
  return [video.size, await video.slice(4, 8).text()];
}
"""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A page of another origin: the name `localhost` is another one than 127.0.0.1."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    with listening(server):
        yield f"http://localhost:{server.server_port}/"


def test_a_page_of_another_origin_makes_a_video_and_loads_it(
    wanflow: Wanflow, browser: Browser, elsewhere: str
) -> None:
    page = browser.new_page()
    page.goto(elsewhere)
    endpoints, request = wanflow.stack.endpoints, wanflow.request("character1 looks in")
    picture = base64.b64encode(jpeg()).decode()

    told = page.evaluate(MAKE_A_VIDEO, [endpoints.api_url, endpoints.api_key, request, picture])
    document = wanflow.wait(told.pop("job"))
    size, brand = page.evaluate(LOAD_THE_VIDEO, document["output"][0]["content"][0]["url"])
    page.close()

    assert told.pop("location").endswith(f"/videos/{document['id']}")
    assert int(told.pop("retryAfter")) >= 1
    assert (told["sent"], told["made"]) == (204, 202)
    assert (told["refused"], told["why"]) == (400, "001028001")
    assert (told["stranger"], told["strange"]) == (403, "forbidden")
    assert (size > 1000, brand) == (True, "ftyp")
