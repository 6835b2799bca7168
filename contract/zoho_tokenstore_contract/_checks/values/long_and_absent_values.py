"""VALUE-2 to VALUE-5, VALUE-8: long values, absent ones, and many rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ..._harness.calls import TokenCall
from ..._harness.messages import format_answer
from ..._harness.row_acts import demand, require
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active, batches
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    DAN,
    GRANT,
    GUS,
    LATE_REFRESH,
    REFRESH,
    WIDTH,
    WITH_CLIENT,
    key_of,
    person,
)
from .round_trip import (
    BY_ID,
    FIND,
    KINDS,
    LISTING,
    TEXTS,
    Able,
    held,
    keep_rows,
    narrowed,
    read_tokens,
    renewal,
    row_of,
    unnamed,
    what_works,
)

LACKING = (DAN, ACCESS, GRANT, REFRESH)
"""Rows without some of the fields that an update may lack as well."""


@check("VALUE-2")
def values_of_255_characters_round_trip(workspace: Workspace) -> None:
    able = what_works(workspace)
    for letter in ("x", "é", "日", "😀"):
        _long_values_round_trip(workspace, able, letter, WIDTH)
    rows = [person(f"long{place}", expires_in="18446744073709551614") for place in range(2)]
    updates = [renewal(row).but(expires_in="18446744073709551615") for row in rows]
    fields = (*TEXTS, "expires_in")
    keep_rows(workspace, what_works(workspace, fields), rows, updates, fields)


@check("VALUE-3")
def values_of_4096_characters_round_trip(workspace: Workspace) -> None:
    able = what_works(workspace)
    for letter in ("x", "😀"):
        _long_values_round_trip(workspace, able, letter, 4096)


def _long_values_round_trip(workspace: Workspace, able: Able, letter: str, length: int) -> None:
    """All fields at once, in rows that differ in the last character alone; else field by field."""

    def long(last: str) -> str:
        return letter * (length - len(last)) + last

    def named(number: int) -> Row:
        return Row(**{name: long(f"{place}{number}") for place, name in enumerate(TEXTS)})

    rows = [named(number) for number in range(3)]
    kept = ("user_name",) if active().across_clients else ("user_name", "client_id", "client_secret")
    updates = [named(number + 3).but(**row.only(*kept).present()) for number, row in enumerate(rows)]
    # Short after long, too: what a long value leaves behind is read with the short one.
    updates[0] = person("short").but(**rows[0].only(*kept).present())
    for number in (7, 8):
        for kind in KINDS[1:]:
            row = unnamed(kind, long(f"{kind[0]}{number}"), (long("c"), long("s"))).but(api_domain=long("d"))
            rows.append(row)
            update = renewal(row)
            updates.append(update if number == 7 else update.but(api_domain=long("e")[-12:]))
    alone = [person("long").but(**{name: long(name[0])}) for name in TEXTS]
    parts = [partial(keep_rows, workspace, able, [row]) for row in alone]
    narrowed(workspace, partial(keep_rows, workspace, able, rows, updates), parts)


@check("VALUE-4")
def an_absent_field_comes_back_as_none(workspace: Workspace) -> None:
    full = ANN.but(user_name=None).present()
    rows = [person(f"less{place}").but(**{name: None}) for place, name in enumerate(full)]
    for store, some in workspace.each(batches([*rows, *LACKING, WITH_CLIENT])):
        _come_back_as_none(store, held(store, some))


@check("VALUE-4")
def a_field_that_an_update_lacks_too_comes_back_as_none(workspace: Workspace) -> None:
    for store, some in workspace.each(batches(LACKING)):
        asked = held(store, some)
        for row in some:
            store.try_save(renewal(row))
        _come_back_as_none(store, [(id, row.updated_by(renewal(row))) for id, row in asked])


def _come_back_as_none(store: StoreHandle, asked: Sequence[tuple[Any, Row]]) -> None:
    """What these rows lack is None in every token that shows one of them."""
    shown_by_any = set()
    for way, token, row in _hits(store, asked):
        shown_by_any.add(token.get_id())
        _lacks(store.workspace, way, token, row)
    for id, row in asked:
        shows = f"a way of reading that shows {format_row(row)}"
        require(store.workspace, id in shown_by_any, shows, "none does")


def _hits(store: StoreHandle, asked: Sequence[tuple[Any, Row]]) -> Iterator[tuple[str, Any, Row]]:
    """Each way of reading that shows a row, with the token that it gives: what else it gives is no hit."""
    for way in (LISTING, BY_ID, FIND):
        # Found by an access token beside client credentials: left open.
        some = [(id, row) for id, row in asked if way != FIND or row != WITH_CLIENT]
        for (id, row), (token, _) in zip(some, read_tokens(store, way, some), strict=True):
            if isinstance(token, load().OAuthToken) and token.get_id() == id:
                yield way, token, row


def _lacks(workspace: Workspace, way: str, token: Any, row: Row) -> None:
    """What the row lacks is None in the token."""
    for name in FIELDS:
        if name in ("id", "user_name") or not absent(getattr(row, name)):
            continue
        value = getattr(token, f"get_{name}")()
        expected = f"{name} of {format_row(row)} comes back as None"
        demand(workspace, value is None, expected, f"from {way} it is {format_value(value)}")
    if row.user_name is None and (signature := token.get_user_signature()) is not None:
        name = getattr(signature, "get_name", lambda: signature)()
        expected = f"{format_row(row)} comes back without a UserSignature"
        workspace.fail(expected, f"from {way} it has one, with the name {format_value(name)}")


@check("VALUE-5")
def expires_in_comes_back_as_str(workspace: Workspace) -> None:
    pairs = (("1900000000001", "1900000000002"), ("3600000", "1"), ("1", "9007199254740993"))
    cases = [
        (rows, renewed)
        for old, renewed in pairs
        for rows in batches((ANN.but(expires_in=old), ACCESS.but(expires_in=old), LATE_REFRESH, BOB))
    ]
    for store, (rows, renewed) in workspace.each(cases):
        asked = held(store, rows)
        _are_as_the_sdk_reads_them(store, asked)
        for row in rows:
            store.try_save(key_of(row).but(expires_in=renewed))
        # Where an update does not arrive at all, that is the matter of SAVE-13.
        now = {row.id: row.plain().expires_in for row in store.rows()}
        arrived = [(id, row) for id, row in asked if now.get(id, row.expires_in) != row.expires_in]
        _are_as_the_sdk_reads_them(store, [(id, row.but(expires_in=renewed)) for id, row in arrived])


@check("VALUE-5")
def the_user_name_comes_back_inside_a_user_signature(workspace: Workspace) -> None:
    for store, rows in workspace.each(batches((ANN, DAN, GUS, BOB))):
        _are_as_the_sdk_reads_them(store, held(store, rows))


def _are_as_the_sdk_reads_them(store: StoreHandle, asked: Sequence[tuple[Any, Row]]) -> None:
    for way, token, row in _hits(store, asked):
        value, want = token.get_expires_in(), row.expires_in
        if want is not None and (not isinstance(value, str) or value != want):
            expected = f"expires_in comes back as the str {want!r}"
            store.workspace.fail(expected, f"from {way} it is {format_answer(value)}")
        signature = token.get_user_signature()
        if row.user_name is None:
            continue
        if not isinstance(signature, load().UserSignature) or signature.get_name() != row.user_name:
            name = getattr(signature, "get_name", lambda: "no name")()
            expected = f"the user name comes back as a UserSignature of {row.user_name!r}"
            seen = f"from {way} it is a {type(signature).__name__} with {format_value(name)}"
            store.workspace.fail(expected, seen)


@check("VALUE-8")
def a_thousand_users_are_a_thousand_rows(workspace: Workspace) -> None:
    store = workspace.open()
    try:
        # One more than a page of a thousand shows, and of a slow store than one of 256.
        _fill(workspace, store, workspace.sut.pace.affordable(1001, 257))
        store.clear()
        if left := store.rows():
            workspace.fail("delete_tokens removes every row", f"{len(left)} are left")
    except Violation as violation:
        done = violation.done
        if len(done) > 40:  # hundreds of calls that look alike
            violation.done = (*done[:15], f"… {len(done) - 25} more such calls …", *done[-10:])
        raise


def _fill(workspace: Workspace, store: StoreHandle, number: int) -> None:
    rows = [
        person(f"user{place}", refresh_token=f"1000.shared.{place // 3}") for place in range(1, number + 1)
    ]
    passed: list[TokenCall] = []
    ids: dict[Any, Row] = {}
    for row in rows:
        passed.append(store.save(row))
        id = passed[-1].passed_after.id
        if not absent(id) and id in ids:
            seen = f"{format_value(id)}, which {format_value(ids[id].user_name)} has"
            workspace.fail(f"the {len(passed)}. user gets an id of its own", seen)
        ids[id] = row
        # Listings are dear, and most stores that count wrong do so at a power of ten or two.
        if len(passed) in (1, 2, 10, 11, 12, 100, 101, 257, 513, number):
            _are_all_there(workspace, store, rows[: len(passed)])
    for place in (0, 1, 8, 9, 10, 98, 99, 100, number // 2, number - 2, number - 1):
        answer = store.find_quietly(rows[place].only("user_name"))
        found = row_of(answer.returned, answer)
        if isinstance(found, Row) and found.access_token != rows[place].access_token:
            workspace.fail(f"the row of {format_value(rows[place].user_name)}", format_row(found))


def _are_all_there(workspace: Workspace, store: StoreHandle, rows: Sequence[Row]) -> None:
    listed = store.rows()
    users = f"{len(rows)} rows for {len(rows)} users"
    demand(workspace, len(listed) == len(rows), users, f"{len(listed)} rows")
    ids = {row.id or row.user_name for row in listed}  # that there is none is for SAVE-2 to say
    demand(workspace, len(ids) == len(rows), f"{len(rows)} ids", f"{len(ids)} ids")
    seen = {row.user_name: row for row in listed}
    for row in rows:
        found = seen.get(row.user_name)
        if found is None or found.access_token != row.access_token:
            workspace.fail(format_row(row), format_row(found) if found else "no such row")
