"""The token store keeps the TokenStore contract."""

from pathlib import Path

from zoho_reference_stores.single_flight_store import SingleFlightStore
from zoho_reference_stores.sqlite_file import SQLiteFileStore, break_storage, mend_storage
from zoho_tokenstore_contract import TokenStoreContract


class TestSingleFlightStore(TokenStoreContract):
    """Every clause, over a store that keeps every other one."""

    def open_store(self, location: Path) -> SingleFlightStore:
        """A store on a location, which is a directory of its own for every test."""
        return SingleFlightStore(SQLiteFileStore(location / "tokens.db"))

    def break_storage(self, store: SingleFlightStore, location: Path) -> None:
        """Put the file out of reach, to see what the store says then [CRASH-4]."""
        break_storage(store.inner, location)

    def mend_storage(self, store: SingleFlightStore, location: Path) -> None:
        """Put it back in reach [CRASH-5]."""
        mend_storage(store.inner, location)
