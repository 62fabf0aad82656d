"""The demo's reference pictures and videos."""

from __future__ import annotations

from pathlib import Path

from local.errors import LocalStackError
from local.settings import ROOT
from wanflow_client import BadFile
from wanflow_client.request import as_path, content_type_of

EXAMPLES = [str(ROOT / "examples" / name) for name in ("character1.png", "character2.jpg")]


def load(names: list[str]) -> list[str | Path]:
    """URLs and files that can be read: looked at before anything is started, so that a wrong path costs no time."""
    references = [as_path(name) for name in names]
    for reference in references:
        if isinstance(reference, Path):
            _look_at(reference)
    return references


def _look_at(path: Path) -> None:
    try:
        content_type_of(path)
        with path.open("rb"):
            pass
    except BadFile as error:
        raise LocalStackError(f"--reference {error}") from error
    except OSError as error:
        raise LocalStackError(f"--reference {path}: {error.strerror}") from error
