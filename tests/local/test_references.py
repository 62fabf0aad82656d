"""Which pictures the demo takes."""

from pathlib import Path

import pytest

from local import references
from local.errors import LocalStackError


def test_the_examples_of_the_project_can_be_sent() -> None:
    assert [Path(each).suffix for each in references.load(references.EXAMPLES)] == [".png", ".jpg"]


def test_a_url_is_left_as_it_is() -> None:
    assert references.load(["https://example.com/c.png"]) == ["https://example.com/c.png"]


@pytest.mark.parametrize(
    ("name", "message"), [("missing.png", "No such file"), ("notes.txt", "the name must end in jpg")]
)
def test_a_file_that_cannot_be_a_reference_is_told_by_its_name(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(LocalStackError, match=f"{name}: {message}"):
        references.load([str(tmp_path / name)])
