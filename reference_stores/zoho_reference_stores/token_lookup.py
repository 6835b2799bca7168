"""For token stores that look rows up by a digest, and then choose among the rows that they find.

The stores beside this module import it, and ``zoho-tokenstore copy`` writes it beside the copy of a store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .token_fields import Fields, Way

KEYS = {
    "id": ("id",),
    "user_name": ("user_name",),
    "access_token": ("access_token",),
    "grant_token": ("grant_token", "client_id", "client_secret"),
    "refresh_token": ("refresh_token", "client_id", "client_secret"),
}
"""What rows are looked up by: the first field of each way, and all its fields."""


def key_digest(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a digest of what a row is looked up by: the same for equal texts alone [VALUE-6, VALUE-7].

    Args:
        fields: Those of a token or a row.
        name: One of `KEYS`.

    Returns:
        64 hexadecimal digits, or ``None`` where a field is absent or not text, which equals nothing.
    """
    # No generator: what a signal's handler raises as one is closed gets lost [CRASH-6].
    if not all([fields[field] and isinstance(fields[field], str) for field in KEYS[name]]):  # noqa: C419
        return None
    # In one expression, since a variable would show the texts in reports of exceptions [SECRET-2].
    return hashlib.sha256(json.dumps([fields[field] for field in KEYS[name]]).encode()).hexdigest()


def digest(text: str) -> str:
    """Return a text of any length, which is no secret, as one of 64 hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def key_digests(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of all `KEYS` by which a row with these fields is looked up."""
    return {name: key for name in KEYS if (key := key_digest(fields, name)) is not None}


def first_row(fields: Fields, ways: Iterable[Way], rows: Sequence[Fields]) -> Fields | None:
    """Return the row that a token speaks of.

    Args:
        fields: Those of the token.
        ways: As `ways_to_find` or `ways_to_update` answers.
        rows: At least the rows that match in one of these ways, the oldest first. The texts decide, and
            not the digests that have led to them.
    """
    for way in ways:
        for row in rows:
            is_equal = all(row[name] == fields[name] for name in way.fields)
            if is_equal and not (way.unnamed and row["user_name"]):
                return row
    return None
