"""A database for what is known of many rows: in a file that nobody else opens, and of which nothing is left.

SQLite opens the file for its owner alone and removes its name at once, so that no kill leaves it behind;
memory holds a few pages of it. It never holds a secret: digests are made with a key that ends with the
process.
"""

from __future__ import annotations

import sqlite3


def scratch(tables: str) -> sqlite3.Connection:
    """Open one.

    Args:
        tables: The statements that make its tables.

    Returns:
        The connection. Closing it deletes the database.
    """
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {tables}")
    connection.execute("BEGIN")  # which never ends: there is nothing to be kept
    return connection


def to_blob(text: object) -> bytes | None:
    """A text of any characters, also such as SQLite does not take; numbers as their digits."""
    return None if text is None else str(text).encode(errors="surrogatepass")


def to_text(blob: bytes) -> str:
    """The text again."""
    return blob.decode(errors="surrogatepass")
