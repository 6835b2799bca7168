"""PERSIST-1, PERSIST-3: what is there when a store is opened again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from ..._harness.row_acts import demand, id_of, inserts, next_ids, require
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import batches
from ..._harness.workspace import Workspace, precondition
from ..._spec.clause_results import Violation
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    DAN,
    GRANT,
    GUS,
    LATE_REFRESH,
    NAMED,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    key_of,
    person,
    pool,
    renewal_of,
)
from ..tricky_strings import TRAPS
from .locations import row_by_id


@check("PERSIST-1", persistent=True)
def a_store_opened_again_has_every_row(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    for _ in range(3):
        store = workspace.reopen(store)
        store.expect(rows, because="a store opened again has every row, as it was")


@check("PERSIST-1", persistent=True)
def a_store_that_was_never_closed_has_every_row(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EVERY_KIND)
    # The SDK closes no store: what a program saved has to be there when the next one starts.
    again = workspace.open(store.location)
    again.expect(rows, because="a store opened again has every row, though the first was not closed")
    rows.append(inserts(again, person("newcomer")))
    workspace.open(store.location).expect(rows, because="a store opened again has every row")


@check("PERSIST-1", persistent=True)
def updates_and_deletions_are_there_after_opening_again(workspace: Workspace) -> None:
    for reopen in (workspace.reopen, lambda store: workspace.open(store.location)):
        store = workspace.open()
        rows = store.holding(*ONE_OF_EVERY_KIND)
        for place, row in enumerate(pool(ANN, ACCESS, BOB, GRANT, LATE_REFRESH)):
            store.save(renewal_of(row, place))
        for row in dict.fromkeys((rows[0], rows[len(rows) // 4], rows[-1])):
            store.call("delete_token", row.id)
        rows = store.rows()
        for _ in range(2):
            store = reopen(store)
            store.expect(rows, because="after opening again every row reads as it did before")
        workspace.fresh_examples()


@check("PERSIST-1", persistent=True)
def awkward_texts_are_there_after_opening_again(workspace: Workspace) -> None:
    tokens = [
        person(
            f"awkward{place}",
            user_name=(f"{place}.{text}", f"{text}.{place}")[place % 2],
            access_token=text,
            client_secret=text,
            redirect_url=text,
            api_domain=TRAPS[place - 1],
        )
        for place, text in enumerate(TRAPS)
    ]
    for some in batches(tokens):
        try:
            _are_there_after_opening_again(workspace, some)
        except Violation as violation:
            if not violation.precondition_failed:
                raise
            _one_by_one(workspace, some)


def _one_by_one(workspace: Workspace, tokens: Sequence[Row]) -> None:
    """The same with each by itself: one that spoils the storage as it is saved is told by VALUE-1."""
    read = 0
    for token in tokens:
        workspace.fresh_examples()
        try:
            _are_there_after_opening_again(workspace, [token])
            read += 1
        except Violation as violation:
            if not violation.precondition_failed:
                raise
    require(workspace, read, "a row with awkward texts is read as long as the store is open", "none is")


def _are_there_after_opening_again(workspace: Workspace, tokens: Sequence[Row]) -> None:
    store = workspace.open()
    for token in tokens:
        store.try_save(token)
    # However they read now (VALUE-1), they read the same later.
    rows = precondition(store.rows)
    seen = f"{len(rows)} rows for {len(tokens)} users"
    require(workspace, len(rows) * 2 >= len(tokens), "a row for each user", seen)
    store = workspace.reopen(store)
    store.expect(rows, because="after opening again every row reads as it did before")
    workspace.fresh_examples()


@check("PERSIST-1", persistent=True)
def a_store_that_was_left_empty_opens_again(workspace: Workspace) -> None:
    store = workspace.open()
    for _ in range(2):
        store = workspace.reopen(store)
        store.expect([], because="a store that was left empty is empty")
    store.holding(ANN)


@check("PERSIST-1", persistent=True)
def a_store_that_was_emptied_opens_again(workspace: Workspace) -> None:
    for clears in (False, True):
        store = workspace.open()
        for row in store.holding(*ONE_OF_EACH_KEY):
            if not clears:
                store.call("delete_token", row.id)
        if clears:
            store.clear()
        # What deleting left is the matter of DEL and CLEAR.
        rows = store.rows()
        for _ in range(2):
            store = workspace.reopen(store)
            store.expect(rows, because="after opening again every row reads as it did before")
        store.save(GUS)
        store.expect(rows, new=1, because="one new row for a new user")
        workspace.fresh_examples()


@check("PERSIST-1", persistent=True)
def rows_are_found_updated_and_deleted_after_opening_again(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY, GUS, DAN)
    guests = [person(f"guest{number}", id=f"guest-{number}") for number in range(2)]
    for guest in guests:
        if store.try_save(guest).answer.raised is None:  # it may be refused [SAVE-3]
            rows += store.expect(rows, new=1)
    # What goes wrong here is no fault of opening again.
    works = [key_of(row) for row in rows if _is_renewed(store, row)]
    require(workspace, works, "a stored row is updated")
    rows = precondition(lambda: _deleted(store, store.rows(), (DAN.user_name, guests[0].user_name)))
    found = [_by_key_and_id(store, row) for row in rows]
    again = workspace.reopen(store)
    for row, was in zip(rows, found, strict=True):
        now = _by_key_and_id(again, row)
        if any(before == row != after for before, after in zip(was, now, strict=True)):
            workspace.fail(
                f"after opening again {format_row(row)} is found by its key and by its id, as before",
                " and ".join("None" if one is None else format_row(one) for one in now),
            )
    for place, row in enumerate(rows):
        if (key := key_of(row)) in works:
            again.save(sent := key.but(expires_in=f"24{place:011d}"))
            again.expect(rows, changed=[(row, row.updated_by(sent))], because=UPDATED)
            rows[place] = row.updated_by(sent)
    _deleted(again, again.rows(), (GUS.user_name, guests[1].user_name, None))


def _by_key_and_id(store: StoreHandle, row: Row) -> tuple[Row | None, Row | None]:
    return store.found(key_of(row)), row_by_id(store, row.id)


UPDATED = "an update replaces what its token has and keeps the rest, also after opening again"


def _is_renewed(store: StoreHandle, row: Row) -> bool:
    """Whether a row is updated in place by its key; it has another time of expiry then."""
    before, sent = store.rows(), key_of(row).but(expires_in="2300000000001")
    store.save(sent)
    return Counter(store.rows()) == Counter(row.updated_by(sent) if one == row else one for one in before)


def _deleted(store: StoreHandle, rows: list[Row], names: Sequence[str | None]) -> list[Row]:
    """Delete the rows of some users, ``None`` for those of nobody; the rows that are left."""
    for doomed in [row for row in rows if row.user_name in names]:
        store.call("delete_token", doomed.id)
        store.expect(
            rows, gone=[doomed], because="delete_token removes the row of its id, also after opening again"
        )
        rows = [row for row in rows if row != doomed]
    return rows


@check("PERSIST-3", persistent=True)
def ids_given_after_opening_again_are_unlike_all_others(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*NAMED[:3])
    for turn in range(5):
        store = workspace.reopen(store)
        for number in range(3):
            rows += _gets_an_id_of_its_own(store, rows, person(f"turn{turn}-{number}"))


@check("PERSIST-3", persistent=True)
def ids_given_without_closing_are_unlike_all_others(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(ANN, ACCESS)
    for turn in range(4):
        again = workspace.open(store.location)
        for number, one in enumerate((again, store, again)):
            rows += _gets_an_id_of_its_own(one, rows, person(f"turn{turn}-{number}"))


@check("PERSIST-3", persistent=True)
def ids_stay_unlike_those_that_tokens_brought(workspace: Workspace) -> None:
    # The next ones of a store that counts, those of a store that counts its rows, and others.
    for steps, others in (((2, 3), ()), ((4, 5, 6), ()), ((), ("abc", "007"))):
        arranged = partial(_with_brought_ids, workspace, steps, others)
        try:
            _go_on_with_ids_of_their_own(workspace, arranged(), reopens=False)
        except Violation:
            workspace.fresh_examples()
            continue  # what goes wrong in an open store is the matter of SAVE-3
        workspace.fresh_examples()
        _go_on_with_ids_of_their_own(workspace, arranged())
        workspace.fresh_examples()


def _with_brought_ids(workspace: Workspace, steps: tuple[int, ...], others: tuple[str, ...]) -> StoreHandle:
    """A store with rows whose ids are so far from its last one, and with other ids."""
    store = workspace.open()
    store.holding(ANN, BOB)
    for number, id in enumerate((*next_ids(store, steps), *others)):
        store.try_save(person(f"guest{number}", id=id))
    return store


@check("PERSIST-3", persistent=True)
def ids_stay_unlike_all_others_when_rows_have_gone(workspace: Workspace) -> None:
    for place in (0, 1, -1):
        store = workspace.open()
        store.call("delete_token", store.holding(*NAMED)[place].id)
        _go_on_with_ids_of_their_own(workspace, store)
        workspace.fresh_examples()


def _go_on_with_ids_of_their_own(workspace: Workspace, store: StoreHandle, *, reopens: bool = True) -> None:
    rows = store.rows()
    for turn in range(3):
        store = workspace.reopen(store) if reopens else store
        for number in range(2):
            rows += _gets_an_id_of_its_own(store, rows, person(f"turn{turn}-{number}"))


def _gets_an_id_of_its_own(store: StoreHandle, rows: list[Row], sent: Row) -> list[Row]:
    saved = store.save(sent)
    new = store.expect(rows, new=1, because=f"one new row for {format_row(sent)}")
    own = id_of(store, new[0], shared=True)
    twin = next((row for row in rows if row.id == own), None)
    seen = twin and f"{format_value(twin.id)} for {format_row(twin)} and for {format_row(new[0])}"
    demand(store.workspace, twin is None, "an id unlike every other stored id", seen)
    id = saved.passed_after.id
    unlike = all(row.id != id for row in rows)
    expected = "the passed token gets an id unlike every other stored id"
    demand(store.workspace, unlike, expected, f"its id is {format_value(id)}")
    return new
