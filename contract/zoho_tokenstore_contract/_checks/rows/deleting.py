"""DEL-1, DEL-2, DEL-4, DEL-5, CLEAR-1, CLEAR-2: which rows deleting removes, and what it leaves."""

from __future__ import annotations

from ..._harness.calls import TokenCall
from ..._harness.observer import Observer, keys_of
from ..._harness.row_acts import bring_rows, clear_all, id_of, inserts, remove_row, require
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from ..._spec.tokens import Row, absent, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLEO,
    CLIENT,
    DAN,
    GRANT,
    GUS,
    KINDS,
    NAMED,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    WITH_CLIENT,
    guests,
    key_of,
    newcomer,
    pool,
)

BROUGHT_IDS = ("abc", "A-1", "user name", "007", "1e3", "x'y", "%", "_", "id", "é", "None")
"""Ids of at most ten characters that a token may bring, some of which a store may refuse."""
UNKNOWN_IDS = (
    *("unknown", "999999999", "9" * 20, "00000000", "-5", "0", "1000.ann.access", "ann@example.com:77"),
)
LONERS = tuple(row for row in KINDS if row not in (CLEO, WITH_CLIENT))
"""Tokens of every kind, no two of which share what they are found by."""


@check("DEL-1")
def deleting_removes_the_row_with_that_id_and_no_other(workspace: Workspace) -> None:
    cases = ((ONE_OF_EVERY_KIND, False), (ONE_OF_EVERY_KIND, True), (ONE_OF_EACH_KEY, False))
    for store, (crowd, from_the_end) in workspace.each(cases):
        rows = store.holding(*crowd)
        # From the end; or the first, the last, then the middle ones, until none is left.
        inwards = [rows[0], rows[-1], *rows[1:-1][::2], *rows[2:-1][::2]]
        _are_deleted(store, rows[::-1] if from_the_end else inwards)


@check("DEL-1")
def rows_with_ids_that_their_tokens_brought_are_deleted(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS)
    brought = _brought(store, *BROUGHT_IDS)
    _are_deleted(store, brought[1::2] + brought[::2])


def _brought(store: StoreHandle, *ids: str) -> list[Row]:
    """Arrange: the new rows of tokens that bring these ids."""
    kept = {row.id for row in bring_rows(store, guests(*ids))}
    store.kept = store.rows()
    return [row for row in store.kept if row.id in kept]


def _are_deleted(store: StoreHandle, rows: list[Row]) -> None:
    """Each of these rows is deleted by its id, one after another."""
    for row in rows:
        answer = store.call("delete_token", row.id)
        shown = format_value(row.id)
        if answer.raised is not None:
            store.workspace.fail(f"delete_token removes the row with the id {shown}", str(answer))
        store.expect(gone=[row], because=f"the row with the id {shown} is gone and no other")


@check("DEL-2")
def an_id_that_is_not_stored_removes_nothing(workspace: Workspace) -> None:
    for store, rows in workspace.each((ONE_OF_EVERY_KIND, ())):
        store.holding(*rows)
        ends = store.kept[:1] + store.kept[-1:]
        computed = [f"{row.id}{rest}" for row in ends for rest in ("-0", "+0", "*1")]
        for id in (*UNKNOWN_IDS, *computed) if rows else ("1", "unknown"):
            if all(row.id != id for row in store.kept):
                _removes_nothing(store, id)
        if not rows:
            store.holding(ANN)


@check("DEL-2")
def deleting_twice_removes_one_row(workspace: Workspace) -> None:
    for store, crowd in workspace.each(((ANN,), ONE_OF_EACH_KEY)):
        rows = store.holding(*crowd)
        for row in dict.fromkeys((rows[-1], rows[0], rows[len(rows) // 2])):
            store.call("delete_token", row.id)
            require(workspace, row not in store.rows(), "the row is gone", format_row(row))
            store.kept.remove(row)
            _removes_nothing(store, row.id)
            _removes_nothing(store, row.id)


@check("DEL-2")
def deleting_after_delete_tokens_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    left = store.holding(*ONE_OF_EACH_KEY)
    store.clear()
    require(workspace, not store.rows(), "no row after delete_tokens")
    store.kept = []
    for row in left:
        _removes_nothing(store, row.id)


def _removes_nothing(store: StoreHandle, id: str) -> None:
    answer = store.call("delete_token", id)
    if not answer.refused and (answer.raised is not None or answer.returned is not None):
        store.workspace.fail("delete_token returns None or raises SDKException", str(answer))
    store.expect(because=f"no row has the id {format_value(id)}, so none is removed")


@check("DEL-4")
def a_deleted_token_is_found_by_no_lookup(workspace: Workspace) -> None:
    for store, place in workspace.each(range(len(LONERS))):
        row = store.holding(*LONERS)[place]
        store.observe(row, after="the token is deleted")
        store.call("delete_token", id_of(store, row))
        store.expect(gone=[row], because="the deleted token is not listed")


@check("DEL-4")
def a_deleted_user_can_be_saved_again(workspace: Workspace) -> None:
    for store, deleted in workspace.each(((ANN,), (GUS,), (DAN, ANN), LONERS)):
        store.holding(*LONERS)
        for gone in deleted:
            remove_row(store, store.stored(gone))
        for gone in deleted:
            # Less than what was deleted: nothing of the old row may come back.
            sent = key_of(gone)
            if gone.user_name is not None:
                sent = Row(user_name=gone.user_name, refresh_token=f"{gone.refresh_token}.again")
            new = inserts(store, sent)
            if extra := [name for name in new.but(id=None).present() if name not in sent.present()]:
                workspace.fail(
                    f"nothing but {format_row(sent)} in the new row", f"it has {', '.join(extra)} too"
                )


@check("DEL-4")
def a_deleted_user_is_one_row_also_when_saved_with_the_deleted_id(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in pool(ANN, GUS, ACCESS, BOB)]
    for saved, row in zip(passed, store.showing(passed), strict=True):
        remove_row(store, row)
        # The very token again: the SDK goes on with the object that it has.
        again = store.try_save_token(saved.token)
        if again.answer.raised is not None:
            workspace.fail("the deleted token can be saved again", str(again.answer))
        [new] = store.expect(new=1, because=f"one new row for {format_row(saved.sent)}")
        if new.but(id=None) != row.but(id=None):
            workspace.fail(f"a row with {format_row(row.but(id=None))}", format_row(new))


@check("DEL-4")
def a_token_saved_after_a_deletion_takes_over_nothing_of_it(workspace: Workspace) -> None:
    for store, deleted in workspace.each(pool(ANN, ACCESS, GRANT, REFRESH)):
        rows = store.holding(BOB, deleted)
        observer = Observer(store, rows, rows[1:])
        remove_row(store, rows[1])
        # It may get the place of the deleted row, which an index still leads to, and has few keys of its own.
        store.save(_SPARSE)
        [new] = store.expect(new=1, because=f"one new row for {format_row(_SPARSE)}")
        observer.look([rows[0], new], "after the token is deleted and another one is saved")


_SPARSE = Row(user_name="next@example.com:77", **CLIENT, access_token="1000.next.access")


TURNS, LEAST_TURNS = 260, 101
"""Deletions after which a list of 64 or 100 ids, and a counter of two digits or one byte, has begun again.

Of a slow store the byte is not tried."""


LATE_OR_ALL = (slice(None, 1, -1), None)
"""All rows but the first two, from the end; all at once."""


@check("DEL-5")
def the_id_of_a_deleted_row_is_never_given_again(workspace: Workspace) -> None:
    orders = (slice(None, None, -1), slice(None), slice(-1, None), slice(0, 1), slice(1, None))
    cases = [*((which, False) for which in orders), *((which, True) for which in LATE_OR_ALL)]
    for store, (which, brings) in workspace.each(cases):
        _gives_new_ids(store, _deleted(store, which, brings=brings))


@check("DEL-5", persistent=True)
def the_id_of_a_deleted_row_is_not_given_after_opening_again(workspace: Workspace) -> None:
    cases = [(which, brings) for which in LATE_OR_ALL for brings in (False, True)]
    for store, (which, brings) in workspace.each(cases):
        gone = _deleted(store, which, brings=brings)
        _gives_new_ids(workspace.reopen(store), gone)


@check("DEL-5")
def an_id_is_not_given_again_when_deleting_and_saving_take_turns(workspace: Workspace) -> None:
    store = workspace.open()
    id = id_of(store, store.holding(ANN, BOB)[1])
    gone = {id}
    for number in range(workspace.sut.pace.affordable(TURNS, LEAST_TURNS)):
        answer = store.call("delete_token", id)
        require(workspace, answer.raised is None, "delete_token removes the row", answer)
        gone.add(id)
        saved = store.save(newcomer(f"turn{number}"))
        _is_new(store, saved, gone)
        id = saved.passed_after.id


@check("DEL-5")
def no_id_is_given_again_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    gone = {id_of(store, row) for row in store.holding(*NAMED)}
    for _ in range(2):
        clear_all(store)
        gone |= {saved.passed_after.id for saved in _gives_new_ids(store, gone)}


def _deleted(store: StoreHandle, which: slice | None, *, brings: bool) -> set[str]:
    """Arrange: of some users, and of others who bring ids, these are deleted; their ids."""
    store.holding(*NAMED)
    if brings:
        _brought(store, *_next_ids(store))
    rows = store.kept[which or slice(None)]
    if which is None:
        clear_all(store)
    else:
        for row in rows:
            remove_row(store, row)
    return {id_of(store, row) for row in rows}


def _next_ids(store: StoreHandle) -> list[str]:
    """Ids that a store which counts would give next, and soon after."""
    numbers = [int(row.id) for row in store.kept if isinstance(row.id, str) and row.id.isdecimal()]
    last = max(numbers, default=0)
    return [id for step in (1, 2, 5) if len(id := str(last + step)) <= 10]


def _gives_new_ids(store: StoreHandle, gone: set[str]) -> list[TokenCall]:
    """Other users get none of these ids."""
    passed = []
    for number in range(max(8, len(gone) + 2)):
        passed.append(store.save(newcomer(f"later{number}")))
        _is_new(store, passed[-1], gone)
    for row in store.rows():
        if row.id in gone:
            store.workspace.fail("no id of a deleted row", format_row(row))
    return passed


def _is_new(store: StoreHandle, saved: TokenCall, gone: set[str]) -> None:
    if saved.passed_after.id in gone:
        store.workspace.fail(
            "an id that no deleted row had",
            f"{format_value(saved.passed_after.id)} for {format_row(saved.sent)}",
        )


@check("CLEAR-1")
def delete_tokens_removes_every_row(workspace: Workspace) -> None:
    for store, rows in workspace.each((ONE_OF_EVERY_KIND, pool(ACCESS), pool(WITH_CLIENT, CLEO))):
        store.holding(*rows)
        _clears(store)


@check("CLEAR-1")
def rows_that_were_updated_or_brought_their_ids_are_removed_too(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    store.try_save(Row(user_name=ANN.user_name, access_token="1000.new.access"))
    _brought(store, "abc", "x'y", "0")
    _clears(store)


@check("CLEAR-1")
def delete_tokens_is_no_error_on_an_empty_store(workspace: Workspace) -> None:
    store = workspace.open()
    for rows in ((), (), (ANN,), ()):
        store.holding(*rows)
        _clears(store)
    for row in store.holding(ANN, REFRESH):  # emptied one by one
        remove_row(store, row)
    _clears(store)


def _clears(store: StoreHandle) -> None:
    rows = store.kept
    answer = store.clear()
    if answer.raised is not None:
        store.workspace.fail("delete_tokens removes every row", str(answer))
    store.expect(gone=rows, because="no row is left after delete_tokens")
    for row in rows:
        found = store.call("find_token_by_id", row.id)
        if found.returned is not None:
            store.workspace.fail(
                f"no token has the id {format_value(row.id)} after delete_tokens", str(found)
            )
        for asked in keys_of(row):
            if (answer := store.find_quietly(asked)).returned is not None:
                store.workspace.fail(f"{format_row(asked)} finds nothing after delete_tokens", str(answer))


@check("CLEAR-1")
def what_was_found_before_delete_tokens_is_found_no_more(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    observer = Observer(store, store.kept)
    _clears(store)
    observer.look([], "after delete_tokens")


@check("CLEAR-2")
def the_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    # What is not saved as a new row before, either, is not so because of delete_tokens.
    old = {sent: new for sent in ONE_OF_EVERY_KIND[::-1] if (new := _inserted(store, sent))}
    require(workspace, old, "new tokens are new rows", "none of them is")
    finds = store.find_quietly(key_of(ANN)).returned is not None
    for _ in range(2):
        _clear(store)
        if store.kept:  # CLEAR-1 tells it; then nobody else's save may fail
            inserts(store, newcomer(f"after{len(store.kept)}"))
            continue
        for sent in ONE_OF_EVERY_KIND[::-1]:
            if (was := old.get(sent)) is None:
                _inserted(store, sent)
                continue
            new = inserts(store, sent)
            if new.but(id=None) != was.but(id=None):
                workspace.fail(f"a row like {format_row(was)}, as before", format_row(new))
        ids = [row.id for row in store.kept]
        if len({*ids}) != len(ids) and not any(map(absent, ids)):
            workspace.fail("an id of its own for each row", ", ".join(map(format_value, ids)))
        if finds and store.found(key_of(ANN)) is None:
            workspace.fail("a user saved after delete_tokens is found", "find_token returned None")


def _inserted(store: StoreHandle, sent: Row) -> Row | None:
    """The new row of a token; ``None`` where saving it does anything else."""
    try:
        return inserts(store, sent)
    except Violation:
        store.kept = store.rows()
        return None


@check("CLEAR-2")
def an_empty_store_works_on_after_delete_tokens(workspace: Workspace) -> None:
    store = workspace.open()
    for _ in range(2):
        _clear(store)
    for row in ONE_OF_EACH_KEY:
        inserts(store, row)


def _clear(store: StoreHandle) -> None:
    """Call ``delete_tokens``, whatever it does: in most stores nothing is left."""
    store.clear()
    store.kept = store.rows()
