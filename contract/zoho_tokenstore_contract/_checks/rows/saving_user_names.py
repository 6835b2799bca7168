"""SAVE-5, SAVE-11, SAVE-14, SAVE-15: users stay apart, and an unnamed row takes a name."""

from __future__ import annotations

from ..._harness.messages import format_rows
from ..._harness.observer import ACCESS_KEY, GRANT_KEY, NAME, REFRESH_KEY
from ..._harness.row_acts import NEW_ACCESS, carries_the_id, holds, id_of, inserts, is_refused, updates
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, absent, format_row, format_value
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    EVE,
    GRANT,
    LATE_GRANT,
    LATE_REFRESH,
    NEAR_NAMES,
    REFRESH,
    WITH_CLIENT,
    key_of,
    person,
    pool,
)

LATE = "late@example.com:77"
STRANGER = person("stranger")


@check("SAVE-5")
def a_shared_field_leads_to_no_other_users_row(workspace: Workspace) -> None:
    pairs = ((ANN, BOB), (ANN, EVE), (BOB, ANN), (EVE, ANN), (EVE, BOB))
    for store, (row, other) in workspace.each(pairs):
        store.holding(ANN, BOB, EVE)
        fields = other.but(user_name=None).present()
        keys = ({name: getattr(other, name) for name in key} for key in (ACCESS_KEY, REFRESH_KEY, GRANT_KEY))
        each = ({**CLIENT, name: value} for name, value in fields.items())
        for number, shared in enumerate((*each, *keys, fields)):
            # Each changes something: that nothing may be changed is what SAVE-12 says.
            own = Row(user_name=row.user_name, access_token=f"{NEW_ACCESS}.{number}")
            updates(store, row, own.but(**shared), "only the row of the named user is updated", fields=NAME)


@check("SAVE-5")
def a_new_user_leaves_another_users_row_alone(workspace: Workspace) -> None:
    store = workspace.holding(ANN, BOB, EVE)
    for sent in (
        BOB.but(user_name="stranger@example.com:77"),
        BOB.only("access_token").but(user_name="second@example.com:77"),
        BOB.but(user_name="third@example.com:77", grant_token=None),
    ):
        inserts(store, sent, "a new user is a new row, and no other's")


@check("SAVE-5")
def a_part_of_a_name_or_a_wildcard_is_another_user(workspace: Workspace) -> None:
    store = workspace.holding(ANN, REFRESH, BOB)
    for name in NEAR_NAMES:
        sent = person("near", user_name=name, access_token=NEW_ACCESS)
        inserts(store, sent, f"{format_value(name)} is a new user, and no other's row")


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
        STRANGER,
        STRANGER.only("user_name", "access_token"),
        STRANGER.only("user_name", *REFRESH_KEY),
        ANN.but(user_name=STRANGER.user_name),
        STRANGER.only("user_name", "expires_in"),
    )
    for store, (sent, place) in workspace.each([(sent, place) for sent in tokens for place in (0, 2)]):
        before = store.holding(ANN, ACCESS, BOB)
        store.observe(after="a save under another user's id")
        saved = store.try_save(sent.but(id=id_of(store, before[place])))
        if saved.answer.raised is not None:
            is_refused(store, saved)
            continue
        whose = f"{format_value(sent.user_name)} has a row of its own, and the row of the id stays as it was"
        [new] = store.expect(new=1, because=whose)
        holds(store, new, sent, nothing_but=True)
        if absent(new.id) or any(new.id == other.id for other in before):
            workspace.fail("the new row has an id unlike every other", format_row(new))
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
    tokens = (BOB.but(access_token=NEW_ACCESS), Row(user_name=BOB.user_name, access_token=NEW_ACCESS))
    for store, sent in workspace.each(tokens):
        ann, _, bob = store.holding(ANN, ACCESS, BOB)
        store.observe(after="a save under another user's id")
        saved = store.try_save(sent.but(id=id_of(store, ann)))
        if saved.answer.raised is not None:
            is_refused(store, saved)
            continue
        store.expect(
            changed=[(bob, bob.but(access_token=NEW_ACCESS))],
            because="the named user's own row is updated, and the row of the id stays as it was",
        )


@check("SAVE-14")
def an_unnamed_row_takes_the_name_of_its_token(workspace: Workspace) -> None:
    renewal = Row(access_token=NEW_ACCESS, expires_in="1900000000555")
    rows = pool(GRANT, LATE_GRANT, REFRESH, LATE_REFRESH, ACCESS, WITH_CLIENT)
    for store, (row, changes) in workspace.each(
        [(row, changes) for row in rows for changes in ((Row(), renewal), (renewal,))]
    ):
        store.holding(ANN, row, BOB)
        for change in changes:
            _takes_the_name(store, row, store.stored(row).updated_by(change))
        _goes_by_its_name(store, row)


@check("SAVE-15")
def an_unnamed_row_takes_the_name_of_a_token_that_shares_its_credentials(workspace: Workspace) -> None:
    for store, row in workspace.each(pool(GRANT, LATE_GRANT, REFRESH, LATE_REFRESH)):
        store.holding(ANN, row, BOB)
        _takes_the_name(store, row, key_of(row).but(access_token=NEW_ACCESS))
        _goes_by_its_name(store, row)


def _takes_the_name(
    store: StoreHandle,
    row: Row,
    sent: Row,
    because: str = "one row, now under the name that its token brought",
) -> None:
    updates(store, row, sent.but(user_name=LATE), because, fields=("user_name", "access_token"))


def _goes_by_its_name(store: StoreHandle, row: Row) -> None:
    _takes_the_name(store, row, Row(access_token="1000.renewed.late"), "the row goes by its new name")


@check("SAVE-14")
def a_name_that_has_a_row_already_never_has_two(workspace: Workspace) -> None:
    rows = pool(GRANT, REFRESH, LATE_REFRESH, ACCESS)
    for store, (row, known, other) in workspace.each(
        [(row, *users) for row in rows for users in ((ANN, BOB), (BOB, ANN))]
    ):
        _, unnamed, _ = store.holding(ANN, row, BOB)
        store.observe(after="a name came that has a row already")
        named = unnamed.but(user_name=known.user_name, access_token=NEW_ACCESS)
        saved = store.try_save(named)
        if saved.answer.raised is not None:
            is_refused(store, saved)
            continue
        after = store.rows()
        of_name = [one for one in after if one.user_name == known.user_name]
        if len(of_name) != 1:
            workspace.fail(
                f"exactly one row of {format_value(known.user_name)}",
                f"{len(of_name)}: {format_rows(of_name)}",
            )
        holds(store, of_name[0], named)
        rest = [one for one in after if one is not of_name[0] and one != unnamed]
        if rest != [store.stored(other)]:
            workspace.fail(
                f"beside it {format_row(store.stored(other))} as it was, and at most the unnamed row",
                format_rows(after),
            )
        store.look(after)
