"""The files of `--tokenstore-report`: what is in them, and when they are written."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import stat
import zlib
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

# Loaded here once, so that each run inside a test does not load the SDK and Hypothesis again.
import zoho_reference_stores  # noqa: F401
import zoho_tokenstore_contract._drivers.hypothesis_examples
import zoho_tokenstore_contract._runner.targets  # noqa: F401
from tests.counting import SOURCE
from tests.reports import HOSTILE, SCRIPT, finding, report, store, undecided, violating
from zoho_tokenstore_contract._report.report_files import RENDERERS, write
from zoho_tokenstore_contract._report.verdict import StoreVerdict
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS

pytestmark = pytest.mark.once

SVG = "{http://www.w3.org/2000/svg}"
STORES = f"""
{SOURCE}

class Keeping(Counting):
    pass

class Unordered(Counting):
    def get_tokens(self):
        return super().get_tokens()[::-1]

class Forgetful(Counting):
    def delete_token(self, id):
        super().delete_tokens()
"""
TEST = """
import stores
from zoho_tokenstore_contract import TokenStoreContract

class TestAnother(TokenStoreContract):
    persistent = False

    def open_store(self, location):
        return stores.Keeping()
"""
ONE_OF_EACH_KEY = ("-k", "LIST or DEL or SAVE_4 or PROC_1")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's project with stores of its own."""
    pytester.makepyfile(stores=STORES)
    pytester.syspathinsert()
    return pytester


def named(*stores: str) -> list[str]:
    """The options that name stores."""
    return ["--tokenstore-transient", *(f"--tokenstore=stores:{name}" for name in stores)]


def to(*files: str) -> list[str]:
    """The options that name reports."""
    return [f"--tokenstore-report={file}" for file in files]


ALL = tuple(f"report{ending}" for ending in RENDERERS)


class TestWriting:
    """When files are written, and how."""

    def test_one_run_writes_every_form(self, project: pytest.Pytester) -> None:
        """And the summary says where they are."""
        result = project.runpytest(*named("Keeping"), *to(*ALL), "-k", "LIST")

        for file in ALL:
            assert (project.path / file).stat().st_size > 0
            result.stdout.fnmatch_lines([f"report: {project.path / file}"])

    @pytest.mark.parametrize(
        ("file", "says"),
        [
            ("report.xml", "'report.xml' does not end in .json, .html, .md or .svg"),
            ("report", "'report' does not end in .json, .html, .md or .svg"),
            ("nowhere/report.html", "there is no directory"),
            ("folder.svg", "is a directory"),
        ],
    )
    def test_what_cannot_be_written_is_said_before_the_run(
        self, project: pytest.Pytester, file: str, says: str
    ) -> None:
        """In one line, though another report could be written; nothing is run."""
        project.mkdir("folder.svg")
        result = project.runpytest(*named("Keeping"), *to("report.json", file), "-k", "LIST")

        assert pytest.ExitCode.USAGE_ERROR == result.ret
        result.stderr.fnmatch_lines([f"*--tokenstore-report: *{says}*"])
        assert not (project.path / "report.json").exists()

    def test_what_fails_at_the_end_fails_the_run(self, project: pytest.Pytester) -> None:
        """The verdict is told all the same, and the other reports are written."""
        project.makeconftest(
            "def pytest_runtest_setup(item):\n"
            "    import pathlib\n"
            "    pathlib.Path('report.md').mkdir(exist_ok=True)\n"
        )
        result = project.runpytest(*named("Keeping"), *to("report.md", "report.svg"), "-k", "LIST_2")

        assert pytest.ExitCode.INTERNAL_ERROR == result.ret
        result.stdout.fnmatch_lines(
            ["stores:Keeping: NO VERDICT*", "report: *report.md could not be written: *", "report: *.svg"]
        )
        assert (project.path / "report.svg").is_file()

    def test_a_report_replaces_another_at_once(self, tmp_path: Path) -> None:
        """A reader has the old one open to its end, and nothing else is left beside the new one."""
        path = tmp_path / "report.md"
        write(report(store("the first")), path)
        with path.open(encoding="utf-8") as reader:
            write(report(store("the second")), path)
            read = reader.read()

        assert "the first" in read
        assert "the second" in path.read_text(encoding="utf-8")
        assert [path] == list(tmp_path.iterdir())

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.name == "nt", reason="needs POSIX")
    def test_a_report_that_cannot_be_finished_leaves_what_was_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor is anything left of it."""
        path = tmp_path / "report.md"
        write(report(store("the first")), path)

        def fail(*_: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="no space left"):
            write(report(store("the second")), path)

        assert "the first" in path.read_text(encoding="utf-8")
        assert [path] == list(tmp_path.iterdir())

    @pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
    def test_a_report_is_a_file_like_any_other(self, tmp_path: Path) -> None:
        """It has the mode that the umask gives, and a link to it stays one."""
        link, path = tmp_path / "link.json", tmp_path / "report.json"
        link.symlink_to(path)
        before = os.umask(0o027)
        try:
            write(report(), link)
        finally:
            os.umask(before)

        assert link.is_symlink()
        assert 0o640 == stat.S_IMODE(path.stat().st_mode)


class TestRuns:
    """Every kind of run reports the same."""

    def test_reports_are_equal_however_tests_are_run(self, project: pytest.Pytester) -> None:
        """In one process or two, in any order, quiet or not, but for when and how."""
        pytest.importorskip("xdist")
        project.makepyfile(TEST)
        options = [*named("Unordered", "Forgetful"), *to(*ALL), *ONE_OF_EACH_KEY, "."]
        runs: dict[str, list[str]] = {
            "plain": ["-p", "no:randomly"],
            "two processes": ["-n", "2"],
            "quiet": ["-q", "-p", "no:randomly"],
            "loud": ["-v"],
        }
        made = {}
        for name, more in runs.items():
            project.runpytest(*options, *more)
            texts = {file: (project.path / file).read_text(encoding="utf-8") for file in ALL}
            # When and how it was run is not what was found.
            run = json.loads(texts["report.json"])
            for part in (
                run["command"],
                html.escape(run["command"]),
                run["date"],
                run["date"].replace("T", " "),
            ):
                texts = {file: text.replace(part.replace("+00:00", ""), "…") for file, text in texts.items()}
            made[name] = {
                file: re.sub(r"(?m)(\d+ min )?\d+(\.\d)? s\b|\"seconds\": .*", "…", text)
                for file, text in texts.items()
            }
        stores = json.loads((project.path / "report.json").read_text(encoding="utf-8"))["stores"]

        assert ["stores:Unordered", "stores:Forgetful"] == [store["target"] for store in stores[:2]]
        assert stores[2]["target"].endswith(":TestAnother")
        assert "broken" in {clause["outcome"] for clause in stores[1]["clauses"]}
        for name in runs:
            assert made["plain"] == made[name], name

    @pytest.mark.parametrize("more", [[], ["-n", "2"]], ids=["one process", "two processes"])
    def test_junit_xml_names_clause_and_level(self, project: pytest.Pytester, more: list[str]) -> None:
        """As properties of each test of a clause."""
        if more:
            pytest.importorskip("xdist")
        project.runpytest(
            *named("Keeping"), "--junit-xml=junit.xml", "-k", "smoke or SAVE_9 or LIST_2", *more
        )
        cases = ET.parse(project.path / "junit.xml").iter("testcase")  # noqa: S314 (pytest wrote it)
        properties = {
            case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
            for case in cases
        }
        calls = [one.pop("tokenstore_calls", "") for one in properties.values()]

        assert {
            "test_smoke": {},
            "test_SAVE_9": {
                "tokenstore_store": "stores:Keeping",
                "tokenstore_clause": "SAVE-9",
                "tokenstore_level": "SHOULD",
            },
            "test_LIST_2": {
                "tokenstore_store": "stores:Keeping",
                "tokenstore_clause": "LIST-2",
                "tokenstore_level": "MUST",
            },
        } == properties
        assert sum(int(number or "0") > 0 for number in calls) == 2

    def test_an_interrupted_run_reports_no_verdict(self, project: pytest.Pytester) -> None:
        """Ctrl-C in the middle: every form says so, and why."""
        project.makeconftest(
            "def pytest_runtest_setup(item):\n"
            "    if 'LIST_2' in item.name:\n"
            "        raise KeyboardInterrupt\n"
        )
        result = project.runpytest_subprocess(*named("Keeping"), *to(*ALL), "-p", "no:randomly", "-k", "LIST")
        text = {file: (project.path / file).read_text(encoding="utf-8") for file in ALL}
        why = f"{len(CLAUSES) - 1} of {len(CLAUSES)} clauses were not run"

        assert pytest.ExitCode.INTERRUPTED == result.ret
        assert {"verdict": None, "reason": why}.items() <= json.loads(text["report.json"])["stores"][
            0
        ].items()
        for file in ("report.html", "report.md"):
            assert "NO VERDICT" in text[file]
            assert why in text[file]
        assert "no verdict" in text["report.svg"]

    def test_a_run_without_a_store_reports_that(self, project: pytest.Pytester) -> None:
        """It does not pass for a store that conforms."""
        project.makepyfile("def test_own(): pass")
        result = project.runpytest(*to(*ALL))

        assert pytest.ExitCode.OK == result.ret
        for file in ("report.html", "report.md"):
            text = (project.path / file).read_text(encoding="utf-8")
            assert "NO VERDICT" in text
            assert "No store was checked." in text
        assert "no verdict" in (project.path / "report.svg").read_text(encoding="utf-8")


class TestPage:
    """The HTML, read without a browser; `test_report_html` has one."""

    def test_it_has_every_clause_and_every_group(self) -> None:
        """With its text, why it matters and where it comes from."""
        text = format_value(RENDERERS[".html"](report(store())))

        for clause in CLAUSES.values():
            assert clause.id in text
            assert clause.text.replace("`", "") in text
            assert clause.why.replace("`", "") in text
        for group, title in GROUPS.items():
            assert f"{group} {title}" in text

    def test_it_has_all_that_is_known_of_a_broken_clause(self) -> None:
        """Expected, seen and reason; calls, script and what further checks saw as packed parts."""
        page = RENDERERS[".html"](report(violating()))
        text, parts = format_value(page), json.loads(unpacked(page))

        assert "a known user updates the row" in text
        assert SCRIPT in parts
        assert ["store.open() -> opened", "store.save_token(token) -> returned None"] in parts
        for wanted in ("the row has changed", "two rows", "Allowed: later", "it gave up", "not persistent"):
            assert wanted in text
        assert "it keeps one token" in text

    def test_it_asks_for_nothing_else(self) -> None:
        """No address of anything, and a policy that would forbid it."""
        text = RENDERERS[".html"](report(store(), violating(), undecided()))
        elements = parsed(text).elements
        links = [value for _, attributes in elements for key, value in attributes if key in ("src", "href")]

        assert {"#", "data:,"} == {link if link == "data:," else link[:1] for link in links if link}
        assert [] == re.findall(r"url\(|@import", text)
        assert "default-src 'none'" in dict(attributes_of(elements, "meta", 1))["content"]

    def test_hostile_texts_are_text(self) -> None:
        """They add no element and no attribute to the page."""
        tame, hostile = (
            parsed(RENDERERS[".html"](report(violating(text), undecided(text)))) for text in ("x", HOSTILE)
        )

        def shape(page: Page) -> list[tuple[str, list[str]]]:
            # A name may break after some of its characters.
            return [
                (tag, [key for key, _ in attributes]) for tag, attributes in page.elements if tag != "wbr"
            ]

        assert shape(tame) == shape(hostile)
        parts = json.loads(unpacked(RENDERERS[".html"](report(violating(HOSTILE)))))
        assert [True] == [r"\x1b[31m \x00 \u202e \ud800" in part for part in parts if isinstance(part, str)]


class TestMarkdown:
    """The Markdown, read as GitHub does."""

    def test_it_has_verdict_table_and_broken_clauses(self) -> None:
        """In this order."""
        text = RENDERERS[".md"](report(violating()))

        assert text.startswith("**TokenStore contract: VIOLATES** `shop.tokens:FileStore`: ")
        assert "Root cause: `it keeps one token`" in text
        assert "\n| SAVE: save_token | 19/22; **broken: SAVE-4, SAVE-13**; allowed: SAVE-15 |\n" in text
        assert "<summary><b>SAVE-4</b> (MUST) broken: A token whose user name" in text
        assert "```text\nexpected: the row has changed\nseen:     two rows\n\n1. store.open()" in text
        assert f"```python\n{SCRIPT.rstrip()}\n```" in text
        assert "Allowed: SAVE-15: `Allowed: later`" in text
        assert "Not applicable: PROC-1: `not persistent`" in text

    @pytest.mark.parametrize("number", [1, 3])
    def test_hostile_texts_are_code(self, number: int) -> None:
        """They break neither the table nor anything after it, and mention nobody."""
        stores = [violating(HOSTILE), undecided(HOSTILE), store(HOSTILE)][:number]
        tokens = (
            MarkdownIt("commonmark", {"html": True}).enable("table").parse(RENDERERS[".md"](report(*stores)))
        )
        inline = [child for token in tokens for child in token.children or ()]
        rows = "".join(
            {"tr_open": "\n", "th_open": "|", "td_open": "|"}.get(token.type, "") for token in tokens
        )
        html = [child.content for child in inline if child.type == "html_inline"]
        prose = " ".join(child.content for child in inline if child.type == "text")
        blocks = "".join(token.content for token in tokens if token.type == "html_block")

        # A row for each group, and a cell for each store.
        assert ["|" * (number + 1)] * (len(GROUPS) + 1) == rows.split()
        assert {"<sub>", "</sub>"} <= set(html) <= {"<sub>", "</sub>", "<code>", "</code>"}
        assert (
            {"details", "summary", "b"}
            <= set(re.findall(r"<(\w+)", blocks))
            <= {"details", "summary", "b", "code"}
        )
        assert (
            blocks.count("<details>")
            == blocks.count("</details>")
            == len([one for one in violating().all_results if one.findings])
        )
        assert not {"link_open", "image", "heading_open"} & {token.type for token in [*tokens, *inline]}
        if number == 1:
            assert "hostile" not in prose
            assert "@" not in prose

    def test_a_comment_has_room_for_it(self) -> None:
        """Of a store that breaks much, first failures are shown, and what is missing is said."""
        long = [finding("x" * 1_000) for _ in range(9)]
        told = {clause: ClauseResult(clause, Outcome.BROKEN, tuple(long)) for clause in CLAUSES}
        text = RENDERERS[".md"](report(store("long", "violates", told)))

        assert 40_000 < len(text) < 65_536
        assert "only the first failure is shown here" in text
        assert "Nothing here of " in text
        assert "FLOW-10." in text


class TestBadge:
    """The SVG."""

    @pytest.mark.parametrize(
        ("stores", "figure", "colour"),
        [
            pytest.param([store()], "94/94", "#2b6f3e", id="conforms"),
            pytest.param([violating()], "87/93", "#b3261e", id="violates"),
            pytest.param([undecided()], "no verdict", "#646464", id="no verdict"),
            pytest.param([], "no verdict", "#646464", id="no store"),
            pytest.param([store(), store()], "2/2 stores", "#2b6f3e", id="all conform"),
            pytest.param([store(), violating(), undecided()], "1/3 stores", "#b3261e", id="one violates"),
            pytest.param([store(), undecided()], "no verdict", "#646464", id="one is undecided"),
        ],
    )
    def test_it_has_figure_and_colour(self, stores: list[StoreVerdict], figure: str, colour: str) -> None:
        """MAY clauses, and those that do not apply, do not count."""
        root = ET.fromstring(RENDERERS[".svg"](report(*stores)))  # noqa: S314 (made here)
        title = root.find(f"{SVG}title")

        assert [f"{SVG}title", f"{SVG}rect", f"{SVG}rect", f"{SVG}g"] == [child.tag for child in root]
        assert ["TokenStore contract", figure] == [text.text for text in root.iter(f"{SVG}text")]
        assert colour == [rect.get("fill") for rect in root.iter(f"{SVG}rect")][1]
        assert ("img", f"TokenStore contract: {figure}") == (root.get("role"), root.get("aria-label"))
        assert title is not None
        assert (title.text or "").startswith(f"TokenStore contract: {figure}")

    def test_hostile_texts_are_text(self) -> None:
        """The document stays XML, with the same elements."""
        root = ET.fromstring(RENDERERS[".svg"](report(store(HOSTILE))))  # noqa: S314 (made here)

        assert {"svg", "title", "rect", "g", "text"} == {child.tag.removeprefix(SVG) for child in root.iter()}
        assert "onerror" in (root.findtext(f"{SVG}title") or "")


class Page(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element."""
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        """Take in a text."""
        self.texts.append(data)


def parsed(text: str) -> Page:
    """A page, read."""
    return Page(text)


def format_value(text: str) -> str:
    """All texts of a page."""
    return "".join(parsed(text).texts)


def unpacked(text: str) -> str:
    """The long parts of a page, which a script of it puts in their places."""
    [packed] = re.findall(r'id="packed">([^<]+)<', text)
    return str(zlib.decompress(base64.b64decode(packed)).decode())


def attributes_of(
    elements: list[tuple[str, list[tuple[str, str | None]]]], tag: str, number: int
) -> list[tuple[str, str]]:
    """The attributes of one of the elements of a name."""
    found = [attributes for name, attributes in elements if name == tag][number]
    return [(key, value or "") for key, value in found]
