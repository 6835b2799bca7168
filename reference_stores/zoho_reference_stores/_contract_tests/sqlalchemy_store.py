"""The token store keeps the TokenStore contract, in SQLite: replace the URL by one of your server's."""

from pathlib import Path

from sqlalchemy import create_engine

from zoho_reference_stores.sqlalchemy_store import SQLAlchemyStore
from zoho_tokenstore_contract import TokenStoreContract


class TestSQLAlchemyStore(TokenStoreContract):
    """Every clause but CRASH-4, which stops the server: say how in ``break_storage``."""

    def open_store(self, location: Path) -> SQLAlchemyStore:
        """A store in a database of its own for every test; on a server, a table named after the location."""
        return SQLAlchemyStore(create_engine(f"sqlite:///{location / 'tokens.db'}"))
