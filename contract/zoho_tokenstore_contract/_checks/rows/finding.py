"""FIND-1 to FIND-5: which row ``find_token`` finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._harness.calls import TokenCall
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, absent, format_row, format_value, to_row
from ..registry import check, check_each
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    DAN,
    EVE,
    GRANT,
    GUS,
    KINDS,
    LATE_ACCESS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    key_of,
    person,
    pool,
)
from .acts import GRANT_KEY, REFRESH_KEY

UNKNOWN = {
    "access_token": "1000.unknown.access",
    "grant_token": "1000.unknown.grant",
    "refresh_token": "1000.unknown.refresh",
}
PLAIN = {"expires_in": "1900000000666", "redirect_url": "https://own.example.com"}
OWN = {**OTHER_CLIENT, **UNKNOWN, **PLAIN, "api_domain": "http://127.0.0.1:9/own"}
"""Fields of a token that no row has."""
ITS_ID = {"id": "the id of the row"}


@dataclass(frozen=True)
class Hits:
    """Tokens that find rows of a crowd.

    Attributes:
        clause: The clause that says so.
        name: What is shown.
        rows: The rows that are found.
        key: The fields by which the token addresses its row.
        beside: What it has besides: each row is looked for with each of these.
    """

    clause: str
    name: str
    rows: Sequence[Row]
    key: Sequence[str]
    beside: Sequence[dict[str, str]]


NAME, ACCESS_KEY = ("user_name",), ("access_token",)
UNKNOWN_REFRESH = {"refresh_token": UNKNOWN["refresh_token"]}
UNKNOWN_ACCESS = {"access_token": UNKNOWN["access_token"]}
HITS = (
    Hits("FIND-1", "a user is found by name", NAMED, NAME, [{}]),
    Hits("FIND-1", "a user is found by name whatever else the token has",
         NAMED, NAME, [ITS_ID, *({name: OWN[name]} for name in OWN), OWN, {**CLIENT, **UNKNOWN}]),
    Hits("FIND-1", "a user is found by name also beside the tokens of others",
         NAMED, NAME, [other.but(user_name=None).present() for other in KINDS]),
    Hits("FIND-2", "a stored access token is found",
         pool(ACCESS, LATE_ACCESS, WITH_CLIENT, LATE_GRANT, LATE_REFRESH, ANN, EVE, GUS), ACCESS_KEY,
         [{}, PLAIN, UNKNOWN_REFRESH, ITS_ID]),
    Hits("FIND-3", "a stored grant token is found",
         pool(GRANT, LATE_GRANT, BOB, EVE, GUS), GRANT_KEY,
         [{}, {**UNKNOWN_ACCESS, **UNKNOWN_REFRESH}, PLAIN, ITS_ID]),
    Hits("FIND-4", "a stored refresh token is found",
         pool(REFRESH, LATE_REFRESH, BOB, DAN, EVE, GUS), REFRESH_KEY,
         [{}, UNKNOWN_ACCESS, PLAIN, ITS_ID]),
)  # fmt: skip


@check_each(HITS)
def _find_their_rows(workspace: Workspace, case: Hits) -> None:
    store = workspace.open()
    store.holding(*ONE_OF_EVERY_KIND)
    for row in case.rows:
        for fields in case.beside:
            beside = {"id": store.stored(row).id} if fields is ITS_ID else fields
            _finds(store, row, row.only(*case.key).but(**beside))
    store.expect(because="finding changes nothing stored")


@check("FIND-2")
def an_access_token_that_replaced_another_is_found(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(LATE_REFRESH, GUS)):
        store.save(key_of(row).but(access_token=f"1000.renewed.{number}"))
        _finds(store, row, Row(access_token=f"1000.renewed.{number}"))


@check("FIND-5")
def an_id_alone_finds_its_row_and_fills_the_passed_token(workspace: Workspace) -> None:
    store = workspace.open()
    for row, stored in zip(ONE_OF_EVERY_KIND, store.holding(*ONE_OF_EVERY_KIND), strict=True):
        _finds_by_id(workspace, store, row.but(id=stored.id))
    store.expect(because="finding changes nothing stored")


@check("FIND-5")
def an_id_that_its_token_brought_finds_it(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(ANN, ACCESS)
    for number, id in enumerate(("k-7", "abc", "ABC", "007", "9999999999", "x'y")):
        row = person(f"guest{number}", id=id)
        saved = store.try_save(row)
        if saved.answer.raised is None and saved.passed_after.id == id:
            _finds_by_id(workspace, store, row)


def _finds_by_id(workspace: Workspace, store: StoreHandle, wanted: Row) -> None:
    if absent(wanted.id):
        workspace.fail("a stored token has an id", format_row(wanted), precondition_failed=True)
    sent = Row(id=wanted.id)
    passed = store.find(sent)
    found = _token_of(workspace, passed, f"the row with the id {format_value(wanted.id)}")
    if not _is_row(found, wanted, sent):
        workspace.fail(f"find_token returns {format_row(wanted)}", format_row(found))
    if (left := passed.passed_after.plain()) != wanted.plain():
        workspace.fail(
            f"the passed token itself is filled in from its row, {format_row(wanted)}",
            f"it is {format_row(left)}",
        )


def _finds(store: StoreHandle, row: Row, sent: Row) -> None:
    """A token finds the stored row of one of the crowd, and no other."""
    wanted = row.but(id=store.stored(row).id)
    found = _token_of(store.workspace, store.find(sent), format_row(wanted))
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
