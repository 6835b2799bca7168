"""Stores like those in real use, each with its table of truth: which clauses it breaks, and why.

A table is made by reading the store's code; the kit has no say in it. Where a clause is
broken by what another clause speaks of, it counts as kept: one cause is one entry.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import published
from tests.stores.real import tables
from tests.stores.real.plain_rows import CsvFile, ListSample
from tests.stores.real.sql_rows import MemorySample, SqliteSample
from tests.stores.real.tables import Table
from tests.stores.real.third_party import (
    ErrorsAreNone,
    FirstRowOnAMiss,
    IdsNeverSet,
    LookThenInsert,
    OneSlot,
    PrivateNames,
)
from zoho_tokenstore_contract._harness.store_source import StoreSource, called_with_location
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.sdk import load


@dataclass(frozen=True)
class Real:
    """A store of this kind.

    Attributes:
        open: A class or function that opens it.
        broken: Its table of truth.
        beyond: Clauses whose least arrangement it does not allow, and the clause that is in the way.
        declared: What its author declares.
        differs: Clauses that the kit does not answer as the table has it, and how it does.
    """

    open: Callable[..., Any]
    broken: Table
    beyond: Table = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)
    differs: Table = field(default_factory=dict)


def csv_file(location: Path) -> CsvFile:
    """`CsvFile` on a file in the location."""
    return CsvFile(str(location / "tokens.csv"))


def hide(store: Any, location: Path) -> None:
    """Put the files of an open store out of reach."""
    location.rename(location.with_name(f"{location.name}-gone"))


_HIDDEN = {"break_storage": hide}

REAL = {
    "sqlite": Real(SqliteSample, tables.SQLITE_SAMPLE, declared={"in_location": True}),
    "memory": Real(MemorySample, tables.MEMORY_SAMPLE, tables.ONE_THREAD, {"persistent": False}),
    "list": Real(ListSample, tables.LIST_SAMPLE, declared={"persistent": False}),
    "csv": Real(csv_file, tables.CSV_FILE, declared=_HIDDEN),
    "file-store": Real(published.file_store, tables.FILE_STORE, declared=_HIDDEN),
    "db-store": Real(
        published.db_store,
        tables.DB_STORE["7.0.0"],
        declared={"break_storage": published.hide_database},
        differs=tables.DB_STORE_DIFFERS,
    ),
    "look": Real(LookThenInsert, tables.LOOK_RAISES, declared=_HIDDEN),
    "errors": Real(ErrorsAreNone, tables.ERRORS, declared=_HIDDEN),
    "first-row": Real(FirstRowOnAMiss, tables.FIRST_ROW, tables.NO_MISS, _HIDDEN),
    "no-ids": Real(IdsNeverSet, tables.NO_IDS, tables.WITHOUT_IDS, _HIDDEN),
    "one-slot": Real(OneSlot, tables.ONE_SLOT, tables.ONE_ROW, _HIDDEN, tables.ONE_SLOT_DIFFERS),
    "private": Real(
        PrivateNames, tables.PRIVATE_NAMES, tables.BARE_ROWS, _HIDDEN, tables.PRIVATE_NAMES_DIFFERS
    ),
}


def sut_of(real: Real) -> StoreUnderTest:
    """A store as the kit checks it."""
    return StoreUnderTest(
        target=real.open.__name__,
        open=called_with_location(real.open),
        close=close_by_default,
        source=StoreSource.of(real.open),
        **real.declared,
    )


if int(load().version.partition(".")[0]) < 7:
    del REAL["db-store"]  # its table is of the latest text; the record of published stores has the others


@dataclass(frozen=True)
class Answers:
    """What the kit says of one store, held against its table.

    Attributes:
        name: The store.
        agreed: How many clauses are answered as the table has it.
        asked: How many clauses apply.
        differences: The others, each with its outcome.
    """

    name: str
    agreed: int
    asked: int
    differences: Mapping[str, Outcome]

    @property
    def unreached(self) -> int:
        """How many clauses are not reached, though the store allows what they need."""
        return sum(outcome is Outcome.NOT_REACHED for outcome in self.differences.values())

    def __str__(self) -> str:
        told = ", ".join(f"{id} {outcome.words}" for id, outcome in self.differences.items())
        share = self.agreed / self.asked
        return f"{self.name:<12} {self.agreed}/{self.asked} {share:.1%}  not reached {self.unreached}  {told}"


def answers(name: str, clauses: Iterable[str] = CLAUSES) -> Answers:
    """Ask the kit about a store.

    Args:
        name: The store's name in `REAL`.
        clauses: The clauses that are asked.

    Returns:
        Where the kit agrees with the table of truth.
    """
    real = REAL[name]
    sut = sut_of(real)
    agreed, differences = 0, {}
    for id in clauses:
        outcome = check_clause(id, sut, Effort()).outcome
        wanted = Outcome.BROKEN if id in real.broken else Outcome.KEPT
        if outcome is (Outcome.NOT_REACHED if id in real.beyond else wanted):
            agreed += 1
        elif outcome is not Outcome.NOT_APPLICABLE:
            differences[id] = outcome
    return Answers(name, agreed, agreed + len(differences), differences)


def main(words: Sequence[str] | None = None) -> int:
    """Print a line a store: clauses agreed of those that apply, not reached, and the differences."""
    parser = argparse.ArgumentParser(prog="python -m tests.real_stores", description=__doc__)
    parser.add_argument("name", nargs="*", default=list(REAL), help="stores (default: all)")
    parser.add_argument("--clauses", metavar="ID,...", help="these clauses and groups alone")
    arguments = parser.parse_args(words)
    asked = [
        id
        for id in CLAUSES
        if arguments.clauses is None or {id, CLAUSES[id].group} & set(arguments.clauses.split(","))
    ]
    right = True
    for name in arguments.name:
        found = answers(name, asked)
        right &= found.agreed >= 0.97 * found.asked and found.unreached <= 0.02 * found.asked
        sys.stdout.write(f"{found}\n")
        sys.stdout.flush()
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
