"""How a store writes its files, as the kit sees it for a hint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.api.authenticator.store.file_store import FileStore

from tests.stores.catalogue import sut_for
from zoho_reference_stores import ListStore, SQLiteFileStore
from zoho_tokenstore_contract._harness.workspace import Effort
from zoho_tokenstore_contract._runner.clause_runner import how_files_are_written

pytestmark = pytest.mark.once


class PutsANewFile(ListStore):
    """Writes the number of its rows to a new file, which takes the place of the old one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def save_token(self, token: Any) -> None:
        """Save, and write the file."""
        super().save_token(token)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(len(self.get_tokens())))
        beside.replace(self._path)


@pytest.mark.parametrize(
    ("opens", "line"),
    [
        (lambda location: FileStore(str(location / "t.csv")), ("(a save writes t.csv in place)",)),
        (
            lambda location: PutsANewFile(location / "t.json"),
            ("(a save puts a new t.json in the place of the old one)",),
        ),
        (lambda location: SQLiteFileStore(location / "t.db"), ("(t.db is an SQLite database)",)),
        (lambda _: ListStore(), ()),
    ],
    ids=["in place", "replaced", "database", "no file"],
)
def test_the_way_a_file_is_written_is_seen(opens: Callable[[Path], Any], line: tuple[str, ...]) -> None:
    """By two saves on a location of its own; nothing is said of a store without files."""
    assert how_files_are_written(sut_for(opens), Effort()) == line
