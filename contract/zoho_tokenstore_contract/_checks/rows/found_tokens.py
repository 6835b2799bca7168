"""FIND-9 to FIND-13: what a hit returns, and what becomes of the passed token."""

from __future__ import annotations

from collections.abc import Iterator

from ..._harness.calls import TokenCall
from ..._harness.observer import keys_of
from ..._harness.row_acts import PLAIN_FIELDS, require, same_fields
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import going_around
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import Row, absent, format_row, format_value, to_row
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    BOB,
    CLIENT,
    DAN,
    GUS,
    LATE_GRANT,
    LATE_REFRESH,
    ONE_OF_EVERY_KIND,
    REFRESH,
    WITH_CLIENT,
    key_of,
    pool,
)
from .finding import OWN, STRANGER, UNKNOWN, unmatched


@check("FIND-9")
def a_hit_is_complete_and_keeps_what_the_argument_had(workspace: Workspace) -> None:
    for passed, wanted in _hits(workspace):
        _is_filled(workspace, "the returned token", to_row(passed.answer.returned), wanted)


@check("FIND-10")
def a_hit_fills_the_passed_token_and_leaves_the_fields_that_it_had(workspace: Workspace) -> None:
    for passed, wanted in _hits(workspace):
        _is_filled(workspace, "the passed token", passed.passed_after, wanted)


def _is_filled(workspace: Workspace, what: str, seen: Row, wanted: Row) -> None:
    same_fields(workspace, what, seen.plain(), wanted.plain())


def _hits(workspace: Workspace) -> Iterator[tuple[TokenCall, Row]]:
    """Ask for rows of every kind, and give each hit with the row that it should be filled in to.

    What raises or finds nothing or another row is no hit: that it should be one is what FIND-1 to FIND-5 say.
    """
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    questions = [(_wanted(store, row), sent) for row, sent in (*_questions(store), *_of_their_own())]
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


def _wanted(store: StoreHandle, row: Row) -> Row:
    return row.but(id=store.stored(row).id)


def _questions(store: StoreHandle) -> Iterator[tuple[Row, Row]]:
    """Rows as they were saved, and the least that finds them: key by key, and the id."""
    for row in ONE_OF_EVERY_KIND:
        yield row, row.only("access_token") if row == WITH_CLIENT else key_of(row)
        if not absent(id := store.stored(row).id):
            yield row, Row(id=id)
    for row in pool(BOB, GUS):
        yield from ((row, token) for token in keys_of(row)[1:])


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


def _of_their_own() -> Iterator[tuple[Row, Row]]:
    """The same by key, with fields of their own beside it that the row has otherwise or lacks."""
    for row, names in OF_THEIR_OWN:
        if row in ONE_OF_EVERY_KIND:
            for some in (*([name] for name in names), names):
                yield row, key_of(row).but(**{name: OWN[name] for name in some})
    for row in pool(BOB, GUS):
        for key, names in zip(keys_of(row)[1:], BY_EACH_TOKEN, strict=True):
            yield from ((row, key.but(**{name: OWN[name]})) for name in names)


@check("FIND-12")
def a_miss_leaves_the_passed_token_as_it_was(workspace: Workspace) -> None:
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    misses = 0
    for sent in (
        *unmatched(before),
        ANN.but(user_name=STRANGER),
        Row(user_name=STRANGER, id=before[0].id),
        Row(user_name=STRANGER, **CLIENT, refresh_token=ANN.refresh_token),
        Row(**CLIENT, access_token=UNKNOWN["access_token"]),
        Row(user_name=""),
        Row(user_name="", access_token=UNKNOWN["access_token"], client_id="", redirect_url=""),
    ):
        with going_around():
            passed = store.try_find(sent)
            if passed.answer.raised is None and passed.answer.returned is None:  # else that is FIND-6
                misses += 1
                if passed.passed_after != sent:
                    workspace.fail(
                        f"the passed token is left as it was, {format_row(sent)}",
                        format_row(passed.passed_after),
                    )
    require(workspace, misses, "find_token returns None where nothing matches", "it never does")


@check("FIND-13")
def what_is_found_is_a_whole_token(workspace: Workspace) -> None:
    whole = vars(load().OAuthToken(access_token="whole"))
    for passed, _ in _hits(workspace):
        token = passed.answer.returned
        for name, value in whole.items():
            if not hasattr(token, name):
                workspace.fail(
                    f"an OAuthToken with all attributes that its constructor sets: {', '.join(whole)}",
                    f"it has no {name}",
                )
            if isinstance(value, bool) and not isinstance(getattr(token, name), bool):
                workspace.fail(f"{name} is a bool", f"it is {format_value(getattr(token, name))}")
