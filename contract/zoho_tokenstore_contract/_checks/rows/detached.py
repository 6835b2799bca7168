"""SAVE-18, FIND-11, BYID-4, LIST-3: what was passed or returned is changed, and the storage must not notice.

Only a store that shares these objects with its storage can.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..._harness.calls import CallRecord
from ..._harness.row_acts import require
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import (
    Row,
    format_row,
    format_value,
    overwrite_fields,
    to_row_as_far_as_it_reads,
    to_token,
)
from ..registry import Case, check, check_each
from ..sample_tokens import ACCESS, ANN, BOB, GRANT, REFRESH, key_of, person, pool, renewal_of

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
        stored = store.stored(row)
        for sent in (key_of(row), Row(id=stored.id)):
            passed = store.try_find(sent)
            if _is_of(passed.answer.returned, stored):
                yield [passed.answer.returned, passed.token]


def _found_by_id(store: StoreHandle) -> Iterable[list[Any]]:
    for stored in [store.stored(row) for row in ROWS for _ in range(2)]:
        token = store.call("find_token_by_id", stored.id).returned
        if isinstance(token, load().OAuthToken):
            yield [token]


def _listed(store: StoreHandle) -> Iterable[list[Any]]:
    for place in range(len(ROWS)):
        yield [_listing(store)[place]]


def _is_of(token: Any, stored: Row) -> bool:
    """Whether a token is that of the row, for all that other clauses know: what else is found is no hit."""
    return isinstance(token, load().OAuthToken) and to_row_as_far_as_it_reads(token).id in (None, stored.id)


GIVEN = (
    Given("FIND-11", "changing what was found changes nothing stored", "find_token", _found,
          "a token that find_token returned or filled"),
    Given("BYID-4", "changing what was found by id changes nothing stored", "find_token_by_id", _found_by_id,
          "the token that find_token_by_id returned"),
    Given("LIST-3", "changing the listed tokens changes nothing stored", "get_tokens", _listed,
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
    require(workspace, len(store.kept) == len(ROWS), f"{len(ROWS)} rows", len(store.kept))
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
    for key in map(key_of, store.kept):
        seen[f"find_token with {format_row(key)}"] = str(store.find_quietly(key))
    return seen


def _unchanged(store: StoreHandle, looked: dict[str, str], what: str) -> None:
    """All rows and all answers are as they were before this was changed."""
    because = f"changing {what} changes nothing stored"
    # Listing comes last: it may renew what the other answers come from.
    now = _lookups(store)
    for way, answer in looked.items():
        if now[way] != answer:
            store.workspace.fail(f"{because}: {way} {answer}", f"it {now[way]}")
    store.expect(because=because)
