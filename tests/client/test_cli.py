"""The command: what goes to stdout and stderr, and every exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.client.conftest import Time, Workflow
from tests.fakes import mp4, png
from tests.gateway import API_KEY, API_URL, Gateway
from tests.stack import Stack
from wanflow import aws
from wanflow_client import Wanflow, cli
from wanflow_client.settings import find_stack

SUBMIT = ("submit", "--prompt", "character1 waves", "--reference", "https://example.com/a.png", "--duration", "2")
Run = Callable[..., int]


@pytest.fixture
def run(make_client: Callable[..., Wanflow], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(cli, "Wanflow", lambda _url, key: make_client(key))
    environ = {"WANFLOW_API_URL": API_URL, "WANFLOW_API_KEY": API_KEY}
    return lambda *arguments: cli.main(arguments, environ)


def test_submit_prints_the_id_alone(run: Run, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SUBMIT) == 0
    assert capsys.readouterr().out == f"{stack.executions()[0]}\n"


def test_a_local_file_is_uploaded_waited_for_and_the_video_saved(
    run: Run, stack: Stack, workflow: Workflow, time: Time, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(png())
    time.meanwhile = lambda: workflow.complete(stack.executions()[0])
    output = tmp_path / "out.mp4"
    arguments = ("submit", "--prompt", "character1", "--reference", str(tmp_path / "a.png"), "--output", str(output))
    assert run(*arguments, "--json") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "completed"
    assert "completed" in printed.err
    assert output.read_bytes() == mp4(5000)


def test_a_refusal_names_every_rule_on_stderr(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SUBMIT, "--size", "1*1", "--json") == 3
    printed = capsys.readouterr()
    assert "parameters.size: must be one of" in printed.err
    assert json.loads(printed.out)["error"]["violations"][0]["field"] == "parameters.size"


def test_a_failed_job_is_exit_code_1(run: Run, stack: Stack, time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    def meanwhile() -> None:
        stack.finish(stack.executions()[0], execution_status="FAILED")

    time.meanwhile = meanwhile
    assert run(*SUBMIT, "--wait", "--json") == 1
    assert json.loads(capsys.readouterr().out)["status"] == "failed"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, None])
def test_who_stops_waiting_is_told_how_to_wait_on(
    run: Run, stack: Stack, time: Time, capsys: pytest.CaptureFixture[str], stop: type[BaseException] | None
) -> None:
    def meanwhile() -> None:
        if stop is not None:
            raise stop

    time.meanwhile = meanwhile
    assert run(*SUBMIT, "--output", "my film.mp4", "--timeout", "9") == (130 if stop else 5)
    (job_id,) = stack.executions()
    assert f"wanflow wait {job_id} --output 'my film.mp4'" in capsys.readouterr().err
    assert stack.job(job_id).failure is None


def test_who_waits_while_submits_are_paused_is_told_so(
    run: Run, stack: Stack, time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    item = {"pk": {"S": "control"}, "sk": {"S": "submits"}, "paused": {"BOOL": True}}
    aws.dynamodb().put_item(TableName=stack.table, Item=item)
    assert run(*SUBMIT, "--wait", "--timeout", "9") == 5
    assert "submits are paused by the operator" in capsys.readouterr().err
    (job_id,) = stack.executions()
    assert run("get", job_id) == 0
    assert "waiting   submits are paused by the operator" in capsys.readouterr().out


@pytest.mark.parametrize(("fault", "code"), [(1, 4), (KeyboardInterrupt(), 130)])
def test_an_unclear_submit_says_how_to_go_on_without_a_second_job(
    run: Run,
    gateway: Gateway,
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fault: Any,
    code: int,
) -> None:
    gateway.faults = [fault] * 100
    assert run(*SUBMIT) == code
    gateway.faults = []
    told = capsys.readouterr().err
    command, body = told.partition("wanflow submit ")[2].split(" <<'END'\n")
    (tmp_path / "request.json").write_text(body.partition("\nEND")[0])
    arguments = command.replace("--request -", f"--request {tmp_path / 'request.json'}").split()
    assert run("submit", *arguments) == 0
    assert stack.executions() == capsys.readouterr().out.split()


def test_no_answer_is_exit_code_4(run: Run, gateway: Gateway) -> None:
    gateway.faults = [requests.ConnectionError()] * 100
    assert run("get", "vid_00000000000000000000000000") == 4


def test_a_file_that_is_none_is_exit_code_6(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("upload", str(tmp_path / "missing.png")) == 6
    assert run("upload", str(tmp_path / "notes.txt")) == 6
    assert "missing.png" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("submit",), ("submit", "--prompt", "x"), ("estimate", "--prompt", "x")])
def test_a_command_line_without_a_request_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 2


def test_the_calls_about_jobs(
    run: Run, stack: Stack, workflow: Workflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SUBMIT) == 0
    job_id = capsys.readouterr().out.strip()
    assert run("list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == job_id
    assert run("list") == 0
    assert "character1 waves" in capsys.readouterr().out
    workflow.complete(job_id)
    assert run("get", job_id) == 0
    assert f"{job_id}: completed" in capsys.readouterr().out
    assert run("download", job_id, str(tmp_path / "v.mp4")) == 0
    assert run("cancel", job_id) == 3
    assert run("purge", job_id) == 0
    assert run("get", job_id) == 3


def test_an_estimate_of_a_bad_request_is_exit_code_3(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    estimate = ("estimate", *SUBMIT[1:])
    assert run(*estimate, "--json") == 0
    assert json.loads(capsys.readouterr().out)["cost_usd"] == "0.30"
    assert run(*estimate, "--seed", "-1") == 3
    assert "broken rule: parameters.seed" in capsys.readouterr().out


def test_without_a_stack_the_command_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["list"], {}) == 2
    assert "set WANFLOW_API_URL and WANFLOW_API_KEY" in capsys.readouterr().err
    assert cli.main(["list"], {"WANFLOW_API_URL": API_URL}) == 2
    assert "set WANFLOW_API_KEY" in capsys.readouterr().err


def test_the_local_stack_is_found_with_its_own_key(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "endpoints.json").write_text('{"api_url": "http://here", "api_key": "local"}')
    find = find_stack
    assert find(None, None, {}, tmp_path) == ("http://here", "local")
    assert find(None, None, {"WANFLOW_API_KEY": "other"}, tmp_path) == ("http://here", "local")
    assert find(None, None, {"WANFLOW_API_KEY": "k", "WANFLOW_API_URL": "http://there"}, tmp_path) == (
        "http://there",
        "k",
    )
    assert find("http://mine", "m", {"WANFLOW_API_KEY": "k"}, tmp_path) == ("http://mine", "m")
