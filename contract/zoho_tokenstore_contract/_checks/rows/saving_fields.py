"""SAVE-13: which fields of a row an update replaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import FIELDS, Row, format_row, to_token
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
from .saving_new_rows import USED_TOKENS
from .saving_updates import bring_up_to_date


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
            # Whatever comes last counts, also where it is the lesser one.
            texts = (f"replaced.{name}.{place}", f"0.{name}.{place}")
            for value in ("1900000000777", "1600000000777") if name == "expires_in" else texts:
                _changes(store, before, place, before[place].only(*key).but(**{name: value}))


@check("SAVE-13")
def an_update_replaces_every_field_at_once(workspace: Workspace) -> None:
    # Another client, the secret of the same one rotated, a second client with the same secret.
    rotated, second = {**CLIENT, "client_secret": "rotated"}, {**CLIENT, "client_id": "1000.SECOND"}
    for client in (OTHER_CLIENT, rotated, second):
        store = workspace.open()
        rows = pool(ANN, _LONG, DAN)
        before = store.holding(*rows)
        for place, row in enumerate(rows):
            fresh = person(f"fresh{place}", **client, user_name=row.user_name)
            _changes(store, before, place, fresh.but(expires_in="1900000000778"))
        workspace.fresh_examples()


_LONG = person("long").but(
    **{name: f"{name}.".ljust(WIDTH, "x") for name in FIELDS if name not in ("id", "user_name", "expires_in")}
)
"""What a short value has to replace whole."""

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
        saved = store.try_save(sent)
        # Whether the row takes the name at all is for SAVE-14 and SAVE-15 to say.
        if saved.answer.raised is None and [row.user_name for row in store.rows()].count(None) == 0:
            store.expect(
                before,
                changed=[(before[1], before[1].updated_by(sent))],
                because=f"the row has {name} and the name from the token, and all else as it was",
            )
        workspace.fresh_examples()


def _replaced(name: str) -> str:
    return "1900000000779" if name == "expires_in" else f"replaced.{name}"


@check("SAVE-13")
def a_token_with_more_attributes_than_fields_updates_its_row(workspace: Workspace) -> None:
    for what, make in USED_TOKENS.items():
        store = workspace.open()
        before = store.holding(ANN, GRANT, BOB)
        for place, key in ((0, ("user_name",)), (1, ("client_id", "client_secret", "grant_token"))):
            sent = before[place].only(*key).but(access_token=f"replaced.{place}", expires_in="1900000000780")
            _changes(store, before, place, sent, make=make, how=f" as {what}")
        workspace.fresh_examples()


def _changes(
    store: StoreHandle,
    before: list[Row],
    place: int,
    sent: Row,
    *,
    make: Callable[[Row], Any] = to_token,
    how: str = "",
) -> None:
    wanted = before[place].updated_by(sent)
    store.save_token(make(sent))
    store.expect(
        before,
        changed=[(before[place], wanted)],
        because=f"after saving {format_row(sent)}{how}, its fields replaced and the others kept",
    )
    bring_up_to_date(store, before, place)
