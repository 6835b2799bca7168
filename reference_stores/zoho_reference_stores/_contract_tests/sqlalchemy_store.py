"""The token store keeps the TokenStore contract, in SQLite: replace the URL by one of your server's."""

from pathlib import Path

from sqlalchemy import NullPool, create_engine

from zoho_reference_stores.sqlalchemy_store import SQLAlchemyStore
from zoho_tokenstore_contract import TokenStoreContract


class TestSQLAlchemyStore(TokenStoreContract):
    """Every clause."""

    def open_store(self, location: Path) -> SQLAlchemyStore:
        """A store in a database of its own for every test; on a server, a table named after the location."""
        return SQLAlchemyStore(create_engine(f"sqlite:///{location / 'tokens.db'}", poolclass=NullPool))

    def break_storage(self, store: SQLAlchemyStore, location: Path) -> None:
        """Put the file, which no pool keeps open, out of reach [CRASH-4]; of a server: lock its user out."""
        location.rename(location.with_name(f"{location.name}-away"))

    def mend_storage(self, store: SQLAlchemyStore, location: Path) -> None:
        """Put it back, for the same store [CRASH-5]."""
        location.with_name(f"{location.name}-away").rename(location)
