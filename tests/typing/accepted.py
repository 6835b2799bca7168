"""What authors of stores write: type checkers have nothing to say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zoho_tokenstore_contract import (
    ClauseVerdict,
    Finding,
    Level,
    Outcome,
    TokenStoreContract,
    UsageError,
    Verdict,
    check,
)


class TestSQLiteFileStore(TokenStoreContract):
    """The shortest that there is."""

    def open_store(self, location: Path) -> SQLiteFileStore:
        """A store of one's own, under its own type."""
        return SQLiteFileStore(location / "tokens.db")


class TestEverything(TokenStoreContract):
    """Every attribute and every hook."""

    persistent = False
    thread_safe = False
    own_storage = False
    strict = True
    in_location = True
    target = "a store in memory"
    allowed = {"FLOW-10": "one process, one thread"}

    name: str

    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Iterator[None]:
        """Fixtures set what the hooks use."""
        self.name = tmp_path.name
        yield
        self.name = ""

    def open_store(self, location: Path) -> Any:
        """A store of whatever type."""
        return SQLiteMemoryStore() if self.name else ListStore()

    def close_store(self, store: Any) -> None:
        """A way to close it."""
        store.close()

    def break_storage(self, store: Any, location: Path) -> None:
        """A way to put it out of reach."""
        location.rename(location.with_name("elsewhere"))


def make_store(location: Path) -> SQLiteFileStore:
    """A factory."""
    return SQLiteFileStore(location / "tokens.db")


def shortest() -> bool:
    """Whether a store is fit, in one line."""
    return check(make_store).passed


def everything() -> list[str]:
    """Every argument, and what comes back under its type."""

    def tell(clause: ClauseVerdict) -> None:
        lines.append(str(clause))

    lines: list[str] = []
    try:
        verdict: Verdict = check(
            ListStore,
            persistent=False,
            thread_safe=True,
            own_storage=True,
            disposable=False,
            allowed={"FLOW-10": "one process, one thread"},
            strict=True,
            target="a store in memory",
            only=("SAVE", "FIND-5"),
            thorough=False,
            progress=tell,
        )
    except UsageError as error:
        return [str(error)]
    word: Literal["conforms", "violates"] | None = verdict.word
    kept: int = verdict.counts[Outcome.KEPT]
    lines += [verdict.target, verdict.reason, verdict.cause, str(word), str(kept), str(verdict.as_dict())]
    must = [clause for clause in verdict.broken if clause.level is Level.MUST]
    findings: list[Finding] = [finding for clause in must for finding in clause.findings]
    lines += [line for finding in findings for line in (*finding.done, finding.expected, finding.seen)]
    return [*lines, verdict.clause("SAVE-1").summary, *(clause.message for clause in must)]


def printed() -> Verdict:
    """A contract class, told on the terminal."""
    return check(TestSQLiteFileStore, progress=print)
