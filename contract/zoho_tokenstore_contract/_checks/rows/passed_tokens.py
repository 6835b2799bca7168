"""SAVE-17, SAVE-18, FIND-9 to FIND-13, BYID-4, LIST-3: what becomes of tokens that are passed and returned.

What was passed or returned is changed as well, and the storage must not notice: only a store that shares
these objects with its storage can.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..._harness.calls import CallRecord, TokenCall
from ..._harness.messages import format_rows
from ..._harness.observer import keys_of
from ..._harness.row_acts import NEW_ACCESS, PLAIN_FIELDS, demand, require, same_fields
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import Pool, active, going_around
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import (
    FIELDS,
    Row,
    absent,
    format_row,
    format_value,
    overwrite_fields,
    to_row,
    to_row_as_far_as_it_reads,
    to_token,
)
from ..registry import Case, check, check_each
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    DAN,
    GRANT,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    ONE_OF_EVERY_KIND,
    OTHER_CLIENT,
    REFRESH,
    WITH_CLIENT,
    key_of,
    person,
    pool,
    renewal_of,
)
from .finding import OWN, STRANGER, UNKNOWN, unmatched

# saving

CHANGED_URL = "https://example.com/changed"
NOTHING = Row(**OTHER_CLIENT, redirect_url="https://example.com/nothing", expires_in="1900000000445")
TIDIED = ("https://Example.com/a/", " a b ", "\ta\n", "A%20b//", "E\u0301", '"q"', "a?b=1&b=#", "000123")
"""Texts that somebody tidies: a last slash, space at the ends, letter case, normal forms, leading zeros."""


@check("SAVE-17")
def the_passed_token_keeps_its_fields_and_is_not_tidied(workspace: Workspace) -> None:
    store = workspace.holding(*pool(ANN, GUS, LATE_REFRESH, GRANT, ACCESS))
    tidied = [Row(**dict.fromkeys(FIELDS, text)).but(id=None) for text in Pool(TIDIED)]
    for sent in (
        *(BOB, DAN, WITH_CLIENT, person("fresh", user_name=ANN.user_name, **OTHER_CLIENT)),
        Row(user_name=GUS.user_name, access_token=NEW_ACCESS),
        key_of(LATE_REFRESH).but(access_token=NEW_ACCESS, expires_in="1900000000444"),
        key_of(GRANT).but(refresh_token="1000.issued.refresh"),
        key_of(ACCESS).but(redirect_url=CHANGED_URL),
        store.stored(ANN).but(access_token=NEW_ACCESS, redirect_url=CHANGED_URL),
        *(
            row.but(expires_in="0001900000000", user_name=name)
            for row in tidied
            for name in (row.user_name, ANN.user_name, None)
        ),
        # Whether these are refused is for other clauses to say: either way the caller's token stays whole.
        *(NOTHING.but(user_name=STRANGER), NOTHING.but(id="unknown"), person("late", id="x" * 300)),
        person("wide", access_token="1000." + "w" * 5000),
    ):
        saved = store.try_save(sent)
        for name, value in saved.sent.but(id=None).present().items():
            if (now := getattr(saved.passed_after, name)) != value:
                refused = ", also where it is refused" if saved.answer.raised is not None else ""
                expected = f"the passed token keeps its {name}, {format_value(value)}{refused}"
                workspace.fail(expected, f"it is now {format_value(now)}")


# finding


@check("FIND-9")
def a_hit_is_complete_and_keeps_what_the_argument_had(workspace: Workspace) -> None:
    for passed, wanted in _hits(workspace):
        same_fields(workspace, "the returned token", to_row(passed.answer.returned).plain(), wanted.plain())


@check("FIND-10")
def a_hit_fills_the_passed_token_and_leaves_the_fields_that_it_had(workspace: Workspace) -> None:
    for passed, wanted in _hits(workspace):
        same_fields(workspace, "the passed token", passed.passed_after.plain(), wanted.plain())


def _hits(workspace: Workspace) -> Iterator[tuple[TokenCall, Row]]:
    """Ask for rows of every kind, and give each hit with the row that it should be filled in to.

    What raises or finds nothing or another row is no hit: that it should be one is what FIND-1 to FIND-5 say.
    """
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    questions = [(row.but(id=store.stored(row).id), sent) for row, sent in _questions(store)]
    ids = {wanted.id for wanted, _ in questions}
    names = {wanted.user_name for wanted, _ in questions} - {None}
    hits = 0
    for wanted, sent in questions:
        passed = store.try_find(sent)
        token = passed.answer.returned
        if not isinstance(token, load().OAuthToken) or token.get_id() in ids - {wanted.id}:
            continue
        found = store.row_or_none("find_token", passed.answer)
        if found == sent and _gives_back_what_it_misses(store):
            continue
        if found is not None and found.user_name not in names - {wanted.user_name}:
            hits += 1
            yield passed, sent.filled_from(wanted)
    require(workspace, hits, "stored tokens are found", "none of them is")


def _gives_back_what_it_misses(store: StoreHandle) -> bool:
    """Whether the answer for what nobody ever stored is the passed token [FIND-6]."""
    return isinstance(store.find_quietly(Row(user_name=STRANGER)).returned, load().OAuthToken)


PLAIN_AND = {name: (*PLAIN_FIELDS, name) for name in ("access_token", "refresh_token")}
OF_THEIR_OWN = (
    *((row, tuple(OWN)) for row in (ANN, DAN, GUS)),
    (ACCESS, PLAIN_AND["refresh_token"]),
    (LATE_GRANT, (*PLAIN_AND["access_token"], "refresh_token")),
    *((row, PLAIN_AND["access_token"]) for row in (REFRESH, LATE_REFRESH)),
)
"""Rows, and which fields a token that finds them by their key may have otherwise."""
BY_EACH_TOKEN = (
    (*PLAIN_AND["refresh_token"], "grant_token"),
    (*PLAIN_AND["access_token"], "refresh_token"),
    PLAIN_AND["access_token"],
)
"""The same for a user who is found by each token."""


def _questions(store: StoreHandle) -> Iterator[tuple[Row, Row]]:
    """Rows as they were saved, and what finds them: the least that does, and beside it fields of its own.

    Those are fields that the row has otherwise or lacks.
    """
    for row in ONE_OF_EVERY_KIND:
        yield row, row.only("access_token") if row == WITH_CLIENT else key_of(row)
        if not absent(id := store.stored(row).id):
            yield row, Row(id=id)
    for row, names in OF_THEIR_OWN:
        if row in ONE_OF_EVERY_KIND:
            for some in (*([name] for name in names), names):
                yield row, key_of(row).but(**{name: OWN[name] for name in some})
    for row in pool(BOB, GUS):
        for key, names in zip(keys_of(row)[1:], BY_EACH_TOKEN, strict=True):
            yield from ((row, key.but(**{name: OWN[name] for name in some})) for some in ([], *zip(names)))


@check("FIND-12")
def a_miss_leaves_the_passed_token_as_it_was(workspace: Workspace) -> None:
    store = workspace.open()
    before, misses = store.holding(*ONE_OF_EVERY_KIND), 0
    hits = [store.try_find(sent) for sent in (key_of(before[0]), before[0].only("id"))]
    silent = any(hit.answer.returned is None and hit.passed_after == before[0] for hit in hits)
    for sent in (
        *unmatched(before),
        *(ANN.but(user_name=STRANGER), Row(user_name=STRANGER, id=before[0].id)),
        Row(user_name=STRANGER, **CLIENT, refresh_token=ANN.refresh_token),
        *(Row(**CLIENT, access_token=UNKNOWN["access_token"]), key_of(REFRESH).but(client_id=STRANGER)),
        Row(user_name=""),
        Row(user_name="", access_token=UNKNOWN["access_token"], client_id="", redirect_url=""),
    ):
        with going_around():
            passed = store.try_find(sent)
            if passed.answer.raised is None and passed.answer.returned is None:  # else that is FIND-6
                if silent and passed.passed_after in [sent.filled_from(row) for row in before]:
                    continue  # a hit, of a store that fills in what it finds and returns None
                misses += 1
                as_it_was = f"the passed token is left as it was, {format_row(sent)}"
                demand(workspace, passed.passed_after == sent, as_it_was, format_row(passed.passed_after))
    require(workspace, misses, "find_token returns None where nothing matches", "it never does")


@check("FIND-13")
def what_is_found_is_a_whole_token(workspace: Workspace) -> None:
    whole = vars(load().OAuthToken(access_token="whole"))
    attributes = f"an OAuthToken with all attributes that its constructor sets: {', '.join(whole)}"
    for passed, _ in _hits(workspace):
        token = passed.answer.returned
        for name, value in whole.items():
            demand(workspace, hasattr(token, name), attributes, f"it has no {name}")
            if isinstance(value, bool) and not isinstance(getattr(token, name), bool):
                workspace.fail(f"{name} is a bool", f"it is {format_value(getattr(token, name))}")


# what is changed afterwards

OVERWRITTEN = person("spoilt", id="spoilt")
ROWS = pool(ANN, ACCESS, GRANT, REFRESH, BOB)


@dataclass(frozen=True)
class Given(Case):
    """Tokens that a method gives, one after another.

    Attributes:
        method: The method.
        take: Calls the method again and again; the tokens that come of each call.
        whose: Which tokens they are, for the message.
    """

    method: str
    take: Callable[[StoreHandle], Iterable[list[Any]]]
    whose: str


def _found(store: StoreHandle) -> Iterable[list[Any]]:
    for row in ROWS:
        ids = (None, store.stored(row).id)
        for sent in filter(active().finds, (key_of(row), Row(id=ids[1]))):
            passed = store.try_find(sent)
            token = passed.answer.returned
            # What else is found, for all that other clauses know, is no hit.
            if isinstance(token, load().OAuthToken) and to_row_as_far_as_it_reads(token).id in ids:
                yield [token, passed.token]


def _found_by_id(store: StoreHandle) -> Iterable[list[Any]]:
    for stored in [store.stored(row) for row in ROWS for _ in range(2)]:
        token = store.call("find_token_by_id", stored.id).returned
        if isinstance(token, load().OAuthToken):
            yield [token]


GIVEN = (
    Given("FIND-11", "changing what was found changes nothing stored", "find_token", _found,
          "a token that find_token returned or filled"),
    Given("BYID-4", "changing what was found by id changes nothing stored", "find_token_by_id", _found_by_id,
          "the token that find_token_by_id returned"),
    Given("LIST-3", "changing the listed tokens changes nothing stored", "get_tokens",
          lambda store: ([_listing(store)[place]] for place in range(len(ROWS))),
          "a token that get_tokens returned"),
)  # fmt: skip


@check_each(GIVEN)
def _are_detached(workspace: Workspace, case: Given) -> None:
    store = workspace.holding(*ROWS)
    looked = _lookups(store)
    given = 0
    for tokens in case.take(store):
        given += 1
        for token in tokens:
            _overwrite(store, token)
        _unchanged(store, looked, case.whose)
    require(workspace, given, f"{case.method} gives stored tokens", "it gives none")
    # A store may keep the first of all that it gave.
    for call in [call for call in workspace.calls if call.method == case.method]:
        answers = call.returned if isinstance(call.returned, list) else [call.returned]
        for token in (*answers, call.passed):
            if isinstance(token, load().OAuthToken):
                _overwrite(store, token)
    _unchanged(store, looked, case.whose)


@check("SAVE-18")
def changing_the_passed_token_later_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.open()
    renewals = [renewal_of(row, place) for place, row in enumerate(pool(ANN, REFRESH, ACCESS))]
    passed = [store.save(row) for row in (*ROWS, *renewals)]
    store.kept = store.rows()
    held = len(store.kept) >= len(ROWS) and any(row.access_token for row in store.kept)
    require(workspace, held, f"{len(ROWS)} rows with what was saved", format_rows(store.kept))
    looked = _lookups(store)
    for saved in passed:
        _overwrite(store, saved.token)
        _unchanged(store, looked, "the passed token")


@check("LIST-3")
def changing_the_list_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.holding(*ROWS)
    looked = _lookups(store)
    workspace.remember([OVERWRITTEN])
    for method, arguments in (("append", [to_token(OVERWRITTEN)]), ("pop", [0]), ("clear", [])):
        listing = _listing(store)
        note = f"the returned list: {method}()"
        workspace.calls.append(CallRecord(store.number, method, passed=listing, note=note))
        # A list of another kind may refuse to be changed.
        with contextlib.suppress(Exception):
            getattr(listing, method)(*arguments)
        _unchanged(store, looked, "the list that get_tokens returned")


def _listing(store: StoreHandle) -> list[Any]:
    answer = store.call("get_tokens")
    tokens = answer.returned if isinstance(answer.returned, list) else []
    whole = [token for token in tokens if isinstance(token, load().OAuthToken)]
    require(store.workspace, len(whole) == len(ROWS), f"get_tokens lists {len(ROWS)} tokens", answer)
    return tokens


def _overwrite(store: StoreHandle, token: Any) -> None:
    """Change every field of a token, and the `UserSignature` that it carries as well."""
    store.workspace.remember([OVERWRITTEN])
    note = "every field of the token is given another value"
    store.workspace.calls.append(CallRecord(store.number, "overwrite_fields", passed=token, note=note))
    overwrite_fields(token, OVERWRITTEN)


def _lookups(store: StoreHandle) -> dict[str, str]:
    """What is found by each row's id and key: a store may answer from another place than it lists."""
    seen = {}
    for row in store.kept:
        seen[f"find_token_by_id({format_value(row.id)})"] = str(store.call("find_token_by_id", row.id))
    for key in filter(active().finds, map(key_of, store.kept)):
        seen[f"find_token with {format_row(key)}"] = str(store.find_quietly(key))
    return seen


def _unchanged(store: StoreHandle, looked: dict[str, str], what: str) -> None:
    """All rows and all answers are as they were before this was changed."""
    because = f"changing {what} changes nothing stored"
    # Listing comes last: it may renew what the other answers come from.
    now = _lookups(store)
    for way, answer in looked.items():
        demand(store.workspace, now[way] == answer, f"{because}: {way} {answer}", f"it {now[way]}")
    store.expect(because=because)
