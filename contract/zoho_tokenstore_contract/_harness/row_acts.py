"""What checks of rows do again and again: act, and compare all rows with what the clause says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._spec.model import ID_WIDTH
from .._spec.tokens import (
    FIELDS,
    Row,
    absent,
    format_row,
    format_value,
    is_token,
    to_row_as_far_as_it_reads,
    to_token,
)
from .calls import TokenCall
from .messages import format_rows
from .observer import keys_of
from .store_handle import StoreHandle
from .store_limits import active, way_to_read
from .workspace import Workspace

PLAIN_FIELDS = ("expires_in", "redirect_url", "api_domain")
NEW_ACCESS = "1000.new.access"


def require(workspace: Workspace, holds: object, expected: str, seen: object = "it is not so") -> None:
    """What a check rests on: where it does not hold, that is the fault of another clause.

    Args:
        workspace: Where the check is made.
        holds: Whether it does.
        expected: What has to be, in words.
        seen: What is, in words.
    """
    if not holds:
        workspace.fail(expected, str(seen), precondition_failed=True)


def demand(workspace: Workspace, holds: object, expected: str, seen: object) -> None:
    """What the clause promises: where it does not hold, the clause is broken.

    Args:
        workspace: Where the check is made.
        holds: Whether it does.
        expected: What is promised, in words.
        seen: What is, in words; an answer will do.
    """
    if not holds:
        workspace.fail(expected, str(seen))


def same_fields(
    workspace: Workspace, what: str, seen: Row, wanted: Row, names: Iterable[str] = FIELDS
) -> None:
    """Some token has the fields that it should have.

    Args:
        workspace: Where the check is made.
        what: Which token, in words.
        seen: Its fields.
        wanted: What they should be.
        names: Which of them are compared.
    """
    for name in names:
        if getattr(seen, name) != getattr(wanted, name):
            workspace.fail(
                f"{what} with {name}={format_value(getattr(wanted, name))}, as {format_row(wanted)}",
                f"its {name} is {format_value(getattr(seen, name))}: {format_row(seen)}",
            )


def updates(
    store: StoreHandle,
    row: Row,
    sent: Row,
    because: str,
    *,
    fields: Sequence[str] = FIELDS,
    make: Callable[[Row], Any] = to_token,
) -> TokenCall:
    """Save a token that updates a row in place; every other row stays as it was.

    Args:
        store: The store.
        row: The row that is updated, as it was arranged.
        sent: The fields of the token.
        because: Why it is this row, for the message.
        fields: Which fields of the row are compared, beside the id.
        make: Makes the token of its fields.

    Returns:
        The call.
    """
    stored = store.stored(row)
    saved = store.save_token(make(sent))
    compared = ("id", *(name for name in fields if name != "id"))
    store.expect(changed=[(stored, stored.updated_by(sent))], fields=compared, because=because)
    return saved


def was_updated(store: StoreHandle, row: Row, sent: Row, because: str = "") -> bool:
    """Whether a save that has returned has updated a row in place; the handle knows the rows from then on.

    Args:
        store: The store.
        row: The row, as it was arranged.
        sent: What was saved.
        because: Why all else is as it was, for the message.
    """
    updated = store.stored(row).updated_by(sent)
    if there := updated.plain() in [one.plain() for one in store.rows()]:
        because = because or f"{format_row(row)} is updated in place"
        store.expect(changed=[(store.stored(row), updated)], because=because)
    else:
        store.kept = store.rows()
    return there


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


def is_refused(store: StoreHandle, saved: TokenCall, why: str = "") -> None:
    """A save failed cleanly.

    Args:
        store: The open store.
        saved: The call.
        why: Why it has to fail, for the message.
    """
    if not saved.answer.refused:
        store.workspace.fail(f"save_token raises SDKException{why}", str(saved.answer))
    store.expect(because="a save that fails leaves the rows exactly as they were")


def failed_cleanly(store: StoreHandle, saved: TokenCall) -> bool:
    """Whether a save that a store may refuse has raised; then it has failed cleanly.

    Args:
        store: The open store.
        saved: The call.
    """
    if saved.answer.raised is not None:
        is_refused(store, saved)
    return saved.answer.raised is not None


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


def tells_the_id(store: StoreHandle, saved: TokenCall, row: Row, why: str = "") -> bool:
    """The passed token has the id of the row that it updates, where that was no new row.

    Args:
        store: The open store.
        saved: The call.
        row: The row, as it was arranged.
        why: Why that matters, for the message.

    Returns:
        Whether there is no new row; that the update is no update is what SAVE-4 to SAVE-8 say.
    """
    known, store.kept = len(store.kept), store.rows()
    if updated := len(store.kept) <= known:
        carries_the_id(store, saved, store.stored(row), why)
    return updated


def holds(store: StoreHandle, row: Row, wanted: Row, *, nothing_but: bool = False) -> None:
    """A row has all these fields, the id aside.

    Args:
        store: The open store.
        row: The stored row.
        wanted: The fields that it has to have.
        nothing_but: It has to have no others.
    """
    row = row.plain()  # that a number comes back is for VALUE-5 to say
    for name, value in wanted.plain().but(id=None).present().items():
        if getattr(row, name) != value:
            store.workspace.fail(
                f"the row of the saved token with {name}={format_value(value)}", format_row(row)
            )
    for name in row.but(id=None).present() if nothing_but else ():
        if absent(getattr(wanted, name)):
            store.workspace.fail(f"a row without {name}", format_row(row))


def bring_rows(store: StoreHandle, rows: Iterable[Row]) -> list[Row]:
    """Arrange: tokens that bring their ids are saved, as far as the store takes them.

    Args:
        store: The open store.
        rows: The new tokens; one whose id the store has given itself is left out.

    Returns:
        Those that have kept their ids; a store may refuse or replace others, which is for SAVE-3 to say,
        also where it does not tell the token.
    """
    ids = [row.id for row in store.kept]
    new = [row for row in rows if row.id not in ids]
    passed = [store.try_save(row) for row in new[: active().fitting(len(new), len(ids))]]
    listed = {row.user_name: row.id for row in store.rows()}
    return [
        one.sent
        for one in passed
        if one.answer.raised is None
        and one.sent.id == one.passed_after.id == listed.get(one.sent.user_name, one.sent.id)
    ]


def next_ids(store: StoreHandle, steps: Iterable[int] = (1, 2, 5)) -> list[str]:
    """Ids that a store which counts would give next, and soon after; no longer ones than it has to keep.

    Args:
        store: The open store.
        steps: How far they are from the last one.
    """
    numbers = [int(row.id) for row in store.kept if isinstance(row.id, str) and row.id.isdecimal()]
    last = max(numbers, default=0)
    return [id for step in steps if len(id := str(last + step)) <= ID_WIDTH]


def reads_alike(store: StoreHandle, row: Row) -> bool:
    """Whether ``get_tokens`` and a look-up by the id give a row, and exactly so; or two look-ups do.

    Args:
        store: The open store.
        row: The row, with its id.
    """
    looks = [("find_token_by_id", row.id), ("find_token", to_token(Row(id=row.id)))]
    if absent(row.id):  # SAVE-2 tells that; its key finds it
        looks = [("find_token", to_token(key)) for key in keys_of(row)[:1]]
    tokens = (store.quietly(method, argument).returned for method, argument in looks)
    found = [is_token(token) and to_row_as_far_as_it_reads(token).plain() == row for token in tokens]
    if store.reads_by_id:
        return all(found)
    return any(found) and [one.plain() for one in store.rows()].count(row) == 1


def read_by_ids(store: StoreHandle, wanted: Mapping[Any, Row]) -> dict[Any, Row]:
    """Rows as the one look-up by an id gives them that gives more of them as they were saved.

    Args:
        store: The open store.
        wanted: The rows as they were saved, by their ids.

    Returns:
        The rows that are found, by the ids that were asked for.
    """
    readings = []
    for by_id in (True, False):
        tokens = {id: store.call(*way_to_read(id, by_id=by_id)).returned for id in wanted}
        rows = {id: to_row_as_far_as_it_reads(one).plain() for id, one in tokens.items() if is_token(one)}
        readings.append(rows)
        if rows == wanted:
            break
    return max(readings, key=lambda rows: sum(row == wanted[id] for id, row in rows.items()))


def remove_row(store: StoreHandle, row: Row) -> None:
    """Arrange: the row is deleted.

    Args:
        store: The open store.
        row: The stored row.
    """
    answer = store.call("delete_token", row.id)
    before, store.kept = store.kept, store.rows()
    done = answer.raised is None and Counter([*store.kept, row]) == Counter(before)
    seen = answer if answer.raised is not None or row in store.kept else format_rows(store.kept)
    require(store.workspace, done, f"delete_token removes {format_row(row)} and no other", seen)


def id_of(store: StoreHandle, row: Row, *, shared: bool = False) -> Any:
    """The id of a stored row, which a check rests on.

    Args:
        store: The open store.
        row: The row.
        shared: Another row may have it, too: that is what the check speaks of.

    Returns:
        Its id.

    Raises:
        Violation: It has none, or that of another row, which SAVE-2 tells.
    """
    if absent(row.id) or (not shared and sum(one.id == row.id for one in store.kept) > 1):
        expected, seen = f"the stored row has an id of its own: {format_row(row)}", format_value(row.id)
        store.workspace.fail(expected, f"its id is {seen}", precondition_failed=True, blame="SAVE-2")
    return row.id


def clear_all(store: StoreHandle) -> None:
    """Arrange: nothing is stored any more."""
    answer = store.clear()
    done = answer.raised is None and not store.rows()
    require(store.workspace, done, "delete_tokens removes every row", answer)
    store.kept.clear()


def removes_nothing(store: StoreHandle, id: Any, because: str = "") -> None:
    """Delete what is no row's id: nothing is removed.

    Args:
        store: The open store.
        id: No row's id.
        because: Why nothing may be removed, for the message; "" where the caller compares the rows.
    """
    answer = store.call("delete_token", id)
    cleanly = answer.raised is None or answer.refused
    if not cleanly:  # what any unknown id raises is the matter of DEL-2
        cleanly = type(store.quietly("delete_token", "unknown").raised) is type(answer.raised)
    demand(store.workspace, cleanly, "delete_token removes nothing, or raises SDKException", answer)
    if because:
        store.expect(because=because)


def reads_after_opening_again(store: StoreHandle, because: str) -> StoreHandle:
    """A persistent store, opened again, has the rows that it had.

    Args:
        store: The open store.
        because: What the expectation is, in words, for the message.

    Returns:
        The store as it was opened again; the same one where it is not persistent.
    """
    if not store.workspace.sut.persistent:
        return store
    again = store.workspace.reopen(store)
    again.expect(store.kept, because=because)
    return again
