"""What a store can hold at all: each limit is found by a probe, which is also a check of its clause.

A probe uses nothing but plain rows, few of them, and a fresh location. What it finds is told once, under
its clause; checks of other clauses go around it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from .._drivers.threads.another_thread import in_another_thread
from .._harness.calls import rows_of
from .._harness.messages import format_rows
from .._harness.row_acts import demand, inserts, read_by_ids, require, same_fields
from .._harness.store_handle import StoreHandle
from .._harness.store_limits import active, batches
from .._harness.workspace import Workspace, precondition
from .._spec.tokens import (
    Row,
    absent,
    field_as_far_as_it_reads,
    format_row,
    format_value,
    is_token,
)
from .registry import check
from .sample_tokens import ANN, BOB, DAN, KINDS, ONE_OF_EVERY_KIND, OTHER_CLIENT, WITH_CLIENT, key_of, person

MANY = 26
"""Rows that a store has to hold before the kit believes that it counts well."""
CHARACTERS = "'\"\\%_,;|\n\r\té日😀"


@check("SAVE-1")
def every_kind_of_token_is_stored_alone(workspace: Workspace) -> None:
    for row in KINDS:
        if row != WITH_CLIENT and not active().sweeps(row):
            is_stored_alone(workspace, row)


@check("SAVE-20")
def an_access_token_with_client_credentials_is_stored_alone(workspace: Workspace) -> None:
    is_stored_alone(workspace, WITH_CLIENT)


def is_stored_alone(workspace: Workspace, row: Row) -> None:
    """A token becomes one row, in an empty store.

    Args:
        workspace: The workspace of the check.
        row: The token.
    """
    store = workspace.open()
    store.save(row)
    # A row that is found is stored: that it is not listed is the fault of LIST-1.
    key = key_of(row) if row != WITH_CLIENT else row
    found = None if store.rows() else store.find_quietly(key).returned  # something for a miss [FIND-6]
    if not is_token(found) or absent(field_as_far_as_it_reads(found, "id")):
        store.expect([], new=1, because=f"one row for {format_row(row)}")
    workspace.fresh_examples()


def a_user_is_one_row_under_two_clients(workspace: Workspace) -> None:
    """A save of a known user under another client updates the user's row."""
    store = workspace.holding(ANN)
    store.save(ANN.but(**OTHER_CLIENT))
    require(workspace, store.rows(), "a row is there")
    demand(workspace, len(store.rows()) == 1, "one row for one user", format_rows(store.rows()))


def a_row_stays(workspace: Workspace, expires_in: str | None) -> None:
    """A row is there when it has been saved, looked for, and another row is saved.

    Args:
        workspace: The workspace of the check.
        expires_in: When its access token expires.
    """
    store = workspace.open()
    store.save(ANN.but(expires_in=expires_in))
    [row] = store.expect(new=1, because="one new row")
    store.find_quietly(key_of(row))
    inserts(store, BOB)


@check("VALUE-8")
def two_dozen_users_are_as_many_rows(workspace: Workspace) -> None:
    store = workspace.open()
    for number in range(1, MANY + 1):
        store.save(person(f"room{number}"))
    store.expect([], new=MANY, because=f"a row for each of {MANY} users")


@check("VALUE-1")
def a_special_character_round_trips(workspace: Workspace) -> None:
    for character in CHARACTERS:
        character_round_trips(workspace, character)


def character_round_trips(workspace: Workspace, character: str) -> None:
    """A user name and a token with a character come back as they were.

    Args:
        workspace: The workspace of the check.
        character: The character.
    """
    row = person("special", user_name=f"a{character}b@example.com:77", refresh_token=f"1000.a{character}b")
    store = workspace.open()
    stored = inserts(store, row, f"one row for a name and a token with {format_value(character)}")
    same_fields(workspace, "the row comes back", stored, row, ("user_name", "refresh_token"))
    store.find(row.only("user_name"))
    workspace.fresh_examples()


@check("CLEAR-1")
def delete_tokens_removes_two_users(workspace: Workspace) -> None:
    store = workspace.holding(ANN, BOB)
    answer = store.clear()
    demand(workspace, answer.raised is None, "delete_tokens removes every row", answer)
    store.expect([], because="delete_tokens removes every row")


@check("DEL-1")
def delete_token_removes_one_of_two_users(workspace: Workspace) -> None:
    store = workspace.holding(ANN, BOB)
    _is_deleted(store, store.kept[0])


@check("DEL-1")
def delete_token_removes_a_row_whose_id_is_no_number(workspace: Workspace) -> None:
    store = workspace.holding(BOB)
    store.try_save(ANN.but(id="abc"))
    store.kept = store.rows()
    for row in [row for row in store.kept if row.id == "abc"]:  # else SAVE-3 speaks of it
        _is_deleted(store, row)


def _is_deleted(store: StoreHandle, row: Row) -> None:
    answer, id = store.call("delete_token", row.id), format_value(row.id)
    demand(store.workspace, answer.raised is None, f"delete_token removes the row with the id {id}", answer)
    store.expect(gone=[row], because="the row with that id is gone, and no other")


def is_found_alone(workspace: Workspace, row: Row) -> None:
    """A row is found by its key, and nothing by another.

    Args:
        workspace: The workspace of the check.
        row: The row.
    """
    store, key = workspace.holding(row), key_of(row)
    demand(workspace, store.found(key), f"find_token finds {format_row(row)}", "it returned None")
    if (found := store.found(key.but(**{[*key.present()][-1]: "1000.unknown"}))) is not None:
        workspace.fail("find_token finds nothing unknown", format_row(found))


def unknown_ids_find_nothing(workspace: Workspace) -> None:
    store = workspace.holding(ANN, BOB)
    answer = store.call("find_token_by_id", "unknown")
    demand(workspace, answer.returned is None, "find_token_by_id finds nothing unknown", answer)


@check("LIST-1")
def the_list_shows_what_is_found_by_id(workspace: Workspace) -> None:
    store = workspace.open()
    saved = [store.try_save(row) for row in ONE_OF_EVERY_KIND]
    inserted = [one.inserted for one in saved if one.answer.raised is None]
    ids = Counter(row.id for row in inserted)  # of two rows with one id, none is found by it
    wanted = {row.id: row for row in inserted if ids[row.id] == 1}
    found = read_by_ids(store, wanted)
    listed = rows_of(store.call("get_tokens"))
    rows = [] if isinstance(listed, str) else [row.plain() for row in listed if ids[row.id] < 2]
    if len(found) < len(wanted):  # nothing is known of the others
        found = {id: row for id, row in found.items() if row.id == id}
        rows = [row for row in rows if row.id in found]
    exact = [sum(row in wanted.values() for row in shown) for shown in (rows, found.values())]
    if found and (len(rows) != len(found) or exact[0] < exact[1]):
        workspace.fail(f"get_tokens shows {format_rows([*found.values()])}", str(listed))


@check("LIST-2")
def nothing_is_listed_before_the_first_row_and_after_the_last(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.call("get_tokens")
    store.save(ANN)
    precondition(store.listed)  # a list that cannot be read at all is the fault of LIST-1
    store.clear()
    for answer in (before, store.call("get_tokens")):
        demand(workspace, not isinstance(rows_of(answer), str), "get_tokens returns []", f"it {answer}")


@check("SAVE-2")
def the_first_users_have_ids_of_their_own(workspace: Workspace) -> None:
    for store, some in workspace.each(batches([person(f"first{number}") for number in range(4)])):
        ids = [store.save(row).passed_after.id for row in some]
        apart = len(set(ids)) == len(ids) and not any(map(absent, ids))
        demand(workspace, apart, "each token carries an id unlike the others", format_value(ids))


@check("SAVE-3")
def a_user_is_saved_beside_an_id_that_is_no_number(workspace: Workspace) -> None:
    store = workspace.open()
    for row in (BOB, ANN.but(id="abc")):  # some stores leave out the first row when they count
        store.try_save(row)
    store.save(DAN)


@check("PERSIST-1", persistent=True)
def a_store_opens_again_where_it_left_nothing(workspace: Workspace) -> None:
    workspace.reopen(workspace.open())


@check("THREAD-1", thread_safe=True)
def a_user_is_saved_in_another_thread(workspace: Workspace) -> None:
    precondition(lambda: workspace.open().save(ANN))
    in_another_thread(workspace, partial(workspace.open().save, ANN))
