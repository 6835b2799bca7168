"""SAVE-16 to SAVE-19: what is refused, and what becomes of the passed token."""

from __future__ import annotations

from typing import Any

from ..._harness.calls import TokenCall
from ..._harness.row_acts import NEW_ACCESS, is_refused
from ..._harness.store_limits import Pool
from ..._harness.workspace import Workspace
from ..._spec.sdk import load
from ..._spec.tokens import FIELDS, Row, format_value, to_token
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
    ONE_OF_EACH_KEY,
    OTHER_CLIENT,
    WITH_CLIENT,
    key_of,
    person,
    pool,
)

CHANGED_URL = "https://example.com/changed"
NOTHING = Row(**OTHER_CLIENT, redirect_url="https://example.com/nothing", expires_in="1900000000445")
STRANGER = person("stranger").but(grant_token=None, refresh_token=None, access_token=None)
NO_TOKENS: tuple[object, ...] = (None, "1000.ann.access", 42, {"user_name": "ann"}, object(), [])


@check("SAVE-16")
def a_token_without_credential_and_row_fails_cleanly(workspace: Workspace) -> None:
    for store, rows in workspace.each((ONE_OF_EACH_KEY, ())):
        store.holding(*rows)
        for sent in (
            *(STRANGER, STRANGER.only("user_name"), STRANGER.only("user_name").but(**CLIENT)),
            *(Row(id="unknown"), STRANGER.but(user_name=None, id="unknown"), STRANGER.but(id="unknown")),
        ):
            is_refused(store, store.try_save(sent))
        if not rows:
            store.holding(ANN)
        store.expect(because="the store works on after it refused a token")


TIDIED = ("https://Example.com/a/", " a b ", "\ta\n", "A%20b//", "E\u0301", '"q"', "a?b=1&b=#", "000123")
"""Texts that somebody tidies: a last slash, space at the ends, letter case, normal forms, leading zeros."""


@check("SAVE-17")
def the_passed_token_keeps_its_fields_and_is_not_tidied(workspace: Workspace) -> None:
    store = workspace.holding(*pool(ANN, GUS, LATE_REFRESH, GRANT, ACCESS))
    tidied = [Row(**dict.fromkeys(FIELDS, text)).but(id=None) for text in Pool(TIDIED)]
    for sent in (
        BOB,
        DAN,
        WITH_CLIENT,
        person("fresh", user_name=ANN.user_name, **OTHER_CLIENT),
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
    ):
        _keeps_its_fields(workspace, store.try_save(sent))


@check("SAVE-17")
def the_passed_token_of_a_refused_save_keeps_its_fields(workspace: Workspace) -> None:
    store = workspace.holding(*pool(ANN, GRANT))
    for sent in (
        NOTHING.but(user_name="stranger@example.com:77"),
        NOTHING.but(id="unknown"),
        person("late", id="x" * 300),
        person("wide", access_token="1000." + "w" * 5000),
    ):
        # Whether it is refused is for other clauses to say: either way the caller's token stays whole.
        _keeps_its_fields(workspace, store.try_save(sent))


def _keeps_its_fields(workspace: Workspace, saved: TokenCall) -> None:
    for name, value in saved.sent.but(id=None).present().items():
        if (now := getattr(saved.passed_after, name)) != value:
            refused = ", also where it is refused" if saved.answer.raised is not None else ""
            workspace.fail(
                f"the passed token keeps its {name}, {format_value(value)}{refused}",
                f"it is now {format_value(now)}",
            )


@check("SAVE-19")
def what_is_no_token_changes_nothing(workspace: Workspace) -> None:
    token = to_token(person("stranger"))
    for store, rows in workspace.each((ONE_OF_EACH_KEY, ())):
        store.holding(*rows)
        for thing in (*NO_TOKENS, load().OAuthToken, [token], _Lookalike(token), _another_kind_of(token)):
            answer = store.call("save_token", thing)
            if answer.raised is not None and not answer.refused:
                workspace.fail("what is no OAuthToken is ignored or refused with SDKException", str(answer))
            store.expect(because="what is no OAuthToken changes nothing")


class _Lookalike:
    """Answers like a token, and is none."""

    def __init__(self, token: Any) -> None:
        self._token = token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)


def _another_kind_of(token: Any) -> Any:
    """One of the SDK's tokens that is no `OAuthToken`, and answers like one."""
    base = load().OAuthToken.__base__
    methods = dict.fromkeys(base.__abstractmethods__)
    return type(base)("AnotherKindOfToken", (_Lookalike, base), methods)(token)
