"""The OpenAPI document says what the code does: its examples are valid, its fields are those that the code knows."""

import json
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import jsonschema_rs
import pytest

from docs.make_api_page import PAGE, page
from tests.fakes import wan_request
from tests.gateway import API_URL, Gateway
from tests.stack import Stack
from wanflow.errors import InvalidRequest
from wanflow.openapi import document
from wanflow.parameters import PARAMETERS
from wanflow.references import OwnFiles
from wanflow.validation import validate
from wanflow_client import documents
from wanflow_client.request import CONTENT_TYPES

API = document()
SCHEMAS = API["components"]["schemas"]


def valid(schema: dict[str, Any], value: object) -> bool:
    whole = {**schema, "components": API["components"]}
    return bool(jsonschema_rs.Draft202012Validator(whole).is_valid(value))


def contents(node: Any) -> list[dict[str, Any]]:
    """Every {`schema`, `example`} of the document."""
    if isinstance(node, list):
        return [found for item in node for found in contents(item)]
    if not isinstance(node, dict):
        return []
    own = [node] if {"schema", "example"} <= node.keys() else []
    return own + [found for value in node.values() for found in contents(value)]


def test_every_example_fits_its_schema() -> None:
    found = contents(API)
    assert len(found) > 15
    for content in found:
        assert valid(content["schema"], content["example"]), content["example"]


def test_the_example_of_a_request_is_taken_by_the_rules() -> None:
    (example,) = API["paths"]["/estimates"]["post"]["requestBody"]["content"]["application/json"]["schema"]["examples"]
    assert validate(example, OwnFiles("bucket", ())).wan["model"] == example["model"]


@pytest.mark.parametrize(
    ("place", "schema"),
    [
        ((), SCHEMAS["VideoRequest"]),
        (("input",), SCHEMAS["VideoRequest"]["properties"]["input"]),
        (("parameters",), SCHEMAS["VideoRequest"]["properties"]["parameters"]),
    ],
)
def test_the_document_names_the_fields_that_the_rules_know(place: tuple[str, ...], schema: dict[str, Any]) -> None:
    request: Any = wan_request(parameters={})
    inner = request
    for name in place:
        inner = inner[name]
    inner["unheard_of"] = 1
    with pytest.raises(InvalidRequest) as refused:
        validate(request, OwnFiles("bucket", ()))
    known = refused.value.violations[0].message.partition("known are ")[2].split(", ")
    assert sorted(known) == sorted(schema["properties"])


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "value", [0, 1, 2, 5, 15, 16, -1, 2147483647, 2147483648, True, "5", "1280*720", "multi", "", None]
)
def test_the_schema_of_a_parameter_and_its_rule_agree(name: str, value: object) -> None:
    assert valid(PARAMETERS[name].schema(), value) == PARAMETERS[name].allows(value)


def test_every_route_of_the_template_is_in_the_document_and_no_other(stack: Stack) -> None:
    events = stack.template.properties("ServeApiFunction")["Events"].values()
    routes = {(event["Properties"]["Path"], event["Properties"]["Method"].lower()) for event in events}
    described = {(path, method) for path, item in API["paths"].items() for method in item if method != "parameters"}
    assert {route for route in routes if route[1] != "options"} - {("/", "get")} == described
    asked = {path for path, method in routes if method == "options"}
    assert asked == {path for path, _ in described} - {"/openapi.json"}, "pages ask first whatever takes a key"


def test_only_the_document_is_served_without_a_key(gateway: Gateway) -> None:
    http = gateway.session()
    answers = {}
    for path, item in API["paths"].items():
        for method in item.keys() - {"parameters"}:
            answers[path] = http.request(method, API_URL + path.replace("{id}", "vid_x")).status_code
    assert answers.pop("/openapi.json") == 200
    assert set(answers.values()) == {403}
    assert http.get(f"{API_URL}/openapi.json").json() == json.loads(json.dumps(API))


def test_the_client_s_types_are_those_of_the_document() -> None:
    for name in ("Job", "Estimate", "Violation"):
        assert get_type_hints(getattr(documents, name)).keys() == SCHEMAS[name]["properties"].keys()
    job = SCHEMAS["Job"]["properties"]
    attempt, output = job["attempts"]["items"], job["output"]["items"]
    assert get_type_hints(documents.Attempt).keys() == attempt["properties"].keys()
    assert get_type_hints(documents.Attempt)["state"] == Literal[tuple(attempt["properties"]["state"]["enum"])]
    assert get_type_hints(documents.Content).keys() == output["properties"]["content"]["items"]["properties"].keys()
    assert list(get_args(documents.Status)) == SCHEMAS["Job"]["properties"]["status"]["enum"]
    kinds = [kind["properties"]["content_type"]["enum"] for kind in SCHEMAS["UploadRequest"]["oneOf"]]
    assert set(CONTENT_TYPES.values()) == {content_type for types in kinds for content_type in types}


def test_the_reference_page_is_up_to_date() -> None:
    assert Path(PAGE).read_text(encoding="utf-8") == page(), "run `make fmt`"
