"""The site that ``mkdocs build --strict`` made of ``docs/``. Run by ``tox -e docs`` alone."""

from __future__ import annotations

import functools
import html.parser
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
CLAUSES = re.findall(r"^### (\S+)$", (ROOT / "docs" / "contract.md").read_text("utf-8"), re.MULTILINE)
# What a browser loads without being asked.
LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(html.parser.HTMLParser):
    """A built page: its anchors, where it leads, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value for name, value in attrs if value}
        self.anchors.update(attributes[name] for name in ("id", "name") if name in attributes)
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if LOADED.get(tag) in attributes:
            self.loaded.append(attributes[LOADED[tag]])


@functools.cache
def page(name: str) -> Page:
    return Page(SITE / f"{name}.html")


def test_every_clause_has_an_anchor() -> None:
    """The one to which messages, reports and other pages lead."""
    assert CLAUSES
    assert {clause.lower() for clause in CLAUSES} <= page("contract").anchors


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    """To a file of the site, and to an anchor in it."""
    broken = []
    for link in page(name).links:
        target = urlsplit(link)
        if target.scheme:
            continue
        file = (SITE / unquote(target.path)) if target.path else SITE / f"{name}.html"
        if file.is_dir():
            file /= "index.html"
        if not file.is_file() or (target.fragment and target.fragment not in page(file.stem).anchors):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    """No fonts, scripts, styles or pictures of another host: the site works without a network."""
    assert page(name).loaded
    assert [source for source in page(name).loaded if urlsplit(source).netloc] == []


def test_styles_fetch_nothing_from_elsewhere() -> None:
    """Nor do the style sheets."""
    sheets = list(SITE.rglob("*.css"))

    assert sheets
    assert [] == [
        address
        for sheet in sheets
        for address in re.findall(r"(?:@import|url\()\s*[\"']?(https?:[^\"')]+)", sheet.read_text("utf-8"))
    ]
