"""What decides whether `sam build` runs again."""

from pathlib import Path

import pytest

from local.build import fingerprint, sources
from local.settings import ROOT

TEMPLATE = """
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/hello
      Environment: !If [IsLarge, !Sub "${A}-b", !GetAtt Other.Arn]
  Shared:
    Properties: { ContentUri: layers/shared }
  Flow:
    Properties: { DefinitionUri: flow.asl.json }
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    files = {
        "template.yaml": TEMPLATE,
        "functions/hello/app.py": "print('hello')",
        "layers/shared/lib/a.py": "a = 1",
        "flow.asl.json": "{}",
        "README.md": "hello",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "template.yaml"


@pytest.mark.parametrize("name", ["template.yaml", "functions/hello/app.py", "layers/shared/lib/a.py", "flow.asl.json"])
def test_a_changed_source_is_built_again(template: Path, name: str) -> None:
    before = fingerprint(template)
    path = template.parent / name

    path.write_text(path.read_text() + "\n")

    assert fingerprint(template) != before


def test_a_new_source_file_is_built_again(template: Path) -> None:
    before = fingerprint(template)

    (template.parent / "functions/hello/more.py").write_text("")

    assert fingerprint(template) != before


def test_what_the_template_does_not_name_is_not_built_again(template: Path) -> None:
    before = fingerprint(template)

    (template.parent / "README.md").write_text("changed")
    cache = template.parent / "functions/hello/__pycache__"
    cache.mkdir()
    (cache / "app.pyc").write_text("")

    assert fingerprint(template) == before


def test_the_real_template_is_built_from_its_functions_its_layer_and_its_workflows() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in sources(ROOT / "template.yaml")}

    assert {"layers/common", "functions/serve_api", "statemachine/generate_video.asl.json"} <= found
    assert all((ROOT / name).exists() for name in found)
