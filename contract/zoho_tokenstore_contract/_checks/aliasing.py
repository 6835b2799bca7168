"""Aliasing: tokens that a store was passed or returned are changed, and the storage must not notice."""

from __future__ import annotations

from typing import Any

from .._harness.calls import CallRecord
from .._harness.store_handle import StoreHandle
from .._spec.sdk import load
from .._spec.tokens import format_row, format_value, overwrite_fields
from .sample_tokens import key_of, person

OVERWRITTEN = person("spoilt", id="spoilt")


def overwrite(store: StoreHandle, token: Any) -> None:
    """Change every field of a token, and the `UserSignature` that it carries as well.

    Only a store that shares these objects with its storage can notice.

    Args:
        store: The store that returned the token or was passed it.
        token: The token.
    """
    store.workspace.remember([OVERWRITTEN])
    note = "every field of the token is given another value"
    store.workspace.calls.append(CallRecord(store.number, "overwrite_fields", passed=token, note=note))
    overwrite_fields(token, OVERWRITTEN)


def overwrite_all(store: StoreHandle, method: str) -> None:
    """Change every token that a method has returned or filled in so far: a store may keep the first of them.

    Args:
        store: The store.
        method: The method.
    """
    for call in [call for call in store.workspace.calls if call.method == method]:
        answers = call.returned if isinstance(call.returned, list) else [call.returned]
        for token in (*answers, call.passed):
            if isinstance(token, load().OAuthToken):
                overwrite(store, token)


def lookups(store: StoreHandle) -> dict[str, str]:
    """What is found by the id and by the key of each row that a store holds.

    A store may answer from another place than the one it lists: each way is looked at.
    """
    seen = {}
    for row in store.kept:
        seen[f"find_token_by_id({format_value(row.id)})"] = str(store.call("find_token_by_id", row.id))
    for key in map(key_of, store.kept):
        seen[f"find_token with {format_row(key)}"] = str(store.find_quietly(key))
    return seen


def unchanged(store: StoreHandle, looked: dict[str, str], what: str) -> None:
    """All rows and all answers are as they were before something was changed.

    Args:
        store: The store.
        looked: What the `lookups` were before.
        what: What was changed, in words.
    """
    because = f"changing {what} changes nothing stored"
    # Listing comes last: it may renew what the other answers come from.
    now = lookups(store)
    for way, answer in looked.items():
        if now[way] != answer:
            store.workspace.fail(f"{because}: {way} {answer}", f"it {now[way]}")
    store.expect(because=because)
