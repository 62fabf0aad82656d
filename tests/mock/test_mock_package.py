"""The folder installs on its own, and its pytest plugin serves a project that knows nothing of this repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MOCK_FOLDER = Path(__file__).parents[2] / "mock_server"

PROJECT = {
    "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider\nfilterwarnings = error\n",
    "conftest.py": """
import pytest
from mock_server.settings import Settings

@pytest.fixture(scope="session")
def wan_mock_settings():
    return Settings(api_keys=("our-key",), speed=0)
""",
    "test_our_client.py": """
import json
import urllib.error
import urllib.request

import pytest

REQUEST = {"model": "wan26_r2v", "input": {"prompt": "a cat", "reference_urls": ["https://example.com/a.png"]}}

def call(mock, path, document=None):
    headers = {"Authorization": f"Bearer {mock.api_key}", "Content-Type": "application/json"}
    data = None if document is None else json.dumps(document).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(mock.url + path, data, headers), timeout=10) as answer:
        return json.loads(answer.read())

def test_a_video_is_made(wan_mock):
    assert wan_mock.api_key == "our-key"
    task = call(wan_mock, "/v1/videos", REQUEST)["id"]
    wan_mock.advance(3)
    assert call(wan_mock, f"/v1/videos/{task}")["status"] == "completed"
    assert wan_mock.ledger()["billed_usd"] == "0.75"
    wan_mock.verify(stage="submit", prompt="cat", count=1)
    with pytest.raises(AssertionError, match="expected exactly 2"):
        wan_mock.verify(stage="submit", count=2)

def test_the_next_test_finds_the_mock_empty_and_arms_a_fault(wan_mock):
    assert wan_mock.ledger()["created"] == 0
    wan_mock.scenario("http-503", stage="submit", times=1)
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        call(wan_mock, "/v1/videos", REQUEST)
    refused.value.close()
    assert call(wan_mock, "/v1/videos", REQUEST)["status"] == "queued"
    assert [entry["status"] for entry in wan_mock.requests(stage="submit")] == [503, 200]
""",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the mock alone was installed, as a wheel built from a copy of its folder."""
    place = tmp_path_factory.mktemp("installed")
    source = tmp_path_factory.mktemp("source") / "mock_server"
    shutil.copytree(MOCK_FOLDER, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable, "--target", str(place)]
    subprocess.run([sys.executable, "-m", "uv", "pip", "install", *options, str(source)], check=True)
    return place


def run(installed: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command where only the installed mock can be found, not this repository nor options meant for its tests."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_plugin_serves_a_separate_project(installed: Path, tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    ended = run(installed, tmp_path, sys.executable, "-m", "pytest", "-q")
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_the_package_brings_its_script_its_contract_and_its_types(installed: Path, tmp_path: Path) -> None:
    ended = run(installed, tmp_path, sys.executable, str(installed / "bin" / "wan-mock"), "--help")
    assert ended.returncode == 0
    assert "usage: wan-mock" in ended.stdout
    names = {path.name for path in (installed / "mock_server").iterdir()}
    assert {"openapi.yaml", "py.typed", "assets", "video"} <= names


def test_the_mock_knows_nothing_of_the_layer() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in MOCK_FOLDER.rglob("*.py")}
    assert [path.name for path, text in sources.items() if "import wanflow" in text or "from wanflow" in text] == []
