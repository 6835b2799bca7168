"""What a run tells on the terminal: a table, and each broken clause once, whatever pytest is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

# Loaded here once, so that each run inside a test does not load the SDK and Hypothesis again.
import zoho_reference_stores  # noqa: F401
import zoho_tokenstore_contract._drivers.hypothesis_examples
import zoho_tokenstore_contract._runner.targets  # noqa: F401
from tests.reports import finding, store
from zoho_tokenstore_contract._report.terminal import conclude
from zoho_tokenstore_contract._report.verdict import Verdicts
from zoho_tokenstore_contract._report.wording import wrapped
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS

pytestmark = pytest.mark.once

STORES = """
from zoho_reference_stores import ListStore
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

class Doubling(ListStore):
    def save_token(self, token):
        print("a line that the store prints")
        signature = token.get_user_signature()
        known = signature and self.find_token(OAuthToken(user_signature=signature))
        if known:
            token.set_id(None)
            token.set_user_signature(None)
        super().save_token(token)
        token.set_user_signature(signature)

class Loose(ListStore):
    def find_token(self, token):
        found = super().find_token(token)
        if found is None and hasattr(token, "set_redirect_url"):
            token.set_redirect_url("left behind")  # FIND-12, a SHOULD clause
        return found

class FindsNoId(ListStore):
    def find_token(self, token):
        if token.get_id() and not token.get_access_token():
            return None
        return super().find_token(token)

class OneSlot(ListStore):
    def save_token(self, token):
        self.delete_tokens()
        super().save_token(token)

class AStoreWithANameThatIsFarTooLongForAnyColumnOfATableOfEightyCharacters(ListStore):
    pass

class Right(ListStore):
    pass
"""
CHOSEN = "SAVE_4 or FIND_12 or LIST_2 or PERSIST_1"
OPTIONS = (
    (),
    ("-q",),
    ("-rA",),
    ("--tb=short",),
    ("-v",),
    ("-n", "2"),
)


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's project with stores of its own, on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    pytester.makepyfile(stores=STORES)
    pytester.syspathinsert()


def run(pytester: pytest.Pytester, *options: str, store: str = "Doubling", chosen: str = CHOSEN) -> str:
    """What a run prints."""
    named = ("--tokenstore", f"stores:{store}", "--tokenstore-transient")
    return str(pytester.runpytest("-p", "no:randomly", *named, "-k", chosen, *options).stdout)


def words(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def row(printed: str, label: str) -> Sequence[str]:
    """The numbers of a row of the table."""
    [line] = [line for line in printed.splitlines() if re.match(rf"{label} .*(\d|-)$", line)]
    return line.split()[len(f"{label} {GROUPS.get(label, '')}".split()) :]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("ci", ["", "true"], ids=["at home", "ci"])
def test_a_broken_clause_is_told_once(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], ci: str
) -> None:
    """What was expected and seen, why it matters, and a command that has the clause; pytest shows no more."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    if ci:
        monkeypatch.setenv("CI", ci)
    printed = words(run(pytester, *options))

    assert printed.count("SAVE-4 (MUST) broken") == 1
    assert printed.lower().count(f"why it matters: {CLAUSES['SAVE-4'].why}".lower()) == 1
    assert printed.count("zoho-tokenstore clauses SAVE-4") == 1
    findings = printed.count(" seen: ")
    assert findings > 1 if "-v" in options else findings == 1
    assert "FAILED" not in printed.partition("= TokenStore contract")[2]
    assert "docs/contract.md" not in printed


def test_the_verdict_is_the_last_line(pytester: pytest.Pytester) -> None:
    """With counts, and pytest counts the same above it."""
    *_, counted, first, second = run(pytester).splitlines()

    assert counted.startswith("=")
    assert "2 passed, " in counted
    assert "1 broken, 1 not applicable" in counted
    assert words(f"{first} {second}").startswith("stores:Doubling: NO VERDICT (")
    assert "2 kept, 1 broken (1 MUST), 1 not applicable" in words(f"{first} {second}")


def test_a_line_says_which_call_does_what_wrong(pytester: pytest.Pytester) -> None:
    """The method, by what it was addressed, and what differs; JUnit has the whole sentence first."""
    printed = words(run(pytester, "--junitxml", "junit.xml"))
    said = "save_token(OAuthToken(user_name=ann, access_token="
    [message] = re.findall(r'<failure message="([^"]*)', (pytester.path / "junit.xml").read_text("utf-8"))

    assert "SAVE-4 save_token by user_name, access_token" in printed
    assert f"seen: {said}" in printed
    assert "1 row was added instead" in printed
    assert message.removeprefix("Failed: ").startswith(f"SAVE-4 (MUST) broken: {said}")


def test_the_risk_is_told_in_words(pytester: pytest.Pytester) -> None:
    """Below the verdict, with the clauses that prevent it."""
    risk = "- makes users sign in again, or asks Zoho for tokens until it refuses: SAVE-4"

    assert risk in words(run(pytester))


def test_the_shortest_program_is_shown(pytester: pytest.Pytester) -> None:
    """A few calls with few fields, as the search left them over."""
    printed = run(pytester)
    calls = printed.partition("seen:   ")[2].partition("why it matters")[0]

    assert 2 <= calls.count("store.save_token(") <= 3
    assert "assert seen == 1" in calls


def test_a_run_without_a_clause_is_one_line(pytester: pytest.Pytester) -> None:
    """A project that has a contract class, and runs something else."""
    printed = run(pytester, chosen="nothing_of_that_name")

    assert "stores:Doubling: not checked, for no clause of it was run" in printed
    assert "NO VERDICT" not in printed


def test_what_a_failing_clause_printed_is_shown(pytester: pytest.Pytester) -> None:
    """As pytest would, below the clause, and as far as it is asked to."""
    shown, silent = run(pytester), run(pytester, "--show-capture=no")

    assert "Captured stdout call" in shown
    assert "a line that the store prints" in shown
    assert "a line that the store prints" not in silent


def test_a_clause_that_does_not_fail_the_run_is_told_too(pytester: pytest.Pytester) -> None:
    """In one line above the verdict; in full under ``-v``."""
    short, whole = words(run(pytester, store="Loose")), words(run(pytester, "-v", store="Loose"))

    assert short.count("FIND-12") == 1
    assert "FIND-12 (SHOULD) is not kept: find_token" in short
    assert short.index("FIND-12") < short.index("stores:Loose: NO VERDICT")
    assert "FIND-12 (SHOULD) broken, and does not fail the run" in whole
    assert whole.count(CLAUSES["FIND-12"].text) == 1


def test_without_tracebacks_a_clause_is_one_line(pytester: pytest.Pytester) -> None:
    """What ``--tb=no`` asks for."""
    printed = words(run(pytester, "--tb=no"))

    assert "SAVE-4 save_token by user_name" in printed
    assert "why it matters" not in printed


def test_other_plugins_read_the_whole_message(pytester: pytest.Pytester) -> None:
    """JUnit, and what editors show."""
    run(pytester, "--junitxml", "junit.xml")
    junit = (pytester.path / "junit.xml").read_text("utf-8")

    assert words(CLAUSES["SAVE-4"].text) in junit
    assert "seen:     " in junit


def test_the_failures_of_other_tests_stay_where_they_are(pytester: pytest.Pytester) -> None:
    """The summary takes the clauses alone out of FAILURES."""
    pytester.makepyfile(test_own="def test_own():\n    assert 'mine' == 'yours'\n")
    printed = run(pytester, "test_own.py", chosen=f"{CHOSEN} or own")

    assert printed.count("FAILURES") == printed.count(">       assert 'mine' == 'yours'") == 1
    assert "1 failed, " in printed
    assert "1 broken, " in printed


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "two processes"])
def test_the_table_counts_each_clause_of_each_store_once(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    """Groups are rows, and the last one is the sum; ``-v`` has the table."""
    printed = run(pytester, "-v", *options)
    saves = sum(clause.group == "SAVE" for clause in CLAUSES.values())

    assert row(printed, "SAVE") == ["-", "1", "-", "-", str(saves - 1)]
    assert row(printed, "PERSIST")[3] == "1"
    assert row(printed, "all") == ["2", "1", "-", "1", str(len(CLAUSES) - 4)]
    assert sum(printed.count(f"\n{group} ") for group in GROUPS) == len(GROUPS)


def test_several_stores_stand_side_by_side_within_the_width(pytester: pytest.Pytester) -> None:
    """Where there are more of them than the width has room for, they go below."""
    long = "AStoreWithANameThatIsFarTooLongForAnyColumnOfATableOfEightyCharacters"
    more = [f"--tokenstore=stores:{name}" for name in ("Loose", long, "Right")]
    printed = run(pytester, *more, "--tb=no", "-v")
    table = printed[printed.index("= TokenStore contract") :]

    assert [line for line in table.splitlines() if len(line) > 80 and long not in line] == []
    heads = re.findall(r"^ +(\[\d\](?: +\[\d\])*)$", table, re.MULTILINE)
    assert [head.split() for head in heads] == [["[1]", "[2]"], ["[3]", "[4]"]]
    assert f"\n[3] stores:{long}\n" in table


def test_stores_stand_in_the_order_in_which_they_are_named(pytester: pytest.Pytester) -> None:
    """Also where processes share the work."""
    more = [f"--tokenstore=stores:{name}" for name in ("Loose", "OneSlot")]
    named = re.findall(r"^stores:(\w+): NO VERDICT", run(pytester, *more, "-n", "2"), re.MULTILINE)

    assert named == ["Doubling", "Loose", "OneSlot"]


def test_the_root_cause_comes_first_and_folds_the_rest(pytester: pytest.Pytester) -> None:
    """The clauses are named in one line; ``-v`` tells each."""
    folded = words(run(pytester, store="OneSlot", chosen="smoke or SAVE_1 or SAVE_12"))
    told = words(run(pytester, "-v", store="OneSlot", chosen="smoke or SAVE_1 or SAVE_12"))

    assert "Root cause: the store keeps one token" in folded
    assert "-v, or --tokenstore-report report.html, tells each" in folded
    assert CLAUSES["SAVE-1"].text not in folded
    assert told.count(CLAUSES["SAVE-1"].text) == 1


def test_what_follows_from_another_clause_is_told_under_it(pytester: pytest.Pytester) -> None:
    """Without a line of its own; under ``-v`` it says from which."""
    short = run(pytester, store="FindsNoId", chosen="FIND_5 or FLOW_8")
    whole = words(run(pytester, "-v", store="FindsNoId", chosen="FIND_5 or FLOW_8"))

    assert "  FIND-5 find_token by id: returned None\n    from this follows: FLOW-8\n" in short
    assert "FLOW-8 (MUST) broken" not in short
    assert "It follows from FIND-5." in whole


def test_a_store_without_rows_when_it_is_opened_again_is_one_entry(pytester: pytest.Pytester) -> None:
    """With the declaration that it is transient as the hint."""
    chosen = ("--tokenstore", "stores:Right", "-k", "PERSIST_1 or PERSIST_3")
    printed = words(str(pytester.runpytest("-p", "no:randomly", *chosen).stdout))

    assert "gone after the store was opened again" in printed
    assert "from this follows: PERSIST-3" in printed
    assert "declare that: --transient" in printed
    assert printed.count("hint:") == 1


def test_only_the_failures_of_the_last_run_are_no_verdict(pytester: pytest.Pytester) -> None:
    """``--lf`` runs a part of the contract."""
    first = run(pytester)
    second = run(pytester, "--lf")

    assert "SAVE-4 (MUST) broken" in first
    assert "SAVE-4 (MUST) broken" in second
    assert f"NO VERDICT ({len(CLAUSES) - 1} of {len(CLAUSES)} clauses were not run)" in second


def test_colour_is_where_the_terminal_has_it(pytester: pytest.Pytester) -> None:
    """And nowhere else."""
    assert "\x1b[31mSAVE" not in run(pytester)
    assert "\x1b[31m" in run(pytester, "--color=yes").partition("TokenStore contract")[2]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", [" one two", "- three"]),
        ("a 'b  c' d", [" a 'b  c'", "- d"]),
        ("x" * 15, [" " + "x" * 9, "- " + "x" * 6]),
        ("one\ntwo", [" one", "- two"]),
        ("", [""]),
    ],
)
def test_a_long_text_is_wrapped_with_nothing_lost(text: str, lines: list[str]) -> None:
    """Space inside a line stays as it is."""
    assert list(wrapped(text, 10, " ", "- ")) == lines


class Lines:
    """A terminal that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write_line(self, line: str, **_: bool) -> None:
        """Keep a line."""
        self.written.append(line)


def test_a_store_that_conforms_says_which_should_clauses_it_breaks() -> None:
    """In the line of the verdict; a MAY clause is none of them."""
    broken = {id: ClauseResult(id, Outcome.BROKEN, (finding(),)) for id in ("SECRET-2", "FLOW-10")}
    lines = Lines()
    conclude(lines, Verdicts({"one": store("stores:Loose", results=broken)}))  # type: ignore[arg-type]

    assert "stores:Loose: CONFORMS to every MUST clause, but not to SECRET-2 (SHOULD): " in words(
        "\n".join(lines.written)
    )
