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

from tests.stores.real.plain_rows import CsvFile, ListSample
from tests.stores.real.sql_rows import MemorySample, SqliteSample
from tests.stores.real.third_party import ErrorsAreNone, LookThenInsert
from zoho_tokenstore_contract._harness.store_source import StoreSource, called_with_location
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES

Table = Mapping[str, str]
"""A clause that a store breaks, and why. Every other clause that applies is kept."""


@dataclass(frozen=True)
class Real:
    """A store of this kind.

    Attributes:
        open: A class or function that opens it.
        broken: Its table of truth.
        beyond: Clauses whose least arrangement it does not allow, and the clause that is in the way.
        declared: What its author declares.
    """

    open: Callable[..., Any]
    broken: Table
    beyond: Table = field(default_factory=dict)
    declared: Mapping[str, Any] = field(default_factory=dict)


def csv_file(location: Path) -> CsvFile:
    """`CsvFile` on a file in the location."""
    return CsvFile(str(location / "tokens.csv"))


def hide(store: Any, location: Path) -> None:
    """Put the files of an open store out of reach."""
    location.rename(location.with_name(f"{location.name}-gone"))


# The SDK's samples

_BY_HAND = {
    "SAVE-10": "client id and secret are not compared",
    "BYID-2": "an unknown id raises",
    "BYID-5": "tokens are made without the constructor",
    "DEL-5": "the greatest stored id plus one may have been a deleted row's",
    "VALUE-10": "an empty text is taken for a value",
    "MODEL-1": "already for two rows, as BYID-2 and FIND-5 say",
    "CRASH-6": "whatever is raised in a call comes out as SDKException",
    "FLOW-8": "revoke(id) looks for a token with nothing but an id, which is not found",
    "FLOW-10": "nothing keeps threads from renewing the same token",
}
"""What all stores break that were written after the SDK's own."""

_SQL = {
    **_BY_HAND,
    "SAVE-3": "int() of a stored id that is no number raises in each later insert",
    "SAVE-14": "an update by user name finds no row, and inserts under an id that is taken",
    "SAVE-15": "a user name that is not stored is inserted, whatever else is",
    "SAVE-20": "there is nothing to set and no condition: the statement is not SQL",
    "SAVE-21": "an update does not read the row's id",
    "FIND-5": "without a key the statement has no condition",
    "FIND-6": "an id that is not stored finds the first row, or raises",
    "FIND-7": "an empty user name finds the first row, or raises",
    "VALUE-8": "the greatest id as text is 9, so that 10 is given twice",
    "VALUE-9": "a lone surrogate raises UnicodeEncodeError where the driver's errors alone are caught",
    "FLOW-7": "remove() deletes by an id that is None after an update",
    "FLOW-9": "the renewed token with its user is inserted under the id that it has",
}
_PASTED = {
    "BYID-3": "a quote ends the text: ' or '1'='1",
    "DEL-1": "an id that is no number is read as the name of a column",
    "DEL-2": "an id like 1-0 is computed",
    "DEL-3": "the name of a column is each row's own value",
    "VALUE-1": "a quote in a text ends it",
    "SECRET-2": "the driver's message quotes the rest of the statement",
}
SQLITE_SAMPLE = {
    **_SQL,
    **_PASTED,
    "CLEAR-1": "it uses an attribute that does not exist",
    "PERSIST-1": "where no row is stored the table is made again",
    "PERSIST-4": "the path is relative",
    "CRASH-3": "opening a damaged file raises sqlite3.DatabaseError",
    "SECRET-1": "sqlite3 makes the file with the mode that the umask leaves",
}
MEMORY_SAMPLE = {
    **_SQL,
    **_PASTED,
    "THREAD-1": "the connection works in the thread that made it alone",
    "FLOW-6": "a thread cannot switch to its user",
}
_ONE_THREAD = dict.fromkeys(("THREAD-2", "THREAD-3", "THREAD-4", "THREAD-5"), "THREAD-1")

_PLAIN = {
    **_BY_HAND,
    "SAVE-3": "int() of a stored id that is no number raises in each later insert",
    "SAVE-4": "a token with an id is matched by it alone: a stale one becomes a second row",
    "SAVE-9": "the first row counts that has the grant token or the refresh token",
    "SAVE-11": "a token with an id updates the row that has it, whosever it is",
    "SAVE-14": "a name that has a row already has two then",
    "SAVE-15": "a token with a user is matched by its name alone",
    "FIND-5": "an id is not looked for",
    "THREAD-2": "threads read, change and write without a lock",
    "THREAD-3": "two threads that find no row insert one each",
    "THREAD-5": "no order of the calls explains two rows of one user",
}
LIST_SAMPLE = {
    **_PLAIN,
    "SAVE-2": "the first row is left out when the greatest id is looked for: the second gets its id",
    "VALUE-8": "two users have one id",
    "FLOW-6": "the second user's id is that of the first, whose token is sent",
}
CSV_FILE = {
    **_PLAIN,
    "DEL-3": "the header line is a row whose id is id",
    "VALUE-1": "line breaks are translated when the file is read",
    "VALUE-9": "a text that cannot be encoded leaves the file cut",
    "PERSIST-5": "the file is written in the preferred encoding",
    "THREAD-4": "the file is empty while it is written",
    "PROC-1": "processes read, change and write without a lock",
    "CRASH-1": "the file is cut first, and written then",
    "CRASH-2": "the file is cut first, and written then",
    "CRASH-3": "a damaged file raises UnicodeDecodeError, or is read as far as it goes",
    "SECRET-1": "the file has the mode that the umask leaves",
    "SECRET-2": "UnicodeDecodeError has the file's content in its args",
    "FLOW-6": "threads that save different users lose rows",
}

# Third-party shapes

LOOK = {
    "SAVE-14": "a token with a user is matched by its name alone: a second row",
    "SAVE-15": "the same",
    "VALUE-10": "a client id that is an empty text hinders the look for the access token",
    "MODEL-1": "two rows where the name is learned later",
    "THREAD-3": "two threads that find no row insert one each",
    "THREAD-5": "no order of the calls explains two rows of one user",
    "PROC-1": "two processes that find no row insert one each",
    "CRASH-3": "a damaged file raises sqlite3.DatabaseError",
    "SECRET-1": "sqlite3 makes the file with the mode that the umask leaves",
    "FLOW-9": "the renewed token with its user is a second row",
    "FLOW-10": "nothing keeps threads from renewing the same token",
}
LOOK_RAISES = {
    **LOOK,
    "SECRET-2": "the cause of an exception, UnicodeEncodeError, has the whole text",
}
ERRORS = {
    **LOOK,
    "VALUE-9": "a lone surrogate is not stored, and nobody is told",
    "CRASH-2": "a save that finds no room seems to have worked",
    "CRASH-4": "what is out of reach seems to be empty",
    "CRASH-6": "whatever is raised in a statement is swallowed",
}

REAL = {
    "sqlite": Real(SqliteSample, SQLITE_SAMPLE, declared={"in_location": True}),
    "memory": Real(MemorySample, MEMORY_SAMPLE, _ONE_THREAD, declared={"persistent": False}),
    "list": Real(ListSample, LIST_SAMPLE, declared={"persistent": False}),
    "csv": Real(csv_file, CSV_FILE, declared={"break_storage": hide}),
    "look": Real(LookThenInsert, LOOK_RAISES, declared={"break_storage": hide}),
    "errors": Real(ErrorsAreNone, ERRORS, declared={"break_storage": hide}),
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
        outcome = check_clause(id, sut, Effort(), scripts=False).outcome
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
