"""Spoiling tokens that a store handed out or was handed, to see whether the storage notices."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from .._harness.workspace import Call, Opened
from .._spec.tokens import FIELDS, Row, shown, shown_row, to_token
from .sample_tokens import key_of, person

SPOILT = person("spoilt", id="spoilt")


class Spoilt(Call):
    """What a program does between two calls, to an object that the store was passed or returned."""

    def __str__(self) -> str:
        if self.method == "spoil":
            return "every field of the token is given another value"
        return f"the returned list: {self.method}()"


def spoil(store: Opened, token: Any) -> None:
    """Change every field of a token, and the `UserSignature` that it carries as well.

    Nothing but a store that shares these objects with its storage can notice. What a token refuses to
    change cannot be spoilt.
    """
    store.bench.remember([SPOILT])
    store.bench.calls.append(Spoilt(store.number, "spoil", passed=token))
    signature = token.get_user_signature()
    if signature is not None:
        # The signature has no setter, but a store that keeps this very object still shares it.
        for attribute in list(vars(signature)):
            with contextlib.suppress(AttributeError):
                setattr(signature, attribute, SPOILT.user_name)
    other = to_token(SPOILT)
    for name in (*(name for name in FIELDS if name != "user_name"), "user_signature"):
        with contextlib.suppress(Exception):
            getattr(token, f"set_{name}")(getattr(other, f"get_{name}")())


def looked_up(store: Opened, rows: Sequence[Row]) -> dict[str, str]:
    """What is found by the id and by the key of each stored row.

    A store may answer from another place than the one it lists: each way is looked at.
    """
    seen = {}
    for row in rows:
        seen[f"find_token_by_id({shown(row.id)})"] = str(store.call("find_token_by_id", row.id))
    for row in rows:
        key = key_of(row)
        seen[f"find_token with {shown_row(key)}"] = str(store.find_quietly(key))
    return seen


def unchanged(store: Opened, before: Sequence[Row], looked: dict[str, str], what: str) -> None:
    """All rows and all answers are as they were before something was spoilt."""
    because = f"changing {what} changes nothing stored"
    # Listing comes last: it may renew what the other answers come from.
    now = looked_up(store, before)
    for way, answer in looked.items():
        if now[way] != answer:
            store.bench.broken(f"{because}: {way} {answer}", f"it {now[way]}")
    store.expect(before, because=because)
