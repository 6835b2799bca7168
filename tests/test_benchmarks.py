"""The benchmarks measure what they say: right answers are told from wrong ones, goals are judged rightly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import calls, cuts
from benchmarks.contenders import (
    CONTENDERS,
    DELETE,
    INSERT,
    LIST,
    OPERATIONS,
    UPDATE,
    Bare,
    Contender,
    Handle,
    InList,
    Row,
    Server,
    SQLiteFile,
    row,
)
from benchmarks.goals import Figures, Goal, Ratio, goals
from benchmarks.measuring import Timing, alone, in_threads
from benchmarks.memory import BARE, CASES
from tests.reference_list import PLACES
from zoho_reference_stores import ListStore

pytestmark = pytest.mark.once

SIZE = 12
HERE = [kind for kind in CONTENDERS if kind is not Server]


@pytest.fixture(scope="module")
def contenders(tmp_path_factory: pytest.TempPathFactory) -> dict[type[Contender], Contender]:
    """All that need no server, filled."""
    base = tmp_path_factory.mktemp("stores")
    made = {kind: kind(base, SIZE) for kind in HERE}
    for contender in made.values():
        contender.fill(map(row, range(SIZE)))
    return made


@pytest.mark.parametrize("kind", HERE, ids=lambda kind: kind.__name__)
def test_every_call_of_a_contender_is_answered_rightly(
    contenders: dict[type[Contender], Contender], kind: type[Contender]
) -> None:
    """And what is inserted is deleted, so that there are as many rows as before."""
    (handle,) = contenders[kind].open()
    rows = [row(number) for number in range(SIZE)]
    new = [row(SIZE + number) for number in range(5)]
    ids: list[str] = []
    for operation in OPERATIONS:
        special: dict[str, list[Row]] = {UPDATE: rows[1::2], INSERT: new, DELETE: [(id,) for id in ids]}
        given = special.get(operation, rows)
        timing = alone(handle, operation, given, SIZE)

        assert (timing.calls, timing.wrong) == (1 if operation == LIST else len(given), 0), operation
        ids = timing.inserted[0] or ids
    assert len(set(ids)) == len(new)


def test_threads_make_all_their_calls_at_the_same_store(tmp_path: Path) -> None:
    """Each of them its own."""
    contender = SQLiteFile(tmp_path, SIZE)
    contender.fill(map(row, range(SIZE)))
    handles = contender.open(4)
    shares = [[row(SIZE + 5 * thread + number) for number in range(5)] for thread in range(4)]
    timing = in_threads(handles, INSERT, shares, SIZE)

    assert (timing.calls, timing.wrong) == (20, 0)
    assert len({id for ids in timing.inserted for id in ids}) == 20
    assert alone(handles[0], LIST, [], SIZE + 20).wrong == 0


class Wrong:
    """A store that finds nobody, and cannot save."""

    def find_token(self, token: Any) -> None:
        """Find nobody."""

    def save_token(self, token: Any) -> None:
        """Fail."""
        raise OSError


@pytest.mark.parametrize("operation", ["find by user name", UPDATE, INSERT])
def test_wrong_answers_and_failures_are_counted(operation: str) -> None:
    """And the calls after a failure are made all the same."""
    timing = alone(Handle(Wrong()), operation, [row(number) for number in range(3)], SIZE)

    assert (timing.calls, timing.wrong) == (3, 3)


def judged(store: float, bare: float, file: float = 1.0) -> dict[str, Goal]:
    """The goals by their texts, where every call of a store takes as long."""
    seconds = {SQLiteFile.name: store, Bare.name: bare, "FileStore (SDK)": file, InList.name: 1e-5}
    figures = Figures(
        {
            "sizes": [10, 10_000],
            "memory": {case: {"holding": 100 if case == BARE else 160} for case in CASES},
            "cells": [
                {
                    "contender": name,
                    "operation": operation,
                    "size": size,
                    "mode": "1 thread",
                    "seconds": [one, None, one * 2],
                }
                for name, one in seconds.items()
                for operation in OPERATIONS
                for size in (10, 10_000)
            ],
        }
    )
    return {goal.text: goal for goal in goals(figures)}


def test_goals_are_met_or_not() -> None:
    """At most so many times the limit, at least so many times faster than the file."""
    fast, slow = judged(store=0.002, bare=0.001), judged(store=0.02, bare=0.005)
    met = {text: (goal.met, slow[text].met) for text, goal in fast.items()}

    assert [one for text, one in met.items() if "finds in" in text] == [(True, False)] * 2
    assert [one for text, one in met.items() if "saves in" in text] == [(False, False)] * 2
    assert [one for text, one in met.items() if "`FileStore`" in text] == [(True, False), (True, True)]
    assert [one for text, one in met.items() if "memory" in text] == [(False, False)] * 3
    assert [one for text, one in met.items() if "SQLiteMemoryStore" in text and "<" in text] == [
        (None, None)
    ] * 2


def test_a_ratio_is_of_figures_of_the_same_turn() -> None:
    """The middle of them, and where half of them lie."""
    cells = [
        {"contender": name, "operation": LIST, "size": 10, "mode": "1 thread", "seconds": seconds}
        for name, seconds in (("one", [2.0, None, 8.0, 9.0, 4.0]), ("other", [1.0, 1.0, 2.0, 3.0]))
    ]
    figures = Figures({"sizes": [10], "memory": {}, "cells": cells})

    assert figures.ratio(("one", LIST, 10), ("other", LIST, 10)) == Ratio(3.0, 2.5, 3.5)
    assert figures.ratio(("one", LIST, 10), ("nobody", LIST, 10)) is None


def test_timings_of_a_cell_are_kept_by_turn() -> None:
    """A turn that was left out leaves a gap."""
    stores = pytest.importorskip("benchmarks.stores", reason="matplotlib, which draws, is not here")
    cell = stores.Cell("store", LIST, 10, "1 thread")
    cell.add(0, Timing(1.0, 2, 0))
    cell.add(2, Timing(3.0, 1, 1))

    assert (cell.seconds, cell.calls, cell.wrong) == ([0.5, None, 3.0], 3, 1)


def test_cuts_tell_a_lost_save_from_a_wrong_answer() -> None:
    """A save that returned has to be found or one that came later, whole, and nobody else's."""
    ledger, other = cuts.Ledger("one", tried=3, saved=2), cuts.Ledger("other")
    own = {number: ledger.row("one", number) for number in range(1, 5)}

    assert [ledger.judged(own[number]) for number in (2, 3)] == ["right", "right"]
    assert [ledger.judged(found) for found in (own[1], None)] == ["LOST SAVE", "LOST SAVE"]
    wrong = (
        own[4],
        other.row("other", 2),
        own[2].but(client_id=own[3].client_id),
        own[2].but(access_token=None),
    )
    assert [ledger.judged(found) for found in wrong] == ["WRONG ANSWER"] * 4
    assert other.judged(None) == "right"


class Forgetful(ListStore):
    """A store that loses each fifth save, and answers after some with what is no `SDKException`."""

    saves = 0

    def save_token(self, token: Any) -> None:
        self.saves += 1
        if self.saves % 7 == 0:
            raise ValueError
        if self.saves % 5:
            super().save_token(token)
        else:
            token.set_id("1")


def test_cuts_see_what_a_store_does_wrong() -> None:
    """While it is cut, and in calm afterwards."""
    store, ledger = Forgetful(), cuts.Ledger("one")
    for _ in range(20):
        cuts.turn(store, ledger, ledger.take)
    seen = cuts.look(store, [ledger])

    assert {"LOST SAVE", "RAW ValueError", "right", "saved"} <= set(ledger.seen)
    assert seen["NOT USABLE AFTERWARDS"] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_cuts_kill_processes_that_save() -> None:
    """Each of them told what it had done before, and nothing of it is lost."""
    seen = cuts.kill_writers(PLACES["SQLiteFileStore"], 12)

    assert seen["cuts"] == 12
    assert seen["saved"] > 0
    assert not [what for what in +seen if what[:3].isupper()]


def test_the_price_of_every_kind_of_call_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does nothing takes each of them, also those that delete."""
    monkeypatch.setattr(calls, "CALLS", 1)
    monkeypatch.setattr(calls, "TURNS", 1)

    assert [name.partition(",")[0] for name in calls.prices()] == [
        "save_token",
        "save_token",
        "find_token",
        "find_token_by_id",
        "get_tokens",
        "delete_token",
        "delete_tokens",
    ]
