"""The pages of the documentation, taken apart as a reader sees them: links, headings, code, tables."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
# What is hidden (environments, builds) is none of ours.
_FOLDERS = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in _FOLDERS for page in folder.rglob("*.md"))])

_MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


@dataclass(frozen=True)
class Block:
    """Fenced code."""

    page: Path
    language: str
    code: str
    line: int
    key: str
    """What a test calls it: page, heading above it and, from the second of its language there on, its number."""


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def _tokens(page: Path) -> list[Token]:
    return _MARKDOWN.parse(text_of(page))


@cache
def fences(page: Path) -> list[Block]:
    """All fenced code, in its order."""
    found, heading, count = [], "", Counter[tuple[str, str]]()
    headings = iter(_slugs(page))
    for token in _tokens(page):
        if token.type == "heading_open":
            heading = next(headings)
        elif token.type == "fence":
            language = token.info.strip()
            count[heading, language] += 1
            number = count[heading, language]
            key = f"{name_of(page)}#{heading}" + (f"/{number}" if number > 1 else "")
            found.append(Block(page, language, token.content, (token.map or [0])[0] + 1, key))
    return found


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code of one language."""
    return [block.code for block in fences(page) if block.language == language]


def inline_code(page: Path) -> list[str]:
    """Words in backquotes."""
    return [token.content for token in _inline(page) if token.type == "code_inline"]


def code(page: Path) -> Iterator[str]:
    """Everything set as code: fenced blocks and words in backquotes."""
    yield from (block.code for block in fences(page))
    yield from inline_code(page)


def links(page: Path) -> list[str]:
    """Where links and pictures lead."""
    found = [token.attrGet("href") or token.attrGet("src") for token in _inline(page)]
    return [str(link) for link in found if link]


def pictures(page: Path) -> dict[str, str]:
    """Where pictures are, each with its words for those who do not see it."""
    return {str(token.attrGet("src")): token.content for token in _inline(page) if token.type == "image"}


def anchors(page: Path) -> set[str]:
    """What `#…` may name: GitHub's slugs of the headings."""
    return set(_slugs(page))


def _slugs(page: Path) -> list[str]:
    tokens, count, slugs = _tokens(page), Counter[str](), []
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or [])
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            slugs.append(f"{slug}-{count[slug]}" if count[slug] else slug)
            count[slug] += 1
    return slugs


def _inline(page: Path) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or []


def prose(page: Path) -> str:
    """The text without its fenced code."""
    lines = text_of(page).splitlines()
    for token in _tokens(page):
        if token.type == "fence" and token.map:
            lines[slice(*token.map)] = [""] * (token.map[1] - token.map[0])
    return "\n".join(lines) + "\n"


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", prose(page), re.MULTILINE | re.DOTALL)
    assert found, f"{page.name} has no heading {heading!r}"
    return found[1]


def rows(table: str) -> list[list[str]]:
    """The cells of every table in a text, without the heads."""
    lines = [line.strip() for line in table.splitlines() if line.strip().startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    rules = [index for index, row in enumerate(cells) if set("".join(row)) <= set("-| :")]
    heads = {index - 1 for index in rules} | set(rules)
    return [row for index, row in enumerate(cells) if index not in heads]
