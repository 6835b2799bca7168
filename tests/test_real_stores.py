"""The kit on stores with several faults at once, held against what is true of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import published, servers
from tests.exam import is_long
from tests.real_stores import REAL, answers, sut_of
from tests.stores.real import more_proofs  # noqa: F401 (registers its proofs)
from tests.stores.real.proofs import BROKEN, KEPT
from zoho_tokenstore_contract._harness.store_source import called_with_location
from zoho_tokenstore_contract._harness.store_under_test import close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES

QUICK = [id for id in CLAUSES if not is_long(id)]


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    """A server for `DBStore`."""
    servers.skip_or_fail(published.unserved())
    with published.serving():
        yield


@pytest.fixture(autouse=True)
def storage(request: pytest.FixtureRequest) -> None:
    """Whatever the store of a test needs."""
    callspec = getattr(request.node, "callspec", None)
    if callspec is not None and callspec.params.get("name") == "db-store":
        request.getfixturevalue("served")


@pytest.mark.parametrize("name", REAL)
def test_the_kit_says_what_is_true(name: str) -> None:
    """Each quick clause is reported as the table has it, but for those that are known."""
    assert {id for id in REAL[name].differs if id in QUICK} == answers(name, QUICK).differences.keys()


@pytest.mark.parametrize(
    ("name", "clauses"),
    [
        ("sqlite", ("THREAD-2", "THREAD-5", "FLOW-6")),  # with room for ten rows, threads do nothing wrong
        ("sqlite", ("SECRET-2",)),  # nor does a store that refuses texts keep quiet about them
        ("memory", ("SECRET-2",)),
        ("no-ids", ("THREAD-1", "THREAD-2", "THREAD-4", "CRASH-1", "CRASH-6")),  # where no id tells a row
        ("one-slot", ("THREAD-2", "THREAD-4", "PROC-2", "CRASH-1", "CRASH-2", "CRASH-6")),
        ("list", ("DEL-3",)),  # a brought id that is no number stops later inserts, by SAVE-3
    ],
)
def test_long_clauses_are_asked_around_what_others_tell(name: str, clauses: tuple[str, ...]) -> None:
    """A fault of another clause neither breaks a long clause nor hides its fault."""
    assert {} == answers(name, clauses).differences


@pytest.mark.parametrize("clause", ["SECRET-2", "CRASH-3"])
def test_a_finding_says_that_the_kit_damaged_the_file(clause: str) -> None:
    """Who reads what was expected and seen knows that the file was not in order."""
    found = check_clause(clause, sut_of(REAL["csv"]), Effort()).findings

    assert any("the kit damaged" in f"{one.expected} {one.seen}" for one in found)


@pytest.mark.parametrize("clause", ["SECRET-2", "VALUE-10"])
def test_the_kit_itself_does_not_fail_on_a_store_with_one_slot(clause: str) -> None:
    """Where all rows but the last are gone, that is an answer of the store."""
    assert Outcome.BROKEN is check_clause(clause, sut_of(REAL["one-slot"]), Effort()).outcome


@pytest.mark.parametrize(("name", "clause"), [one for one in (*BROKEN, *KEPT) if one[0] in REAL])
def test_the_table_is_true(name: str, clause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the table says of a clause is shown without the kit."""
    monkeypatch.chdir(tmp_path)
    opened = []

    def open_it() -> object:
        opened.append(called_with_location(REAL[name].open)(tmp_path))
        return opened[-1]

    try:
        (BROKEN | KEPT)[name, clause](open_it)
    finally:
        for store in opened:
            close_by_default(store)

    assert (clause in REAL[name].broken) == ((name, clause) in BROKEN)


def test_every_quick_entry_of_a_table_has_a_proof() -> None:
    """No store is said to break a quick clause without a proof of it."""
    claimed = {(name, id) for name, real in REAL.items() for id in real.broken if id in QUICK}

    assert set() == claimed - BROKEN.keys()
