"""Answers, rows and exceptions as a person reads them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from .._spec.junk_answers import text_of
from .._spec.tokens import (
    CREDENTIALS,
    FIELDS,
    Row,
    UnreadableToken,
    absent,
    field_as_far_as_it_reads,
    format_row,
    format_token,
    format_value,
    is_token,
    to_row,
)


def format_answer(value: Any) -> str:
    """What a call returned, for a message."""
    if is_token(value):
        try:
            return format_token(to_row(value))
        except UnreadableToken as error:
            return f"an OAuthToken whose fields cannot be read ({error})"
    if inspect.iscoroutine(value):
        return "a coroutine"
    if isinstance(value, list):
        if len(value) > 2 and all(is_token(item) for item in value):
            ids = ", ".join(format_value(field_as_far_as_it_reads(item, "id")) for item in value[:20])
            return f"{len(value)} tokens, with the ids {ids}" + (", …" if len(value) > 20 else "")
        if len(value) > 3:
            return f"a list of {len(value)}"
        shown = (format_answer(item) if is_token(item) else format_value(item) for item in value)
        return f"[{', '.join(shown)}]"
    return format_value(value)


def format_rows(rows: Sequence[Row]) -> str:
    """Rows for a message: whole where there are two at most, else by id and user or first credential."""
    if not rows:
        return "no rows"
    if len(rows) <= 2:
        return ", ".join(format_row(row) for row in rows)
    listed = [_format_briefly(row) for row in rows[:12]]
    return f"{len(rows)} rows: " + ", ".join(listed) + (", …" if len(rows) > 12 else "")


def _format_briefly(row: Row) -> str:
    telling = next(
        (name for name in ("user_name", *CREDENTIALS) if not absent(getattr(row, name))), "client_id"
    )
    return format_row(row.only("id", telling)).removeprefix("Row")


def in_brief(row: Row) -> str:
    """A wide row in as few words as tell it from others."""
    return format_row(row.only("id", "user_name", "access_token", "expires_in"))


def format_exception(error: BaseException) -> str:
    """An exception for a message: its type and text."""
    return f"{type(error).__name__}: {format_value(text_of(error), 200)[1:-1]}"


def describe_difference(want: Row, rows: Sequence[Row], fields: Sequence[str]) -> str:
    """What is there instead of a wanted row: the nearest one's fields that differ.

    Args:
        want: The wanted row.
        rows: The rows that are there.
        fields: The fields that are compared.

    Returns:
        The words.
    """
    if not rows:
        return "no such row"

    def distance(row: Row) -> int:
        return sum(getattr(row.plain(), name) != getattr(want, name) for name in fields)

    nearest = min(rows, key=distance)
    wrong = [
        f"{name} is {format_value(getattr(nearest, name))}"
        for name in fields
        if getattr(nearest.plain(), name) != getattr(want, name)
    ]
    return f"no such row; the nearest is {format_row(nearest)}, where {', '.join(wrong)}"


def describe_mixture(row: Row, saved: Sequence[Row]) -> str:
    """In which fields a row is unlike the save that it is nearest to, for a message; "" without saves.

    Args:
        row: The row that was read.
        saved: The rows as they were saved.

    Returns:
        The words.
    """
    unlike = [
        [name for name in FIELDS if name != "id" and getattr(row, name) != getattr(other, name)]
        for other in saved
    ]
    nearest = min(unlike, key=len, default=[])
    return f", with other values than any save in {', '.join(nearest)}" if nearest else ""
