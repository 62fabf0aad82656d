"""What the documentation says is so: parameters, codes, paths, examples."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import PAGES, README, ROOT, name_of, prose, rows, section, text_of
from tests.template import Template
from wanflow import answers, wan_client
from wanflow.batch_file import MAX_ROW_BYTES, MAX_ROWS, read_rows
from wanflow.batches import MAX_BATCH_BYTES
from wanflow.errors import InvalidRequest
from wanflow.inbox import MAX_REQUEST_BYTES
from wanflow.references import IMAGE_ENDINGS, VIDEO_ENDINGS

ERRORS = ROOT / "docs" / "errors.md"
UPLOADS = ROOT / "docs" / "uploads.md"
WORKFLOW = ROOT / "statemachine" / "generate_video.asl.json"
LAYER = ROOT / "layers" / "common" / "wanflow"

NINE_CODES = {
    *wan_client.REQUEST_CODES,
    *wan_client.GENERATION_FAILED_CODES,
    wan_client.HTTP_ERROR_RESPONSE,
    wan_client.STATUS_CHECK_ERROR,
    wan_client.TASK_CREATION_ERROR,
}
CAUSES_ONLY = {"no_answer", "interrupted"}
"""Words that stand only inside another error's message or on an attempt."""

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@each_page
def test_every_path_in_backquotes_of_this_repository_exists(page: Path) -> None:
    roots = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")))
    for text in re.findall(r"`([^`\n]+)`", prose(page)):
        match = re.fullmatch(rf"(?:{roots})/[\w./-]*", text)
        # A folder of the bucket, such as videos/, is none of ours.
        assert match is None or text.startswith("demo-output/") or (ROOT / text).exists(), f"{page.name} names {text}"


@each_page
def test_no_page_holds_a_path_of_somebody_s_machine(page: Path) -> None:
    assert not re.findall(r"(?:/home/|/root/|/work/|/tmp/|/Users/)\S*", text_of(page))


def test_the_readme_lists_every_parameter_with_its_default() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(section(README, "Parameters"))}
    assert told == {name: _default(parameter) for name, parameter in Template().raw["Parameters"].items()}


def _default(parameter: dict[str, Any]) -> str:
    if "Default" not in parameter:
        return "(none)"
    return str(parameter["Default"]) or "(empty)"


def test_the_readme_names_only_calls_that_the_template_has() -> None:
    named = set()
    for row in rows(section(README, "Ask for a video")):
        method, path = re.match(r"`([A-Z]+) (/[^?`]*)", row[0]).groups()  # type: ignore[union-attr]
        named.add((method, path))
    functions = (each for each in Template().raw["Resources"].values() if each["Type"] == "AWS::Serverless::Function")
    events = [event for each in functions for event in each["Properties"].get("Events", {}).values()]
    calls = [event["Properties"] for event in events if event["Type"] == "Api"]
    assert named <= {(call["Method"], call["Path"]) for call in calls}


def test_the_readme_s_error_table_holds_the_nine_codes() -> None:
    told = _codes(section(README, "Errors"))
    assert {code for code in told if code.isdigit()} == NINE_CODES


def test_the_error_tables_hold_every_code_that_a_caller_can_meet_and_no_other() -> None:
    told = _codes(section(README, "Errors")) | _codes(text_of(ERRORS))
    assert told == NINE_CODES | _words_of_the_code() - CAUSES_ONLY


def _codes(text: str) -> set[str]:
    """The codes of the tables: digits or words in backquotes, in the column called code."""
    codes = set()
    for row in rows(text):
        cell = row[1] if row[0].isdigit() else row[0]
        first_and_last = re.findall(r"`(00102\d{4})` to `(00102\d{4})`", cell)
        codes |= {f"{number:09}" for first, last in first_and_last for number in range(int(first), int(last) + 1)}
        codes |= set(re.findall(r"`([a-z_]+|00102\d{4})`", cell))
    return codes


def _words_of_the_code() -> set[str]:
    source = "\n".join(path.read_text(encoding="utf-8") for path in LAYER.glob("*.py"))
    of_jobs = set(re.findall(r'ErrorInfo\(\s*"([a-z_]+)"', source))
    of_answers = {code for _, code in answers._TOP_CODE.values()} | {answers._INTERNAL[1]}
    of_the_gateway = set(re.findall(r'"error":\{"code":"([a-z_]+)"', text_of(ROOT / "template.yaml")))
    return of_jobs | of_answers | of_the_gateway


def test_the_page_of_uploads_lists_every_column_that_a_csv_may_have() -> None:
    told = [name for row in rows(section(UPLOADS, "Batches")) for name in re.findall(r"`([\w.]+)`", row[0])]
    with pytest.raises(InvalidRequest) as refused:
        read_rows(b"nonsense\n1\n", is_csv=True)
    known = refused.value.violations[0].message.partition("known are ")[2].split(", ")
    assert sorted(told) == sorted(known)


def test_the_page_of_uploads_knows_the_limits() -> None:
    text = " ".join(text_of(UPLOADS).split())
    assert (
        f"Up to {MAX_ROWS:,} rows and {MAX_BATCH_BYTES // 2**20} MB a file, {MAX_ROW_BYTES // 2**10} KB a row" in text
    )
    assert f"at most {MAX_REQUEST_BYTES // 2**20} MB: one job" in text
    assert {ending for ending in IMAGE_ENDINGS | VIDEO_ENDINGS if f".{ending}`" not in text} == set()
