"""VALUE-9: what a store cannot keep fails cleanly."""

from __future__ import annotations

from collections.abc import Sequence

from ..._harness.calls import Answer
from ..._harness.row_acts import inserts
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, absent, format_value
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, ONE_OF_EACH_KEY, REFRESH, key_of, person
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
    in_turn = workspace.sut.pace.in_turn
    for turn, (store, text) in enumerate(workspace.each(texts)):
        store.holding(ANN, ACCESS, REFRESH, BOB)
        for place, name in in_turn([*enumerate(TEXTS)], turn):
            _kept_or_refused(store, person(f"odd{place}").but(**{name: text}), name)
        for kind in in_turn(KINDS[1:], turn):
            _kept_or_refused(store, unnamed(kind, text + "2"), kind)
        _all_still_read(store)


@check("VALUE-9")
def an_id_that_cannot_be_kept_fails_cleanly(workspace: Workspace) -> None:
    for store, text in workspace.each(UNKEEPABLE):
        store.holding(ANN, ACCESS, REFRESH, BOB)
        _kept_or_refused(store, person("odd", id=text), "id")
        # Whether other tokens can be saved beside such an id is the matter of SAVE-3.
        _read_after_opening_again(store)


@check("VALUE-9")
def what_cannot_be_kept_in_an_update_fails_cleanly(workspace: Workspace) -> None:
    for turn, (store, text) in enumerate(workspace.each(UNKEEPABLE)):
        store.holding(ANN, ACCESS, BOB)
        for name in workspace.sut.pace.in_turn(TEXTS[1:], turn):
            bob = store.stored(BOB)
            saved = store.try_save(Row(user_name=BOB.user_name).but(**{name: text}))
            if saved.answer.raised is not None:
                _failed_cleanly(store, saved.answer, name)
                continue
            # Whether an update arrives at all is the matter of SAVE-4.
            value = next((getattr(row, name) for row in store.rows() if row.id == bob.id), None)
            if value not in (text, getattr(bob, name)):
                _is_changed(store, name, text, f"came back as {format_value(value)}")
            store.expect(
                changed=[(bob, bob.but(**{name: value}))],
                because="every other field and row stays as it was",
            )
        _all_still_read(store)


@check("VALUE-9")
def looking_for_what_cannot_be_kept_finds_nothing(workspace: Workspace) -> None:
    def lookups(text: str) -> list[Row]:
        return [
            Row(user_name=text),
            Row(id=text),
            *(key_of(unnamed(kind, text)) for kind in KINDS[1:]),
            key_of(unnamed("refresh_token", "1000.nightly.refresh", (text, text))),
        ]

    for turn, (store, text) in enumerate(workspace.each(UNKEEPABLE)):
        store.holding(*ONE_OF_EACH_KEY)
        pairs = [*zip(lookups("unknown"), lookups(text), strict=True)]
        for plain, sent in workspace.sut.pace.in_turn(pairs, turn):
            # Where an unknown text finds a row anyhow, that is the matter of FIND.
            if store.find_quietly(plain).returned is None:
                _finds_nothing(store, store.find_quietly(sent), FIND)
        if store.call(BY_ID, "unknown").returned is None:
            for id in (text, f"{store.kept[0].id}{text}"):
                _finds_nothing(store, store.call(BY_ID, id), BY_ID)
        _all_still_read(store)


def _finds_nothing(store: StoreHandle, answer: Answer, way: str) -> None:
    if answer.returned is not None or (answer.raised is not None and not answer.refused):
        store.workspace.fail(f"{way} returns None, or raises SDKException", str(answer))


@check("VALUE-9")
def deleting_what_cannot_be_kept_removes_nothing(workspace: Workspace) -> None:
    loose = _deletes_by_what_is_nearly_an_id(workspace)
    for turn, (store, text) in enumerate(workspace.each(UNKEEPABLE)):
        id = store.holding(*ONE_OF_EACH_KEY)[0].id
        beside = () if loose else (f"{id}{text}", f"{id}\0")
        for other in workspace.sut.pace.in_turn((text, *beside), turn):
            answer = store.call("delete_token", other)
            if answer.raised is not None and not answer.refused:
                workspace.fail("delete_token removes nothing, or raises SDKException", str(answer))
            store.expect(because="no row has that id, so none is removed")
        _all_still_read(store)


def _deletes_by_what_is_nearly_an_id(workspace: Workspace) -> bool:
    """Whether an id with something harmless at its end removes the row: that is what DEL-3 says."""
    store = workspace.holding(ANN)
    store.call("delete_token", f"{store.kept[0].id} ")
    gone = not store.rows()
    workspace.fresh_examples()
    return gone


def _kept_or_refused(store: StoreHandle, row: Row, name: str) -> None:
    """Save a row of which one field may be more than the store can keep."""
    saved = store.try_save(row)
    if saved.answer.raised is not None:
        _failed_cleanly(store, saved.answer, name)
        return
    [new] = store.expect(new=1, because="one new row, and every other row as it was")
    for field in new.present():
        value, want = getattr(new.plain(), field), getattr(row, field)
        if value != want and (field != "id" or name == "id"):
            _is_changed(store, field, want, f"came back as {format_value(value)}")
    if absent(getattr(new, name)):
        _is_changed(store, name, getattr(row, name), "did not come back at all")


def _is_changed(store: StoreHandle, name: str, want: str, seen: str) -> None:
    store.workspace.fail(
        f"{name} comes back as {format_value(want)}, or save_token raises SDKException", f"{name} {seen}"
    )


def _failed_cleanly(store: StoreHandle, answer: Answer, name: str) -> None:
    store.expect(because="a save that fails leaves the rows exactly as they were")
    if not answer.refused:
        store.workspace.fail(
            f"a value of {name} that cannot be kept is refused with SDKException", str(answer)
        )


def _all_still_read(store: StoreHandle) -> None:
    """The rows read now and after opening again, and the store works on."""
    inserts(store, person("afterwards"), "the store works on: a new user is one new row")
    _read_after_opening_again(store)


def _read_after_opening_again(store: StoreHandle) -> None:
    if store.workspace.sut.persistent:
        again = store.workspace.reopen(store)
        again.expect(store.kept, because="every row reads after opening again")
