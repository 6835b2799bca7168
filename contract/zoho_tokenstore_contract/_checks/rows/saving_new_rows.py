"""SAVE-1 to SAVE-3, SAVE-20: which tokens become new rows, and their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..._harness.calls import TokenCall
from ..._harness.observer import Observer
from ..._harness.row_acts import carries_the_id, holds, inserts, remove_row
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import going_around
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, absent, format_row, format_value, to_token
from ..registry import Case, check, check_each
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    EVE,
    GRANT,
    GUS,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    key_of,
    newcomer,
    person,
    pool,
)
from ..tricky_strings import NUMERALS

IDS = (
    *("7", "42", "abc", "ABC", "A-1", "007", " 7", "7.0", "0", "-1", "1_0", "1e3"),
    *(text for text in NUMERALS if len(text) <= 10),
    *("é", "x'y", "9999999999", "1e400", "inf", "NaN", "a/b", "a_b", ".a", "..", "DEFAULT", "id", "None"),
    *("user name", "%"),
)
"""Ids of at most ten characters that a store may meet, among them numbers that are none."""


@check("SAVE-1")
def a_new_token_is_one_new_row(workspace: Workspace) -> None:
    store = workspace.open()
    for row in ONE_OF_EVERY_KIND:
        saved = store.save(row)
        [new] = store.expect(new=1, because=f"one new row for {format_row(row)}")
        holds(store, new, row, nothing_but=True)
        if saved.answer.returned is not None:
            workspace.fail("save_token returns None", str(saved.answer))
    inserts(store, person("numbered", user_name=store.kept[:2][-1].id))


@check("SAVE-1")
def empty_texts_do_not_make_two_tokens_one(workspace: Workspace) -> None:
    named = dict.fromkeys(("user_name", "access_token", "grant_token", "redirect_url"), "")
    alone = dict.fromkeys(("user_name", "refresh_token", "grant_token"), "")
    store = workspace.holding(ANN)
    for row in (
        Row(**named, **CLIENT, refresh_token="1000.one.refresh"),
        Row(**named, **CLIENT, refresh_token="1000.two.refresh"),
        Row(**alone, access_token="1000.three.access"),
        Row(**alone, access_token="1000.four.access"),
        Row(user_name="", **CLIENT, refresh_token="", grant_token="1000.five.grant"),
    ):
        # A store that cannot take an empty text makes no two tokens one [VALUE-10].
        if store.try_save(row).answer.raised is None:
            store.expect(new=1, because=f"one new row for {format_row(row)}")


@dataclass(frozen=True)
class Newcomers(Case):
    """Tokens that are new rows, each beside those before.

    Attributes:
        beside: The rows that are there.
        tokens: The tokens.
        kept: Which fields of a token its row has to have.
    """

    beside: Sequence[Row]
    tokens: Sequence[Row]
    kept: Sequence[str] = ()


SHARED = ("refresh_token", "access_token", "grant_token", "redirect_url", "expires_in", "api_domain")
NEWCOMERS = (
    Newcomers("SAVE-1", "a token of a named user who shares fields is a new row", (ANN, BOB), [
        person(f"new{number}", **{name: getattr(ANN, name)}) for number, name in enumerate(SHARED)
    ]),
    Newcomers("SAVE-1", "a text that another field holds does not match",
              (ANN, ACCESS, GRANT, REFRESH, BOB), [
        Row(access_token=REFRESH.refresh_token),
        Row(access_token=GRANT.grant_token),
        Row(**CLIENT, grant_token=REFRESH.refresh_token),
        Row(**CLIENT, refresh_token=GRANT.grant_token),
        Row(**CLIENT, refresh_token=ACCESS.access_token),
        Row(access_token=ANN.user_name),
        Row(user_name=ACCESS.access_token, **CLIENT, refresh_token="1000.odd.refresh"),
    ]),
    Newcomers("SAVE-20", "an access token with client credentials is a new row",
              pool(*ONE_OF_EACH_KEY, GUS), [
        WITH_CLIENT,
        Row(**CLIENT, access_token="1000.second.access"),
        Row(**OTHER_CLIENT, access_token="1000.third.access", expires_in="1900000000333"),
    ], kept=("access_token", "client_id", "client_secret")),
)  # fmt: skip


@check_each(NEWCOMERS)
def _are_new_rows(workspace: Workspace, case: Newcomers) -> None:
    store = workspace.holding(*case.beside)
    for sent in case.tokens:
        holds(store, inserts(store, sent), sent.only(*case.kept))


def _merged(row: Row) -> Any:
    """As ``OAuthToken.merge_objects`` leaves a token: its methods are attributes of it as well."""
    token = to_token(row)
    load().OAuthToken.merge_objects(token, to_token(row))
    return token


def _extended(row: Row) -> Any:
    """A token of an application's own class, with attributes that are no fields and no texts."""
    token = to_token(row)
    token.__class__ = type("ExtendedToken", (load().OAuthToken,), {})
    token.note, token.scopes, token.made = "an application's own", {"ZohoCRM.users.READ"}, object()
    return token


USED_TOKENS = {
    "a token that the SDK has merged": _merged,
    "a token of a subclass with attributes of its own": _extended,
}
"""Tokens that are not fresh from the constructor, in words, and how they are made."""


@check("SAVE-1")
def a_token_with_more_attributes_than_fields_is_a_new_row(workspace: Workspace) -> None:
    for store, (what, make) in workspace.each(USED_TOKENS.items()):
        store.holding(*ONE_OF_EACH_KEY)
        for row in pool(GUS, WITH_CLIENT, EVE):
            saved = store.try_save_token(make(row))
            if saved.answer.raised is not None:
                workspace.fail(f"save_token stores {what}", str(saved.answer))
            [new] = store.expect(new=1, because=f"one new row for {what}, {format_row(row)}")
            holds(store, new, row, nothing_but=True)


@check("SAVE-2")
def an_inserted_token_gets_an_id_of_its_own(workspace: Workspace) -> None:
    store = workspace.open()
    _have_ids_of_their_own(store, [store.save(row) for row in ONE_OF_EVERY_KIND])


@check("SAVE-2")
def ids_stay_unique_when_rows_have_gone(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EACH_KEY]
    last = passed[-1 if len(passed) > 2 else 0]  # a store may have room for two of them
    for gone, other in [(passed[:2][-1], GUS), (last, EVE)][: len(passed)]:
        store.call("delete_token", gone.passed_after.id)
        if any(row.id == gone.passed_after.id for row in store.rows()):
            return  # delete_token does not work: DEL-1 says so
        passed.remove(gone)
        passed.append(store.save(other))
        _have_ids_of_their_own(store, passed)


def _have_ids_of_their_own(store: StoreHandle, passed: list[TokenCall]) -> None:
    for saved in passed:
        # Before they are read: the SDK takes no number for the id of a token.
        id = saved.passed_after.id
        if not absent(id) and not isinstance(id, str):
            store.workspace.fail("the passed token gets a non-empty str as its id", format_value(id))
    seen: dict[str, Row] = {}
    for saved, row in zip(passed, store.showing(passed), strict=True):
        if not isinstance(row.id, str) or not row.id:
            store.workspace.fail("the new row has a non-empty str as its id", format_row(row))
        if row.id in seen:
            store.workspace.fail(
                "an id unlike every other stored id",
                f"{format_value(row.id)} for {format_row(seen[row.id])} and for {format_row(row)}",
            )
        carries_the_id(store, saved, row)
        seen[row.id] = row


@check("SAVE-3")
def a_token_keeps_the_unused_id_that_it_brings_and_others_get_others(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    for number, row in enumerate(newcomer(f"guest{number}", id=id) for number, id in enumerate(IDS)):
        _bring(store, row)
        _comes_without_id(store, newcomer(f"next{number}"))
    for number, key in enumerate((ACCESS, GRANT, REFRESH)):  # without a user, too
        named = {name: f"1000.brought.{name}" for name in key_of(key).present() if name not in CLIENT}
        _bring(store, key_of(key).but(id=f"k{number}", **named))


@check("SAVE-3")
def the_store_steps_over_ids_that_were_brought(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS)
    for number in range(3):
        known = [int(row.id) for row in store.kept if isinstance(row.id, str) and row.id.isdecimal()]
        for step in (1, 2, 4):
            id = str(max(known, default=0) + step)
            if len(id) <= 10:
                _bring(store, newcomer(f"guest{number}-{step}", id=id), keeps=False)
        for turn in range(3):
            _comes_without_id(store, newcomer(f"next{number}-{turn}"))


WIDTHS = (11, 33, 37, 65, 129, 256)
"""One more than the characters of an id that somebody's column or index holds."""


@check("SAVE-3")
def a_long_id_that_is_taken_is_an_id_like_all_others(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS, BOB)
    observer = Observer(store, store.kept)
    with going_around():
        remove_row(store, store.kept[2])
    # Of two that differ in their ends alone, the second is no update of the first.
    for id in [f"{width}".ljust(width - 1, "x") + end for width in WIDTHS for end in "yz"]:
        _bring(store, newcomer(f"guest{id[:3]}{id[-1]}", id=id))
    observer.look(store.kept, "where long ids are taken", store.kept)
    for row in store.kept[2:]:
        store.call("delete_token", row.id)
        store.expect(gone=[row], because=f"delete_token of {len(row.id)} characters removes the row")


def _bring(store: StoreHandle, row: Row, *, keeps: bool = True) -> None:
    """Save a token with an id, unless the store has given that."""
    if any(one.id == row.id for one in store.kept):
        return
    fail, shown = store.workspace.fail, format_value(row.id)
    saved = store.try_save(row)
    if saved.answer.raised is not None:
        if not saved.answer.refused:
            fail(f"a new row with the id {shown}, or SDKException", str(saved.answer))
        store.expect(because=f"a refused save of the id {shown} changes nothing")
        return
    [new] = store.expect(new=1, because=f"one new row with the id {shown}")
    if keeps and new.id != row.id:
        fail(f"the new row has the id {shown}", f"its id is {format_value(new.id)}")
    if keeps and saved.passed_after.id != row.id:
        fail(f"the passed token keeps the id {shown}", f"its id is {format_value(saved.passed_after.id)}")


def _comes_without_id(store: StoreHandle, row: Row) -> None:
    before = store.kept
    new = inserts(store, row, "one new row under an unused id")
    if absent(new.id) or any(new.id == other.id for other in before):
        store.workspace.fail(
            f"an id unlike {', '.join(format_value(other.id) for other in before[-6:])} and the others",
            f"the new row has the id {format_value(new.id)}",
        )
