"""FIND-1 to FIND-5: which row ``find_token`` finds."""

from __future__ import annotations

from collections.abc import Sequence

from ..._harness.calls import TokenCall
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, absent, format_row, format_value, to_row
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    BY_ACCESS,
    BY_GRANT,
    BY_REFRESH,
    CLIENT,
    DAN,
    EVE,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    WITH_CLIENT,
    key_of,
    person,
    pool,
)

UNKNOWN = {
    "access_token": "1000.unknown.access",
    "grant_token": "1000.unknown.grant",
    "refresh_token": "1000.unknown.refresh",
}


OWN = {
    **OTHER_CLIENT,
    **UNKNOWN,
    "expires_in": "1900000000666",
    "redirect_url": "https://own.example.com",
    "api_domain": "http://127.0.0.1:9/own",
}
"""Fields of a token that no row has."""


@check("FIND-1")
def a_user_is_found_by_name(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in NAMED:
        _finds(store, before, row, row.only("user_name"))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-1")
def a_user_is_found_by_name_whatever_else_the_token_has(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in NAMED:
        stored = before[ONE_OF_EVERY_KIND.index(row)]
        for extra in (
            {"id": stored.id},
            *({name: value} for name, value in OWN.items()),
            OWN,
            {**CLIENT, **UNKNOWN},
        ):
            _finds(store, before, row, row.only("user_name").but(**extra))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-1")
def a_user_is_found_by_name_also_beside_the_tokens_of_others(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in NAMED:
        for other in ONE_OF_EVERY_KIND:
            if other != row:
                _finds(store, before, row, other.but(user_name=row.user_name))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-2")
def a_stored_access_token_is_found(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(*BY_ACCESS, WITH_CLIENT, LATE_GRANT, LATE_REFRESH, ANN, EVE, GUS):
        key = row.only("access_token")
        for sent in (
            key,
            key.but(expires_in="1900000000666", redirect_url=OWN["redirect_url"]),
            key.but(refresh_token=UNKNOWN["refresh_token"]),
            key.but(id=before[ONE_OF_EVERY_KIND.index(row)].id),
        ):
            _finds(store, before, row, sent)
    store.expect(before, because="finding changes nothing stored")


@check("FIND-2")
def an_access_token_that_replaced_another_is_found(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(LATE_REFRESH, GUS):
        store.save(key_of(row).but(access_token=f"1000.renewed.{ONE_OF_EVERY_KIND.index(row)}"))
        _finds(store, before, row, Row(access_token=f"1000.renewed.{ONE_OF_EVERY_KIND.index(row)}"))


@check("FIND-3")
def a_stored_grant_token_is_found(workspace: Workspace) -> None:
    _finds_by(workspace, "grant_token", pool(*BY_GRANT, BOB, EVE, GUS), ("access_token", "refresh_token"))


@check("FIND-4")
def a_stored_refresh_token_is_found(workspace: Workspace) -> None:
    _finds_by(workspace, "refresh_token", pool(*BY_REFRESH, BOB, DAN, EVE, GUS), ("access_token",))


def _finds_by(workspace: Workspace, name: str, rows: Sequence[Row], beside: Sequence[str]) -> None:
    """Rows are found by client credentials and this credential, whatever comes with them."""
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in rows:
        key = row.only("client_id", "client_secret", name)
        for sent in (
            key,
            key.but(**{other: UNKNOWN[other] for other in beside}),
            key.but(redirect_url=OWN["redirect_url"], expires_in="1900000000666"),
            key.but(id=before[ONE_OF_EVERY_KIND.index(row)].id),
        ):
            _finds(store, before, row, sent)
    store.expect(before, because="finding changes nothing stored")


@check("FIND-5")
def an_id_alone_finds_its_row_and_fills_the_passed_token(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row, stored in zip(ONE_OF_EVERY_KIND, before, strict=True):
        _finds_by_id(workspace, store, row.but(id=stored.id), Row(id=stored.id))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-5")
def an_id_that_its_token_brought_finds_it(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(ANN, ACCESS)
    for number, id in enumerate(("k-7", "abc", "ABC", "007", "9999999999", "x'y")):
        row = person(f"guest{number}", id=id)
        saved = store.try_save(row)
        if saved.answer.raised is None and saved.passed_after.id == id:
            _finds_by_id(workspace, store, row, Row(id=id))


def _finds_by_id(workspace: Workspace, store: StoreHandle, wanted: Row, sent: Row) -> None:
    if absent(wanted.id):
        workspace.fail("a stored token has an id", format_row(wanted), precondition_failed=True)
    passed = store.find(sent)
    found = _token_of(workspace, passed, f"the row with the id {format_value(wanted.id)}")
    if not _is_row(found, wanted, sent):
        workspace.fail(f"find_token returns {format_row(wanted)}", format_row(found))
    if (left := passed.passed_after.plain()) != wanted.plain():
        workspace.fail(
            f"the passed token itself is filled in from its row, {format_row(wanted)}",
            f"it is {format_row(left)}",
        )


def _finds(store: StoreHandle, before: Sequence[Row], row: Row, sent: Row) -> None:
    """A token finds the stored row of one of the crowd, and no other."""
    wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
    passed = store.find(sent)
    found = _token_of(store.workspace, passed, format_row(wanted))
    if not _is_row(found, wanted, sent):
        store.workspace.fail(f"find_token finds {format_row(wanted)}", format_row(found))


def _token_of(workspace: Workspace, passed: TokenCall, wanted: str) -> Row:
    """The fields of the token that `find_token` returned."""
    if not isinstance(passed.answer.returned, load().OAuthToken):
        workspace.fail(f"find_token finds {wanted}", f"it {passed.answer}")
    return to_row(passed.answer.returned)


def _is_row(found: Row, wanted: Row, sent: Row) -> bool:
    """Whether what was found comes from this row.

    Its id says so. Where it has none, which other clauses speak of, what it was filled with does.
    """
    if not absent(found.id):
        return bool(found.id == wanted.id)
    lacked = [name for name in wanted.present() if name != "id" and absent(getattr(sent, name))]
    filled = [name for name in lacked if not absent(getattr(found, name))]
    return all(getattr(found.plain(), name) == getattr(wanted, name) for name in filled) and (
        bool(filled) or not lacked
    )
