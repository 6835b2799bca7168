"""DEL: which rows deleting removes, what it leaves, and what removes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from hypothesis.strategies import lists

from ..._drivers.hypothesis_examples import explore
from ..._harness.calls import TokenCall
from ..._harness.observer import Observer
from ..._harness.row_acts import (
    bring_rows,
    clear_all,
    demand,
    id_of,
    inserts,
    next_ids,
    remove_row,
    removes_nothing,
    require,
)
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLEO,
    CLIENT,
    CROWD_TEXTS,
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
    near_ids,
    newcomer,
    pool,
)
from ..tricky_strings import NUMERALS, TRAPS, texts

BROUGHT_IDS = (
    ("abc", "A-1", "user name", "007", "1e3", "x'y", "%", "_", "id", "é", "None"),
    ("ab", "abc", "abcd", "ABC", "xabc", "7", "07", "a_c", "7.0"),
)
"""Ids of at most ten characters that tokens may bring, some of which a store may refuse; some are alike."""
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
    for store, ids in workspace.each(BROUGHT_IDS):
        store.holding(ANN, ACCESS)
        brought = _brought(store, *ids)
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
        shown = f"the row with the id {format_value(row.id)}"
        demand(store.workspace, answer.raised is None, f"delete_token removes {shown}", answer)
        store.expect(gone=[row], because=f"{shown} is gone and no other")


@check("DEL-2")
def an_id_that_is_not_stored_removes_nothing(workspace: Workspace) -> None:
    for store, rows in workspace.each((ONE_OF_EVERY_KIND, ())):
        store.holding(*rows)
        ends = store.kept[:1] + store.kept[-1:]
        computed = [f"{row.id}{rest}" for row in ends for rest in ("-0", "+0", "*1")]
        for id in (*UNKNOWN_IDS, *computed) if rows else ("1", "unknown"):
            if all(row.id != id for row in store.kept):
                _is_no_row(store, id)
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
            _is_no_row(store, row.id)
            _is_no_row(store, row.id)


@check("DEL-2")
def deleting_after_delete_tokens_removes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    left = store.holding(*ONE_OF_EACH_KEY)
    store.clear()
    require(workspace, not store.rows(), "no row after delete_tokens")
    store.kept = []
    for row in left:
        _is_no_row(store, row.id)


def _is_no_row(store: StoreHandle, id: str) -> None:
    answer = store.call("delete_token", id)
    cleanly = answer.refused or (answer.raised is None and answer.returned is None)
    demand(store.workspace, cleanly, "delete_token returns None or raises SDKException", answer)
    store.expect(because=f"no row has the id {format_value(id)}, so none is removed")


HOSTILE = (
    *("0 or 1=1", "1; drop table oauthtoken", "1; delete from oauthtoken", "' or '1'='1", "' or 1=1 --"),
    *('" or ""="', "1' --", "') or ('1'='1", "1) or (1=1", "id or id=id", "rowid", "true", "%d"),
    *("x' union select id from oauthtoken --", ".*", "[0-9]", ".", ".."),
)
"""Ids that empty a table or match a pattern where a store does not quote them, beside the `TRAPS`."""


@check("DEL-3")
def none_removes_nothing(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EACH_KEY)
    store.call("delete_token", None)
    store.expect(because="None is nobody's id: nothing is removed")
    _works_on(store)


@check("DEL-3")
def hostile_text_removes_nothing(workspace: Workspace) -> None:
    in_turn = workspace.sut.pace.in_turn
    _spares(workspace, ONE_OF_EACH_KEY, lambda _: (*HOSTILE, *in_turn(NUMERALS, 0), *in_turn(TRAPS, 0)))


@check("DEL-3")
def what_looks_like_a_stored_id_removes_nothing(workspace: Workspace) -> None:
    def near(rows: Sequence[Row]) -> Iterator[str]:
        yield from CROWD_TEXTS  # what another field holds is no id
        for turn, row in enumerate((rows[0], rows[len(rows) // 2], rows[-1])):
            yield from workspace.sut.pace.in_turn(near_ids(str(row.id)), turn)

    # Twelve rows and more: where ids are numbers, one is then the beginning of another.
    _spares(workspace, ONE_OF_EVERY_KIND, near)


@check("DEL-3")
def what_looks_like_an_id_that_was_brought_removes_nothing(workspace: Workspace) -> None:
    def near(rows: Sequence[Row]) -> Iterator[str]:
        for turn, row in enumerate(row for row in rows[2:] if isinstance(row.id, str)):
            ids = (*near_ids(row.id), "e\u0301", "e", "a_b", "a?b")
            yield from workspace.sut.pace.in_turn(ids, turn)

    _spares(workspace, (ANN, ACCESS), near, brought=("abc", "ABc", "é", "7", "a%b", "axb", "ab"))


@check("DEL-3")
def any_text_that_is_no_id_removes_nothing(workspace: Workspace) -> None:
    some = lists(texts(), min_size=1, max_size=6)
    explore(workspace, 25, some, lambda ids: _spares(workspace, (ANN, ACCESS), lambda _: ids))


def _spares(
    workspace: Workspace,
    kept: Sequence[Row],
    ids_of: Callable[[Sequence[Row]], Iterable[str]],
    brought: Sequence[str] = (),
) -> None:
    """Ids that no row has remove nothing: all of them in a row, and one by one where something changed."""

    def delete(each: bool) -> StoreHandle:
        store = workspace.holding(*kept)
        _brought(store, *brought)
        stored = {str(row.id) for row in store.kept}  # that an id is a number is what SAVE-2 says
        for id in dict.fromkeys(ids_of(store.kept)):
            if id not in stored:
                exactly = f"no row has exactly the id {format_value(id)}: none is removed"
                removes_nothing(store, id, exactly if each else "")
        return store

    store = delete(each=False)
    if Counter(store.rows()) != Counter(store.kept):
        workspace.fresh_examples()
        store = delete(each=True)
    _works_on(store)


def _works_on(store: StoreHandle) -> None:
    """A new user can be saved."""
    inserts(store, newcomer("afterwards"), "the store works on: a new user is one new row")


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
                expected = f"nothing but {format_row(sent)} in the new row"
                workspace.fail(expected, f"it has {', '.join(extra)} too")


@check("DEL-4")
def a_deleted_user_is_one_row_also_when_saved_with_the_deleted_id(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in pool(ANN, GUS, ACCESS, BOB)]
    for saved, row in zip(passed, store.showing(passed), strict=True):
        remove_row(store, row)
        # The very token again: the SDK goes on with the object that it has.
        again = store.try_save_token(saved.token).answer
        demand(workspace, again.raised is None, "the deleted token can be saved again", again)
        [new] = store.expect(new=1, because=f"one new row for {format_row(saved.sent)}")
        if new.but(id=None) != row.but(id=None):
            workspace.fail(f"a row with {format_row(row.but(id=None))}", format_row(new))


_SPARSE = Row(user_name="next@example.com:77", **CLIENT, access_token="1000.next.access")


@check("DEL-4")
def a_token_saved_after_a_deletion_takes_over_nothing_of_it(workspace: Workspace) -> None:
    for store, deleted in workspace.each(pool(ANN, ACCESS, GRANT, REFRESH)):
        rows = store.holding(BOB, deleted)
        observer = Observer(store, rows, rows[1:])
        remove_row(store, rows[1])
        # It may get the place of the deleted row, which an index still leads to, and has few keys of its own.
        new = inserts(store, _SPARSE)
        observer.look([rows[0], new], "after the token is deleted and another one is saved")


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
    gone = {id := id_of(store, store.holding(ANN, BOB)[1])}
    for number in range(workspace.sut.pace.affordable(TURNS, LEAST_TURNS)):
        answer = store.call("delete_token", id)
        require(workspace, answer.raised is None, "delete_token removes the row", answer)
        gone.add(id)
        id = _is_new(store, newcomer(f"turn{number}"), gone).passed_after.id


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
        _brought(store, *next_ids(store))
    rows = store.kept[which or slice(None)]
    if which is None or not active().deletes:
        clear_all(store)
    else:
        for row in rows:
            remove_row(store, row)
    return {id_of(store, row) for row in rows}


def _gives_new_ids(store: StoreHandle, gone: set[str]) -> list[TokenCall]:
    """Other users get none of these ids."""
    passed = [_is_new(store, newcomer(f"later{number}"), gone) for number in range(max(8, len(gone) + 2))]
    for row in store.rows():
        demand(store.workspace, row.id not in gone, "no id of a deleted row", format_row(row))
    return passed


def _is_new(store: StoreHandle, row: Row, gone: set[str]) -> TokenCall:
    saved = store.save(row)
    seen = f"{format_value(saved.passed_after.id)} for {format_row(saved.sent)}"
    demand(store.workspace, saved.passed_after.id not in gone, "an id that no deleted row had", seen)
    return saved
