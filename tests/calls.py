"""What tests of bundled stores say to one, in rows instead of tokens."""

from __future__ import annotations

from typing import Any

from zoho_tokenstore_contract._spec.tokens import Row, to_row, to_token


def save(store: Any, row: Row) -> str:
    """Save a row; the id that its token has then."""
    token = to_token(row)
    store.save_token(token)
    return str(token.get_id())


def find(store: Any, row: Row) -> Row | None:
    """What is found for a row."""
    token = store.find_token(to_token(row))
    return None if token is None else to_row(token)


def rows(store: Any) -> list[Row]:
    """All rows."""
    return [to_row(token) for token in store.get_tokens()]
