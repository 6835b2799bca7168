"""SAVE-5, SAVE-11, SAVE-14, SAVE-15: users stay apart, and an unnamed row takes a name."""

from __future__ import annotations

from ..._harness.calls import TokenCall
from ..._harness.messages import format_rows
from ..._harness.observer import Observer
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
from .saving_new_rows import has_nothing_but, row_holds
from .saving_updates import NEW_ACCESS, bring_up_to_date


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
            bring_up_to_date(store, before, place)


@check("SAVE-5")
def a_part_of_a_name_or_a_wildcard_is_another_user(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, REFRESH, BOB)
    for name in NEAR_NAMES:
        store.save(person("near", user_name=name, access_token=NEW_ACCESS))
        before += store.expect(
            before, new=1, because=f"{format_value(name)} is a new user, and no other's row"
        )


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
            observer = Observer(store, before)
            saved = store.try_save(sent.but(id=before[place].id))
            if saved.answer.raised is None:
                new = store.expect(
                    before,
                    new=1,
                    because=f"{format_value(sent.user_name)} has a row of its own, and the row of the id "
                    "stays as it was",
                )
                row_holds(workspace, new[0], sent)
                has_nothing_but(workspace, new[0], sent)
                _has_an_id_of_its_own(workspace, new[0], before, saved)
            else:
                refused_cleanly(workspace, store, before, saved)
            observer.look(store.latest, "after a save under another user's id", [sent, *store.latest])
            workspace.fresh_examples()


@check("SAVE-11")
def a_known_user_under_another_users_id_stays_apart(workspace: Workspace) -> None:
    for sent in (BOB.but(access_token=NEW_ACCESS), Row(user_name=BOB.user_name, access_token=NEW_ACCESS)):
        store = workspace.open()
        before = store.holding(ANN, ACCESS, BOB)
        observer = Observer(store, before)
        saved = store.try_save(sent.but(id=before[0].id))
        if saved.answer.raised is None:
            store.expect(
                before,
                changed=[(before[2], before[2].but(access_token=NEW_ACCESS))],
                because="the named user's own row is updated, and the row of the id stays as it was",
            )
        else:
            refused_cleanly(workspace, store, before, saved)
        observer.look(store.latest, "after a save under another user's id", store.latest)
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
    bring_up_to_date(store, before, 1)


@check("SAVE-14")
def a_name_that_has_a_row_already_never_has_two(workspace: Workspace) -> None:
    for row in pool(GRANT, REFRESH, LATE_REFRESH, ACCESS):
        for known, other in ((0, 2), (2, 0)):
            store = workspace.open()
            before = store.holding(ANN, row, BOB)
            observer = Observer(store, before)
            name = before[known].user_name
            named = before[1].but(user_name=name, access_token=NEW_ACCESS)
            saved = store.try_save(named)
            if saved.answer.raised is not None:
                refused_cleanly(workspace, store, before, saved)
            else:
                after = store.latest = store.rows()
                of_name = [one for one in after if one.user_name == name]
                if len(of_name) != 1:
                    workspace.fail(
                        f"exactly one row of {format_value(name)}", f"{len(of_name)}: {format_rows(of_name)}"
                    )
                row_holds(workspace, of_name[0], named.but(id=None))
                rest = [one for one in after if one is not of_name[0] and one != before[1]]
                if rest != [before[other]]:
                    workspace.fail(
                        f"beside it {format_row(before[other])} as it was, and at most the unnamed row",
                        format_rows(after),
                    )
            observer.look(store.latest, "after a name came that has a row already", store.latest)
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


def refused_cleanly(workspace: Workspace, store: StoreHandle, before: list[Row], saved: TokenCall) -> None:
    if not saved.answer.refused:
        workspace.fail("save_token raises SDKException", str(saved.answer))
    store.expect(before, because="a save that fails leaves the rows exactly as they were")
