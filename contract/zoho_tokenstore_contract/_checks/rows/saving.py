"""SAVE: what ``save_token`` stores, and which row it updates."""

from __future__ import annotations

from typing import Any

from ..._harness.calls import TokenCall
from ..._harness.messages import format_rows
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, absent, format_row, format_value, to_token
from ..aliasing import lookups, overwrite, unchanged
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    BY_ACCESS,
    BY_GRANT,
    BY_REFRESH,
    CLIENT,
    DAN,
    EVE,
    GRANT,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    NEAR_NAMES,
    ONE_OF_EACH_KEY,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    key_of,
    person,
    pool,
)

NEW_ACCESS = "1000.new.access"

IDS = (
    "7",
    "42",
    "abc",
    "ABC",
    "A-1",
    "007",
    " 7",
    "7.0",
    "0",
    "-1",
    "1_0",
    "1e3",
    "²",
    "٣",
    "é",
    "x'y",
    "9999999999",
    "1e400",
    "inf",
    "NaN",
    "a/b",
    "a_b",
    ".a",
    "..",
    "DEFAULT",
    "id",
    "None",
    "user name",
    "%",
)
"""Ids of at most ten characters that a store may meet, among them numbers that are none."""

NO_TOKENS: tuple[object, ...] = (None, "1000.ann.access", 42, {"user_name": "ann"}, object(), [])


@check("SAVE-1")
def a_new_token_is_one_new_row(workspace: Workspace) -> None:
    store = workspace.open()
    before: list[Row] = []
    for row in ONE_OF_EVERY_KIND:
        saved = store.save(row)
        new = store.expect(before, new=1, because=f"one new row for {format_row(row)}")
        _holds(workspace, new[0], key_of(row) if row != WITH_CLIENT else row.only("access_token"))
        _has_nothing_but(workspace, new[0], row)
        if saved.answer.returned is not None:
            workspace.fail("save_token returns None", str(saved.answer))
        before += new


@check("SAVE-1")
def empty_texts_do_not_make_two_tokens_one(workspace: Workspace) -> None:
    blank = dict.fromkeys(("user_name", "access_token", "grant_token", "redirect_url"), "")
    store = workspace.open()
    before = store.holding(ANN)
    for row in (
        Row(**{**blank, **CLIENT, "refresh_token": "1000.one.refresh"}),
        Row(**{**blank, **CLIENT, "refresh_token": "1000.two.refresh"}),
        Row(user_name="", refresh_token="", grant_token="", access_token="1000.three.access"),
        Row(user_name="", refresh_token="", grant_token="", access_token="1000.four.access"),
        Row(user_name="", **CLIENT, refresh_token="", grant_token="1000.five.grant"),
    ):
        if store.try_save(row).answer.raised is not None:
            continue  # a store that cannot take an empty text makes no two tokens one [VALUE-10]
        before += store.expect(before, new=1, because=f"one new row for {format_row(row)}")


@check("SAVE-1")
def a_token_of_a_named_user_who_shares_fields_is_a_new_row(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, BOB)
    for number, shared in enumerate(
        ("refresh_token", "access_token", "grant_token", "redirect_url", "expires_in", "api_domain")
    ):
        row = person(f"new{number}", **{shared: getattr(ANN, shared)})
        store.save(row)
        before += store.expect(before, new=1, because=f"one new row for {format_row(row)}")


@check("SAVE-1")
def a_text_that_another_field_holds_does_not_match(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, ACCESS, GRANT, REFRESH, BOB)
    for row in (
        Row(access_token=REFRESH.refresh_token),
        Row(access_token=GRANT.grant_token),
        Row(**CLIENT, grant_token=REFRESH.refresh_token),
        Row(**CLIENT, refresh_token=GRANT.grant_token),
        Row(**CLIENT, refresh_token=ACCESS.access_token),
        Row(access_token=ANN.user_name),
        Row(user_name=ACCESS.access_token, **CLIENT, refresh_token="1000.odd.refresh"),
        person("numbered", user_name=before[1].id),
    ):
        store.save(row)
        before += store.expect(before, new=1, because=f"one new row for {format_row(row)}")


@check("SAVE-2")
def an_inserted_token_gets_an_id_of_its_own(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EVERY_KIND]
    _have_ids_of_their_own(workspace, store, passed)


@check("SAVE-2")
def ids_stay_unique_when_rows_have_gone(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EACH_KEY]
    for gone, newcomer in ((passed[1], GUS), (passed[-1], EVE)):
        store.call("delete_token", gone.passed_after.id)
        if any(row.id == gone.passed_after.id for row in store.rows()):
            return  # delete_token does not work: DEL-1 says so
        passed.remove(gone)
        passed.append(store.save(newcomer))
        _have_ids_of_their_own(workspace, store, passed)


def _have_ids_of_their_own(workspace: Workspace, store: StoreHandle, passed: list[TokenCall]) -> None:
    for saved in passed:
        # Before they are read: the SDK takes no number for the id of a token.
        if not absent(saved.passed_after.id) and not isinstance(saved.passed_after.id, str):
            workspace.fail(
                "the passed token gets a non-empty str as its id", format_value(saved.passed_after.id)
            )
    rows = store.showing(passed)
    seen: dict[str, Row] = {}
    for saved, row in zip(passed, rows, strict=True):
        if not isinstance(row.id, str) or not row.id:
            workspace.fail("the new row has a non-empty str as its id", format_row(row))
        if row.id in seen:
            workspace.fail(
                "an id unlike every other stored id",
                f"{format_value(row.id)} for {format_row(seen[row.id])} and for {format_row(row)}",
            )
        if saved.passed_after.id != row.id:
            workspace.fail(
                f"the passed token carries the id of its row, {format_value(row.id)}",
                f"its id is {format_value(saved.passed_after.id)}",
            )
        seen[row.id] = row


@check("SAVE-3")
def a_token_keeps_the_unused_id_that_it_brings(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EACH_KEY)
    for number, id in enumerate(IDS):
        if any(row.id == id for row in before):
            continue
        _bring(workspace, store, before, person(f"guest{number}", id=id))


@check("SAVE-3")
def the_store_finds_unused_ids_whatever_ids_are_stored(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, ACCESS)
    for number, id in enumerate(IDS):
        if all(row.id != id for row in before):
            _bring(workspace, store, before, person(f"guest{number}", id=id), keeps=False)
        _comes_without_id(workspace, store, before, person(f"next{number}"))


@check("SAVE-3")
def the_store_steps_over_ids_that_were_brought(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, ACCESS)
    for number in range(3):
        known = [int(row.id) for row in before if isinstance(row.id, str) and row.id.isdecimal()]
        for step in (1, 2, 4):
            id = str(max(known, default=0) + step)
            if len(id) <= 10:
                _bring(workspace, store, before, person(f"guest{number}-{step}", id=id), keeps=False)
        for turn in range(3):
            _comes_without_id(workspace, store, before, person(f"next{number}-{turn}"))


@check("SAVE-3")
def a_token_without_a_user_brings_its_id_too(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EACH_KEY)
    for row in (
        Row(id="k1", access_token="1000.brought.access"),
        Row(id="k2", **CLIENT, grant_token="1000.brought.grant"),
        Row(id="k3", **CLIENT, refresh_token="1000.brought.refresh"),
    ):
        _bring(workspace, store, before, row)


def _bring(
    workspace: Workspace, store: StoreHandle, before: list[Row], row: Row, *, keeps: bool = True
) -> None:
    """Save a token with an unused id; `before` grows by the new row."""
    saved = store.try_save(row)
    if saved.answer.raised is not None:
        if not saved.answer.refused:
            workspace.fail(
                f"a new row with the id {format_value(row.id)}, or SDKException", str(saved.answer)
            )
        store.expect(before, because=f"a refused save of the id {format_value(row.id)} changes nothing")
        return
    new = store.expect(before, new=1, because=f"one new row with the id {format_value(row.id)}")
    if keeps and new[0].id != row.id:
        workspace.fail(
            f"the new row has the id {format_value(row.id)}", f"its id is {format_value(new[0].id)}"
        )
    if keeps and saved.passed_after.id != row.id:
        workspace.fail(
            f"the passed token keeps the id {format_value(row.id)}",
            f"its id is {format_value(saved.passed_after.id)}",
        )
    before += new


def _comes_without_id(workspace: Workspace, store: StoreHandle, before: list[Row], row: Row) -> None:
    store.save(row)
    new = store.expect(before, new=1, because="one new row under an unused id")
    if absent(new[0].id) or any(new[0].id == other.id for other in before):
        workspace.fail(
            f"an id unlike {', '.join(format_value(other.id) for other in before[-6:])} and the others",
            f"the new row has the id {format_value(new[0].id)}",
        )
    before += new


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
    for row in (ANN, GUS):
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
    _bring_up_to_date(store, before, place)


def _bring_up_to_date(store: StoreHandle, before: list[Row], place: int) -> None:
    before[place] = next(row for row in store.latest if row.id == before[place].id)


@check("SAVE-5")
def a_token_that_names_a_user_leaves_another_users_row_alone(workspace: Workspace) -> None:
    for shared in (
        ("access_token",),
        ("refresh_token", "client_id", "client_secret"),
        ("grant_token", "client_id", "client_secret"),
        tuple(BOB.but(user_name=None).present()),
    ):
        store = workspace.open()
        before = store.holding(ANN, BOB, EVE)
        sent = Row(user_name=ANN.user_name, access_token="1000.ann.access.2")
        sent = sent.but(**{name: getattr(BOB, name) for name in shared})
        store.save(sent)
        store.expect(
            before,
            changed=[(before[0], before[0].updated_by(sent))],
            fields=("id", "user_name"),
            because="only the row of the named user is updated",
        )
        workspace.fresh_examples()


@check("SAVE-5")
def a_new_user_leaves_another_users_row_alone(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, BOB, EVE)
    stranger = BOB.but(user_name="stranger@example.com:77")
    for sent in (
        stranger,
        stranger.only("user_name", "access_token").but(user_name="second@example.com:77"),
        stranger.but(user_name="third@example.com:77", grant_token=None),
    ):
        store.save(sent)
        before += store.expect(before, new=1, because="a new user is a new row, and no other's")


@check("SAVE-5")
def a_shared_field_leads_to_no_other_users_row(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, BOB, EVE)
    for place, other in ((0, BOB), (0, EVE), (1, ANN), (2, ANN), (2, BOB)):
        for name, value in other.but(user_name=None).present().items():
            sent = Row(user_name=before[place].user_name, **CLIENT, access_token=NEW_ACCESS)
            sent = sent.but(**{name: value})
            store.save(sent)
            store.expect(
                before,
                changed=[(before[place], before[place].updated_by(sent))],
                fields=("id", "user_name"),
                because="only the row of the named user is updated",
            )
            _bring_up_to_date(store, before, place)


@check("SAVE-5")
def a_part_of_a_name_or_a_wildcard_is_another_user(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, REFRESH, BOB)
    for name in NEAR_NAMES:
        store.save(person("near", user_name=name, access_token=NEW_ACCESS))
        before += store.expect(
            before, new=1, because=f"{format_value(name)} is a new user, and no other's row"
        )


@check("SAVE-6")
def a_stored_access_token_is_updated(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate((*BY_ACCESS, LATE_REFRESH, GUS)):
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
    for number, row in enumerate((LATE_REFRESH, GUS)):
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
    for number, row in enumerate((*BY_GRANT, GUS)):
        access = f"{NEW_ACCESS}.{number}"
        key = row.only("client_id", "client_secret", "grant_token")
        store.save(key.but(access_token=access))
        _renewed(store, before, row, access_token=access)


@check("SAVE-7")
def a_stored_grant_token_is_updated_with_what_was_issued_for_it(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate((*BY_GRANT, GUS)):
        issued = {"access_token": f"{NEW_ACCESS}.{number}", "refresh_token": f"1000.issued.{number}"}
        store.save(row.only("client_id", "client_secret", "grant_token").but(**issued))
        _renewed(store, before, row, **issued)


@check("SAVE-8")
def a_stored_refresh_token_is_updated(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate((*BY_REFRESH, GUS)):
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
    _bring_up_to_date(store, before, place)


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
            _bring_up_to_date(store, before, place)
        workspace.fresh_examples()


@check("SAVE-11")
def a_new_user_under_another_users_id_stays_apart(workspace: Workspace) -> None:
    stranger = person("stranger")
    for sent in (
        stranger,
        stranger.only("user_name", "access_token"),
        stranger.only("user_name", "client_id", "client_secret", "refresh_token"),
        ANN.but(user_name=stranger.user_name),
        stranger.only("user_name", "expires_in"),
    ):
        for place in (0, 2):
            store = workspace.open()
            before = store.holding(ANN, ACCESS, BOB)
            saved = store.try_save(sent.but(id=before[place].id))
            if saved.answer.raised is None:
                new = store.expect(
                    before,
                    new=1,
                    because=f"{format_value(sent.user_name)} has a row of its own, and the row of the id "
                    "stays as it was",
                )
                _holds(workspace, new[0], sent)
                _has_nothing_but(workspace, new[0], sent)
                _has_an_id_of_its_own(workspace, new[0], before, saved)
            else:
                _refused_cleanly(workspace, store, before, saved)
            workspace.fresh_examples()


@check("SAVE-11")
def a_known_user_under_another_users_id_stays_apart(workspace: Workspace) -> None:
    for sent in (BOB.but(access_token=NEW_ACCESS), Row(user_name=BOB.user_name, access_token=NEW_ACCESS)):
        store = workspace.open()
        before = store.holding(ANN, ACCESS, BOB)
        saved = store.try_save(sent.but(id=before[0].id))
        if saved.answer.raised is None:
            store.expect(
                before,
                changed=[(before[2], before[2].but(access_token=NEW_ACCESS))],
                because="the named user's own row is updated, and the row of the id stays as it was",
            )
            if saved.passed_after.id != before[2].id:
                workspace.fail(
                    f"the passed token carries the id of the named user's row, {format_value(before[2].id)}",
                    f"its id is {format_value(saved.passed_after.id)}",
                )
        else:
            _refused_cleanly(workspace, store, before, saved)
        workspace.fresh_examples()


def _has_an_id_of_its_own(workspace: Workspace, row: Row, before: list[Row], saved: TokenCall) -> None:
    """A row that was inserted beside the one whose id its token carried."""
    if absent(row.id) or any(row.id == other.id for other in before):
        workspace.fail("the new row has an id unlike every other", format_row(row))
    if saved.passed_after.id != row.id:
        workspace.fail(
            f"the passed token carries the id of its own row, {format_value(row.id)}, so that removing it "
            "removes no other user's",
            f"its id is {format_value(saved.passed_after.id)}",
        )


@check("SAVE-12")
def saving_the_same_token_again_changes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    kept = [row for row in ONE_OF_EVERY_KIND if row != WITH_CLIENT]
    passed = [store.save(row) for row in kept]
    before = store.showing(passed)
    for saved in passed:
        store.save_token(saved.token)
        store.expect(before, because="the same token again changes nothing")


@check("SAVE-12")
def saving_an_equal_token_again_changes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in ONE_OF_EVERY_KIND:
        if row != WITH_CLIENT:
            store.save(row)
            store.expect(before, because="an equal token again changes nothing")
    for row, stored in zip(ONE_OF_EVERY_KIND, before, strict=True):
        if row != WITH_CLIENT:
            store.save(stored)
            store.expect(before, because="a token that was found, saved as it is, changes nothing")


@check("SAVE-13")
def an_update_replaces_what_the_token_has_and_keeps_the_rest(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, GUS, GRANT, LATE_REFRESH, ACCESS, DAN)
    for place, key, names in (
        (0, ("user_name",), tuple(ANN.but(user_name=None).present())),
        (3, ("client_id", "client_secret", "refresh_token"), ("access_token", "expires_in")),
        (2, ("client_id", "client_secret", "grant_token"), ("access_token", "refresh_token")),
        (4, ("access_token",), ("expires_in", "api_domain", "redirect_url")),
        (5, ("user_name",), ("access_token", "grant_token", "expires_in", "redirect_url")),
    ):
        for name in names:
            value = "1900000000777" if name == "expires_in" else f"replaced.{name}.{place}"
            _changes(store, before, place, before[place].only(*key).but(**{name: value}))


@check("SAVE-13")
def an_update_replaces_every_field_at_once(workspace: Workspace) -> None:
    # Another client, the secret of the same one rotated, a second client with the same secret.
    rotated, second = {**CLIENT, "client_secret": "rotated"}, {**CLIENT, "client_id": "1000.SECOND"}
    for client in (OTHER_CLIENT, rotated, second):
        store = workspace.open()
        before = store.holding(ANN, GUS, DAN)
        for place, row in enumerate(pool(ANN, GUS, DAN)):
            fresh = person(f"fresh{place}", **client, user_name=row.user_name)
            _changes(store, before, place, fresh.but(expires_in="1900000000778"))
        workspace.fresh_examples()


_EVERY_FIELD = person("whole").but(user_name=None)
_CLIENT_FIELDS = ("client_id", "client_secret")
_PLAIN = ("expires_in", "redirect_url", "api_domain")


@check("SAVE-13")
def each_way_of_updating_replaces_each_field_and_keeps_the_rest(workspace: Workspace) -> None:
    ways = (
        (("access_token",), ("refresh_token", "grant_token", *_PLAIN)),
        ((*_CLIENT_FIELDS, "grant_token"), ("access_token", "refresh_token", *_PLAIN)),
        ((*_CLIENT_FIELDS, "refresh_token"), ("access_token", *_PLAIN)),
    )
    for row in (_EVERY_FIELD, GUS):
        for key, names in ways:
            store = workspace.open()
            before = store.holding(ANN, row, BOB)
            for name in names:
                _changes(store, before, 1, before[1].only(*key).but(**{name: _replaced(name)}))
            workspace.fresh_examples()


@check("SAVE-13")
def a_row_that_takes_a_name_takes_each_field_and_keeps_the_rest(workspace: Workspace) -> None:
    learned = "learned@example.com:77"
    found = (  # as its id says
        *(
            (("id", "access_token"), name)
            for name in (*_CLIENT_FIELDS, "refresh_token", "grant_token", *_PLAIN)
        ),
        (("id", *_CLIENT_FIELDS, "refresh_token"), "access_token"),
    )
    shared = (  # as its credentials say
        *(((*_CLIENT_FIELDS, "grant_token"), name) for name in ("access_token", "refresh_token", *_PLAIN)),
        *(((*_CLIENT_FIELDS, "refresh_token"), name) for name in ("access_token", *_PLAIN)),
    )
    for key, name in (*found, *shared):
        store = workspace.open()
        before = store.holding(ANN, _EVERY_FIELD, BOB)
        sent = before[1].only(*key).but(user_name=learned, **{name: _replaced(name)})
        store.save(sent)
        # Whether the row takes the name at all is for SAVE-14 and SAVE-15 to say.
        if [row.user_name for row in store.rows()].count(None) == 0:
            store.expect(
                before,
                changed=[(before[1], before[1].updated_by(sent))],
                because=f"the row has {name} and the name from the token, and all else as it was",
            )
        workspace.fresh_examples()


def _replaced(name: str) -> str:
    return "1900000000779" if name == "expires_in" else f"replaced.{name}"


def _changes(store: StoreHandle, before: list[Row], place: int, sent: Row) -> None:
    wanted = before[place].updated_by(sent)
    store.save(sent)
    store.expect(
        before,
        changed=[(before[place], wanted)],
        because=f"after saving {format_row(sent)}, its fields replaced and the others kept",
    )
    _bring_up_to_date(store, before, place)


@check("SAVE-14")
def an_unnamed_row_takes_the_name_of_its_token(workspace: Workspace) -> None:
    renewal = Row(access_token=NEW_ACCESS, expires_in="1900000000555")
    for row in pool(GRANT, LATE_GRANT, REFRESH, LATE_REFRESH, ACCESS, WITH_CLIENT):
        for changes in ((Row(), renewal), (renewal,)):
            store = workspace.open()
            before = store.holding(ANN, row, BOB)
            for change in changes:
                named = before[1].updated_by(change).but(user_name="late@example.com:77")
                _takes_the_name(store, before, named)
            renewed = Row(user_name="late@example.com:77", access_token="1000.renewed.late")
            _takes_the_name(store, before, renewed, because="the row goes by its new name")
            workspace.fresh_examples()


def _takes_the_name(
    store: StoreHandle,
    before: list[Row],
    sent: Row,
    because: str = "one row, now under the name that its token brought",
) -> None:
    """The unnamed row in the middle takes what was sent, the name included."""
    store.save(sent)
    store.expect(
        before,
        changed=[(before[1], before[1].updated_by(sent))],
        fields=("id", "user_name", "access_token"),
        because=because,
    )
    _bring_up_to_date(store, before, 1)


@check("SAVE-14")
def a_name_that_has_a_row_already_never_has_two(workspace: Workspace) -> None:
    for row in pool(GRANT, REFRESH, LATE_REFRESH, ACCESS):
        for known, other in ((0, 2), (2, 0)):
            store = workspace.open()
            before = store.holding(ANN, row, BOB)
            name = before[known].user_name
            named = before[1].but(user_name=name, access_token=NEW_ACCESS)
            saved = store.try_save(named)
            if saved.answer.raised is not None:
                _refused_cleanly(workspace, store, before, saved)
            else:
                after = store.rows()
                of_name = [one for one in after if one.user_name == name]
                if len(of_name) != 1:
                    workspace.fail(
                        f"exactly one row of {format_value(name)}", f"{len(of_name)}: {format_rows(of_name)}"
                    )
                _holds(workspace, of_name[0], named.but(id=None))
                rest = [one for one in after if one is not of_name[0] and one != before[1]]
                if rest != [before[other]]:
                    workspace.fail(
                        f"beside it {format_row(before[other])} as it was, and at most the unnamed row",
                        format_rows(after),
                    )
            workspace.fresh_examples()


@check("SAVE-15")
def an_unnamed_row_takes_the_name_of_a_token_that_shares_its_credentials(workspace: Workspace) -> None:
    for row in pool(GRANT, LATE_GRANT, REFRESH, LATE_REFRESH):
        store = workspace.open()
        before = store.holding(ANN, row, BOB)
        named = key_of(row).but(user_name="late@example.com:77", access_token=NEW_ACCESS)
        _takes_the_name(store, before, named)
        renewed = Row(user_name="late@example.com:77", access_token="1000.renewed.late")
        _takes_the_name(store, before, renewed, because="the row goes by its new name")
        workspace.fresh_examples()


@check("SAVE-16")
def a_token_without_credential_and_row_fails_cleanly(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EACH_KEY)
    stranger = person("stranger").but(grant_token=None, refresh_token=None, access_token=None)
    for sent in (
        stranger,
        stranger.only("user_name"),
        stranger.but(user_name=None, id="unknown"),
        Row(id="unknown"),
        stranger.but(id="unknown"),
    ):
        saved = store.try_save(sent)
        _refused_cleanly(workspace, store, before, saved)


@check("SAVE-16")
def a_token_without_credential_fails_cleanly_in_an_empty_store(workspace: Workspace) -> None:
    for sent in (Row(user_name=ANN.user_name), Row(user_name=ANN.user_name, **CLIENT), Row(id="unknown")):
        store = workspace.open()
        _refused_cleanly(workspace, store, [], store.try_save(sent))
        new = store.holding(ANN)
        store.expect(new, because="the store works on after it refused a token")
        workspace.fresh_examples()


def _refused_cleanly(workspace: Workspace, store: StoreHandle, before: list[Row], saved: TokenCall) -> None:
    if not saved.answer.refused:
        workspace.fail("save_token raises SDKException", str(saved.answer))
    store.expect(before, because="a save that fails leaves the rows exactly as they were")


@check("SAVE-17")
def the_passed_token_keeps_its_fields(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, GUS, LATE_REFRESH, GRANT, ACCESS)
    for sent in (
        BOB,
        DAN,
        WITH_CLIENT,
        person("fresh", user_name=ANN.user_name, **OTHER_CLIENT),
        Row(user_name=GUS.user_name, access_token=NEW_ACCESS),
        key_of(LATE_REFRESH).but(access_token=NEW_ACCESS, expires_in="1900000000444"),
        key_of(GRANT).but(refresh_token="1000.issued.refresh"),
        key_of(ACCESS).but(redirect_url="https://example.com/changed"),
        before[0].but(access_token=NEW_ACCESS, redirect_url="https://example.com/changed"),
    ):
        _keeps_its_fields(workspace, store.save(sent))


@check("SAVE-17")
def the_passed_token_of_a_refused_save_keeps_its_fields(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(ANN, GRANT)
    nothing = Row(**OTHER_CLIENT, redirect_url="https://example.com/nothing", expires_in="1900000000445")
    for sent in (
        nothing.but(user_name="stranger@example.com:77"),
        nothing.but(id="unknown"),
        person("late", id="x" * 300),
        person("wide", access_token="1000." + "w" * 5000),
    ):
        # Whether it is refused is for other clauses to say: either way the caller's token stays whole.
        _keeps_its_fields(workspace, store.try_save(sent))


def _keeps_its_fields(workspace: Workspace, saved: TokenCall) -> None:
    for name, value in saved.sent.but(id=None).present().items():
        if getattr(saved.passed_after, name) != value:
            refused = ", also where it is refused" if saved.answer.raised is not None else ""
            workspace.fail(
                f"the passed token keeps its {name}, {format_value(value)}{refused}",
                f"it is now {format_value(getattr(saved.passed_after, name))}",
            )


@check("SAVE-18")
def changing_the_passed_token_later_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.open()
    rows = (ANN, ACCESS, GRANT, REFRESH)
    passed = [store.save(row) for row in rows]
    passed.append(store.save(Row(user_name=ANN.user_name, access_token=NEW_ACCESS)))
    passed.append(store.save(key_of(REFRESH).but(access_token="1000.renewed.again")))
    passed.append(store.save(ACCESS.only("access_token").but(expires_in="1900000000112")))
    before = store.rows()
    if len(before) != len(rows):
        workspace.fail(f"{len(rows)} rows", format_rows(before), precondition_failed=True)
    looked = lookups(store, before)
    for saved in passed:
        overwrite(store, saved.token)
        unchanged(store, before, looked, "the passed token")


@check("SAVE-19")
def what_is_no_token_changes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EACH_KEY)
    token = to_token(person("stranger"))
    for thing in (*NO_TOKENS, load().OAuthToken, [token], _Lookalike(token), _another_kind_of(token)):
        answer = store.call("save_token", thing)
        if answer.raised is not None and not answer.refused:
            workspace.fail("what is no OAuthToken is ignored or refused with SDKException", str(answer))
        store.expect(before, because="what is no OAuthToken changes nothing")


class _Lookalike:
    """Answers like a token, and is none."""

    def __init__(self, token: Any) -> None:
        self._token = token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)


def _another_kind_of(token: Any) -> Any:
    """One of the SDK's tokens that is no `OAuthToken`, and answers like one."""
    base = load().OAuthToken.__base__
    methods = dict.fromkeys(base.__abstractmethods__)
    return type(base)("AnotherKindOfToken", (_Lookalike, base), methods)(token)


@check("SAVE-20")
def an_access_token_with_client_credentials_is_a_new_row(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EACH_KEY, GUS)
    for row in (
        WITH_CLIENT,
        Row(**CLIENT, access_token="1000.second.access"),
        Row(**OTHER_CLIENT, access_token="1000.third.access", expires_in="1900000000333"),
    ):
        store.save(row)
        new = store.expect(before, new=1, because=f"one new row for {format_row(row)}")
        _holds(workspace, new[0], row.only("access_token", "client_id", "client_secret"))
        before += new


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


def _holds(workspace: Workspace, row: Row, wanted: Row) -> None:
    """A row has all these fields."""
    for name, value in wanted.present().items():
        if name != "id" and getattr(row, name) != value:
            workspace.fail(f"the row of the saved token with {name}={format_value(value)}", format_row(row))


def _has_nothing_but(workspace: Workspace, row: Row, wanted: Row) -> None:
    """A row has no field that was not saved, the id aside."""
    for name in row.but(id=None).present():
        if absent(getattr(wanted, name)):
            workspace.fail(f"a row without {name}", format_row(row))
