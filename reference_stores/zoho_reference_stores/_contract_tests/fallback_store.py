"""The token store keeps the TokenStore contract."""

from pathlib import Path

from zoho_reference_stores.fallback_store import FallbackStore
from zoho_reference_stores.sqlite_file import SQLiteFileStore, break_storage, mend_storage
from zoho_tokenstore_contract import TokenStoreContract


class TestFallbackStore(TokenStoreContract):
    """Every clause, over a new store that keeps it and an old one without rows."""

    def open_store(self, location: Path) -> FallbackStore:
        """A store on a location, which is a directory of its own for every test."""
        new = SQLiteFileStore(location / "tokens.db")
        return FallbackStore(new, SQLiteFileStore(location / "old.db"))

    def break_storage(self, store: FallbackStore, location: Path) -> None:
        """Put the new store's file out of reach, to see what is said then [CRASH-4]."""
        break_storage(store.new, location)

    def mend_storage(self, store: FallbackStore, location: Path) -> None:
        """Put it back in reach [CRASH-5]."""
        mend_storage(store.new, location)
