"""API Gateway in miniature: the template's routes and keys, as an adapter for a `requests` session."""

import base64
import json
from collections.abc import Mapping
from contextlib import closing
from http.client import responses as reasons
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse
from werkzeug.formparser import parse_form_data

from tests.stack import OWNER, Stack, proxy_event

API_URL = "https://api.test/v1"
API_KEY = "the-key-of-alice"


class Gateway(BaseAdapter):
    """Hands requests to serve_api as API Gateway does. `keys`: API key -> its id."""

    def __init__(self, stack: Stack, keys: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._stack = stack
        self.keys = dict(keys or {API_KEY: OWNER})
        self.faults: list[BaseException | requests.Response | int] = []
        """What happens to the next calls instead of an answer; a number: the call is made, then its answer lost."""
        self.requests: list[requests.PreparedRequest] = []
        self.bucket = Bucket(stack)
        function = stack.template.properties("ServeApiFunction")
        self._events = [event["Properties"] for event in function["Events"].values()]

    def session(self) -> requests.Session:
        """A session that finds this gateway under API_URL."""
        session = requests.Session()
        session.mount("https://api.test/", self)
        session.mount(f"https://{self._stack.bucket}.s3.amazonaws.com/", self.bucket)
        return session

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, BaseException):
            raise fault
        if isinstance(fault, requests.Response):
            return fault
        answer = self._answer(request)
        if fault is not None:
            raise requests.exceptions.ReadTimeout("the answer was lost")
        return answer

    def _answer(self, request: requests.PreparedRequest) -> requests.Response:
        url = urlsplit(str(request.url))
        path = unquote(url.path.removeprefix("/v1"))
        event = self._route(str(request.method), path)
        if event is None:
            return refusal(request, 404, "not_found", "no such path or method")
        key_id = self.keys.get(request.headers.get("x-api-key", ""))
        if key_id is None and event.get("Auth", {}).get("ApiKeyRequired", True):
            return refusal(request, 403, "forbidden", "send a valid API key in the x-api-key header")
        raw = self._stack.invoke("serve_api", self._proxy_event(request, path, url.query, key_id))
        headers = {name: values[0] for name, values in raw["multiValueHeaders"].items()}
        return response(request, raw["statusCode"], headers, (raw.get("body") or "").encode())

    def _route(self, method: str, path: str) -> dict[str, Any] | None:
        for event in self._events:
            parts = event["Path"].split("/")
            found = path.split("/")
            fits = len(parts) == len(found) and all(
                part == here or (part.startswith("{") and here) for part, here in zip(parts, found, strict=True)
            )
            if fits and event["Method"] == method:
                return dict(event)
        return None

    def _proxy_event(
        self, request: requests.PreparedRequest, path: str, query: str, key_id: str | None
    ) -> dict[str, Any]:
        content = request.body or b""
        raw = content.encode() if isinstance(content, str) else content
        event = proxy_event(str(request.method), path, owner=key_id)
        multi = parse_qs(query, keep_blank_values=True)
        headers = {name.title(): value for name, value in request.headers.items()}
        return event | {
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in multi.items()} or None,
            "multiValueQueryStringParameters": multi or None,
            "body": base64.b64encode(raw).decode() if raw else None,
            "isBase64Encoded": bool(raw),
        }

    def close(self) -> None: ...


class Bucket(BaseAdapter):
    """The stack's bucket behind presigned URLs and forms. That they are signed is shown on the local stack."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._stack = stack
        self.faults: list[Exception | requests.Response] = []
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return fault
        if request.method == "POST":
            return self._keep(request)
        key = unquote(urlsplit(str(request.url)).path[1:])
        if key not in self._stack.keys(key):
            return response(request, 404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
        content = self._stack.read(key)
        return response(request, 200, {"Content-Length": str(len(content))}, content)

    def _keep(self, request: requests.PreparedRequest) -> requests.Response:
        body: Any = request.body
        content = b"".join(body)
        assert request.headers["Content-Length"] == str(len(content))
        environ = {"wsgi.input": BytesIO(content), "CONTENT_LENGTH": str(len(content)), "REQUEST_METHOD": "POST"}
        _, fields, files = parse_form_data(environ | {"CONTENT_TYPE": request.headers["Content-Type"]})
        file = files["file"]
        assert file.content_type == fields["Content-Type"]
        with closing(file):
            self._stack.put(fields["key"], file.read())
        return response(request, 204, {}, b"")

    def close(self) -> None: ...


def refusal(request: requests.PreparedRequest, status: int, code: str, message: str) -> requests.Response:
    body = json.dumps({"error": {"code": code, "message": message, "violations": []}})
    return response(request, status, {"Content-Type": "application/json"}, body.encode())


def response(
    request: requests.PreparedRequest, status: int, headers: Mapping[str, str], body: bytes
) -> requests.Response:
    """An answer as `requests` gives it."""
    answer = requests.Response()
    answer.status_code = status
    answer.reason = reasons.get(status, "")
    answer.headers.update(headers)
    answer.url = str(request.url)
    answer.request = request
    answer.encoding = "utf-8"
    answer.raw = HTTPResponse(BytesIO(body), headers=headers, status=status, preload_content=False)
    return answer
