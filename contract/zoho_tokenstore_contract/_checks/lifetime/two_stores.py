"""PERSIST-2: two open stores on one location see each other's changes."""

from __future__ import annotations

from ..._harness.messages import format_rows
from ..._harness.row_acts import demand, require
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    CLEO,
    DAN,
    GRANT,
    GUS,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    key_of,
    person,
    pool,
    renewal_of,
)
from .locations import row_by_id


@check("PERSIST-2", persistent=True)
def two_stores_see_each_others_saves(workspace: Workspace) -> None:
    one = workspace.open()
    other = workspace.open(one.location)
    rows: list[Row] = []
    for place, row in enumerate(ONE_OF_EVERY_KIND):
        saver, reader = (one, other) if place % 2 else (other, one)
        # A reader that keeps what it read would go on with that.
        reader.expect(rows, because="each store has the rows of both")
        saver.save(row)
        new = reader.expect(
            rows, new=1, because=f"{format_row(row)} is seen at once by the store that did not save it"
        )
        rows += new
        saver.expect(rows, because="each store has the rows of both")
        _finds_both_ways(reader, saver, row, new[0])


@check("PERSIST-2", persistent=True)
def what_two_stores_have_looked_up_is_looked_up_anew(workspace: Workspace) -> None:
    one = workspace.open()
    other = workspace.open(one.location)
    for place, row in enumerate((ANN, ACCESS, GRANT, REFRESH)):
        # The one changes, the other only ever looks: each kind of row has a store that never saves it.
        changer, looker = (one, other) if place % 2 else (other, one)
        key, id = key_of(row), f"{700 + place}"
        looker.find_quietly(key)
        looker.call("find_token_by_id", id)
        looker.find_quietly(Row(id=id))
        if changer.try_save(row.but(id=id)).answer.raised is not None:
            changer.save(row)  # it does not keep such ids [SAVE-3]
        _look_alike(changer, looker, key, "a token that was looked for before")
        changer.save(key.but(expires_in="1900000000777"))
        _look_alike(changer, looker, key, "an update of a token that was found before")
        row_by_id(changer, id)
        changer.call("delete_token", _look_alike(changer, looker, key, "the same again"))
        if changer.found(key) is not None:
            continue  # two rows have the key, or the row is still there: SAVE-6 to SAVE-8 or DEL-4 tells
        gone = looker.found(key) is None
        demand(workspace, gone, "no token, for the other store deleted it", "find_token finds it")
        changer.save(row)
        _look_alike(changer, looker, key, "a token that was deleted and saved again")


def _look_alike(changer: StoreHandle, looker: StoreHandle, key: Row, what: str) -> str:
    """Both find the same by key and by id; the id."""
    there = changer.found(key)
    if there is None:
        changer.workspace.fail("what a store saved, it finds", "it does not", precondition_failed=True)
    alone, shown = Row(id=there.id), f"{what}: {format_row(there)}"
    if looker.found(key) != there:
        looker.workspace.fail(f"the other store finds {shown}", str(looker.find_quietly(key)))
    # Where it raises for an id alone, that is FIND-5.
    if changer.find_quietly(alone).raised is None and looker.found(alone) != changer.found(alone):
        seen = str(looker.find_quietly(alone))
        looker.workspace.fail(f"the other store finds by its id alone {shown}", seen)
    if row_by_id(changer, there.id) != row_by_id(looker, there.id):
        seen = str(looker.call("find_token_by_id", there.id))
        looker.workspace.fail(f"the other store finds by its id {shown}", seen)
    return there.id or ""


@check("PERSIST-2", persistent=True)
def a_refused_save_holds_no_other_store_up(workspace: Workspace) -> None:
    one = workspace.open()
    other = workspace.open(one.location)
    one.holding(ANN)
    for place, refused in enumerate((Row(user_name="stranger@example.com:77"), Row(id="unknown"))):
        # A lock or a transaction that the refusal left behind would keep the other out.
        if one.try_save(refused).answer.raised is None:
            return  # SAVE-16 tells it
        row = person(f"next{place}")
        other.save(row)
        for store in (other, one):
            rows = store.rows()
            shown = any(there.user_name == row.user_name for there in rows)
            demand(workspace, shown, f"both stores show {format_row(row)}", format_rows(rows))


@check("PERSIST-2", persistent=True)
def two_stores_see_each_others_updates(workspace: Workspace) -> None:
    one = workspace.open()
    rows = one.holding(*ONE_OF_EACH_KEY, GUS)
    ids = [row.id for row in rows]
    other = workspace.open(one.location)
    other.expect(rows, because="each store has the rows of both")
    for turn, (saver, reader) in enumerate(((one, other), (other, one), (other, one), (one, other))):
        for place, row in enumerate(pool(ANN, ACCESS, GRANT, REFRESH)):
            saver.save(renewal_of(row, 10 * turn + place))
            rows = saver.rows()
            reader.expect(rows, because="an update is seen at once by the store that did not make it")
            there, found = (row_by_id(store, ids[place]) for store in (saver, reader))
            if there is not None:
                seen = format_row(found) if found else "none"
                demand(workspace, found == there, f"the updated row, {format_row(there)}", seen)


@check("PERSIST-2", persistent=True)
def two_stores_see_each_others_deletions(workspace: Workspace) -> None:
    one = workspace.open()
    rows = one.holding(*ONE_OF_EACH_KEY, GUS, DAN)
    other = workspace.open(one.location)
    other.expect(rows, because="each store has the rows of both")
    for place, row in enumerate((rows[-1], rows[0], rows[2], rows[1])):
        deleter, reader = (one, other) if place % 2 else (other, one)
        deleter.call("delete_token", row.id)
        require(workspace, row not in deleter.rows(), f"{format_row(row)} is gone", "it is still there")
        rows.remove(row)
        reader.expect(rows, because="a deletion is seen at once by the store that did not make it")
        found, id = row_by_id(reader, row.id), format_value(row.id)
        demand(workspace, found is None, f"no token with the deleted id {id}", "find_token_by_id finds it")
    # A store that writes back what it once read would bring the deleted rows back.
    for saver, reader, row in ((one, other, person("first")), (other, one, person("second"))):
        saver.save(row)
        rows += saver.expect(rows, new=1, because=f"one new row for {format_row(row)}")
        reader.expect(rows, because="each store has the rows of both")


@check("PERSIST-2", persistent=True)
def two_stores_see_each_others_delete_tokens(workspace: Workspace) -> None:
    one = workspace.open()
    rows = one.holding(*ONE_OF_EACH_KEY)
    other = workspace.open(one.location)
    for clearer, reader in ((one, other), (other, one)):
        reader.expect(rows, because="each store has the rows of both")
        clearer.clear()
        left = clearer.rows()
        require(workspace, not left, "no rows", format_rows(left))
        reader.expect([], because="delete_tokens is seen at once by the store that did not call it")
        reader.save(CLEO)
        rows = reader.expect([], new=1, because="one new row after delete_tokens")
        clearer.expect(rows, because="each store has the rows of both")
        clearer.save(GUS)
        rows += clearer.expect(rows, new=1, because="one new row for a new user")


@check("PERSIST-2", persistent=True)
def two_stores_that_take_turns_make_no_row_twice(workspace: Workspace) -> None:
    one = workspace.open()
    other = workspace.open(one.location)
    for row in pool(ANN, REFRESH, ACCESS, GRANT):
        for store in (one, other):
            store.save(row)
    again = one.rows()
    if len(again) != 4:
        # Saving an equal token again is the matter of SAVE-12, unless one store alone can do it.
        doubles = False
        if workspace.sut.own_storage:
            alone = workspace.open()
            for row in (*pool(ANN, REFRESH, ACCESS, GRANT),) * 2:
                alone.save(row)
            doubles = len(alone.rows()) != 4
        demand(workspace, doubles, "four rows for four tokens that each store saved", format_rows(again))


def _finds_both_ways(reader: StoreHandle, saver: StoreHandle, sent: Row, row: Row) -> None:
    """What one store finds, the other finds too."""
    there = row_by_id(saver, row.id)
    if there is not None and row_by_id(reader, row.id) != there:
        reader.workspace.fail(
            f"{format_row(there)}, which the other store saved and finds by its id",
            str(reader.call("find_token_by_id", row.id)),
        )
    mine = saver.find_quietly(key_of(sent))
    theirs = reader.find_quietly(key_of(sent))
    if mine.returned is not None and theirs.returned is None:
        reader.workspace.fail(f"{format_row(row)}, which the other store saved and finds", str(theirs))
