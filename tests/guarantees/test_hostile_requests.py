"""Ten thousand random and spoiled calls of the API: never a 5xx, and no job from a request that is not valid.

The second judge is the mock provider's own validation, which shares no line with ours.
"""

import base64
import json
import logging
from collections import Counter
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from mock_server.rules import read
from tests.fakes import wan_request
from tests.guarantees.world import World, a_world
from tests.stack import Answer, proxy_event

pytestmark = pytest.mark.timeout(300)

CALLS = 10_000
SEED = 20_260_131

TEXTS = ["", " ", "\0", "a" * 1501, "é" * 2000, "🎬" * 40, "\ud800", "\u202e", "' OR 1=1", "${jndi:ldap://x}", "NaN"]
TEXTS += ["../../etc/passwd", "data:image/png;base64,AAAA", "data:image/png;base64,é", "data:,x", "s3://", "s3://b/k"]
TEXTS += [
    "http://",
    "https://[::1",
    "https://[::1]/a.png",
    "https://a b/c.png",
    "https://x.test/a.exe",
    "HTTPS://X.TEST/A.PNG",
]
TEXTS += [
    "http://169.254.169.254/latest",
    "https://user:pw@x.test/a.png",
    "https://x.test:99999/a.png",
    "ftp://x.test/a.png",
]
TEXTS += [
    "1280*720",
    "1920*1080",
    "640*480",
    "single",
    "multi",
    "true",
    "5",
    "wan26_r2v",
    "https://x.test/a.mov",
    "//x.test/a",
]
NUMBERS = [0, 1, -1, 2, 5, 15, 16, 5.0, 5.5, 1e308, -0.0, 2**31 - 1, 2**31, 2**63, 10**400, 1e-320]
PLAIN: list[Any] = [None, True, False, [], {}, [[]], [{}], {"": ""}, {"a": {"b": {}}}]
NAMES = [
    "model",
    "input",
    "parameters",
    "metadata",
    "callback_url",
    "prompt",
    "reference_urls",
    "audio_url",
    "size",
    "seed",
]
NAMES += [
    "duration",
    "prompt_extend",
    "watermark",
    "audio",
    "shot_type",
    "",
    "\0",
    "__proto__",
    "Model",
    "ключ",
    "x" * 5000,
]
PATHS = [
    "/videos",
    "/videos",
    "/videos",
    "/videos",
    "/videos",
    "/estimates",
    "/uploads",
    "/videos/x",
    "/",
    "//",
    "/videos/",
]
IDS = ["vid_" + "0" * 26, "vid_", "vid_" + "Z" * 26, "..", "%00", "a" * 3000, "vid_" + "é" * 26, "ﬀ"]
TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "",
    "application/vnd.x+json",
    "é",
    "json",
    "a" * 9000,
]
KEYS = ["", " ", "k", "k" * 255, "k" * 256, "\n", "\0", "é", "🎬", "\ud800", "k1", "k2"]
QUERIES = ["limit", "cursor", "status", "purge", "", "x"]
QUERY_VALUES = ["", "0", "1", "-1", "99999999999999999999", "true", "1.5", "completed", "é", "e30=", "\0", "null", "٣"]


def spoil(random: Random, body: Any) -> Any:
    """One place of a body made wrong, or only strange."""
    body = deepcopy(body)
    holder = body
    for _ in range(random.randrange(4)):
        inner = [each for each in _children(holder) if isinstance(each, dict | list)]
        if not inner:
            break
        holder = random.choice(inner)
    if not isinstance(holder, dict | list):
        return strange(random)
    what = random.randrange(5)
    if isinstance(holder, dict):
        name = random.choice(list(holder) or NAMES) if what < 3 else random.choice(NAMES)
        if what == 0:
            holder.pop(name, None)
        else:
            holder[name] = strange(random)
    elif what == 0 and holder:
        holder.pop()
    elif what == 1:
        holder.extend([strange(random)] * random.randrange(1, 8))
    else:
        holder[random.randrange(len(holder) + 1) :] = [strange(random)]
    return body


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def strange(random: Random) -> Any:
    kind = random.randrange(8)
    if kind == 0:
        return random.choice(NUMBERS)
    if kind == 1:
        return deepcopy(random.choice(PLAIN))
    if kind == 2:
        return {random.choice(NAMES): strange(random)}
    if kind == 3:
        return [strange(random) for _ in range(random.randrange(7))]
    if kind == 4:
        return "".join(chr(random.randrange(0x3000)) for _ in range(random.randrange(20)))
    return random.choice(TEXTS)


def text_of(random: Random, body: Any) -> str:
    """The body as text, sometimes broken as text."""
    text = json.dumps(body, ensure_ascii=random.random() < 0.5)
    how = random.randrange(12)
    if how == 0:
        return text[: random.randrange(len(text) + 1)]
    if how == 1:
        place = random.randrange(len(text) + 1)
        return text[:place] + random.choice(['"', "{", "]", "\0", "NaN", "\\", ",", "\ufeff"]) + text[place + 1 :]
    if how == 2:
        return random.choice(["", "null", "[]", "NaN", "1" * 5000, "[" * 2000, '{"a":' * 3000, "\ufeff{}", text + text])
    return text


def event_of(random: Random, key_number: int) -> dict[str, Any]:
    body: Any = wan_request(
        parameters={"size": "1280*720", "duration": 5, "seed": 7, "audio": False}, metadata={"order": "1"}
    )
    for _ in range(random.randrange(3)):
        body = spoil(random, body)
    method = random.choice(["POST"] * 8 + ["GET", "DELETE"])
    path = random.choice(PATHS) if method == "POST" else f"/videos/{random.choice(IDS)}"
    if method == "GET" and random.random() < 0.5:
        path = "/videos"
    headers = {"Content-Type": random.choice(TYPES) if random.random() < 0.1 else "application/json"}
    if random.random() < 0.5:
        headers["Idempotency-Key"] = random.choice(KEYS) if random.random() < 0.3 else f"key-{key_number}"
    text = text_of(random, body)
    event = proxy_event(method, path, text, headers=headers)
    if random.random() < 0.1:
        query = {random.choice(QUERIES): random.choice(QUERY_VALUES) for _ in range(random.randrange(1, 3))}
        event |= {
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
        }
    if random.random() < 0.05:
        raw = random.choice([text.encode(errors="surrogatepass"), b"\xff\xfe{}", random.randbytes(20)])
        event |= {"isBase64Encoded": True, "body": random.choice([base64.b64encode(raw).decode(), text, "===="])}
    if random.random() < 0.02:
        event |= {"body": None}
    if random.random() < 0.02:
        event |= {"headers": None, "multiValueHeaders": None}
    return event


def is_valid_for_the_provider(event: dict[str, Any]) -> bool:
    """By the mock's rules, for what is the provider's business in a body."""
    raw = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
    document = json.loads(raw)
    sent = {name: document[name] for name in ("model", "input", "parameters") if name in document}
    return read(json.dumps(sent).encode()).draft is not None


def test_ten_thousand_hostile_calls_are_answered_and_make_no_wrong_job() -> None:
    random = Random(SEED)  # noqa: S311
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    with a_world(level=logging.CRITICAL) as world:
        for number in range(CALLS):
            event = event_of(random, number)
            jobs_before = _job_count(world)
            answer = Answer(world.invoke("serve_api", event))
            statuses[answer.status] += 1
            made = _job_count(world) - jobs_before
            if answer.status >= 500:
                wrong.append(f"HTTP {answer.status} for {_shown(event)}")
            elif made and not (answer.status == 202 and is_valid_for_the_provider(event)):
                wrong.append(f"HTTP {answer.status} and a job for {_shown(event)}")
            elif answer.status >= 400 and not answer.body["error"]["message"]:
                wrong.append(f"HTTP {answer.status} without a word for {_shown(event)}")
        # Executions and events of the accepted jobs are of no interest here.
        assert world.broken == []
    assert wrong == []
    # Neither an API that refuses everything nor one that takes everything would get here.
    assert statuses[202] > CALLS // 20
    assert statuses[400] > CALLS // 5


def _job_count(world: World) -> int:
    return len(world.table.items)


def _shown(event: dict[str, Any]) -> str:
    body = event["body"]
    return f"{event['httpMethod']} {event['path'][:60]!r} {event['headers']} {body[:400] if body else body!r}"
