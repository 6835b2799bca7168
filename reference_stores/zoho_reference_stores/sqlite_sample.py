"""The table of the published SQLite sample, whose rows `sqlite_file` takes over."""

from __future__ import annotations

import sqlite3

from .token_fields import FIELDS, Fields, refusal

SAMPLE_COLUMNS = tuple("expiry_time" if field == "expires_in" else field for field in FIELDS)
"""The same columns as here, one of them under another name."""

# What identifies a row, as in `token_fields`; NULL where nothing does. The sample's empty texts are absent.
_CLASHES = """
    SELECT group_concat(quote(id), ', ') AS ids FROM (
        SELECT id, CASE
            WHEN user_name <> '' THEN 'user ' || user_name
            WHEN access_token <> '' AND coalesce(client_id, '') || coalesce(client_secret, '') = ''
                THEN 'access ' || access_token
            WHEN client_id <> '' AND client_secret <> '' AND grant_token <> ''
                THEN 'grant ' || quote(grant_token) || quote(client_id) || quote(client_secret)
            WHEN client_id <> '' AND client_secret <> '' AND refresh_token <> ''
                THEN 'refresh ' || quote(refresh_token) || quote(client_id) || quote(client_secret)
        END AS identifier FROM oauthtoken ORDER BY rowid
    ) WHERE identifier IS NOT NULL GROUP BY identifier HAVING count(*) > 1
"""


def sample_rows(connection: sqlite3.Connection) -> list[Fields]:
    """Return the rows of the sample's table.

    Args:
        connection: To the sample's database, with rows as `sqlite3.Row`.

    Raises:
        SDKException: A row has no id or something that is not text, or rows contradict one another. The
            message names their ids, and no secret.
    """
    rows = []
    for stored in connection.execute("SELECT * FROM oauthtoken ORDER BY rowid"):
        row = Fields(zip(FIELDS, stored, strict=True))
        for field in FIELDS:
            if not isinstance(row[field], str | None) or not row["id"]:
                raise refusal(f"the row with id {row['id']!r} has no id, or holds something that is not text")
            row[field] = row[field] or None
        rows.append(row)
    clashes = [clash["ids"] for clash in connection.execute(_CLASHES)]
    if clashes:
        listed = "; ".join(clashes)
        raise refusal(f"rows with these ids are of the same user or token, keep one of each: {listed}")
    return rows
