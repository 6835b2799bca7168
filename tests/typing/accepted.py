"""What authors of stores write: type checkers have nothing to say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zoho_tokenstore_contract import TokenStoreContract


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
