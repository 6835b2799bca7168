"""SAVE-4 to SAVE-10, SAVE-12, SAVE-13, SAVE-21: which row a token updates, and which fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._harness.observer import ACCESS_KEY, GRANT_KEY, NAME, REFRESH_KEY
from ..._harness.row_acts import (
    NEW_ACCESS,
    PLAIN_FIELDS,
    carries_the_id,
    inserts,
    tells_the_id,
    updates,
    was_updated,
)
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_token
from ..registry import Case, check, check_each
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    DAN,
    EVE,
    GRANT,
    GUS,
    LATE_ACCESS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WIDTH,
    WITH_CLIENT,
    WITH_KEY,
    WITHOUT_KEY,
    key_of,
    newcomer,
    person,
    pool,
)
from .saving_new_rows_and_names import USED_TOKENS


@dataclass(frozen=True)
class Update(Case):
    """Tokens that update rows of a crowd, one after another.

    Attributes:
        rows: The rows that are updated.
        keys: By which fields the token addresses its row; each row is updated by each key in turn.
        sends: The other fields of the token; ``{}`` is another text for each token.
        compares: Which fields of the row are compared, beside the id; by default those that are sent.
    """

    rows: Sequence[Row]
    keys: Sequence[Sequence[str]]
    sends: dict[str, str]
    compares: Sequence[str] = ()


LATER = "1900000000009"
ANEW = {"access_token": f"{NEW_ACCESS}.{{}}"}
FRESH = person("fresh-{}", client_id="1000.FRESH", client_secret="fresh").but(user_name=None)
UPDATES = (
    Update("SAVE-4", "a known user updates the row",
           NAMED, [NAME], {**ANEW, "expires_in": LATER}, ACCESS_KEY),
    Update("SAVE-4", "a known user with another client and other tokens updates the row",
           NAMED, [NAME], FRESH.present(), ACCESS_KEY),
    Update("SAVE-4", "a known user whose token carries the id updates the row", NAMED, [FIELDS], ANEW),
    Update("SAVE-4", "a known user whose token brings an unknown id updates the row",
           NAMED, [NAME, FIELDS], {**ANEW, "id": "stale{}"}, ACCESS_KEY),
    Update("SAVE-6", "a stored access token is updated",
           pool(ACCESS, LATE_ACCESS, LATE_REFRESH, GUS), [ACCESS_KEY], {"expires_in": "190000000010{}"}),
    # One text for all: what comes without client credentials is no key.
    Update("SAVE-6", "the access token outranks others that come without client",
           pool(ACCESS, LATE_ACCESS, LATE_REFRESH), [ACCESS_KEY], {"refresh_token": "1000.brought.refresh"}),
    Update("SAVE-7", "a stored grant token is updated", pool(GRANT, LATE_GRANT, GUS), [GRANT_KEY], ANEW),
    Update("SAVE-7", "a stored grant token is updated with what was issued for it",
           pool(GRANT, LATE_GRANT, GUS), [GRANT_KEY], {**ANEW, "refresh_token": "1000.issued.{}"}),
    Update("SAVE-8", "a stored refresh token is updated",
           pool(REFRESH, LATE_REFRESH, GUS), [REFRESH_KEY], {**ANEW, "expires_in": LATER}, ACCESS_KEY),
)  # fmt: skip


@check_each(UPDATES)
def _updates_its_rows(workspace: Workspace, case: Update) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    whose = "stored user's row" if case.clause == "SAVE-4" else "row that holds the token"
    because = f"the {whose} is updated in place"
    number = 0
    for row in case.rows:
        for key in case.keys:
            sends = {name: text.format(number) for name, text in case.sends.items()}
            sent = store.stored(row).only(*key).but(**sends)
            updates(store, row, sent, because, fields=[*(case.compares or case.sends)])
            number += 1


@check("SAVE-4")
def a_known_user_whose_token_has_outlived_its_row_updates_the_new_row(workspace: Workspace) -> None:
    for store, row in workspace.each(pool(ANN, GUS)):
        before = store.holding(*ONE_OF_EVERY_KIND)
        stale = store.stored(row)
        store.call("delete_token", stale.id)
        store.try_save(row)
        rows = store.rows()
        anew = [one for one in rows if one.user_name == row.user_name]
        deleted_and_anew = len(rows) == len(before) and len(anew) == 1 and anew[0].id != stale.id
        if deleted_and_anew:  # else DEL-1, DEL-4 or DEL-5 speaks of that
            store.save(stale.but(access_token=NEW_ACCESS))
            changed = [(anew[0], anew[0].but(access_token=NEW_ACCESS))]
            because = "the stored user's row is updated in place"
            store.expect(rows, changed=changed, fields=("id", "access_token"), because=because)


@check("SAVE-5")
def a_shared_field_leads_to_no_other_users_row(workspace: Workspace) -> None:
    eve = EVE.but(expires_in=None)  # some stores refuse what has expired: FLOW-1
    for store, (row, other) in workspace.each(((ANN, BOB), (ANN, eve), (BOB, ANN), (eve, ANN), (eve, BOB))):
        store.holding(ANN, BOB, eve)
        fields = other.but(user_name=None).present()
        keys = ({name: getattr(other, name) for name in key} for key in (ACCESS_KEY, REFRESH_KEY, GRANT_KEY))
        each = ({**CLIENT, name: value} for name, value in fields.items())
        for number, shared in enumerate((*each, *keys, fields)):
            # Each changes something: that nothing may be changed is what SAVE-12 says.
            own = Row(user_name=row.user_name, access_token=f"{NEW_ACCESS}.{number}")
            store.save(own.but(**shared))
            inserted, stored = len(store.rows()) > len(store.kept), store.stored(row)
            changed = [] if inserted else [(stored, stored.updated_by(own))]
            because = "only the row of the named user is updated"
            store.expect(new=int(inserted), changed=changed, fields=("id", *NAME), because=because)
            if inserted:
                break  # SAVE-4 tells it


@check("SAVE-6")
def an_access_token_that_replaced_another_is_the_stored_one(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    because = "the row that holds the token is updated in place"
    for number, row in enumerate(pool(LATE_REFRESH, REFRESH, GUS)):
        anew = Row(access_token=f"{NEW_ACCESS}.{number}", expires_in="1900000000107")
        store.save(sent := key_of(row).but(access_token=anew.access_token))
        if not was_updated(store, row, sent):
            continue  # SAVE-4 or SAVE-8 tells it
        updates(store, row, anew, because, fields=("access_token", "expires_in"))
        if row.access_token is not None:
            inserts(store, row.only("access_token"), "the replaced access token is a new row's")


@check("SAVE-9")
def the_grant_token_outranks_the_refresh_token(workspace: Workspace) -> None:
    both = Row(**CLIENT, grant_token=GRANT.grant_token, refresh_token=REFRESH.refresh_token)
    because = "the row of the grant token is updated, that of the refresh token is not"
    for store, rows in workspace.each(((GRANT, REFRESH), (REFRESH, GRANT))):
        store.holding(ANN, *rows, newcomer("bob"))
        updates(store, GRANT, both.but(access_token=NEW_ACCESS), because, fields=ACCESS_KEY)


CLIENTS = (
    OTHER_CLIENT,
    {**CLIENT, "client_secret": "other-secret"},
    {**CLIENT, "client_id": "1000.OTHER"},
    {**CLIENT, "client_id": CLIENT["client_id"].lower()},
    {**CLIENT, "client_secret": CLIENT["client_secret"].upper()},
)
"""Clients unlike `CLIENT`."""
TOKEN_OF = ((GRANT, "grant_token"), (REFRESH, "refresh_token"))


@check("SAVE-10")
def a_token_under_another_client_is_a_new_row(workspace: Workspace) -> None:
    cases = [(row, name, client) for row, name in TOKEN_OF for client in CLIENTS]
    for store, (row, name, client) in workspace.each(cases):
        store.holding(ANN, row, newcomer("bob"))
        sent = row.only(name).but(**client, access_token=NEW_ACCESS)
        inserts(store, sent, f"a new row: the {name}'s row is another client's")


@check("SAVE-10")
def each_client_updates_its_own_row_of_a_token_that_two_have(workspace: Workspace) -> None:
    for store, (row, name) in workspace.each(TOKEN_OF):
        store.holding(ANN, row, newcomer("bob"))
        other = inserts(store, row.but(**OTHER_CLIENT), f"a new row: the {name}'s row is another client's")
        for own, client in ((other, OTHER_CLIENT), (row, CLIENT)):
            sent = row.only(name).but(**client, access_token=f"{NEW_ACCESS}.{client['client_id']}")
            because = "the row of the token under this client is updated"
            updates(store, own, sent, because, fields=[*client, "access_token"])


@check("SAVE-12")
def saving_the_same_token_again_changes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    passed = [store.save(row) for row in ONE_OF_EVERY_KIND]
    # What a store makes of a token without a key is its own affair, as long as it does it once.
    without = [store.try_save(row) for row in WITHOUT_KEY if row != WITH_CLIENT]
    passed += [saved for saved in without if saved.answer.raised is None]
    ids = [row.id for row in store.showing(passed)]
    for saved, id in zip(passed, ids, strict=True):
        if saved.sent in WITHOUT_KEY if absent(saved.passed_after.id) else ids.count(id) > 1:
            continue  # it addresses no row: SAVE-2 tells it
        store.save_token(saved.token)
        store.expect(because=f"{format_token(saved.sent)} again changes nothing")


@check("SAVE-12")
def saving_an_equal_token_again_changes_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    keys, ids = [*map(key_of, WITH_KEY)], [row.id for row in before]
    found = [row for row in before if (key_of(row) in keys if absent(row.id) else ids.count(row.id) == 1)]
    for row in (*WITH_KEY, *found):  # as it was sent, and as it is found
        store.save(row)
        store.expect(because=f"an equal token again changes nothing: {format_row(row)}")


@check("SAVE-21")
def after_an_update_the_passed_token_carries_the_id(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    for row in WITH_KEY:
        for sent in (row, key_of(row).but(expires_in="1900000000222")):
            tells_the_id(store, store.save(sent), row)


@check("SAVE-21")
def an_update_under_another_users_id_leaves_that_of_its_row(workspace: Workspace) -> None:
    other = newcomer("bob")
    tokens = (other.but(access_token=NEW_ACCESS), Row(user_name=other.user_name, access_token=NEW_ACCESS))
    for store, sent in workspace.each(tokens):
        ann, bob = store.holding(ANN, other)
        saved = store.try_save(sent.but(id=ann.id))
        # A store may refuse such a token, and SAVE-11 says what else it may not do.
        if saved.answer.raised is None and bob.but(access_token=NEW_ACCESS) in store.rows():
            carries_the_id(store, saved, bob)


@check("SAVE-21")
def after_a_second_update_by_each_way_the_passed_token_carries_the_id(workspace: Workspace) -> None:
    for store, row in workspace.each(pool(LATE_GRANT, GUS)):
        store.holding(ANN, newcomer("bob"), row)
        ways = (
            key_of(row).but(refresh_token="1000.issued.refresh", access_token="1000.issued.1"),
            key_of(row).but(access_token="1000.issued.2"),
            Row(access_token="1000.issued.2", expires_in="1900000000223"),
        )
        for number, sent in enumerate(ways):
            if not tells_the_id(store, store.save(sent), row, f", after update {number + 1}"):
                break


@check("SAVE-21")
def a_token_whose_user_was_learned_carries_the_id_of_its_row(workspace: Workspace) -> None:
    learned = "learned@example.com:77"
    cases = [(row, named) for row in pool(GRANT, REFRESH, LATE_REFRESH) for named in (key_of(row), row)]
    for store, (row, named) in workspace.each(cases):
        store.holding(ANN, newcomer("bob"), row)
        saved = store.save(named.but(user_name=learned))
        own = [one for one in store.rows() if one.user_name == learned]
        # A row of the unnamed one's or of its own, as SAVE-15 would or would not have it.
        if len(own) == 1:
            carries_the_id(store, saved, own[0])


LONG = person("long").but(
    **{name: f"{name}.".ljust(WIDTH, "x") for name in FIELDS if name not in ("id", "user_name", "expires_in")}
)
"""What a short value has to replace whole."""
EVERY_FIELD = person("whole").but(user_name=None)

WAYS = (
    (NAME, tuple(EVERY_FIELD.present())),
    (ACCESS_KEY, ("refresh_token", "grant_token", *PLAIN_FIELDS)),
    (GRANT_KEY, ("access_token", "refresh_token", *PLAIN_FIELDS)),
    (REFRESH_KEY, ("access_token", *PLAIN_FIELDS)),
)
"""The ways to a row: by which fields, and what an update can replace then."""
LEARNING = (
    # found, as the id says
    (("id", "access_token"), ("client_id", "client_secret", "refresh_token", "grant_token", *PLAIN_FIELDS)),
    (("id", *REFRESH_KEY), ("access_token",)),
    # shared, as the credentials say
    *WAYS[2:],
)
"""The same for a token that brings the name of the row's user."""


def _replaced(name: str, number: int = 0) -> str:
    return f"19000000{number:05}" if name == "expires_in" else f"replaced.{name}.{number}"


@check("SAVE-13")
def each_way_of_updating_replaces_each_field_and_keeps_the_rest(workspace: Workspace) -> None:
    rows = pool(ANN, GRANT, LATE_REFRESH, ACCESS, DAN, EVERY_FIELD)
    store = workspace.holding(*rows)
    cases = [
        (row, key, name)
        for row in rows
        for key, names in WAYS
        for name in names
        if len(row.only(*key).present()) == len(key)
    ]
    for number, (row, key, name) in enumerate(cases):
        # Whatever comes last counts, also where it is the lesser one.
        lesser = f"16000000{number:05}" if name == "expires_in" else f"0.{name}.{number}"
        value = lesser if number % 2 else _replaced(name, number)
        sent = store.stored(row).only(*key).but(**{name: value})
        if not active().sweeps(sent):
            _changes(store, row, sent)


@check("SAVE-13")
def an_update_replaces_every_field_at_once(workspace: Workspace) -> None:
    # Another client, the secret of the same one rotated, a second client with the same secret.
    rotated, second = {**CLIENT, "client_secret": "rotated"}, {**CLIENT, "client_id": "1000.SECOND"}
    for store, client in workspace.each((OTHER_CLIENT, rotated, second)):
        rows = pool(ANN, LONG, DAN)
        store.holding(*rows)
        for number, row in enumerate(rows):
            fresh = person(f"fresh{number}", **client, user_name=row.user_name)
            _changes(store, row, fresh.but(expires_in="1900000000778"))


@check("SAVE-13")
def a_row_that_takes_a_name_takes_each_field_and_keeps_the_rest(workspace: Workspace) -> None:
    for store, (key, name) in workspace.each([(key, name) for key, names in LEARNING for name in names]):
        row = store.holding(ANN, EVERY_FIELD, newcomer("bob"))[1]
        sent = row.only(*key).but(user_name="learned@example.com:77", **{name: _replaced(name)})
        saved = store.try_save(sent)
        because = f"the row has {name} and the name from the token, and all else as it was"
        # Whether the row takes the name at all is for SAVE-14 and SAVE-15 to say.
        if saved.answer.raised is None and not any(absent(one.user_name) for one in store.rows()):
            store.expect(changed=[(row, row.updated_by(sent))], because=because)


@check("SAVE-13")
def a_token_with_more_attributes_than_fields_updates_its_row(workspace: Workspace) -> None:
    for store, (what, make) in workspace.each(USED_TOKENS.items()):
        store.holding(ANN, GRANT, newcomer("bob"))
        for row, key in ((ANN, NAME), (GRANT, GRANT_KEY)):
            sent = row.only(*key).but(access_token=f"replaced.{key[-1]}", expires_in="1900000000780")
            because = f"after saving {format_row(sent)} as {what}, its fields replaced and the others kept"
            updates(store, row, sent, because, make=make)


def _changes(store: StoreHandle, row: Row, sent: Row) -> None:
    because = f"after saving {format_row(sent)}, its fields replaced and the others kept"
    updates(store, row, sent, because)
