"""FIND-9 to FIND-13: what a hit returns, and what becomes of the passed token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ..._harness.calls import TokenCall
from ..._harness.limits import going_around
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, format_row, format_value, to_row
from ..aliasing import lookups, overwrite, unchanged
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
    by_each_token,
    key_of,
    pool,
)
from .finding import OWN, UNKNOWN
from .finding_nothing import STRANGER, unmatched


@check("FIND-9")
def a_hit_is_complete(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions):
        _returns(workspace, passed, wanted)


@check("FIND-9")
def a_hit_keeps_what_the_argument_had(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions_of_their_own):
        _returns(workspace, passed, wanted)


def _returns(workspace: Workspace, passed: TokenCall, wanted: Row) -> None:
    _is_filled(workspace, "the returned token", to_row(passed.answer.returned), wanted)


@check("FIND-10")
def a_hit_fills_the_passed_token(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions):
        _fills(workspace, passed, wanted)


@check("FIND-10")
def a_hit_leaves_the_fields_that_the_passed_token_had(workspace: Workspace) -> None:
    for passed, wanted in _hits_in_a_crowd(workspace, _questions_of_their_own):
        _fills(workspace, passed, wanted)


def _fills(workspace: Workspace, passed: TokenCall, wanted: Row) -> None:
    _is_filled(workspace, "the passed token", passed.passed_after, wanted)


def _is_filled(workspace: Workspace, what: str, seen: Row, wanted: Row) -> None:
    for name in FIELDS:
        if getattr(seen.plain(), name) != getattr(wanted.plain(), name):
            workspace.fail(
                f"{what} with {name}={format_value(getattr(wanted, name))}, as {format_row(wanted)}",
                f"its {name} is {format_value(getattr(seen, name))}: {format_row(seen)}",
            )


def _hits_in_a_crowd(
    workspace: Workspace, questions: Callable[[Sequence[Row]], list[tuple[Row, Row]]]
) -> Iterator[tuple[TokenCall, Row]]:
    """The hits among rows of every kind.

    Args:
        workspace: Where the check is made.
        questions: What is asked, given the rows as they are stored.
    """
    store = workspace.open()
    yield from _hits(store, questions(store.holding(*ONE_OF_EVERY_KIND)))


def _hits(store: StoreHandle, questions: Iterable[tuple[Row, Row]]) -> Iterator[tuple[TokenCall, Row]]:
    """Ask, and give each hit with the row that it should be filled in to.

    What finds nothing or another row is no hit: that it should be one is what FIND-1 to FIND-5 say.
    """
    questions = list(questions)
    ids = {wanted.id for wanted, _ in questions}
    names = {wanted.user_name for wanted, _ in questions} - {None}
    hits = 0
    for wanted, sent in questions:
        passed = store.find(sent)
        token = passed.answer.returned
        if not isinstance(token, load().OAuthToken) or token.get_id() in ids - {wanted.id}:
            continue
        found = store.row_or_none("find_token", passed.answer)
        if found is not None and found.user_name not in names - {wanted.user_name}:
            hits += 1
            yield passed, sent.filled_from(wanted)
    if hits == 0:
        store.workspace.fail("stored tokens are found", "none of them is", precondition_failed=True)


def _questions(before: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows as they were saved, and the least that finds them: key by key, and the id."""
    asked = []
    for row, stored in zip(ONE_OF_EVERY_KIND, before, strict=True):
        wanted = row.but(id=stored.id)
        asked.append((wanted, row.only("access_token") if row == WITH_CLIENT else key_of(row)))
        asked.append((wanted, Row(id=stored.id)))
    for row in pool(BOB, GUS):
        wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
        asked += [(wanted, token) for token in by_each_token(row)]
    return asked


def _questions_of_their_own(before: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The same by key, with fields of their own beside it that the row has otherwise or lacks."""
    plain = ("expires_in", "redirect_url", "api_domain")
    asked = []
    for row, names in (
        (ANN, tuple(OWN)),
        (DAN, tuple(OWN)),
        (GUS, tuple(OWN)),
        (ACCESS, (*plain, "refresh_token")),
        (LATE_GRANT, (*plain, "access_token", "refresh_token")),
        (REFRESH, (*plain, "access_token")),
        (LATE_REFRESH, (*plain, "access_token")),
    ):
        if row not in ONE_OF_EVERY_KIND:
            continue
        wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
        key = key_of(row)
        asked += [(wanted, key.but(**{name: OWN[name]})) for name in names]
        asked.append((wanted, key.but(**{name: OWN[name] for name in names})))
    for row in pool(BOB, GUS):
        wanted = row.but(id=before[ONE_OF_EVERY_KIND.index(row)].id)
        kept = (
            (*plain, "refresh_token", "grant_token"),
            (*plain, "access_token", "refresh_token"),
            (*plain, "access_token"),
        )
        for key, names in zip(by_each_token(row), kept, strict=True):
            asked += [(wanted, key.but(**{name: OWN[name]})) for name in names]
    return asked


@check("FIND-11")
def changing_what_was_found_changes_nothing_stored(workspace: Workspace) -> None:
    store = workspace.open()
    rows = (ANN, ACCESS, GRANT, REFRESH, BOB)
    before = store.holding(*rows)
    looked = lookups(store, before)
    questions = [(row, key) for row in before for key in (key_of(row), Row(id=row.id))]
    for passed, _ in _hits(store, questions):
        for token in (passed.answer.returned, passed.token):
            overwrite(store, token)
        unchanged(store, before, looked, "the token that find_token returned or filled")


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
            passed = store.find(sent)
            if passed.answer.returned is None:
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
    store = workspace.open()
    before = store.holding(*ONE_OF_EVERY_KIND)
    whole = vars(load().OAuthToken(access_token="whole"))
    for passed, _ in _hits(store, _questions(before)):
        token = passed.answer.returned
        for name, value in whole.items():
            if not hasattr(token, name):
                workspace.fail(
                    f"an OAuthToken with all attributes that its constructor sets: {', '.join(whole)}",
                    f"it has no {name}",
                )
            if isinstance(value, bool) and not isinstance(getattr(token, name), bool):
                workspace.fail(f"{name} is a bool", f"it is {format_value(getattr(token, name))}")
