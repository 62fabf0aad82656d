"""Write the pictures of the documentation from the workflow files and the template: `make fmt` does.

A picture stands between two comments in its page, in Mermaid, which GitHub draws. A test holds the pages up to date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from docs.draw_architecture import draw_architecture
from docs.draw_workflow import Ends, draw_workflow

ROOT = Path(__file__).parents[1]


def _of_a_job() -> str:
    ends = Ends("POST /videos, or a file in inbox/", "record written, 202", "document, event, webhook; slot given back")
    return draw_workflow(_workflow("generate_video"), ends)


def _of_a_batch() -> str:
    ends = Ends("a .csv or .jsonl in inbox/", "rows checked, verdict written", "the last verdict is in outbox/")
    return draw_workflow(_workflow("run_batch"), ends)


def _of_the_stack() -> str:
    return draw_architecture((ROOT / "template.yaml").read_text(encoding="utf-8"))


PICTURES: dict[str, tuple[Path, Callable[[], str]]] = {
    "generate_video.asl.json": (ROOT / "README.md", _of_a_job),
    "run_batch.asl.json": (ROOT / "docs" / "how-a-job-lives.md", _of_a_batch),
    "template.yaml": (ROOT / "docs" / "architecture.md", _of_the_stack),
}
"""Name of a picture's source -> the page that shows it, and what draws it."""


def _workflow(name: str) -> dict[str, object]:
    definition: dict[str, object] = json.loads((ROOT / f"statemachine/{name}.asl.json").read_text(encoding="utf-8"))
    return definition


def with_picture(text: str, source: str, drawn: str) -> str:
    """The page's text with its picture of `source` drawn anew. ValueError if there is no place for it."""
    opening, closing = f"<!-- Drawn from {source} by `make fmt`; do not edit. -->", "<!-- End of the drawing. -->"
    place = re.compile(re.escape(opening) + r".*?" + re.escape(closing), re.DOTALL)
    if len(place.findall(text)) != 1:
        raise ValueError(f"the page must have {opening} and {closing} once")
    return place.sub(lambda _: f"{opening}\n```mermaid\n{drawn}\n```\n{closing}", text)


def main() -> None:
    for source, (page, draw) in PICTURES.items():
        page.write_text(with_picture(page.read_text(encoding="utf-8"), source, draw()), encoding="utf-8")


if __name__ == "__main__":
    main()
