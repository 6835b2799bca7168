"""What ``docs/versioning.md`` promises: no clause changes, and a new one is reported before it counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._report.verdict import CONFORMS, VIOLATES, StoreVerdict
from zoho_tokenstore_contract._runner.clause_runner import fails
from zoho_tokenstore_contract._spec import clauses as clauses_module
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES, CONTRACT_VERSION, Clause, Level

NEW = Clause(
    "LIST-99", Level.MUST, "A made-up promise.", "Nobody knew of it.", "safety", CONTRACT_VERSION + 1
)
NEW_CLAUSE = f"""
from zoho_tokenstore_contract._spec import clauses as clauses_module
from zoho_tokenstore_contract._spec.clauses import Clause, Level

clauses_module.CLAUSES["LIST-99"] = {NEW!r}

from zoho_tokenstore_contract._checks.registry import check

@check("LIST-99")
def a_made_up_promise(bench):
    bench.open()
    bench.fail("a promise", "none")
""".replace("<Level.MUST: 'MUST'>", "Level.MUST")
STORE = """
from zoho_reference_stores import ListStore

def store():
    return ListStore()
"""


@pytest.mark.parametrize("version", range(1, CONTRACT_VERSION + 1))
def test_no_clause_of_a_contract_version_is_dropped_renamed_or_given_another_level(version: int) -> None:
    """The registry has what was recorded when the version came, and nothing else that counts in it."""
    recorded = (Path(__file__).parent / f"contract_{version}.txt").read_text().splitlines()
    registered = [
        f"{clause.id} {clause.level.value} {clause.since}"
        for clause in CLAUSES.values()
        if clause.since <= version
    ]

    assert sorted(recorded) == sorted(registered)


def test_a_clause_counts_from_a_version_on_that_is_at_most_the_next() -> None:
    """Nothing is announced for longer than one version."""
    assert {clause.since for clause in CLAUSES.values()} <= set(range(1, CONTRACT_VERSION + 2))


def verdict(outcome: Outcome) -> StoreVerdict:
    """A store that keeps all that counts, and of which the new clause came to this."""
    store = StoreVerdict("store", strict=True)
    for clause in CLAUSES:
        store.results[clause] = ClauseResult(clause, Outcome.KEPT)
    if outcome is Outcome.NOT_RUN:
        del store.results[NEW.id]
    else:
        store.results[NEW.id] = ClauseResult(NEW.id, outcome)
    return store


@pytest.mark.parametrize("outcome", Outcome)
def test_a_new_clause_changes_no_verdict(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes of it, and in a strict run too; from its version on it counts."""
    monkeypatch.setitem(CLAUSES, NEW.id, NEW)
    sut = StoreUnderTest("store", open=lambda _: None, close=lambda _: None, source=StoreSource("", "", None))
    store = verdict(outcome)
    before = store.verdict, fails(store.result(NEW.id), sut)
    monkeypatch.setattr(clauses_module, "CONTRACT_VERSION", NEW.since)
    after = store.verdict, fails(store.result(NEW.id), sut)
    counting = {
        Outcome.BROKEN: (VIOLATES, True),
        Outcome.NOT_RUN: (None, False),
        Outcome.UNKNOWN: (None, True),
        Outcome.NOT_REACHED: (None, True),
        Outcome.ERROR: (None, True),
    }

    assert before == (CONFORMS, False)
    assert after == counting.get(outcome, (CONFORMS, False))


def test_a_new_clause_is_run_and_reported(pytester: pytest.Pytester) -> None:
    """It is broken in the report, the message says that it is new, and the run passes."""
    pytester.makepyfile(new_clause=NEW_CLAUSE, stores=STORE)
    options = ("--tokenstore", "stores:store", "--tokenstore-report", "report.json", "-k", "LIST", "-rx")
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "new_clause", *options)
    report: dict[str, Any] = json.loads((pytester.path / "report.json").read_text())
    [outcome] = [one["outcome"] for one in report["stores"][0]["clauses"] if one["id"] == "LIST-99"]

    assert result.ret == 0
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([f"*LIST-99 (MUST, new in version {NEW.since} of the contract) is not kept*"])
    assert outcome == "broken"
    assert report["contract"] == CONTRACT_VERSION
