"""SAVE-13: which fields of a row an update replaces."""

from __future__ import annotations

from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import FIELDS, Row, format_row
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    DAN,
    GRANT,
    GUS,
    LATE_REFRESH,
    OTHER_CLIENT,
    WIDTH,
    person,
    pool,
)
from .acts import CLIENT_FIELDS, GRANT_KEY, PLAIN_FIELDS, REFRESH_KEY, updates
from .saving_new_rows import USED_TOKENS

LONG = person("long").but(
    **{name: f"{name}.".ljust(WIDTH, "x") for name in FIELDS if name not in ("id", "user_name", "expires_in")}
)
"""What a short value has to replace whole."""
EVERY_FIELD = person("whole").but(user_name=None)

KINDS = (
    (ANN, ("user_name",), tuple(ANN.but(user_name=None).present())),
    (LATE_REFRESH, REFRESH_KEY, ("access_token", "expires_in")),
    (GRANT, GRANT_KEY, ("access_token", "refresh_token")),
    (ACCESS, ("access_token",), ("expires_in", "api_domain", "redirect_url")),
    (DAN, ("user_name",), ("access_token", "grant_token", "expires_in", "redirect_url")),
)
"""Rows of each kind, the fields that address them, and those that an update replaces."""
WAYS = (
    (("access_token",), ("refresh_token", "grant_token", *PLAIN_FIELDS)),
    (GRANT_KEY, ("access_token", "refresh_token", *PLAIN_FIELDS)),
    (REFRESH_KEY, ("access_token", *PLAIN_FIELDS)),
)
"""The ways to a row with every field but its user: by which fields, and what an update can replace then."""
LEARNING = (
    # found, as the id says
    (("id", "access_token"), (*CLIENT_FIELDS, "refresh_token", "grant_token", *PLAIN_FIELDS)),
    (("id", *REFRESH_KEY), ("access_token",)),
    # shared, as the credentials say
    *WAYS[1:],
)
"""The same for a token that brings the name of the row's user."""


def _replaced(name: str, number: int = 0) -> str:
    return "1900000000779" if name == "expires_in" else f"replaced.{name}.{number}"


@check("SAVE-13")
def an_update_replaces_what_the_token_has_and_keeps_the_rest(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(ANN, GUS, GRANT, LATE_REFRESH, ACCESS, DAN)
    for number, (row, key, names) in enumerate(KINDS):
        for name in names:
            # Whatever comes last counts, also where it is the lesser one.
            lesser = "1600000000777" if name == "expires_in" else f"0.{name}.{number}"
            for value in (_replaced(name, number), lesser):
                _changes(store, row, store.stored(row).only(*key).but(**{name: value}))


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
def each_way_of_updating_replaces_each_field_and_keeps_the_rest(workspace: Workspace) -> None:
    for store, (row, (key, names)) in workspace.each(
        [(row, way) for row in (EVERY_FIELD, GUS) for way in WAYS]
    ):
        store.holding(ANN, row, BOB)
        for name in names:
            _changes(store, row, store.stored(row).only(*key).but(**{name: _replaced(name)}))


@check("SAVE-13")
def a_row_that_takes_a_name_takes_each_field_and_keeps_the_rest(workspace: Workspace) -> None:
    for store, (key, name) in workspace.each([(key, name) for key, names in LEARNING for name in names]):
        row = store.holding(ANN, EVERY_FIELD, BOB)[1]
        sent = row.only(*key).but(user_name="learned@example.com:77", **{name: _replaced(name)})
        saved = store.try_save(sent)
        # Whether the row takes the name at all is for SAVE-14 and SAVE-15 to say.
        if saved.answer.raised is None and [one.user_name for one in store.rows()].count(None) == 0:
            store.expect(
                changed=[(row, row.updated_by(sent))],
                because=f"the row has {name} and the name from the token, and all else as it was",
            )


@check("SAVE-13")
def a_token_with_more_attributes_than_fields_updates_its_row(workspace: Workspace) -> None:
    for store, (what, make) in workspace.each(USED_TOKENS.items()):
        store.holding(ANN, GRANT, BOB)
        for row, key in ((ANN, ("user_name",)), (GRANT, GRANT_KEY)):
            sent = row.only(*key).but(access_token=f"replaced.{key[-1]}", expires_in="1900000000780")
            because = f"after saving {format_row(sent)} as {what}, its fields replaced and the others kept"
            updates(store, row, sent, because, make=make)


def _changes(store: StoreHandle, row: Row, sent: Row) -> None:
    because = f"after saving {format_row(sent)}, its fields replaced and the others kept"
    updates(store, row, sent, because)
