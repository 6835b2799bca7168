"""FIND-9 to FIND-13: what a hit returns, and what becomes of the passed token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..._harness.calls import TokenCall
from ..._harness.observer import keys_of
from ..._harness.store_handle import StoreHandle
from ..._harness.store_limits import going_around
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, absent, format_row, format_value, to_row
from ..aliasing import lookups, overwrite, overwrite_all, unchanged
from ..registry import check
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
    REFRESH,
    WITH_CLIENT,
    key_of,
    pool,
)
from .finding import OWN, STRANGER, UNKNOWN, unmatched
from .save_and_compare import PLAIN_FIELDS


@check("FIND-9")
def a_hit_is_complete(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions):
        _is_filled(workspace, "the returned token", to_row(passed.answer.returned), wanted)


@check("FIND-9")
def a_hit_keeps_what_the_argument_had(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions_of_their_own):
        _is_filled(workspace, "the returned token", to_row(passed.answer.returned), wanted)


@check("FIND-10")
def a_hit_fills_the_passed_token(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions):
        _is_filled(workspace, "the passed token", passed.passed_after, wanted)


@check("FIND-10")
def a_hit_leaves_the_fields_that_the_passed_token_had(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions_of_their_own):
        _is_filled(workspace, "the passed token", passed.passed_after, wanted)


def _is_filled(workspace: Workspace, what: str, seen: Row, wanted: Row) -> None:
    for name in FIELDS:
        if getattr(seen.plain(), name) != getattr(wanted.plain(), name):
            workspace.fail(
                f"{what} with {name}={format_value(getattr(wanted, name))}, as {format_row(wanted)}",
                f"its {name} is {format_value(getattr(seen, name))}: {format_row(seen)}",
            )


def _hits_in_a_crowd(
    workspace: Workspace, questions: Callable[[StoreHandle], list[tuple[Row, Row]]]
) -> Iterator[tuple[TokenCall, Row]]:
    """The hits among rows of every kind.

    Args:
        workspace: Where the check is made.
        questions: What is asked of the store that holds the rows.
    """
    store = workspace.holding(*ONE_OF_EVERY_KIND)
    yield from _hits(store, questions(store))


def _hits(store: StoreHandle, questions: Iterable[tuple[Row, Row]]) -> Iterator[tuple[TokenCall, Row]]:
    """Ask, and give each hit with the row that it should be filled in to.

    What raises or finds nothing or another row is no hit: that it should be one is what FIND-1 to FIND-5 say.
    """
    questions = list(questions)
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
    if hits == 0:
        store.workspace.fail("stored tokens are found", "none of them is", precondition_failed=True)


def _gives_back_what_it_misses(store: StoreHandle) -> bool:
    """Whether the answer for what nobody ever stored is the passed token [FIND-6]."""
    return isinstance(store.find_quietly(Row(user_name=STRANGER)).returned, load().OAuthToken)


def _questions(store: StoreHandle) -> list[tuple[Row, Row]]:
    """Rows as they were saved, and the least that finds them: key by key, and the id."""
    asked = []
    for row in ONE_OF_EVERY_KIND:
        wanted = _wanted(store, row)
        asked.append((wanted, row.only("access_token") if row == WITH_CLIENT else key_of(row)))
        if not absent(wanted.id):
            asked.append((wanted, Row(id=wanted.id)))
    for row in pool(BOB, GUS):
        asked += [(_wanted(store, row), token) for token in keys_of(row)[1:]]
    return asked


def _wanted(store: StoreHandle, row: Row) -> Row:
    return row.but(id=store.stored(row).id)


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


def _questions_of_their_own(store: StoreHandle) -> list[tuple[Row, Row]]:
    """The same by key, with fields of their own beside it that the row has otherwise or lacks."""
    asked = []
    for row, names in OF_THEIR_OWN:
        if row in ONE_OF_EVERY_KIND:
            own = [*([name] for name in names), names]
            asked += [(row, key_of(row).but(**{name: OWN[name] for name in some})) for some in own]
    for row in pool(BOB, GUS):
        for key, names in zip(keys_of(row)[1:], BY_EACH_TOKEN, strict=True):
            asked += [(row, key.but(**{name: OWN[name]})) for name in names]
    return [(_wanted(store, row), sent) for row, sent in asked]


@check("FIND-11")
def changing_what_was_found_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.holding(ANN, ACCESS, GRANT, REFRESH, BOB)
    looked = lookups(store)
    questions = [(row, key) for row in store.kept for key in (key_of(row), Row(id=row.id))]
    for passed, _ in _hits(store, questions):
        for token in (passed.answer.returned, passed.token):
            overwrite(store, token)
        unchanged(store, looked, "the token that find_token returned or filled")
    overwrite_all(store, "find_token")
    unchanged(store, looked, "a token that find_token returned or filled")


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
    if misses == 0:
        workspace.fail(
            "find_token returns None where nothing matches", "it never does", precondition_failed=True
        )


@check("FIND-13")
def what_is_found_is_a_whole_token(workspace: Workspace) -> None:
    whole = vars(load().OAuthToken(access_token="whole"))
    for passed, _ in _hits_in_a_crowd(workspace, _questions):
        token = passed.answer.returned
        for name, value in whole.items():
            if not hasattr(token, name):
                workspace.fail(
                    f"an OAuthToken with all attributes that its constructor sets: {', '.join(whole)}",
                    f"it has no {name}",
                )
            if isinstance(value, bool) and not isinstance(getattr(token, name), bool):
                workspace.fail(f"{name} is a bool", f"it is {format_value(getattr(token, name))}")
