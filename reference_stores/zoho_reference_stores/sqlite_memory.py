"""A token store in an SQLite database in memory, for the Zoho CRM Python SDK.

``zoho-tokenstore copy sqlite-memory my_store.py`` copies this module, and those beside it that it imports.
They need the SDK and the standard library, nothing else::

    Initializer.initialize(environment, token, store=SQLiteMemoryStore())

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from .sqlite_file import SQLiteFileStore
from .sqlite_rows import make_tables


class SQLiteMemoryStore(SQLiteFileStore):
    """`SQLiteFileStore` without a file: keeps tokens in an SQLite database in memory.

    They last until the store is closed or forgotten; each store has a database of its own, and so
    has a process that forks off. Everything else is as with `SQLiteFileStore`, but that one call at a time
    uses the database, for readers too [THREAD-4, THREAD-5]. `backup` writes the tokens to a file.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the database fails or
            the store is closed.
    """

    def __init__(self) -> None:
        self._begin()
        self._reading = self._writing
        self._reader = self._writer = connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        make_tables(connection)

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} is memory: it cannot be copied or pickled")

    def _check_file(self) -> None:
        pass

    def _pause(self) -> None:
        pass
