"""Any JSON body gives a documented answer, never a 500 that was not asked for."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server.clock import VirtualClock
from mock_server.errors import ERROR_CODES
from mock_server.messages import Request, Response, settle
from mock_server.settings import Settings
from mock_server.simulator import Simulator
from tests.mock.doors import TinyRenderer

HEADERS = {"authorization": "Bearer test-key", "content-type": "application/json"}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
URLS = st.sampled_from(
    [
        "https://example.com/a.png",
        "https://example.com/a.mp4",
        "https://example.com/a",
        "http://[::1",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,",
        "",
    ]
)
NEARLY_VALID = st.fixed_dictionaries(
    {},
    optional={
        "model": st.just("wan26_r2v") | ANY_JSON,
        "input": ANY_JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "prompt": st.text(min_size=1) | st.just("a \ud800 cat") | ANY_JSON,
                "reference_urls": st.lists(URLS | st.text(max_size=10), max_size=7) | ANY_JSON,
                "audio_url": URLS | ANY_JSON,
            },
        ),
        "parameters": ANY_JSON
        | st.dictionaries(
            st.sampled_from(["size", "duration", "prompt_extend", "watermark", "audio", "shot_type", "seed", "other"]),
            st.sampled_from(["1280*720", 5, True, "single", 0, 2**40]) | ANY_JSON,
        ),
    },
)
SCRIPTS = NEARLY_VALID | ANY_JSON
ADMIN_POSTS = ("/_mock/scenarios", "/_mock/clock", "/_mock/verify", "/_mock/reset")


def new_simulator() -> Simulator:
    return Simulator(
        Settings(fetch_references="none", render_seconds=1.0), clock=VirtualClock(0), renderer=TinyRenderer()
    )


def ask(simulator: Simulator, method: str, path: str, body: bytes = b"", query: str = "") -> Response:
    return settle(simulator.handle(Request(method, path, HEADERS, body, query, "http://wan.mock")))


def is_documented(response: Response) -> bool:
    """200 with an id and a status, or 400 with one of the provider's codes and words that say more than the code."""
    document = json.loads(response.body)
    if response.status == 200:
        return bool(document["id"]) and document["status"] == "queued" and isinstance(document["metadata"], dict)
    error = document["error"]
    return response.status == 400 and error["code"] in ERROR_CODES and len(error["message"]) > 10


@settings(max_examples=100, deadline=None)
@given(document=SCRIPTS)
def test_any_json_gives_a_documented_answer(document: Any) -> None:
    simulator = new_simulator()
    response = ask(simulator, "POST", "/v1/videos", json.dumps(document).encode())
    assert is_documented(response)
    created = json.loads(ask(simulator, "GET", "/_mock/ledger").body)["created"]
    assert created == (1 if response.status == 200 else 0)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_give_a_documented_answer(body: bytes) -> None:
    assert is_documented(ask(new_simulator(), "POST", "/v1/videos", body))


@settings(max_examples=150, deadline=None)
@given(words=st.text(alphabet="[]mock:@*submitpolldownload-0123456789htreset ", max_size=40))
def test_any_directive_is_an_asked_for_fault_or_a_documented_answer(words: str) -> None:
    document = {
        "model": "wan26_r2v",
        "input": {"prompt": f"[[mock:{words}]] x", "reference_urls": ["https://example.com/a.png"]},
    }
    simulator = new_simulator()
    response = ask(simulator, "POST", "/v1/videos", json.dumps(document).encode())
    (entry,) = json.loads(ask(simulator, "GET", "/_mock/requests").body)["requests"]
    assert entry["fault"] is not None or is_documented(response)


@settings(max_examples=100, deadline=None)
@given(path=st.sampled_from(ADMIN_POSTS), document=SCRIPTS)
def test_any_json_steers_the_mock_or_is_refused(path: str, document: Any) -> None:
    response = ask(new_simulator(), "POST", path, json.dumps(document).encode())
    assert response.status in {200, 201, 400, 409}
    json.loads(response.body)


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "DELETE", "PUT", "BREW"]),
    path=st.sampled_from(["/v1/videos/", "/videos/", "/_mock/", "/_mock/scenarios/", "/"]).flatmap(
        lambda start: st.text(max_size=20).map(lambda rest: start + rest)
    ),
    query=st.text(max_size=20),
)
def test_any_path_is_answered(method: str, path: str, query: str) -> None:
    response = ask(new_simulator(), method, path, query=query)
    assert response.status in {200, 204, 400, 403, 404, 405}
