"""Rows as digests, in place of their secrets: which are one login, which is worth most; and what holds them.

Digests are made with a key that ends with the process. They lie in a database in a file that nobody else
opens: SQLite opens it for its owner alone and removes its name at once, so that no kill leaves it behind.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3

from .._spec.tokens import FIELDS, Row

Digest = bytes
LENGTH = 16
_KEY = secrets.token_bytes(32)


def digest(*parts: str) -> Digest:
    """A digest of texts; two different ones do not share it, and nobody else can make it."""
    joined = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(joined.encode(errors="surrogatepass"), digest_size=LENGTH, key=_KEY).digest()


def contents(row: Row) -> Digest:
    """A digest of every field but the id: the same for rows that are equal."""
    values = [getattr(row, name) for name in FIELDS if name != "id"]
    return digest(*("-" if value is None else f"+{value}" for value in values))


def credentials(row: Row) -> dict[str, Digest]:
    """The ways without a user name by which a row is found, each with the digest of what is asked for."""
    ways = {}
    if row.access_token:
        ways["access_token"] = digest("access", row.access_token)
    if row.client_id and row.client_secret:
        client = (row.client_id, row.client_secret)
        if row.grant_token:
            ways["grant_token"] = digest("grant", row.grant_token, *client)
        if row.refresh_token:
            ways["refresh_token"] = digest("refresh", row.refresh_token, *client)
    return ways


def keys(row: Row) -> list[Digest]:
    """What a save of the row looks for: another row with one of these is the same login.

    A user name outranks everything else (SAVE-5). Without one, grant and refresh token count with their
    client, and the access token where there is neither (SAVE-6 to SAVE-8, SAVE-20).
    """
    if row.user_name:
        return [digest("user", row.user_name)]
    ways = credentials(row)
    chosen = [way for name, way in ways.items() if name != "access_token"]
    if row.access_token and (not chosen or not (row.client_id or row.client_secret)):
        chosen = [ways["access_token"]]
    return chosen or [contents(row)]


def has_no_key(row: Row) -> bool:
    """Whether nothing but its id finds the row."""
    return keys(row) == [contents(row)]


def reached_by(row: Row) -> list[Digest]:
    """Every key with which another token would reach this row."""
    return [*dict.fromkeys([*keys(row), *credentials(row).values()])]


def has_credential(row: Row) -> bool:
    """Whether a store takes the row at all (SAVE-16)."""
    return bool(row.grant_token or row.refresh_token or row.access_token)


def can_renew(row: Row) -> bool:
    """Whether the SDK can get a new access token for the row."""
    return bool(row.refresh_token and row.client_id and row.client_secret)


def expiry(row: Row) -> int:
    """Milliseconds since the epoch at which the access token ends; 0 where nothing says so."""
    text = str(row.expires_in or "")
    return int(text) if text.isdecimal() and len(text) <= 18 else 0


def worth(row: Row) -> tuple[bool, bool, int]:
    """The newest that can renew is worth most; a row with a name is worth more than one without."""
    return bool(row.user_name), can_renew(row), expiry(row)


def scratch(tables: str) -> sqlite3.Connection:
    """Open a database for what is known of many rows; memory holds a few pages of it.

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
