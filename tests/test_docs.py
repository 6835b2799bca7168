"""The README and the pages of ``docs/`` do what they say, and their links lead somewhere."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import unicodedata
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import zoho_tokenstore_contract
from tests.snippets import DOCS, README, ROOT, Session, fences, play, sessions
from zoho_tokenstore_contract import ClauseVerdict, Verdict, check
from zoho_tokenstore_contract._spec.clauses import CLAUSES

pytestmark = pytest.mark.once

PAGES = [README, *DOCS]
# What GitHub and readers of the repository are shown beside the pages.
SHOWN = [*ROOT.glob("*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")]
LINKING = sorted({*PAGES, *SHOWN, ROOT / "action.yml"})
# No test needs the network: who adds a link to a further site has looked at it.
SITES = {
    "cosmic-ray.readthedocs.io",
    "en.wikipedia.org",
    "en.wiktionary.org",
    "hypothesis.readthedocs.io",
    "jepsen.io",
    "keepachangelog.com",
    "semver.org",
    "www.contributor-covenant.org",
}
# Made-up addresses in messages of stores, which are no links.
MADE_UP = re.compile(r"(?:.+\.)?example\.com|127\.0\.0\.1:\w+")
SESSIONS = [session for page in PAGES for session in sessions(page)]
# Installing and the whole matrix are what `.ci/run` and the environment `release` of tox run.
ELSEWHERE = {
    "python3 -m venv .venv && . .venv/bin/activate": "tests/built_package.py",
    'python -m pip install ".[sdk]"': "tests/built_package.py",
    "python -m pip install tox && tox": ".ci/run",
}
# Its programs are run with each release of the SDK by `tests/published.py`.
RUN_BY_RELEASE = "published-stores.md"


def public(kind: type[Verdict | ClauseVerdict]) -> set[str]:
    """The names that users of a value see; how it is made is the kit's own."""
    fields = {field.name for field in dataclasses.fields(kind)}
    return fields | {name for name in vars(kind) if not name.startswith("_")} - {"of"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_snippet_is_a_file_or_a_session(page: Path) -> None:
    """Any other would not be run."""
    loose = [fence for fence in fences(page) if not fence.name and fence.language != "console"]

    assert page.name == RUN_BY_RELEASE or loose == []


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_commands_print_what_the_page_shows(
    session: Session, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another in one directory, which holds the files above."""
    monkeypatch.setenv("COLUMNS", "80")  # whatever the terminal has in which this runs
    assert play(session.without(ELSEWHERE), pytester) == []


@pytest.mark.parametrize("command", ELSEWHERE)
def test_commands_that_are_run_elsewhere(command: str) -> None:
    """They stand there as they stand in a page."""
    assert command in [shown for session in SESSIONS for shown, _ in session.commands]
    assert command in (ROOT / ELSEWHERE[command]).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file and a heading that are there, by the rules of GitHub and of MkDocs, or to a known site."""
    # The site holds nothing but its own pages.
    assert broken_links(page, page.parent if page in DOCS else ROOT) == []


def broken_links(page: Path, home: Path) -> list[str]:
    """The links of a page that lead nowhere, or out of the directory that is shown."""
    broken = []
    for target in links(page):
        if "://" in target:
            address = urlsplit(target)
            known = address.scheme == "https" and address.netloc in SITES
            if not known and not MADE_UP.fullmatch(address.netloc):
                broken.append(target)
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if (
            not file.is_file()
            or not file.is_relative_to(home)
            or (fragment and file.suffix == ".md" and fragment not in anchors(file))
        ):
            broken.append(target)
    return broken


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    """A missing file, a missing heading, a file out of reach, an unknown site, and an address without TLS."""
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    (tmp_path / "above.md").write_text("# Above\n")
    page.write_text(
        "# One heading\n\n[a](#one-heading) [b](page.md#one-heading) <https://semver.org/>\n"
        "[c](#no-heading) [d](no.md) [e](page.md#no) [f](../above.md) https://example.org http://semver.org\n"
    )

    assert broken_links(page, page.parent) == [
        *("#no-heading", "no.md", "page.md#no", "../above.md"),
        *("https://example.org", "http://semver.org"),
    ]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_clauses_that_a_page_names_exist(page: Path) -> None:
    """And a link to a clause leads to the clause that it shows."""
    text = page.read_text(encoding="utf-8")
    clause = rf"\b((?:{'|'.join({id.partition('-')[0] for id in CLAUSES})})-[0-9]+)\b"

    assert set(re.findall(clause, text)) <= set(CLAUSES)
    for shown, anchor in re.findall(rf"\[{clause}\]\(contract\.md#([\w-]+)\)", text):
        assert shown.lower() == anchor


def test_every_layer_is_in_the_map() -> None:
    """The table in CONTRIBUTING.md has a line for each folder of the kit, and no other."""
    kit = Path(zoho_tokenstore_contract.__file__).parent
    folders = {path.parent.name for path in kit.glob("*/__init__.py")}
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## How the house is built")[2]
    rows = re.findall(r"^\| `(\w+)/` \|", table.partition("\n## ")[0], re.MULTILINE)

    assert sorted(rows) == sorted(folders)


@pytest.mark.parametrize(
    ("heading", "named"),
    [
        pytest.param("argument", set(inspect.signature(check).parameters), id="arguments"),
        pytest.param("of the verdict", public(Verdict), id="verdict"),
        pytest.param("of a clause", public(ClauseVerdict), id="clause"),
    ],
)
def test_the_page_on_the_function_names_all_of_it(heading: str, named: set[str]) -> None:
    """Each argument of `check`, and each name of what it returns, has its line in a table, and no other."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| {heading} \|.*\n\|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    cells = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)

    assert set(re.findall(r"`(\w+)", " ".join(cells))) - {"id"} == named - {"id"}


def test_every_page_is_in_the_navigation() -> None:
    """And none is named there that does not exist."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")

    assert sorted(re.findall(r"^  - .+: (\S+\.md)$", navigation, re.MULTILINE)) == [
        page.name for page in DOCS
    ]


def links(page: Path) -> list[str]:
    """The links of a page in each form that Markdown has, images among them."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    found = re.findall(
        r"\]\(([^)\s]+)|^\[[^\]]+\]: (\S+)|(?:href|src)=\"([^\"]+)|(https?://[^\s<>()\"']+)",
        text,
        re.MULTILINE,
    )
    return ["".join(one) for one in found]


def test_links_of_every_form_are_seen(tmp_path: Path) -> None:
    """Inline, by reference, as a bare address, and as HTML; not in code."""
    page = tmp_path / "page.md"
    page.write_text('[a](one.md) `[b](no.md)` <https://two>\n\n[c]: three.md\n\n<img src="four.png">\n')

    assert links(page) == ["one.md", "https://two", "three.md", "four.png"]


@functools.cache
def anchors(page: Path) -> set[str]:
    """The headings that a link can name both on GitHub and in the site."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    shown = [re.sub(r"[`*]|\]\([^)]*\)|\[", "", title) for title in titles]
    on_github = Counter(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in shown)
    in_the_site = Counter(
        re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain(title)).strip().lower()) for title in shown
    )
    # Where two headings are the same, the two number them differently.
    return {name for name in on_github if on_github[name] == 1 and in_the_site[name] == 1}


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks and comments."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)


def plain(text: str) -> str:
    """The text as MkDocs writes it into an anchor: without what is not ASCII."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
