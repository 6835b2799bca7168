"""What checks of rows do again and again: save, and compare all rows with what the clause says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..._harness.calls import TokenCall
from ..._harness.store_handle import StoreHandle
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, to_token
from ..sample_tokens import newcomer

PLAIN_FIELDS = ("expires_in", "redirect_url", "api_domain")
NEW_ACCESS = "1000.new.access"


def updates(
    store: StoreHandle,
    row: Row,
    sent: Row,
    because: str,
    *,
    fields: Sequence[str] = FIELDS,
    make: Callable[[Row], Any] = to_token,
) -> None:
    """Save a token that updates a row in place; every other row stays as it was.

    Args:
        store: The store.
        row: The row that is updated, as it was arranged.
        sent: The fields of the token.
        because: Why it is this row, for the message.
        fields: Which fields of the row are compared, beside the id.
        make: Makes the token of its fields.
    """
    stored = store.stored(row)
    store.save_token(make(sent))
    compared = ("id", *(name for name in fields if name != "id"))
    store.expect(changed=[(stored, stored.updated_by(sent))], fields=compared, because=because)


def inserts(store: StoreHandle, sent: Row, because: str = "") -> Row:
    """Save a token that becomes one new row; every other row stays as it was.

    Args:
        store: The store.
        sent: The fields of the token.
        because: Why it is a new row, for the message.

    Returns:
        The new row.
    """
    store.save(sent)
    return store.expect(new=1, because=because or f"one new row for {format_row(sent)}")[0]


def is_refused(store: StoreHandle, saved: TokenCall) -> None:
    """A save failed cleanly.

    Args:
        store: The open store.
        saved: The call, which raised.
    """
    if not saved.answer.refused:
        store.workspace.fail("save_token raises SDKException", str(saved.answer))
    store.expect(because="a save that fails leaves the rows exactly as they were")


def carries_the_id(store: StoreHandle, saved: TokenCall, row: Row, why: str = "") -> None:
    """The passed token has the id of its row.

    Args:
        store: The open store.
        saved: The call.
        row: The row.
        why: Why that matters, for the message.
    """
    if saved.passed_after.id != row.id:
        store.workspace.fail(
            f"the passed token carries the id of its row, {format_value(row.id)}{why}",
            f"its id is {format_value(saved.passed_after.id)}",
        )


def holds(store: StoreHandle, row: Row, wanted: Row) -> None:
    """A row has all these fields, the id aside.

    Args:
        store: The open store.
        row: The stored row.
        wanted: The fields that it has to have.
    """
    for name, value in wanted.but(id=None).present().items():
        if getattr(row, name) != value:
            store.workspace.fail(
                f"the row of the saved token with {name}={format_value(value)}", format_row(row)
            )


def has_nothing_but(store: StoreHandle, row: Row, wanted: Row) -> None:
    """A row has no field that was not saved, the id aside.

    Args:
        store: The open store.
        row: The stored row.
        wanted: The fields that were saved.
    """
    for name in row.but(id=None).present():
        if absent(getattr(wanted, name)):
            store.workspace.fail(f"a row without {name}", format_row(row))


def bring_rows(store: StoreHandle, ids: Iterable[str]) -> list[Row]:
    """Arrange: tokens that bring these ids are saved, as far as the store takes them.

    Args:
        store: The open store.
        ids: The ids that the new tokens carry.

    Returns:
        The new rows that have the ids; a store may refuse or replace others, which is for SAVE-3 to say.
    """
    brought = []
    for number, id in enumerate(ids):
        if all(row.id != id for row in store.kept):  # the store itself gives such ids
            store.try_save(newcomer(f"guest{number}", id=id))
            new = [row for row in store.rows() if row not in store.kept]
            brought += [row for row in new if row.id == id]
            store.kept += new
    return brought


def remove_row(store: StoreHandle, row: Row) -> None:
    """Arrange: the row is deleted.

    Args:
        store: The open store.
        row: The stored row.
    """
    answer = store.call("delete_token", row.id)
    if answer.raised is not None or row in store.rows():
        store.workspace.fail(f"delete_token removes {format_row(row)}", str(answer), precondition_failed=True)
    store.kept.remove(row)


def clear_all(store: StoreHandle) -> None:
    """Arrange: nothing is stored any more."""
    answer = store.clear()
    if answer.raised is not None or store.rows():
        store.workspace.fail("delete_tokens removes every row", str(answer), precondition_failed=True)
    store.kept.clear()
