"""SAVE-4, SAVE-6 to SAVE-10, SAVE-12, SAVE-21: which row a token updates."""

from __future__ import annotations

from typing import Any

from ..._harness.calls import TokenCall
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_token, format_value
from ..registry import check
from ..sample_tokens import (
    ANN,
    BOB,
    BY_ACCESS,
    BY_GRANT,
    BY_REFRESH,
    CLIENT,
    GRANT,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    WITHOUT_KEY,
    key_of,
    person,
    pool,
)

NEW_ACCESS = "1000.new.access"


@check("SAVE-4")
def a_known_user_updates_the_row(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(NAMED):
        access = f"{NEW_ACCESS}.{number}"
        store.save(row.only("user_name").but(access_token=access, expires_in="1900000000009"))
        _updated(store, before, row, access)


@check("SAVE-4")
def a_known_user_with_another_client_and_other_tokens_updates_the_row(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in NAMED:
        fresh = person(f"fresh-{row.user_name[:3]}", client_id="1000.FRESH", client_secret="fresh")
        store.save(fresh.but(user_name=row.user_name))
        _updated(store, before, row, fresh.access_token)


@check("SAVE-4")
def a_known_user_whose_token_carries_the_id_updates_the_row(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(NAMED):
        access = f"{NEW_ACCESS}.{number}"
        store.save(before[ONE_OF_EVERY_KIND.index(row)].but(access_token=access))
        _updated(store, before, row, access)


@check("SAVE-4")
def a_known_user_whose_token_brings_an_unknown_id_updates_the_row(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(NAMED):
        for turn, sent in enumerate((row.only("user_name"), row)):
            access = f"{NEW_ACCESS}.{number}.{turn}"
            store.save(sent.but(id=f"stale{number}", access_token=access))
            _updated(store, before, row, access)


@check("SAVE-4")
def a_known_user_whose_token_has_outlived_its_row_updates_the_new_row(workspace: Workspace) -> None:
    for row in pool(ANN, GUS):
        store = workspace.open()
        before = store.holding(*ONE_OF_EVERY_KIND)
        place = ONE_OF_EVERY_KIND.index(row)
        stale = before[place]
        store.call("delete_token", stale.id)
        store.try_save(row)
        rows = store.rows()
        anew = [one for one in rows if one.user_name == row.user_name]
        deleted_and_anew = len(rows) == len(before) and len(anew) == 1 and anew[0].id != stale.id
        if deleted_and_anew:  # else DEL-1, DEL-4 or DEL-5 speaks of that
            before[place] = anew[0]
            store.save(stale.but(access_token=NEW_ACCESS))
            _updated(store, before, row, NEW_ACCESS)
        workspace.fresh_examples()


def _updated(store: StoreHandle, before: list[Row], row: Row, access: str, by: str = "user") -> None:
    """The row has the new access token under its old id; `before` is brought up to date."""
    place = ONE_OF_EVERY_KIND.index(row)
    store.expect(
        before,
        changed=[(before[place], before[place].but(access_token=access))],
        fields=("id", "access_token"),
        because=f"the stored {by}'s row is updated in place",
    )
    bring_up_to_date(store, before, place)


def bring_up_to_date(store: StoreHandle, before: list[Row], place: int) -> None:
    before[place] = next(row for row in store.latest if row.id == before[place].id)


@check("SAVE-6")
def a_stored_access_token_is_updated(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(*BY_ACCESS, LATE_REFRESH, GUS)):
        expiry = f"190000000010{number}"
        store.save(row.only("access_token").but(expires_in=expiry))
        _renewed(store, before, row, expires_in=expiry)


@check("SAVE-6")
def the_access_token_outranks_others_that_come_without_client(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(*BY_ACCESS, LATE_REFRESH):
        store.save(row.only("access_token").but(refresh_token="1000.brought.refresh"))
        _renewed(store, before, row, refresh_token="1000.brought.refresh")


@check("SAVE-6")
def an_access_token_that_replaced_another_is_the_stored_one(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(LATE_REFRESH, GUS)):
        access = f"{NEW_ACCESS}.{number}"
        store.save(key_of(row).but(access_token=access))
        _renewed(store, before, row, access_token=access)
        store.save(Row(access_token=access, expires_in="1900000000107"))
        _renewed(store, before, row, access_token=access, expires_in="1900000000107")
        store.save(row.only("access_token"))
        before += store.expect(before, new=1, because="the replaced access token is a new row's")


@check("SAVE-7")
def a_stored_grant_token_is_updated(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(*BY_GRANT, GUS)):
        access = f"{NEW_ACCESS}.{number}"
        key = row.only("client_id", "client_secret", "grant_token")
        store.save(key.but(access_token=access))
        _renewed(store, before, row, access_token=access)


@check("SAVE-7")
def a_stored_grant_token_is_updated_with_what_was_issued_for_it(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(*BY_GRANT, GUS)):
        issued = {"access_token": f"{NEW_ACCESS}.{number}", "refresh_token": f"1000.issued.{number}"}
        store.save(row.only("client_id", "client_secret", "grant_token").but(**issued))
        _renewed(store, before, row, **issued)


@check("SAVE-8")
def a_stored_refresh_token_is_updated(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(*BY_REFRESH, GUS)):
        access = f"{NEW_ACCESS}.{number}"
        key = row.only("client_id", "client_secret", "refresh_token")
        store.save(key.but(access_token=access, expires_in="1900000000108"))
        _renewed(store, before, row, access_token=access)


def _renewed(store: StoreHandle, before: list[Row], row: Row, **values: str) -> None:
    place = ONE_OF_EVERY_KIND.index(row)
    store.expect(
        before,
        changed=[(before[place], before[place].but(**values))],
        fields=("id", *values),
        because="the row that holds the token is updated in place",
    )
    bring_up_to_date(store, before, place)


@check("SAVE-9")
def the_grant_token_outranks_the_refresh_token(workspace: Workspace) -> None:
    for rows in ((GRANT, REFRESH), (REFRESH, GRANT)):
        store = workspace.open()
        before = store.holding(ANN, *rows, BOB)
        place = 1 + rows.index(GRANT)
        both = Row(**CLIENT, grant_token=GRANT.grant_token, refresh_token=REFRESH.refresh_token)
        store.save(both.but(access_token=NEW_ACCESS))
        store.expect(
            before,
            changed=[(before[place], before[place].but(access_token=NEW_ACCESS))],
            fields=("id", "access_token"),
            because="the row of the grant token is updated, that of the refresh token is not",
        )
        workspace.fresh_examples()


@check("SAVE-10")
def a_token_under_another_client_is_a_new_row(workspace: Workspace) -> None:
    clients = (
        OTHER_CLIENT,
        {**CLIENT, "client_secret": "other-secret"},
        {**CLIENT, "client_id": "1000.OTHER"},
        {**CLIENT, "client_id": CLIENT["client_id"].lower()},
        {**CLIENT, "client_secret": CLIENT["client_secret"].upper()},
    )
    for row, name in ((GRANT, "grant_token"), (REFRESH, "refresh_token")):
        for client in clients:
            store = workspace.open()
            before = store.holding(ANN, row, BOB)
            store.save(Row(**client, access_token=NEW_ACCESS).but(**{name: getattr(row, name)}))
            store.expect(before, new=1, because=f"a new row: the {name}'s row is another client's")
            workspace.fresh_examples()


@check("SAVE-10")
def each_client_updates_its_own_row_of_a_token_that_two_have(workspace: Workspace) -> None:
    for row, name in ((GRANT, "grant_token"), (REFRESH, "refresh_token")):
        store = workspace.open()
        before = store.holding(ANN, row, BOB)
        store.save(row.but(**OTHER_CLIENT))
        before += store.expect(before, new=1, because=f"a new row: the {name}'s row is another client's")
        for place, client in ((3, OTHER_CLIENT), (1, CLIENT)):
            sent = Row(**client, access_token=f"{NEW_ACCESS}.{place}").but(**{name: getattr(row, name)})
            store.save(sent)
            store.expect(
                before,
                changed=[(before[place], before[place].updated_by(sent))],
                fields=("id", "client_id", "client_secret", "access_token"),
                because="the row of the token under this client is updated",
            )
            bring_up_to_date(store, before, place)
        workspace.fresh_examples()


@check("SAVE-12")
def saving_the_same_token_again_changes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EVERY_KIND]
    # What a store makes of a token without a key is its own affair, as long as it does it once.
    without = [store.try_save(row) for row in WITHOUT_KEY if row != WITH_CLIENT]
    passed += [saved for saved in without if saved.answer.raised is None]
    before = store.showing(passed)
    for saved in passed:
        store.save_token(saved.token)
        store.expect(before, because=f"{format_token(saved.sent)} again changes nothing")


@check("SAVE-12")
def saving_an_equal_token_again_changes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in ONE_OF_EVERY_KIND:
        if row != WITH_CLIENT:
            store.save(row)
            store.expect(before, because="an equal token again changes nothing")
    for stored in before:
        store.save(stored)
        store.expect(before, because="a token that was found, saved as it is, changes nothing")


@check("SAVE-21")
def after_an_update_the_passed_token_carries_the_id(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(*NAMED, *BY_ACCESS, *BY_GRANT, *BY_REFRESH):
        saved = store.save(key_of(row).but(expires_in="1900000000222"))
        _carries(workspace, saved, before[ONE_OF_EVERY_KIND.index(row)].id)


@check("SAVE-21")
def after_an_update_with_every_field_the_passed_token_carries_the_id(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in ONE_OF_EVERY_KIND:
        if row != WITH_CLIENT:
            _carries(workspace, store.save(row), before[ONE_OF_EVERY_KIND.index(row)].id)


@check("SAVE-21")
def after_an_update_under_another_users_id_the_passed_token_carries_that_of_its_row(
    workspace: Workspace,
) -> None:
    for sent in (BOB.but(access_token=NEW_ACCESS), Row(user_name=BOB.user_name, access_token=NEW_ACCESS)):
        store = workspace.open()
        before = store.holding(ANN, BOB)
        saved = store.try_save(sent.but(id=before[0].id))
        # A store may refuse such a token, and SAVE-11 says what else it may not do.
        updated = before[1].but(access_token=NEW_ACCESS) in store.rows()
        if saved.answer.raised is None and updated:
            _carries(workspace, saved, before[1].id)
        workspace.fresh_examples()


@check("SAVE-21")
def after_a_second_update_by_each_way_the_passed_token_carries_the_id(workspace: Workspace) -> None:
    for row in pool(LATE_GRANT, GUS):
        store = workspace.open()
        id = store.holding(ANN, BOB, row)[-1].id
        for number, sent in enumerate(
            (
                key_of(row).but(refresh_token="1000.issued.refresh", access_token="1000.issued.1"),
                key_of(row).but(access_token="1000.issued.2"),
                Row(access_token="1000.issued.2", expires_in="1900000000223"),
            )
        ):
            saved = store.save(sent)
            if len(store.rows()) > 3:
                break  # the update is no update: SAVE-4 to SAVE-8 say so
            _carries(workspace, saved, id, f", after update {number + 1}")
        workspace.fresh_examples()


@check("SAVE-21")
def a_token_whose_user_was_learned_carries_the_id_of_its_row(workspace: Workspace) -> None:
    for row in pool(GRANT, REFRESH, LATE_REFRESH):
        for named in (key_of(row), row):
            store = workspace.open()
            store.holding(ANN, BOB, row)
            saved = store.save(named.but(user_name="learned@example.com:77"))
            own = [one for one in store.rows() if one.user_name == "learned@example.com:77"]
            # A row of the unnamed one's or of its own, as SAVE-15 would or would not have it.
            if len(own) == 1:
                _carries(workspace, saved, own[0].id)
            workspace.fresh_examples()


def _carries(workspace: Workspace, saved: TokenCall, id: Any, when: str = "") -> None:
    """The passed token has the id of its row."""
    if saved.passed_after.id != id:
        workspace.fail(
            f"the passed token carries the id of its row, {format_value(id)}{when}",
            f"its id is {format_value(saved.passed_after.id)}",
        )
