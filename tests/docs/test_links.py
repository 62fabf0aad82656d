"""Links and pictures: inside the repository they lead somewhere, outside only to what somebody has looked at."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name_of, pictures

REVIEWED = {
    "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html",
    "https://github.com/aws/aws-sam-cli/issues/3609",
    "https://semver.org/",
    "https://www.standardwebhooks.com",
}
"""What pages may link to. Look at a link yourself before you add it here: no test asks the network."""

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@each_page
def test_every_link_inside_the_repository_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    for link in links(page):
        if urlsplit(link).scheme:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        assert target.is_relative_to(ROOT), f"{name_of(page)} links to {link}, outside the repository"
        if anchor:
            assert anchor in anchors(target), f"{name_of(page)} links to {link}, but there is no such heading"


@each_page
def test_every_link_to_elsewhere_is_https_and_was_looked_at(page: Path) -> None:
    for link in links(page):
        parts = urlsplit(link)
        # A page of this machine's own, such as the mock's, is no link to elsewhere.
        if not parts.scheme or parts.hostname == "127.0.0.1":
            continue
        assert parts.scheme == "https", f"{name_of(page)} links to {link}"
        assert link in REVIEWED, f"{name_of(page)} links to {link}: look at it, then add it to REVIEWED in {__name__}"


@each_page
def test_every_picture_has_words_for_those_who_do_not_see_it(page: Path) -> None:
    assert [picture for picture, words in pictures(page).items() if not words.strip()] == []


def test_every_link_that_was_looked_at_is_still_used() -> None:
    assert {link for page in PAGES for link in links(page)} >= REVIEWED


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link).resolve() for link in links(index) if not urlsplit(link).scheme}
    assert {page for page in PAGES if page.parent == index.parent and page != index} <= listed
