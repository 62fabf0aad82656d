"""The layer as `sam build` makes it: small, pure Python, and all that each function needs; what each of them loads."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests.template import ROOT, Template

pytestmark = pytest.mark.xdist_group("layer")
"""It takes seconds to build."""

COMMON = ROOT / "layers" / "common"
MOST_BYTES = 1_800_000
POWERTOOLS = {"aws_lambda_powertools", "jmespath", "typing_extensions"}
HTTP = {"requests", "urllib3", "charset_normalizer", "idna", "certifi"}
LOADED = {
    "accept_row": POWERTOOLS,
    "accept_upload": POWERTOOLS,
    "deliver_webhook": POWERTOOLS | HTTP,
    "finish_batch": POWERTOOLS,
    "finish_job": POWERTOOLS,
    "poll_task": POWERTOOLS | HTTP,
    "reconcile_jobs": POWERTOOLS | HTTP,
    "serve_api": POWERTOOLS,
    "serve_console": POWERTOOLS,
    "store_result": POWERTOOLS | HTTP,
    "submit_task": POWERTOOLS | HTTP,
    "take_slot": POWERTOOLS | HTTP,
}
"""The libraries that each function has loaded when it is ready for its first call: a new one costs every cold start."""

MOST_MODULES = {"wanflow": 47, "aws_lambda_powertools": 45, "requests": 20, "urllib3": 32}
"""Of these packages, in any function. The standard library is not counted: it differs between Pythons."""

MOST_OF_THE_RESOLVER = 70
"""Of Powertools in serve_api, the only function that answers HTTP by it."""

PROGRAM = """
import importlib, json, sys
importlib.import_module("app")
for name in sys.argv[1:]:
    getattr(importlib.import_module("wanflow.wiring"), name)()
# By its own name: requests.packages holds every module of urllib3 a second time.
print(json.dumps(sorted({module.__name__ for module in sys.modules.values() if getattr(module, "__file__", None)})))
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by its Makefile, then compiled by this Python, whatever others there are."""
    folder = tmp_path_factory.mktemp("layer")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    make = ["make", "-s", "-C", str(COMMON), "build-CommonLayer", f"ARTIFACTS_DIR={folder}"]
    subprocess.run(make, check=True, env=environment, capture_output=True)
    layer = folder / "python"
    for cache in list(layer.rglob("__pycache__")):
        shutil.rmtree(cache)
    subprocess.run([sys.executable, "-B", str(COMMON / "compile_layer.py"), str(layer)], check=True)
    return layer


def test_the_layer_is_small_with_its_bytecode(layer: Path, tmp_path: Path) -> None:
    packed = tmp_path / "layer.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in layer.rglob("*"):
            file.write(path, path.relative_to(layer.parent))
    assert packed.stat().st_size <= MOST_BYTES


def test_the_layer_runs_on_any_processor(layer: Path) -> None:
    assert [path.name for path in layer.rglob("*") if path.suffix in {".so", ".pyd", ".dylib"}] == []


def test_the_libraries_keep_their_licences(layer: Path) -> None:
    libraries = {path.name.partition("-")[0] for path in layer.glob("*.dist-info")}
    licensed = {path.relative_to(layer).parts[0].partition("-")[0] for path in layer.rglob("*LICEN[SC]E*")}
    assert libraries - licensed <= WITHOUT_LICENCE_FILE


WITHOUT_LICENCE_FILE = {"standardwebhooks"}
"""Its wheel holds none."""


def test_the_bytecode_is_what_a_function_looks_for_and_is_never_checked_against_times(layer: Path) -> None:
    compiled = list(layer.rglob("*.pyc"))
    assert {path.suffixes[0] for path in compiled} == {f".{sys.implementation.cache_tag}"}
    folders = {path.relative_to(layer).parts[0] for path in compiled}
    assert folders == {"wanflow", "aws_lambda_powertools", "jmespath", "urllib3", "__pycache__"}
    # PEP 552: the second word is 1 for bytecode by hash that nobody checks.
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\0\0\0"}


def test_every_function_has_a_budget() -> None:
    assert set(LOADED) == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}


@pytest.mark.parametrize("folder", LOADED)
def test_a_function_starts_from_the_layer_and_loads_no_more_than_it_may(layer: Path, folder: str) -> None:
    source = (ROOT / "functions" / folder / "app.py").read_text(encoding="utf-8")
    wired = re.findall(r"wiring\.(\w+)\(", source)
    environment = Template(WanApiBaseUrl="https://wan.example").environment(folder)
    environment["PYTHONPATH"] = f"{layer}{os.pathsep}{ROOT / 'functions' / folder}"
    # -S: without the packages of this environment, as if there were none but the layer's.
    ended = subprocess.run(
        [sys.executable, "-S", "-B", "-c", PROGRAM, *wired],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    modules = Counter(name.partition(".")[0] for name in json.loads(ended.stdout))
    assert set(modules) - set(sys.stdlib_module_names) - {"app", "__main__", "wanflow"} == LOADED[folder]
    most = MOST_MODULES | ({"aws_lambda_powertools": MOST_OF_THE_RESOLVER} if folder == "serve_api" else {})
    assert {name: modules[name] for name in most if modules[name] > most[name]} == {}
