"""ISO and PERSIST: one store and another, one store and the next."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..._harness.calls import CallRecord
from ..._harness.limits import batches
from ..._harness.messages import format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace, not_applicable, precondition
from ..._spec.outcomes import Violation
from ..._spec.tokens import Row, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLEO,
    DAN,
    EVE,
    GRANT,
    GUS,
    LATE_REFRESH,
    NAMED,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    REFRESH,
    key_of,
    person,
    pool,
)
from ..tricky_strings import TRAPS

NEW_ACCESS = "1000.new.access"
_KEYS = ("user_name", "refresh_token", "access_token", "grant_token")
_marks = itertools.count(1)


@check("ISO-1")
def stores_on_different_locations_share_no_rows(workspace: Workspace) -> None:
    few, again = _unheard(
        ONE_OF_EACH_KEY, (ANN.but(access_token=NEW_ACCESS), REFRESH, EVE, ACCESS, person("elsewhere"))
    )
    one, other = _apart(workspace)
    here = one.holding(*few)
    other.expect([], because="what one store saved is not in the other")
    found = [one.found(key_of(row)) for row in here]
    for row in here:
        _is_unknown(other, row)
    # Nor does the first store come to miss what the other one has not.
    for row, before in zip(here, found, strict=True):
        if (now := one.found(key_of(row))) != before:
            workspace.fail(f"the store on the first location finds {format_row(row)} as before", f"{now}")
    # The same users and others again: neither is taken for a row of the first store.
    there: list[Row] = []
    for row in again:
        other.save(row)
        there += other.expect(there, new=1, because=f"one new row in this store for {format_row(row)}")
        one.expect(here, because="what the other store saved changes nothing here")
    one.save(GUS)
    here += one.expect(here, new=1)
    other.expect(there, because="what one store saved is not in the other")


@check("ISO-1")
def stores_on_different_locations_delete_apart(workspace: Workspace) -> None:
    these, those = _unheard((ANN, ACCESS, BOB), (BOB, ANN, GRANT, EVE))
    one, other = _apart(workspace)
    here, there = one.holding(*these), other.holding(*those)
    for row in here[:2]:
        one.call("delete_token", row.id)
        if row in one.rows():
            workspace.fail(f"{format_row(row)} is gone", "it is still there", precondition_failed=True)
        here.remove(row)
        other.expect(there, because="deleting in one store deletes nothing in the other")
    one.save(Row(user_name=those[0].user_name, access_token=NEW_ACCESS))
    other.expect(there, because="an update in one store changes nothing in the other")
    here = one.rows()
    other.clear()
    if left := other.rows():
        workspace.fail("no rows after delete_tokens", format_rows(left), precondition_failed=True)
    one.expect(here, because="delete_tokens of the other store deletes nothing here")


@check("ISO-1")
def a_store_on_another_location_begins_empty(workspace: Workspace) -> None:
    _needs_storage_of_its_own(workspace)
    [few] = _unheard(ONE_OF_EACH_KEY)
    first = workspace.open()
    rows = first.holding(*few)
    # Not emptied by the kit, as new locations otherwise are.
    second = workspace.open(workspace.location())
    second.expect([], because="a store that is opened on another location begins empty")
    first.expect(rows, because="opening another location changes nothing here")
    first.close()
    third = workspace.open(workspace.location())
    third.expect([], because="a store that is opened on another location begins empty")
    for row in rows:
        _is_unknown(third, row)


@check("ISO-1", persistent=True)
def stores_on_different_locations_are_opened_again_apart(workspace: Workspace) -> None:
    these, those = _unheard((ANN, ACCESS, BOB), (BOB, EVE))
    one, other = _apart(workspace)
    here, there = one.holding(*these), other.holding(*those)
    one, other = workspace.reopen(one), workspace.reopen(other)
    for store, rows in ((one, here), (other, there)):
        # What a store loses when it is opened again is another clause's fault.
        if lost := [row for row in rows if row not in store.rows()]:
            workspace.fail(
                "a store opened again has its rows",
                f"{format_row(lost[0])} is gone",
                precondition_failed=True,
            )
        store.expect(rows, because="each location has its own rows after opening again")


def _apart(workspace: Workspace) -> tuple[StoreHandle, StoreHandle]:
    _needs_storage_of_its_own(workspace)
    return workspace.open(), workspace.open()


def _unheard(*groups: Sequence[Row]) -> list[list[Row]]:
    """The rows with keys that this process has never used: whatever a store remembers, it cannot know them.

    A store that keeps users of other locations in mind may have forgotten where those of earlier checks were.
    """
    mark = f".{os.getpid()}.{next(_marks)}"
    return [
        [
            row.but(**{name: value + mark for name, value in row.present().items() if name in _KEYS})
            for row in rows
        ]
        for rows in groups
    ]


def _needs_storage_of_its_own(workspace: Workspace) -> None:
    if not workspace.sut.own_storage:
        not_applicable("the store is declared as having one shared storage for all locations")


def _is_unknown(store: StoreHandle, row: Row) -> None:
    """A row of another store is found by no lookup."""
    for answer in (store.find_quietly(key_of(row)), store.call("find_token_by_id", row.id)):
        if answer.returned is not None:
            store.workspace.fail("no token of a store on another location", str(answer))


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
    again.save(person("newcomer"))
    rows += again.expect(rows, new=1, because="one new row for a new user")
    workspace.open(store.location).expect(rows, because="a store opened again has every row")


@check("PERSIST-1", persistent=True)
def updates_and_deletions_are_there_after_opening_again(workspace: Workspace) -> None:
    for reopen in (workspace.reopen, lambda store: workspace.open(store.location)):
        store = workspace.open()
        rows = store.holding(*ONE_OF_EVERY_KIND)
        for row in pool(ANN, ACCESS, GRANT, LATE_REFRESH):
            store.save(key_of(row).but(expires_in="1900000000777"))
        for row in (rows[0], rows[3], rows[-1]):
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
        _are_there_after_opening_again(workspace, some)


def _are_there_after_opening_again(workspace: Workspace, tokens: Sequence[Row]) -> None:
    store = workspace.open()
    for token in tokens:
        store.try_save(token)
    # However they read now (VALUE-1), they read the same later.
    rows = store.rows()
    if len(rows) * 2 < len(tokens):
        workspace.fail(
            "a row for each user", f"{len(rows)} rows for {len(tokens)} users", precondition_failed=True
        )
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
    precondition(lambda: _renewed(store, rows, "23"))
    rows = precondition(lambda: _deleted(store, store.rows(), (DAN.user_name, guests[0].user_name)))
    found = [_by_key_and_id(store, row) for row in rows]
    again = workspace.reopen(store)
    for row, was in zip(rows, found, strict=True):
        if (now := _by_key_and_id(again, row)) != was:
            workspace.fail(
                f"after opening again {format_row(row)} is found by its key and by its id, as before",
                " and ".join("None" if one is None else format_row(one) for one in now),
            )
    _renewed(again, rows, "24")
    _deleted(again, again.rows(), (GUS.user_name, guests[1].user_name, None))


def _by_key_and_id(store: StoreHandle, row: Row) -> tuple[Row | None, Row | None]:
    return store.found(key_of(row)), _by_id(store, row.id)


def _renewed(store: StoreHandle, before: Sequence[Row], year: str) -> None:
    """Update each row by its key."""
    rows = list(before)
    for place, row in enumerate(rows):
        sent = key_of(row).but(expires_in=f"{year}{place:011d}")
        store.save(sent)
        store.expect(
            rows,
            changed=[(row, row.updated_by(sent))],
            because="an update replaces what its token has and keeps the rest, also after opening again",
        )
        rows[place] = row.updated_by(sent)


def _deleted(store: StoreHandle, rows: list[Row], names: Sequence[str | None]) -> list[Row]:
    """Delete the rows of some users, ``None`` for those of nobody; the rows that are left."""
    for doomed in [row for row in rows if row.user_name in names]:
        store.call("delete_token", doomed.id)
        store.expect(
            rows, gone=[doomed], because="delete_token removes the row of its id, also after opening again"
        )
        rows = [row for row in rows if row != doomed]
    return rows


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
        key, id = key_of(row), f"brought{place}"
        looker.find_quietly(key)
        looker.call("find_token_by_id", id)
        looker.find_quietly(Row(id=id))
        if changer.try_save(row.but(id=id)).answer.raised is not None:
            changer.save(row)  # it does not keep such ids [SAVE-3]
        _look_alike(changer, looker, key, "a token that was looked for before")
        changer.save(key.but(expires_in="1900000000777"))
        _look_alike(changer, looker, key, "an update of a token that was found before")
        _by_id(changer, id)
        changer.call("delete_token", _look_alike(changer, looker, key, "the same again"))
        if changer.found(key) is not None:
            workspace.fail("a deleted token is found no more", "it is", precondition_failed=True)
        if looker.found(key) is not None:
            workspace.fail("no token, for the other store deleted it", "find_token finds it")
        changer.save(row)
        _look_alike(changer, looker, key, "a token that was deleted and saved again")


def _look_alike(changer: StoreHandle, looker: StoreHandle, key: Row, what: str) -> str:
    """Both find the same by key and by id; the id."""
    there = changer.found(key)
    if there is None:
        changer.workspace.fail("what a store saved, it finds", "it does not", precondition_failed=True)
    if looker.found(key) != there:
        looker.workspace.fail(
            f"the other store finds {what}: {format_row(there)}", str(looker.find_quietly(key))
        )
    if looker.found(Row(id=there.id)) != changer.found(Row(id=there.id)):
        looker.workspace.fail(
            f"the other store finds {what} by its id alone: {format_row(there)}",
            str(looker.find_quietly(Row(id=there.id))),
        )
    if _by_id(changer, there.id) != _by_id(looker, there.id):
        looker.workspace.fail(
            f"the other store finds {what} by its id: {format_row(there)}",
            str(looker.call("find_token_by_id", there.id)),
        )
    return str(there.id)


@check("PERSIST-2", persistent=True)
def a_refused_save_holds_no_other_store_up(workspace: Workspace) -> None:
    one = workspace.open()
    other = workspace.open(one.location)
    one.holding(ANN)
    for place, refused in enumerate((Row(user_name="stranger@example.com:77"), Row(id="unknown"))):
        # A lock or a transaction that the refusal left behind would keep the other out.
        one.try_save(refused)
        row = person(f"next{place}")
        other.save(row)
        for store in (other, one):
            if all(there.user_name != row.user_name for there in store.rows()):
                workspace.fail(f"both stores show {format_row(row)}", format_rows(store.rows()))


@check("PERSIST-2", persistent=True)
def two_stores_see_each_others_updates(workspace: Workspace) -> None:
    one = workspace.open()
    rows = one.holding(*ONE_OF_EACH_KEY, GUS)
    other = workspace.open(one.location)
    other.expect(rows, because="each store has the rows of both")
    for turn, (saver, reader) in enumerate(((one, other), (other, one), (other, one), (one, other))):
        for place, row in enumerate((ANN, ACCESS, GRANT, REFRESH)):
            renewed = f"19000000{turn}0{place}00"
            saver.save(key_of(row).but(expires_in=renewed))
            now = saver.rows()
            if len(now) != len(rows):
                workspace.fail("an update in place", format_rows(now), precondition_failed=True)
            rows = now
            reader.expect(rows, because="an update is seen at once by the store that did not make it")
            found = _by_id(reader, rows[place].id)
            if found is not None and found not in rows:
                workspace.fail(f"the updated row, {format_row(rows[place])}", format_row(found))


@check("PERSIST-2", persistent=True)
def two_stores_see_each_others_deletions(workspace: Workspace) -> None:
    one = workspace.open()
    rows = one.holding(*ONE_OF_EACH_KEY, GUS, DAN)
    other = workspace.open(one.location)
    other.expect(rows, because="each store has the rows of both")
    for place, row in enumerate((rows[-1], rows[0], rows[2], rows[1])):
        deleter, reader = (one, other) if place % 2 else (other, one)
        deleter.call("delete_token", row.id)
        if row in deleter.rows():
            workspace.fail(f"{format_row(row)} is gone", "it is still there", precondition_failed=True)
        rows.remove(row)
        reader.expect(rows, because="a deletion is seen at once by the store that did not make it")
        if _by_id(reader, row.id) is not None:
            workspace.fail(
                f"no token with the deleted id {format_value(row.id)}", "find_token_by_id finds it"
            )
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
        if clearer.rows():
            workspace.fail("no rows", format_rows(clearer.rows()), precondition_failed=True)
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
        alone = workspace.open() if workspace.sut.own_storage else None
        if alone is not None:
            for row in pool(ANN, REFRESH, ACCESS, GRANT):
                alone.save(row)
                alone.save(row)
        if alone is None or len(alone.rows()) == 4:
            workspace.fail("four rows for four tokens that each store saved", format_rows(again))


def _finds_both_ways(reader: StoreHandle, saver: StoreHandle, sent: Row, row: Row) -> None:
    """What one store finds, the other finds too."""
    there = _by_id(saver, row.id)
    if there is not None and _by_id(reader, row.id) != there:
        reader.workspace.fail(
            f"{format_row(there)}, which the other store saved and finds by its id",
            str(reader.call("find_token_by_id", row.id)),
        )
    mine = saver.find_quietly(key_of(sent))
    theirs = reader.find_quietly(key_of(sent))
    if mine.returned is not None and theirs.returned is None:
        reader.workspace.fail(f"{format_row(row)}, which the other store saved and finds", str(theirs))


def _by_id(store: StoreHandle, id: object) -> Row | None:
    """What ``find_token_by_id`` finds; that it raises is the matter of BYID."""
    answer = store.call("find_token_by_id", id)
    return None if answer.raised is not None else store.row_or_none("find_token_by_id", answer)


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
        scratch = _with_brought_ids(workspace, steps, others)
        works = scratch.try_save(person("ordinary")).answer.raised is None
        workspace.fresh_examples()
        # Whether tokens can be saved beside such ids at all is the matter of SAVE-3.
        if works:
            _go_on_with_ids_of_their_own(workspace, _with_brought_ids(workspace, steps, others))
            workspace.fresh_examples()


def _with_brought_ids(workspace: Workspace, steps: tuple[int, ...], others: tuple[str, ...]) -> StoreHandle:
    """A store with rows whose ids are so far from its last one, and with other ids."""
    store = workspace.open()
    rows = store.holding(ANN, BOB)
    numbers = [int(row.id) for row in rows if isinstance(row.id, str) and row.id.isdecimal()]
    last = max(numbers, default=0)
    for number, id in enumerate((*(str(last + step) for step in steps), *others)):
        if len(id) <= 10:
            store.try_save(person(f"guest{number}", id=id))
    return store


@check("PERSIST-3", persistent=True)
def ids_stay_unlike_all_others_when_rows_have_gone(workspace: Workspace) -> None:
    for place in (0, 2, -1):
        store = workspace.open()
        rows = store.holding(*NAMED)
        store.call("delete_token", rows[place].id)
        _go_on_with_ids_of_their_own(workspace, store)
        workspace.fresh_examples()


def _go_on_with_ids_of_their_own(workspace: Workspace, store: StoreHandle) -> None:
    rows = store.rows()
    for turn in range(3):
        store = workspace.reopen(store)
        for number in range(2):
            rows += _gets_an_id_of_its_own(store, rows, person(f"turn{turn}-{number}"))


def _gets_an_id_of_its_own(store: StoreHandle, rows: list[Row], sent: Row) -> list[Row]:
    saved = store.save(sent)
    new = store.expect(rows, new=1, because=f"one new row for {format_row(sent)}")
    if any(row.id == new[0].id for row in rows):
        twin = next(row for row in rows if row.id == new[0].id)
        store.workspace.fail(
            "an id unlike every other stored id",
            f"{format_value(new[0].id)} for {format_row(twin)} and for {format_row(new[0])}",
        )
    if any(row.id == saved.passed_after.id for row in rows):
        store.workspace.fail(
            "the passed token gets an id unlike every other stored id",
            f"its id is {format_value(saved.passed_after.id)}",
        )
    return new


@check("PERSIST-4", persistent=True)
def an_open_store_stays_on_its_location(workspace: Workspace) -> None:
    store = workspace.open()
    rows = store.holding(*ONE_OF_EACH_KEY)
    with _working_elsewhere(workspace, store):
        store.expect(rows, because="the store has its rows")
        store.save(GUS)
        rows += store.expect(rows, new=1, because="one new row for a new user")
        store.save(Row(user_name=ANN.user_name, access_token=NEW_ACCESS))
        rows = store.rows()
    with _working_elsewhere(workspace, store):
        store.expect(rows, because="the store has its rows")
        store.call("delete_token", rows[1].id)
        rows = store.rows()
        elsewhere = [(store.found(key_of(row)), _by_id(store, row.id)) for row in rows]
    store.expect(rows, because="back in its working directory, the store has its rows")
    for row, found in zip(rows, elsewhere, strict=True):
        if found != (store.found(key_of(row)), _by_id(store, row.id)):
            workspace.fail(
                f"{format_row(row)} is found in another working directory as in this one", "it is not"
            )
    store = workspace.reopen(store)
    store.expect(rows, because="what was saved in another working directory is on the location")
    with _working_elsewhere(workspace, store):
        store.clear()
        store.expect([], because="delete_tokens removes every row")
    store = workspace.reopen(store)
    store.expect([], because="what was deleted in another working directory is gone from the location")


@check("PERSIST-4", persistent=True)
def an_empty_store_stays_on_its_location(workspace: Workspace) -> None:
    store = workspace.open()
    with _working_elsewhere(workspace, store):
        rows = store.holding(ANN, ACCESS)
    store = workspace.reopen(store)
    store.expect(rows, because="what was saved in another working directory is on the location")


@contextlib.contextmanager
def _working_elsewhere(workspace: Workspace, store: StoreHandle) -> Iterator[None]:
    """The process, and every call of the store, in another directory."""
    home, location = Path.cwd(), store.location
    elsewhere = workspace.location()
    workspace.calls.append(
        CallRecord(store.number, "chdir", location=elsewhere, note="os.chdir(another directory)")
    )
    os.chdir(elsewhere)
    # Where the kit changes into the location for each call, it changes into this one.
    store.location = elsewhere
    try:
        yield
    except Violation as violation:
        raise Violation(
            expected=f"in another working directory: {violation.expected}",
            seen=violation.seen,
            done=violation.done,
            calls=violation.calls,
        ) from None
    finally:
        store.location = location
        os.chdir(home)
        workspace.calls.append(CallRecord(store.number, "chdir", note="os.chdir(the directory before)"))
