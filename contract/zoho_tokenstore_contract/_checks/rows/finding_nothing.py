"""FIND-6 to FIND-8: what ``find_token`` does not find."""

from __future__ import annotations

from collections.abc import Sequence

from ..._harness.messages import format_rows
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
    NEAR_NAMES,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    key_of,
    near_ids,
    pool,
)
from ..tricky_strings import NUMERALS
from .finding import OWN, UNKNOWN

STRANGER = "stranger@example.com:77"


BLANK = dict.fromkeys(FIELDS, "")


_UNKNOWN_OF_EACH_KIND = (
    Row(user_name=STRANGER),
    Row(access_token=UNKNOWN["access_token"]),
    Row(**CLIENT, grant_token=UNKNOWN["grant_token"]),
    Row(**CLIENT, refresh_token=UNKNOWN["refresh_token"]),
    Row(**CLIENT, access_token=UNKNOWN["access_token"]),
    Row(id="unknown"),
)


@check("FIND-6")
def what_matches_nothing_is_none(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for sent in unmatched(before):
        _finds_nothing(store, sent)
    for text in NUMERALS:
        if all(row.id != text for row in before):
            _finds_nothing(store, Row(id=text))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-6")
def an_empty_store_finds_nothing(workspace: Workspace) -> None:
    store = workspace.open()
    for row in (*ONE_OF_EVERY_KIND, Row(id="1"), Row(id="unknown")):
        _finds_nothing(store, row)
    if rows := store.rows():
        workspace.fail("a store that holds nothing after finding, too", format_rows(rows))


@check("FIND-6")
def a_replaced_token_is_found_no_more(workspace: Workspace) -> None:
    store = workspace.open()
    store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(LATE_REFRESH, GUS):
        store.save(key_of(row).but(access_token=f"1000.renewed.{ONE_OF_EVERY_KIND.index(row)}"))
        if any(row.access_token == other.access_token for other in store.rows()):
            return  # the update is no update: SAVE-4 and SAVE-8 say so
        _finds_nothing(store, row.only("access_token"))


@check("FIND-6")
def replaced_credentials_are_found_no_more(workspace: Workspace) -> None:
    for name in ("refresh_token", "grant_token"):
        store = workspace.open()
        store.holding(*(row for row in ONE_OF_EVERY_KIND if row != GUS), GUS)
        old = GUS.only("client_id", "client_secret", name)
        if store.found(old) is None:
            workspace.fail(f"a stored {name} is found", "it is not", precondition_failed=True)
        store.save(Row(user_name=GUS.user_name, **{name: f"1000.gus.renewed.{name}"}))
        if any(getattr(row, name) == getattr(GUS, name) for row in store.rows()):
            return  # the update is no update: SAVE-4 says so
        _finds_nothing(store, old)
        workspace.fresh_examples()


@check("FIND-6")
def an_only_row_is_not_found_by_what_matches_nothing(workspace: Workspace) -> None:
    for row in pool(ANN, DAN, ACCESS, GRANT, REFRESH, WITH_CLIENT):
        store = workspace.open()
        store.holding(row)
        for sent in _UNKNOWN_OF_EACH_KIND:
            _finds_nothing(store, sent)
        workspace.fresh_examples()


def unmatched(before: Sequence[Row]) -> tuple[Row, ...]:
    """Tokens with a key or an id that no row of the crowd has."""
    ids = {row.id for row in before}
    near = [
        other
        for row in (before[0], before[1], before[-1])
        if isinstance(row.id, str)
        for other in near_ids(row.id)
        if other not in ids
    ]
    return (
        *_UNKNOWN_OF_EACH_KIND,
        Row(user_name=STRANGER, **OWN),
        Row(user_name=STRANGER, id="unknown"),
        Row(access_token=UNKNOWN["access_token"], id="unknown"),
        Row(**CLIENT, refresh_token=UNKNOWN["refresh_token"], id="unknown"),
        Row(**CLIENT, **UNKNOWN),
        Row(**CLIENT, **UNKNOWN, redirect_url=ANN.redirect_url, api_domain=ANN.api_domain),
        # What another field of a stored row holds.
        Row(access_token=REFRESH.refresh_token),
        Row(access_token=GRANT.grant_token),
        Row(**CLIENT, grant_token=REFRESH.refresh_token),
        Row(**CLIENT, grant_token=WITH_CLIENT.access_token),
        Row(**CLIENT, refresh_token=GRANT.grant_token),
        Row(user_name=ACCESS.access_token),
        Row(user_name=before[1].id),
        Row(id=ANN.user_name),
        Row(access_token=ANN.user_name),
        # What wildcards, parts and quotes would match.
        Row(access_token="%"),
        Row(access_token="1000.%"),
        Row(access_token="1000.lone"),
        Row(access_token="1000.lone.access.2"),
        Row(access_token="1000.lone.access' or '1'='1"),
        Row(**CLIENT, grant_token="1000.code"),
        Row(**CLIENT, grant_token="1000.code.%"),
        Row(**CLIENT, refresh_token="1000.nightly.refresh.2"),
        Row(**CLIENT, refresh_token="%.refresh"),
        Row(user_name="o'neil@example.com:77"),
        *(Row(id=id) for id in near),
    )


@check("FIND-7")
def a_token_without_key_and_id_finds_nothing(workspace: Workspace) -> None:
    for rows in (ONE_OF_EVERY_KIND, pool(ANN), pool(ACCESS), pool(WITH_CLIENT), pool(REFRESH, GRANT)):
        store = workspace.open()
        before = store.holding(*rows)
        for sent in (
            Row(**CLIENT, access_token=UNKNOWN["access_token"]),
            Row(**OTHER_CLIENT, access_token=UNKNOWN["access_token"], expires_in=ANN.expires_in),
            Row(**CLIENT, access_token=UNKNOWN["access_token"], redirect_url=ANN.redirect_url),
            Row(**CLIENT),
            Row(**CLIENT, redirect_url=ANN.redirect_url, api_domain=ANN.api_domain),
        ):
            _finds_nothing(store, sent)
        store.expect(before, because="finding changes nothing stored")
        workspace.fresh_examples()


@check("FIND-7")
def an_empty_user_name_finds_nothing(workspace: Workspace) -> None:
    for rows in (ONE_OF_EVERY_KIND, pool(ANN), pool(ACCESS), pool(REFRESH, GRANT)):
        store = workspace.open()
        before = store.holding(*rows)
        for sent in (
            Row(user_name=""),
            Row(user_name="", redirect_url=ANN.redirect_url, api_domain=ANN.api_domain),
            Row(user_name="", **CLIENT),
            Row(user_name="", **CLIENT, access_token=UNKNOWN["access_token"]),
        ):
            _finds_nothing(store, sent)
        store.expect(before, because="finding changes nothing stored")
        workspace.fresh_examples()


@check("FIND-7")
def empty_texts_are_no_key(workspace: Workspace) -> None:
    store = workspace.open()
    blank = {"user_name": "", "access_token": "", "grant_token": "", "refresh_token": ""}
    before = store.holding(
        ANN,
        REFRESH.but(user_name="", access_token="", grant_token=""),
        GRANT.but(user_name="", access_token="", refresh_token=""),
        ACCESS.but(user_name="", client_id="", client_secret="", grant_token="", refresh_token=""),
    )
    for sent in (
        Row(**BLANK),
        Row(**{**BLANK, **CLIENT}),
        Row(**CLIENT, **blank),
        Row(**CLIENT, grant_token=""),
        Row(**CLIENT, refresh_token=""),
        Row(**CLIENT, grant_token="", refresh_token="", access_token=UNKNOWN["access_token"]),
        Row(user_name="", access_token=""),
    ):
        _finds_nothing(store, sent)
    for text in NUMERALS:
        if all(row.id != text for row in before):
            _finds_nothing(store, Row(id=text))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-8")
def an_unknown_user_finds_nobody_whatever_they_share(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    for row in pool(ANN, BOB, DAN, GUS):
        stored = before[ONE_OF_EVERY_KIND.index(row)]
        fields = {name: value for name, value in stored.present().items() if name != "user_name"}
        for shared in (
            *({name: value} for name, value in fields.items()),
            *({**CLIENT, name: value} for name, value in fields.items() if name.endswith("_token")),
            fields,
            {name: value for name, value in fields.items() if name != "id"},
        ):
            _finds_nothing(store, Row(user_name=STRANGER).but(**shared))
    store.expect(before, because="finding changes nothing stored")


@check("FIND-8")
def a_part_of_a_name_or_a_wildcard_is_another_user(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(ANN, REFRESH, BOB)
    for name in NEAR_NAMES:
        _finds_nothing(store, Row(user_name=name))
        _finds_nothing(store, ANN.but(user_name=name))
    store.expect(before, because="finding changes nothing stored")


def _finds_nothing(store: StoreHandle, sent: Row) -> None:
    passed = store.find(sent)
    if passed.answer.returned is not None:
        store.workspace.fail(f"find_token returns None for {format_row(sent)}", f"it {passed.answer}")
