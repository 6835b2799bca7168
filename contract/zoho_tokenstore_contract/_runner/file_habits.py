"""How a store writes its files: what is seen of it from outside, for those who read of a fault."""

from __future__ import annotations

import contextlib
import os

from .._checks.sample_tokens import ANN, BOB
from .._drivers.storage_faults import main_file
from .._harness.store_under_test import StoreUnderTest
from .._harness.workspace import Effort, Workspace
from .._spec.clause_results import ENDINGS

CLAUSES_OF_FILES = ("PROC-1", "PROC-2", "CRASH-1", "CRASH-2", "CRASH-6")
"""Clauses whose faults come from how a file is written, or locked."""

_SQLITE = b"SQLite format 3\x00"


def how_files_are_written(sut: StoreUnderTest, effort: Effort) -> tuple[str, ...]:
    """Save twice on a location of its own, and look at the store's main file.

    Args:
        sut: The store under test.
        effort: How deep to look.

    Returns:
        One line such as ``(a save writes tokens.csv in place)``; none where the store keeps no files, or
        that cannot be seen.
    """
    with contextlib.suppress(*ENDINGS, OSError), Workspace(sut, effort) as workspace:
        store = workspace.open()
        store.save(ANN)
        file = main_file(store)
        with file.open("rb") as before:  # held open, so that no other file gets its number
            content = before.read()
            if content.startswith(_SQLITE):
                return (f"({file.name} is an SQLite database)",)
            store.save(BOB)
            if not os.path.samestat(os.fstat(before.fileno()), file.stat()):
                return (f"(a save puts a new {file.name} in the place of the old one)",)
            if file.read_bytes() != content:
                return (f"(a save writes {file.name} in place)",)
    return ()
