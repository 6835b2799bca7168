"""VALUE-9: what a store cannot keep fails cleanly."""

from __future__ import annotations

from collections.abc import Sequence

from ..._harness.calls import Answer
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, absent, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    ONE_OF_EACH_KEY,
    REFRESH,
    key_of,
    person,
)
from .round_trip import BY_ID, FIND, KINDS, TEXTS, unnamed

NULS = ("a\0b", "\0", "ab\0")


SURROGATES = ("a\ud800b", "\udc80")


LONG = ("x" * 4095 + "y", "😀" * 4096, "x" * 199_999 + "y", "é,\r\n" * 50_000)


UNKEEPABLE = (*NULS, *SURROGATES, *LONG)
"""Texts that a storage may be unable to keep."""


@check("VALUE-9")
def nul_in_a_new_row_is_kept_or_fails_cleanly(workspace: Workspace) -> None:
    _kept_in_new_rows_or_refused(workspace, NULS)


@check("VALUE-9")
def a_lone_surrogate_in_a_new_row_is_kept_or_fails_cleanly(workspace: Workspace) -> None:
    _kept_in_new_rows_or_refused(workspace, SURROGATES)


@check("VALUE-9")
def a_long_text_in_a_new_row_is_kept_or_fails_cleanly(workspace: Workspace) -> None:
    _kept_in_new_rows_or_refused(workspace, LONG)


def _kept_in_new_rows_or_refused(workspace: Workspace, texts: Sequence[str]) -> None:
    for turn, text in enumerate(texts):
        store = workspace.open()
        before = store.holding(ANN, ACCESS, REFRESH, BOB)
        for place, name in workspace.sut.pace.in_turn([*enumerate(TEXTS)], turn):
            row = person(f"odd{place}").but(**{name: text})
            before += _kept_or_refused(store, before, row, name)
        for kind in workspace.sut.pace.in_turn(KINDS[1:], turn):
            before += _kept_or_refused(store, before, unnamed(kind, text + "2"), kind)
        _all_still_read(store, before)
        workspace.fresh_examples()


@check("VALUE-9")
def an_id_that_cannot_be_kept_fails_cleanly(workspace: Workspace) -> None:
    for text in UNKEEPABLE:
        store = workspace.open()
        before = store.holding(ANN, ACCESS, REFRESH, BOB)
        before += _kept_or_refused(store, before, person("odd", id=text), "id")
        # Whether other tokens can be saved beside such an id is the matter of SAVE-3.
        _read_after_opening_again(store, before)
        workspace.fresh_examples()


@check("VALUE-9")
def what_cannot_be_kept_in_an_update_fails_cleanly(workspace: Workspace) -> None:
    for turn, text in enumerate(UNKEEPABLE):
        store = workspace.open()
        before = store.holding(ANN, ACCESS, BOB)
        for name in workspace.sut.pace.in_turn(TEXTS[1:], turn):
            sent = Row(user_name=BOB.user_name).but(**{name: text})
            saved = store.try_save(sent)
            if saved.answer.raised is None:
                # Whether an update arrives at all is the matter of SAVE-4.
                now = store.rows()
                updated = [row for row in now if row.id == before[2].id]
                value = getattr(updated[0], name) if updated else None
                if value not in (text, getattr(before[2], name)):
                    workspace.fail(
                        f"{name} comes back as {format_value(text)}, or save_token raises SDKException",
                        f"{name} came back as {format_value(value)}",
                    )
                store.expect(
                    before,
                    changed=[(before[2], before[2].but(**{name: value}))],
                    because="every other field and row stays as it was",
                )
                before[2] = before[2].but(**{name: value})
            else:
                _failed_cleanly(store, before, saved.answer, name)
        _all_still_read(store, before)
        workspace.fresh_examples()


@check("VALUE-9")
def looking_for_what_cannot_be_kept_finds_nothing(workspace: Workspace) -> None:
    def lookups(text: str) -> list[Row]:
        return [
            Row(user_name=text),
            Row(id=text),
            *(key_of(unnamed(kind, text)) for kind in KINDS[1:]),
            key_of(unnamed("refresh_token", "1000.nightly.refresh", (text, text))),
        ]

    for turn, text in enumerate(UNKEEPABLE):
        store = workspace.open()
        before = store.holding(*ONE_OF_EACH_KEY)
        pairs = [*zip(lookups("unknown"), lookups(text), strict=True)]
        for plain, sent in workspace.sut.pace.in_turn(pairs, turn):
            # Where an unknown text finds a row anyhow, that is the matter of FIND.
            if store.find_quietly(plain).returned is None:
                _finds_nothing(store, store.find_quietly(sent), FIND)
        if store.call(BY_ID, "unknown").returned is None:
            _finds_nothing(store, store.call(BY_ID, text), BY_ID)
            _finds_nothing(store, store.call(BY_ID, f"{before[0].id}{text}"), BY_ID)
        _all_still_read(store, before)
        workspace.fresh_examples()


def _finds_nothing(store: StoreHandle, answer: Answer, way: str) -> None:
    if answer.returned is not None or (answer.raised is not None and not answer.refused):
        store.workspace.fail(f"{way} returns None, or raises SDKException", str(answer))


@check("VALUE-9")
def deleting_what_cannot_be_kept_removes_nothing(workspace: Workspace) -> None:
    for turn, text in enumerate(UNKEEPABLE):
        store = workspace.open()
        before = store.holding(*ONE_OF_EACH_KEY)
        ids = (text, f"{before[0].id}{text}", f"{before[0].id}\0")
        for id in workspace.sut.pace.in_turn(ids, turn):
            answer = store.call("delete_token", id)
            if answer.raised is not None and not answer.refused:
                workspace.fail("delete_token removes nothing, or raises SDKException", str(answer))
            store.expect(before, because="no row has that id, so none is removed")
        _all_still_read(store, before)
        workspace.fresh_examples()


def _kept_or_refused(store: StoreHandle, before: list[Row], row: Row, name: str) -> list[Row]:
    """Save a row of which one field may be more than the store can keep; returns the new rows."""
    saved = store.try_save(row)
    if saved.answer.raised is not None:
        _failed_cleanly(store, before, saved.answer, name)
        return []
    new = store.expect(before, new=1, because="one new row, and every other row as it was")
    for field in new[0].present():
        value, want = getattr(new[0].plain(), field), getattr(row, field)
        if value != want and (field != "id" or name == "id"):
            store.workspace.fail(
                f"{field} comes back as {format_value(want)}, or save_token raises SDKException",
                f"{field} came back as {format_value(value)}",
            )
    if absent(getattr(new[0], name)):
        store.workspace.fail(
            f"{name} comes back as {format_value(getattr(row, name))}, or save_token raises SDKException",
            f"{name} did not come back at all",
        )
    return new


def _failed_cleanly(store: StoreHandle, before: list[Row], answer: Answer, name: str) -> None:
    store.expect(before, because="a save that fails leaves the rows exactly as they were")
    if not answer.refused:
        store.workspace.fail(
            f"a value of {name} that cannot be kept is refused with SDKException", str(answer)
        )


def _all_still_read(store: StoreHandle, before: list[Row]) -> None:
    """The rows read now and after opening again, and the store works on."""
    store.save(person("afterwards"))
    before += store.expect(before, new=1, because="the store works on: a new user is one new row")
    _read_after_opening_again(store, before)


def _read_after_opening_again(store: StoreHandle, before: list[Row]) -> None:
    if store.workspace.sut.persistent:
        again = store.workspace.reopen(store)
        again.expect(before, because="every row reads after opening again")
