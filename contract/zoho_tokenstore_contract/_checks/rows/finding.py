"""FIND-1 to FIND-8: which row ``find_token`` finds, and what it does not find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from ..._harness.calls import TokenCall
from ..._harness.observer import ACCESS_KEY, GRANT_KEY, NAME, REFRESH_KEY, keys_of
from ..._harness.row_acts import bring_rows, demand, require, was_updated
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import Pool
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, absent, format_row, to_row
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
    KINDS,
    LATE_ACCESS,
    LATE_GRANT,
    LATE_REFRESH,
    NAMED,
    NEAR_NAMES,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    guests,
    key_of,
    near_ids,
    pool,
)
from ..tricky_strings import NUMERALS

UNKNOWN = {
    "access_token": "1000.unknown.access",
    "grant_token": "1000.unknown.grant",
    "refresh_token": "1000.unknown.refresh",
}
PLAIN = {"expires_in": "1900000000666", "redirect_url": "https://own.example.com"}
OWN = {**OTHER_CLIENT, **UNKNOWN, **PLAIN, "api_domain": "http://127.0.0.1:9/own"}
"""Fields of a token that no row has."""
ITS_ID = {"id": "the id of the row"}


@dataclass(frozen=True)
class Hits(Case):
    """Tokens that find rows of a crowd.

    Attributes:
        rows: The rows that are found.
        key: The fields by which the token addresses its row.
        beside: What it has besides: each row is looked for with each of these.
    """

    rows: Sequence[Row]
    key: Sequence[str]
    beside: Sequence[dict[str, str]]


UNKNOWN_REFRESH = {"refresh_token": UNKNOWN["refresh_token"]}
UNKNOWN_ACCESS = {"access_token": UNKNOWN["access_token"]}
HITS = (
    Hits("FIND-1", "a user is found by name whatever else the token has", NAMED, NAME, [
        *({}, ITS_ID, *({name: OWN[name]} for name in OWN), OWN, {**CLIENT, **UNKNOWN}),
        *(other.but(user_name=None).present() for other in KINDS),
    ]),
    Hits("FIND-2", "a stored access token is found",
         pool(ACCESS, LATE_ACCESS, WITH_CLIENT, LATE_GRANT, LATE_REFRESH, ANN, EVE, GUS), ACCESS_KEY,
         [{}, PLAIN, UNKNOWN_REFRESH, ITS_ID]),
    Hits("FIND-3", "a stored grant token is found",
         pool(GRANT, LATE_GRANT, BOB, EVE, GUS), GRANT_KEY,
         [{}, {**UNKNOWN_ACCESS, **UNKNOWN_REFRESH}, PLAIN, ITS_ID]),
    Hits("FIND-4", "a stored refresh token is found",
         pool(REFRESH, LATE_REFRESH, BOB, DAN, EVE, GUS), REFRESH_KEY,
         [{}, UNKNOWN_ACCESS, PLAIN, ITS_ID]),
)  # fmt: skip


@check_each(HITS)
def _find_their_rows(workspace: Workspace, case: Hits) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    for row in case.rows:
        for fields in case.beside:
            beside = {"id": store.stored(row).id} if fields is ITS_ID else fields
            _is_found(store, store.stored(row).plain(), row.only(*case.key).but(**beside))
    store.expect(because="finding changes nothing stored")


@check("FIND-2")
def an_access_token_that_replaced_another_is_found(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    for number, row in enumerate(pool(LATE_REFRESH, GUS)):
        store.save(sent := key_of(row).but(access_token=f"1000.renewed.{number}"))
        if was_updated(store, row, sent):  # else SAVE-4 or SAVE-8 tells it
            _is_found(store, store.stored(row).plain(), Row(access_token=f"1000.renewed.{number}"))


@check("FIND-5")
def an_id_alone_finds_its_row_and_fills_the_passed_token(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    for row in ONE_OF_EVERY_KIND:
        _is_found_by_id(store, row.but(id=store.stored(row).id))
    store.expect(because="finding changes nothing stored")


@check("FIND-5")
def an_id_that_its_token_brought_finds_it(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS)
    for row in bring_rows(store, guests("k-7", "abc", "ABC", "007", "9999999999", "x'y")):
        _is_found_by_id(store, row)


def _is_found_by_id(store: StoreHandle, wanted: Row) -> None:
    require(store.workspace, not absent(wanted.id), "a stored token has an id", format_row(wanted))
    left = _is_found(store, wanted, Row(id=wanted.id), "returns").passed_after.plain()
    filled = f"the passed token itself is filled in from its row, {format_row(wanted)}"
    demand(store.workspace, left == wanted.plain(), filled, f"it is {format_row(left)}")


def _is_found(store: StoreHandle, wanted: Row, sent: Row, finds: str = "finds") -> TokenCall:
    passed, expected = store.find(sent), f"find_token {finds} {format_row(wanted)}"
    token = passed.answer.returned
    demand(store.workspace, isinstance(token, load().OAuthToken), expected, f"it {passed.answer}")
    demand(store.workspace, _is_row(to_row(token), wanted, sent), expected, format_row(to_row(token)))
    return passed


def _is_row(found: Row, wanted: Row, sent: Row) -> bool:
    """Whether what was found comes from this row.

    Its id says so. Where it has none, which other clauses speak of, what it was filled with does.
    """
    if not absent(found.id):
        return bool(found.id == wanted.id)
    lacked = [name for name in wanted.present() if name != "id" and absent(getattr(sent, name))]
    filled = [name for name in lacked if not absent(getattr(found, name))]
    right = all(getattr(found.plain(), name) == getattr(wanted, name) for name in filled)
    return right and (bool(filled) or not lacked)


STRANGER = "stranger@example.com:77"
BLANK = dict.fromkeys(FIELDS, "")
NO_KEYS = dict.fromkeys(("user_name", "access_token", "grant_token", "refresh_token"), "")
UNKNOWN_OF_EACH_KIND = (
    Row(user_name=STRANGER),
    Row(**UNKNOWN_ACCESS),
    Row(**CLIENT, grant_token=UNKNOWN["grant_token"]),
    Row(**CLIENT, refresh_token=UNKNOWN["refresh_token"]),
    Row(**CLIENT, **UNKNOWN_ACCESS),
    Row(id="unknown"),
)


@dataclass(frozen=True)
class Misses(Case):
    """Tokens that find nothing.

    Attributes:
        crowds: The rows that are stored, in one example after another.
        tokens: The tokens; one whose id the store has given to a row is left out.
    """

    crowds: Sequence[Sequence[Row]]
    tokens: Sequence[Row]


PLACES = {"redirect_url": ANN.redirect_url, "api_domain": ANN.api_domain}
BLANKS = (
    ANN,
    Row(**{**NO_KEYS, **REFRESH.present()}),
    Row(**{**NO_KEYS, **GRANT.present()}),
    Row(**{**NO_KEYS, "client_id": "", "client_secret": "", **ACCESS.present()}),
)
ALONE = (pool(ANN), pool(ACCESS), pool(REFRESH, GRANT))
MISSES = (
    Misses("FIND-6", "an empty store finds nothing", [()],
           Pool((*KINDS, Row(id="1"), Row(id="unknown")))),
    Misses("FIND-6", "an only row is not found by what matches nothing",
           [pool(row) for row in (ANN, DAN, ACCESS, GRANT, REFRESH, WITH_CLIENT)], UNKNOWN_OF_EACH_KIND),
    Misses("FIND-7", "a token without key and id finds nothing",
           (ONE_OF_EVERY_KIND, pool(WITH_CLIENT), *ALONE), [
        Row(**CLIENT, **UNKNOWN_ACCESS),
        Row(**OTHER_CLIENT, **UNKNOWN_ACCESS, expires_in=ANN.expires_in),
        Row(**CLIENT, **UNKNOWN_ACCESS, redirect_url=ANN.redirect_url),
        Row(**CLIENT),
        Row(**CLIENT, **PLACES),
    ]),
    Misses("FIND-7", "an empty user name finds nothing", (ONE_OF_EVERY_KIND, *ALONE), [
        Row(user_name="").but(**beside) for beside in ({}, PLACES, CLIENT, {**CLIENT, **UNKNOWN_ACCESS})
    ]),
    Misses("FIND-7", "empty texts are no key", [BLANKS], [
        Row(**BLANK),
        Row(**{**BLANK, **CLIENT}),
        Row(**CLIENT, **NO_KEYS),
        Row(**CLIENT, grant_token=""),
        Row(**CLIENT, refresh_token=""),
        Row(**CLIENT, grant_token="", refresh_token="", **UNKNOWN_ACCESS),
        Row(user_name="", access_token=""),
    ]),
    Misses("FIND-8", "a part of a name or a wildcard is another user", [(ANN, REFRESH, BOB)],
           Pool(row.but(user_name=name) for name in NEAR_NAMES for row in (Row(), ANN))),
)  # fmt: skip


@check_each(MISSES)
def _find_nothing(workspace: Workspace, case: Misses) -> None:
    for store, rows in workspace.each(case.crowds):
        blank = [row for row in rows if "" in astuple(row)]
        store.holding(*(row for row in rows if row not in blank))
        for row in blank:  # a store may not take an empty text [VALUE-10]
            store.try_save(row)
        store.kept = store.rows()
        _finds_none_of(store, case.tokens)


@check("FIND-6")
def what_matches_nothing_is_none(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    _finds_none_of(store, (*unmatched(store.kept), *(Row(id=text) for text in NUMERALS)))


def _finds_none_of(store: StoreHandle, tokens: Sequence[Row]) -> None:
    ids = {row.id for row in store.kept}
    for sent in tokens:
        if sent.id is None or sent.id not in ids:
            _finds_nothing(store, sent)
    store.expect(because="finding changes nothing stored")


@check("FIND-6")
def a_replaced_token_is_found_no_more(workspace: Workspace) -> None:
    cases = [(row, old) for row in pool(LATE_REFRESH, GUS) for old in keys_of(row) if old != key_of(row)]
    for store, (row, old) in workspace.each(cases):
        store.holding(*ONE_OF_EVERY_KIND)
        name = [*old.present()][-1]
        require(workspace, store.found(old), f"a stored {name} is found")
        store.save(key_of(row).but(**{name: f"1000.renewed.{name}"}))
        if all(getattr(one, name) != getattr(row, name) for one in store.rows()):
            _finds_nothing(store, old)  # else the update is no update: SAVE-4 and SAVE-8 say so


@check("FIND-8")
def an_unknown_user_finds_nobody_whatever_they_share(workspace: Workspace) -> None:
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    unnamed = [row.id for row in store.kept if row.user_name is None]
    for row in pool(ANN, BOB, DAN, GUS):
        fields = store.stored(row).but(user_name=None).present()
        if fields.get("id") in unnamed:  # SAVE-2 tells that; what such an id finds is left open
            fields.pop("id", None)
        for shared in (
            *({name: value} for name, value in fields.items()),
            *({**CLIENT, name: value} for name, value in fields.items() if name.endswith("_token")),
            fields,
            {name: value for name, value in fields.items() if name != "id"},
        ):
            _finds_nothing(store, Row(user_name=STRANGER).but(**shared))
    store.expect(because="finding changes nothing stored")


UNLIKE = {
    "access_token": (
        *(REFRESH.refresh_token, GRANT.grant_token, ANN.user_name, "%", "1000.%", "1000.lone"),
        *("1000.lone.access.2", "1000.lone.access' or '1'='1"),
    ),
    "grant_token": (REFRESH.refresh_token, WITH_CLIENT.access_token, "1000.code", "1000.code.%"),
    "refresh_token": (GRANT.grant_token, "1000.nightly.refresh.2", "%.refresh"),
}
"""What another field of a stored row holds, and what wildcards, parts and quotes would match."""


def unmatched(before: Sequence[Row]) -> tuple[Row, ...]:
    """Tokens with a key or an id that no row of the crowd has."""
    ids = [row.id for row in before]
    near = [other for id in (*ids[:2], ids[-1]) if isinstance(id, str) for other in near_ids(id)]
    return (
        *UNKNOWN_OF_EACH_KIND,
        *(Row(user_name=STRANGER, **OWN), Row(user_name=STRANGER, id="unknown")),
        *(Row(**UNKNOWN_ACCESS, id="unknown"), Row(**CLIENT, **UNKNOWN_REFRESH, id="unknown")),
        *(Row(**CLIENT, **UNKNOWN), Row(**CLIENT, **UNKNOWN, **PLACES)),
        *(
            Row(**{name: text}) if name == "access_token" else Row(**CLIENT, **{name: text})
            for name, some in UNLIKE.items()
            for text in some
        ),
        *(Row(user_name=name) for name in (ACCESS.access_token, ids[:2][-1], "o'neil@example.com:77")),
        *(Row(id=id) for id in (ANN.user_name, *near) if id not in ids),
    )


def _finds_nothing(store: StoreHandle, sent: Row) -> None:
    answer, expected = store.find(sent).answer, f"find_token returns None for {format_row(sent)}"
    demand(store.workspace, answer.returned is None, expected, f"it {answer}")
