"""The tables of `sqlite_file`, and which row a token is.

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import functools
import secrets
import sqlite3

from .token_fields import FIELDS, Fields, Way, id_to_insert, present, random_id, ways_to_update

# ---------------------------------------------------------------------------------------------
# The tables. Only `id` and `user_name` are unique: named users may share a token [SAVE-5], and two
# unnamed rows may come to hold the same one [SAVE-9]. No row is doubled all the same, because a save
# looks and writes in one `BEGIN IMMEDIATE`. Columns compare byte by byte, SQLite's default [VALUE-6].

APPLICATION = 0x5A6F686F  # "Zoho", in the file's header: whose database this is
VERSION = 1
_SCHEMA = (
    """CREATE TABLE oauthtoken (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        user_name TEXT UNIQUE,
        client_id TEXT,
        client_secret TEXT,
        refresh_token TEXT,
        access_token TEXT,
        grant_token TEXT,
        expires_in TEXT,
        redirect_url TEXT,
        api_domain TEXT
    )""",
    "CREATE INDEX by_access ON oauthtoken (access_token) WHERE access_token IS NOT NULL",
    "CREATE INDEX by_grant ON oauthtoken (grant_token) WHERE grant_token IS NOT NULL",
    "CREATE INDEX by_refresh ON oauthtoken (refresh_token) WHERE refresh_token IS NOT NULL",
    # Every id that a row ever had: never given to another [DEL-5].
    "CREATE TABLE used (id TEXT PRIMARY KEY) WITHOUT ROWID",
    # One row: which database this is, and how often it was changed. By these a store notices that
    # another file has come under the name of its own.
    "CREATE TABLE file (identity TEXT NOT NULL, changes INTEGER NOT NULL)",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)
BY_ID = "SELECT * FROM oauthtoken WHERE id = :id"


@functools.cache
def first_row(ways: tuple[Way, ...]) -> str:
    """The query for the oldest row that matches in the first of these ways in which some row does.

    It is one statement, so that a reader beside a writer never sees two states of the table [THREAD-5].
    """
    rows = [
        "FROM oauthtoken WHERE "
        + " AND ".join([f"{field} = :{field}" for field in way.fields] + ["user_name IS NULL"] * way.unnamed)
        + " ORDER BY number LIMIT 1"
        for way in ways
    ]
    if len(rows) == 1:
        return f"SELECT * {rows[0]}"
    numbers = [*(f"(SELECT number {row})" for row in rows), "NULL", "NULL"]  # it takes two at least
    return f"SELECT * FROM oauthtoken WHERE number = coalesce({', '.join(numbers)})"  # noqa: S608 (constants)


INSERT = (
    f"INSERT INTO oauthtoken ({', '.join(FIELDS)})"  # noqa: S608 (constants)
    f" VALUES ({', '.join(f':{field}' for field in FIELDS)})"
)
USE_UP = "INSERT OR IGNORE INTO used VALUES (:id)"


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new database, in the transaction that the caller began."""
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO file VALUES (?, 0)", (secrets.token_hex(16),))


def comparable(sent: Fields) -> Fields:
    """What was sent, with NULL for what equals nothing that is stored.

    That is text with a lone surrogate, which cannot be stored, and what is no text: SQLite would take a
    number for its digits [BYID-3].
    """
    try:
        "".join(filter(None, sent.values())).encode()
    except (TypeError, UnicodeEncodeError):
        sent = Fields(sent)
        for field in sent:
            try:
                str.encode(sent[field])  # type: ignore[arg-type]
            except (TypeError, UnicodeEncodeError):
                sent[field] = None
    return sent


def save_row(connection: sqlite3.Connection, sent: Fields) -> str:
    """Update the row of a token, or insert one; returns the row's id."""
    row = connection.execute(first_row(ways_to_update(present(sent))), sent).fetchone()
    if row is None:
        return _insert(connection, sent)
    # Values that stay the same, and their indexes, are not touched [SAVE-13].
    changed = [f"{field} = :{field}" for field in FIELDS[1:] if sent[field] not in (None, row[field])]
    if changed:
        statement = f"UPDATE oauthtoken SET {', '.join(changed)} WHERE number = :number"  # noqa: S608 (constants)
        connection.execute(statement, Fields(sent, number=row["number"]))
    return str(row["id"])


def _insert(connection: sqlite3.Connection, sent: Fields) -> str:
    taken = connection.execute("SELECT 1 FROM oauthtoken WHERE id = :id", sent).fetchone() is not None
    row = Fields(sent, id=id_to_insert(sent, taken=taken))
    if row["id"]:
        connection.execute(USE_UP, row)
    while not row["id"]:
        row["id"] = random_id()
        if connection.execute(USE_UP, row).rowcount == 0:  # a row has it, or had it
            row["id"] = None
    connection.execute(INSERT, row)
    return str(row["id"])
