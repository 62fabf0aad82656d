"""Write docs/api.md from the OpenAPI document: `make fmt` does, and a test holds the page up to date."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wanflow.openapi import document

PAGE = Path(__file__).with_name("api.md")
Json = dict[str, Any]

_ACCESS = """\
Send your API key as `x-api-key`, with the stack's URL in front of each path. A stack serves this contract as OpenAPI \
3.1 at `GET /openapi.json`, without a key. What each error means and what to do: [errors.md](errors.md)."""


def page() -> str:
    """The whole page."""
    api = document()
    parts = [
        "# How do I call the API?",
        "<!-- Made from layers/common/wanflow/openapi.py by `make fmt`; do not edit. -->",
        api["info"]["description"],
        _ACCESS,
        *_calls(api),
        *_webhooks(api),
        "## Documents",
        *_schemas(api),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _calls(api: Json) -> Iterator[str]:
    for path, item in api["paths"].items():
        for method in ("post", "get", "delete"):
            if method in item:
                yield from _call(api, f"{method.upper()} {path}", item[method], item.get("parameters", []))


def _webhooks(api: Json) -> Iterator[str]:
    for item in api["webhooks"].values():
        yield from _call(api, "POST to your `callback_url`", item["post"], [])
        yield "Retries, rotation of the secret, replay, and a receiver: [events.md](events.md#webhooks)."


def _call(api: Json, line: str, call: Json, shared: list[Json]) -> Iterator[str]:
    yield f"## {line}"
    yield f"{call['summary']}. {call.get('description', '')}"
    if parameters := [*shared, *call.get("parameters", [])]:
        rows = [f"| `{p['name']}` | {p['in']} | {_rule(p['schema'])} | {p['description']} |" for p in parameters]
        yield "\n".join(["| parameter | in | | |", "|---|---|---|---|", *rows])
    if "requestBody" in call:
        content = call["requestBody"]["content"]["application/json"]
        yield f"Body: {_type(content['schema'])}"
        if "example" in content:
            yield _example(content["example"])
    rows = [f"| {status} | {_answer(api, answer)} |" for status, answer in call["responses"].items()]
    yield "\n".join(["| answer | |", "|---|---|", *rows])


def _answer(api: Json, answer: Json) -> str:
    if "$ref" in answer:
        told = api["components"]["responses"][answer["$ref"].rsplit("/", 1)[-1]]
        code = told["content"]["application/json"]["example"]["error"]["code"]
        return _cell(f"`{code}`: {told['description']}")
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    kind = f": {_type(schema)}" if "$ref" in schema else ""
    headers = "".join(f"; `{name}`: {header['description']}" for name, header in answer.get("headers", {}).items())
    return _cell(f"{answer['description']}{kind}{headers}")


def _schemas(api: Json) -> Iterator[str]:
    examples = {
        "VideoRequest": _body_example(api, "/videos"),
        "UploadRequest": _body_example(api, "/uploads"),
        "Job": _answer_example(api, "/videos/{id}", "get", "200"),
        "Upload": _answer_example(api, "/uploads", "post", "201"),
        "Estimate": _answer_example(api, "/estimates", "post", "200"),
    }
    for name, schema in api["components"]["schemas"].items():
        yield f"### {name}"
        yield schema["description"] + "."
        for part in schema.get("oneOf", [schema]):
            heading = f"{part['description']}:\n\n" if part is not schema else ""
            yield heading + "\n".join(["| field | | |", "|---|---|---|", *_rows(part, "")])
        if name in {"Job", "Upload", "Estimate"}:
            yield _example(examples[name])


def _body_example(api: Json, path: str) -> Json:
    example: Json = api["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
    return example


def _answer_example(api: Json, path: str, method: str, status: str) -> Json:
    example: Json = api["paths"][path][method]["responses"][status]["content"]["application/json"]["example"]
    return example


def _rows(schema: Json, prefix: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        needed = "required, " if name in schema.get("required", ()) else ""
        yield f"| `{prefix}{name}` | {needed}{_rule(inner)} | {_cell(inner.get('description', ''))} |"
        if inner.get("type") == "object":
            yield from _rows(inner, f"{prefix}{name}.")
        elif inner.get("type") == "array" and "$ref" not in inner["items"]:
            item = inner["items"]
            if "properties" in item:
                yield from _rows(item, f"{prefix}{name}[].")
            else:
                yield f"| `{prefix}{name}[]` | {_rule(item)} | {_cell(item.get('description', ''))} |"


def _rule(schema: Json) -> str:
    """A schema's rules in a few words."""
    words = [_type(schema)]
    if "enum" in schema:
        words.append("one of " + ", ".join(f"`{_plain(each)}`" for each in schema["enum"]))
    if "const" in schema:
        words = [f"`{json.dumps(schema['const'])}`"]
    if "minimum" in schema:
        words.append(
            f"{schema['minimum']} to {schema['maximum']}" if "maximum" in schema else f"from {schema['minimum']}"
        )
    if "minItems" in schema:
        words.append(f"{schema['minItems']} to {schema['maxItems']} items")
    if "maxLength" in schema:
        words.append(f"at most {schema['maxLength']} characters")
    if "default" in schema:
        words.append(f"default `{_plain(schema['default'])}`")
    return _cell(", ".join(word for word in words if word))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    kind = schema.get("type", "")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array" and "$ref" in schema["items"]:
        return f"array of {_type(schema['items'])}"
    return str(kind or ("" if "enum" in schema else "any JSON"))


def _example(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
