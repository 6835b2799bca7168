"""SAVE-1 to 3, 5, 11, 14, 15, 20: which tokens are new rows, under which ids, and whose names rows bear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..._harness.calls import TokenCall
from ..._harness.messages import format_rows
from ..._harness.observer import ACCESS_KEY, REFRESH_KEY, Observer
from ..._harness.row_acts import (
    NEW_ACCESS,
    carries_the_id,
    demand,
    failed_cleanly,
    holds,
    id_of,
    inserts,
    next_ids,
    remove_row,
    updates,
)
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import Pool, active, going_around
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, to_token
from ..registry import Case, check, check_each
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    EVE,
    GRANT,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    NEAR_NAMES,
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
        demand(workspace, saved.answer.returned is None, "save_token returns None", saved.answer)
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
        because: Why each is a new row, for the message.
    """

    beside: Sequence[Row]
    tokens: Sequence[Row]
    kept: Sequence[str] = ()
    because: str = ""


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
    Newcomers("SAVE-5", "a new user leaves another users row alone", pool(ANN, BOB, EVE), [
        BOB.but(user_name="stranger@example.com:77"),
        BOB.only("access_token").but(user_name="second@example.com:77"),
        BOB.but(user_name="third@example.com:77", grant_token=None),
    ], because="a new user is a new row, and no other's"),
    Newcomers("SAVE-5", "a part of a name or a wildcard is another user", (ANN, REFRESH, BOB),
              Pool(person("near", user_name=name, access_token=NEW_ACCESS) for name in NEAR_NAMES),
              because="it is a new user, and no other's row"),
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
        because = f"{case.because}: {format_row(sent)}" if case.because else ""
        holds(store, inserts(store, sent, because), sent.only(*case.kept))


def _merged(row: Row) -> Any:
    """As ``OAuthToken.merge_objects`` leaves a token: its methods are attributes of it as well."""
    token = to_token(row)
    load().OAuthToken.merge_objects(token, to_token(row))
    return token


def _extended(row: Row) -> Any:
    """A token of an application's own class, with attributes that are no fields and no texts."""
    token, own = to_token(row), type("ExtendedToken", (load().OAuthToken,), {"__module__": __name__})
    globals()[own.__name__] = token.__class__ = own  # where a store that pickles tokens finds it
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
            saved = store.try_save_token(make(row)).answer
            demand(workspace, saved.raised is None, f"save_token stores {what}", saved)
            [new] = store.expect(new=1, because=f"one new row for {what}, {format_row(row)}")
            holds(store, new, row, nothing_but=True)


@check("SAVE-2")
def an_inserted_token_gets_an_id_of_its_own_also_when_rows_have_gone(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EVERY_KIND]
    _have_ids_of_their_own(store, passed)
    for gone, name in [(passed[:2][-1], "second"), (passed[0], "first"), (passed[-1], "last")][: len(passed)]:
        store.call("delete_token", gone.passed_after.id)
        passed.remove(gone)
        deleted = {row.id for row in store.rows()} == {one.passed_after.id for one in passed}
        passed += [store.save(newcomer(name))] if deleted else []
        if not deleted or len(store.rows()) != len(passed):
            return  # a call does more or less: DEL-1 says so, or SAVE-1
        _have_ids_of_their_own(store, passed)


def _have_ids_of_their_own(store: StoreHandle, passed: list[TokenCall]) -> None:
    # Before they are read: the SDK takes no number for the id of a token.
    for id in [saved.passed_after.id for saved in passed]:
        gets_one = "the passed token gets a non-empty str as its id"
        demand(store.workspace, absent(id) or isinstance(id, str), gets_one, format_value(id))
    seen: dict[str, Row] = {}
    for saved, row in zip(passed, store.showing(passed), strict=True):
        has_one = isinstance(row.id, str) and row.id
        demand(store.workspace, has_one, "the new row has a non-empty str as its id", format_row(row))
        other = seen.setdefault(row.id, row)
        both = f"{format_value(row.id)} for {format_row(other)} and for {format_row(row)}"
        demand(store.workspace, other is row, "an id unlike every other stored id", both)
        carries_the_id(store, saved, row)


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
        for id in next_ids(store):
            _bring(store, newcomer(f"guest{number}-{id}", id=id), keeps=False)
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
    for row in store.kept[2:] if active().gives_ids else ():
        store.call("delete_token", row.id)
        store.expect(gone=[row], because=f"delete_token of {len(row.id)} characters removes the row")


def _bring(store: StoreHandle, row: Row, *, keeps: bool = True) -> None:
    """Save a token with an id, unless the store has given that."""
    if any(one.id == row.id for one in store.kept):
        return
    saved, shown = store.try_save(row), f"the id {format_value(row.id)}"
    if saved.answer.raised is not None:
        demand(store.workspace, saved.answer.refused, f"a row with {shown}, or SDKException", saved.answer)
        store.expect(because=f"a refused save of {shown} changes nothing")
        return
    [new] = store.expect(new=1, because=f"one new row with {shown}")
    new = new if active().gives_ids else store.found_by_id(row.id) or new  # a list shows none [SAVE-2]
    for what, one in (("the new row has", new), ("the passed token keeps", saved.passed_after)):
        kept = not keeps or one.id == row.id
        demand(store.workspace, kept, f"{what} {shown}", f"its id is {format_value(one.id)}")


def _comes_without_id(store: StoreHandle, row: Row) -> None:
    before, new = store.kept, inserts(store, row, "one new row under an unused id")
    others = ", ".join(format_value(other.id) for other in before[-6:])
    _has_an_id_of_its_own(store, new, before, f"an id unlike {others} and the others")


def _has_an_id_of_its_own(store: StoreHandle, new: Row, before: Sequence[Row], expected: str) -> None:
    ids = [other.id for other in before]
    if active().gives_ids and len({*ids}) == len(ids):  # else SAVE-2 tells it
        own = not absent(new.id) and new.id not in ids
        demand(store.workspace, own, expected, f"the new row has the id {format_value(new.id)}")


# names

LATE = "late@example.com:77"
STRANGER = person("stranger")
UNDER_ANOTHERS_ID = "a save under another user's id"


@check("SAVE-5")
def a_new_user_who_shares_a_field_updates_no_only_row(workspace: Workspace) -> None:
    for store, name in workspace.each(ANN.but(user_name=None).present()):
        [ann] = store.holding(ANN)
        store.try_save(STRANGER.but(**{name: getattr(ANN, name)}))
        # That the row stays beside a new one is what SAVE-1 says.
        rows = store.rows()
        if ann not in rows and any(row.id == ann.id for row in rows):
            workspace.fail(f"another user leaves the row as it was: {format_row(ann)}", format_rows(rows))


@check("SAVE-11")
def a_new_user_under_another_users_id_stays_apart(workspace: Workspace) -> None:
    tokens = (
        *(STRANGER, STRANGER.only("user_name", "access_token"), STRANGER.only("user_name", *REFRESH_KEY)),
        *(ANN.but(user_name=STRANGER.user_name), STRANGER.only("user_name", "expires_in")),
    )
    for store, (sent, place) in workspace.each([(sent, place) for sent in tokens for place in (0, 2)]):
        before = store.holding(ANN, ACCESS, newcomer("bob"))
        kept = [name for name in FIELDS if getattr(before[0], name) == getattr(ANN, name)]  # else VALUE tells
        store.observe(after=UNDER_ANOTHERS_ID)
        saved = store.try_save(sent.but(id=id_of(store, before[place])))
        if failed_cleanly(store, saved):
            continue
        [new] = store.expect(new=1, because="the user has a row of its own, that of the id stays as it was")
        holds(store, new.only(*kept), sent.only(*kept), nothing_but=True)
        _has_an_id_of_its_own(store, new, before, "the new row has an id unlike every other")
        carries_the_id(store, saved, new, ", so that removing it removes no other user's")


@check("SAVE-11")
def a_new_user_under_the_id_of_the_only_row_gets_nothing_of_it(workspace: Workspace) -> None:
    store = workspace.open()
    [ann] = store.holding(ANN)
    store.try_save(STRANGER.only("user_name", "access_token").but(id=ann.id))
    for row in store.rows():
        # That both rows are there is what SAVE-1 says.
        if row.user_name == STRANGER.user_name and row.refresh_token == ANN.refresh_token:
            workspace.fail("no row with fields of both users", format_row(row))


@check("SAVE-11")
def a_known_user_under_another_users_id_stays_apart(workspace: Workspace) -> None:
    whose = "the named user's own row is updated, and the row of the id stays as it was"
    rich = newcomer("bob")
    poor = rich.only("user_name", "access_token")  # it lacks what ANN has
    for store, (row, sent) in workspace.each([(rich, rich), (rich, poor), (poor, poor)]):
        ann, _, bob = store.holding(ANN, ACCESS, row)
        store.observe(after=UNDER_ANOTHERS_ID)
        if not failed_cleanly(store, store.try_save(sent.but(id=id_of(store, ann), access_token=NEW_ACCESS))):
            store.expect(changed=[(bob, bob.but(access_token=NEW_ACCESS))], because=whose)


@check("SAVE-14")
def an_unnamed_row_takes_the_name_of_its_token(workspace: Workspace) -> None:
    renewal = Row(access_token=NEW_ACCESS, expires_in="1900000000555")
    rows = pool(GRANT, LATE_GRANT, REFRESH, LATE_REFRESH, ACCESS, WITH_CLIENT)
    cases = [(row, changes) for row in rows for changes in ((Row(), renewal), (renewal,))]
    for store, (row, changes) in workspace.each(cases):
        store.holding(ANN, row, newcomer("bob"))
        _takes_the_name(store, row, (store.stored(row).updated_by(change) for change in changes))


@check("SAVE-15")
def an_unnamed_row_takes_the_name_of_a_token_that_shares_its_credentials(workspace: Workspace) -> None:
    for store, row in workspace.each(pool(GRANT, LATE_GRANT, REFRESH, LATE_REFRESH)):
        store.holding(ANN, row, newcomer("bob"))
        _takes_the_name(store, row, [key_of(row).but(access_token=NEW_ACCESS)])


def _takes_the_name(store: StoreHandle, row: Row, tokens: Iterable[Row]) -> None:
    """Each of these tokens brings the row its name, and then it goes by that."""
    fields, takes = ("user_name", "access_token"), "one row, now under the name that its token brought"
    store.find_quietly(Row(user_name=LATE))  # a store may keep in mind that there is none
    store.observe(store.stored(row), after=f"a save that made {takes}")
    for sent in tokens:
        updates(store, row, sent.but(user_name=LATE), takes, fields=fields)
    updates(store, row, Row(user_name=LATE, access_token="1000.late"), "it goes by its name", fields=fields)


@check("SAVE-14")
def a_name_that_has_a_row_already_never_has_two(workspace: Workspace) -> None:
    rows, bob = pool(GRANT, REFRESH, LATE_REFRESH, ACCESS), newcomer("bob")
    cases = [(row, *users) for row in rows for users in ((ANN, bob), (bob, ANN))]
    for store, (row, known, other) in workspace.each(cases):
        _, unnamed, _ = store.holding(ANN, row, bob)
        store.observe(after="a name came that has a row already")
        named = unnamed.but(user_name=known.user_name, access_token=NEW_ACCESS)
        if failed_cleanly(store, store.try_save(named)):
            continue
        after, other_row = store.rows(), store.stored(other)
        of_name = [one for one in after if one.user_name == known.user_name]
        expected = f"exactly one row of {format_value(known.user_name)}"
        demand(workspace, len(of_name) == 1, expected, f"{len(of_name)}: {format_rows(of_name)}")
        holds(store, of_name[0], named)
        rest = [one for one in after if one is not of_name[0] and one != unnamed]
        expected = f"beside it {format_row(other_row)} as it was, and at most the unnamed row"
        demand(workspace, rest == [other_row], expected, format_rows(after))
        store.look(after)
        store.save(sent := Row(user_name=known.user_name, access_token="1000.late"))
        store.expect(changed=[(of_name[0], of_name[0].updated_by(sent))], fields=("id", *ACCESS_KEY))
