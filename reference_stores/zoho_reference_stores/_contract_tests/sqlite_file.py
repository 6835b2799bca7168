"""The token store keeps the TokenStore contract."""

from pathlib import Path

from zoho_reference_stores.sqlite_file import SQLiteFileStore, break_storage, mend_storage
from zoho_tokenstore_contract import TokenStoreContract


class TestSQLiteFileStore(TokenStoreContract):
    """Every clause."""

    def open_store(self, location: Path) -> SQLiteFileStore:
        """A store on a location, which is a directory of its own for every test."""
        return SQLiteFileStore(location / "tokens.db")

    def break_storage(self, store: SQLiteFileStore, location: Path) -> None:
        """Put its file out of reach, to see what it says then [CRASH-4]."""
        break_storage(store, location)

    def mend_storage(self, store: SQLiteFileStore, location: Path) -> None:
        """Put it back in reach [CRASH-5]."""
        mend_storage(store, location)
