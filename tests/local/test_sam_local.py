"""What `sam local` is given, and how its containers reach the stack."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from local import sam_local_test
from local.containers import Bridge
from local.example_events import ANSWERS, IN_THE_FILES, Scene, complaint, event_for, example_events
from local.relay import DESKTOP_HOST, Relay, is_own, relayed
from local.sam_files import deployed_environments, seen_from_containers, template_for_sam_local
from local.sam_local import loopback_ports
from tests.template import ROOT, Template

SCENE = Scene("vid_00000000000000000000000001", "bat_00000000000000000000000001", "bucket", "http://192.0.2.1/")
# TEST-NET-3 (RFC 5737): no machine's address.
NOBODY = "203.0.113.77"


class Greeting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello " + body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


# --- The relay ---------------------------------------------------------------------------------------------------


def test_a_relay_passes_a_call_on_and_its_answer_back() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Relay(("127.0.0.1", 0), server.server_port, "172.17.0.0/16") as relay, requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"http://127.0.0.1:{relay.server_address[1]}/", data="x" * 200_000, timeout=30)
        server.shutdown()
    assert answer.text == "hello " + "x" * 200_000


def test_a_relay_takes_connections_from_the_bridge_and_from_this_machine_only() -> None:
    with Relay(("127.0.0.1", 0), 1, "172.17.0.0/16") as relay:
        assert relay.verify_request(None, ("172.17.0.2", 40000))
        assert relay.verify_request(None, ("127.0.0.1", 40000))
        assert not relay.verify_request(None, (NOBODY, 40000))
    assert not is_own(NOBODY)


def test_where_the_bridge_is_in_another_machine_its_own_name_is_taken() -> None:
    with relayed([1], Bridge(NOBODY, "203.0.113.0/24")) as host:
        assert host == DESKTOP_HOST


def test_a_port_that_is_taken_on_the_bridge_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(Exception, match=f"port {port} of 127.0.0.1"),
            relayed([port], Bridge("127.0.0.1", "127.0.0.0/8")),
        ):
            pass


# --- The files ---------------------------------------------------------------------------------------------------


def test_the_template_declares_the_endpoint_and_finds_its_sources_from_anywhere(tmp_path: Path) -> None:
    built = tmp_path / "build" / "1" / "template.yaml"
    built.parent.mkdir(parents=True)
    built.write_text(
        yaml.safe_dump(
            {
                "Parameters": {"Architecture": {"Type": "String", "Default": "arm64"}},
                "Globals": {"Function": {"Environment": {"Variables": {"TABLE_NAME": {"Ref": "JobsTable"}}}}},
                "Resources": {
                    "PollTaskFunction": {"Properties": {"CodeUri": "../../functions/poll_task"}},
                    "CommonLayer": {"Properties": {"ContentUri": "CommonLayer"}},
                    "JobsTable": {"Type": "AWS::DynamoDB::Table"},
                },
            }
        )
    )
    template = yaml.safe_load(template_for_sam_local(built, "x86_64"))
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables == {"TABLE_NAME": {"Ref": "JobsTable"}, "AWS_ENDPOINT_URL": ""}
    assert template["Parameters"]["Architecture"]["Default"] == "x86_64"
    assert template["Resources"]["PollTaskFunction"]["Properties"]["CodeUri"] == str(tmp_path / "functions/poll_task")
    assert template["Resources"]["CommonLayer"]["Properties"]["ContentUri"] == str(built.parent / "CommonLayer")


def test_a_stack_on_this_machine_is_known_by_its_addresses() -> None:
    assert loopback_ports(["http://127.0.0.1:4566", "http://localhost:4566/1/queue", "http://127.0.0.1:8787"]) == {
        4566,
        8787,
    }
    assert loopback_ports(["https://cloudformation.eu-central-1.amazonaws.com", "wanflow-jobs"]) == set()


def test_addresses_of_this_machine_become_those_that_containers_reach() -> None:
    deployed = {"PollTaskFunction": {"WAN_API_BASE_URL": "http://127.0.0.1:8787", "QUEUE": "http://localhost:4566/q"}}
    assert seen_from_containers(deployed, "http://127.0.0.1:4566", "172.17.0.1") == {
        "PollTaskFunction": {
            "WAN_API_BASE_URL": "http://172.17.0.1:8787",
            "QUEUE": "http://172.17.0.1:4566/q",
            "AWS_ENDPOINT_URL": "http://172.17.0.1:4566",
        }
    }


def test_the_environment_is_that_of_the_deployed_functions() -> None:
    class CloudFormation:
        def get_paginator(self, name: str) -> Any:
            assert name == "list_stack_resources"
            return self

        def paginate(self, StackName: str) -> Any:  # noqa: N803 - boto3's own name
            kinds = {"PollTaskFunction": "AWS::Lambda::Function", "JobsTable": "AWS::DynamoDB::Table"}
            yield {
                "StackResourceSummaries": [
                    {"LogicalResourceId": name, "PhysicalResourceId": f"{StackName}-{name}", "ResourceType": kind}
                    for name, kind in kinds.items()
                ]
            }

    class Functions:
        def get_function_configuration(self, FunctionName: str) -> Any:  # noqa: N803 - boto3's own name
            return {"Environment": {"Variables": {"NAME": FunctionName}}}

    found = deployed_environments(CloudFormation(), Functions(), "wanflow")
    assert found == {"PollTaskFunction": {"NAME": "wanflow-PollTaskFunction"}}


# --- The events --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", example_events())
def test_an_event_made_for_a_stack_names_nothing_of_the_example(name: str) -> None:
    text = json.dumps(event_for(name, SCENE))
    assert not [value for value in vars(IN_THE_FILES).values() if value in text]


def test_the_event_that_deletes_the_job_comes_last() -> None:
    assert example_events()[-1] == "serve_api/purge_video"
    assert sorted(example_events()) == sorted(ANSWERS)


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("take_slot/first", None, ""),
        ("take_slot/first", {}, "null was expected, got {}"),
        ("poll_task/first", [], "an object was expected, got []"),
        ("poll_task/first", {"errorType": "NotFound", "errorMessage": "no job"}, "failed with NotFound: no job"),
        ("serve_api/get_video", {"statusCode": 500}, 'statusCode should be 200, got 500, in {"statusCode": 500}'),
        (
            "accept_row/row",
            {"job_id": "vid_x"},
            """job_id should be vid_[0-9a-z]{26}, got 'vid_x', in {"job_id": "vid_x"}""",
        ),
    ],
)
def test_an_answer_is_told_from_the_expected_one_in_words(name: str, answer: Any, expected: str) -> None:
    assert complaint(name, answer) == expected


def test_without_docker_it_says_that_nothing_was_tested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert sam_local_test.main([]) == 3
    said = capsys.readouterr().err
    assert said.startswith("Nothing was tested: no Docker daemon answers at tcp://127.0.0.1:1")
    assert "make test" in said


# --- The example of an environment -------------------------------------------------------------------------------


def test_the_example_environment_has_what_the_template_gives_each_function() -> None:
    """`make fmt` writes it anew."""
    from events.make_env_example import example_environment

    example = json.loads((ROOT / "events" / "env.example.json").read_text("utf-8"))
    assert example == example_environment(), "`make fmt` writes events/env.example.json anew"
    template = Template(WanApiBaseUrl="http://wan.mock")
    for folder, function in template.functions().items():
        assert set(example[function]) == set(template.environment(folder)) | {"AWS_ENDPOINT_URL"}
