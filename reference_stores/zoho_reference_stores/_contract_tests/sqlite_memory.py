"""The token store keeps the TokenStore contract."""

from pathlib import Path

from zoho_reference_stores.sqlite_memory import SQLiteMemoryStore
from zoho_tokenstore_contract import TokenStoreContract


class TestSQLiteMemoryStore(TokenStoreContract):
    """Every clause that a store in memory can keep."""

    persistent = False  # it forgets everything when it is closed

    def open_store(self, location: Path) -> SQLiteMemoryStore:
        """A store for one test: in memory, each has storage of its own."""
        return SQLiteMemoryStore()
