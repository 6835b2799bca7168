"""FLOW-3, FLOW-4, FLOW-7, FLOW-8, FLOW-10, BYID-5: users who have signed in: renewed, removed, revoked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..._drivers.zoho.app import oauth_token
from ..._drivers.zoho.data_centre import EXPIRED_AT_ONCE, REVOKE, TOKEN
from ..._drivers.zoho.gate import Gate
from ..._drivers.zoho.sdk_abilities import PAST, abilities
from ..._drivers.zoho.sdk_session import Flow
from ..._harness.row_acts import demand, id_of, require
from ..._harness.store_limits import company
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, format_value, to_row
from ..registry import check
from ..sample_tokens import ACCESS, GRANT
from .sign_in import START_BY, STRANGERS, VALID_EVE, known_user, signed_in

# FLOW-3: the access token expires

RENEWED = ("id", "user_name", "refresh_token", "access_token", "expires_in")
"""What a renewal needs of a row. That an update keeps all the rest is what SAVE-13 says."""


@check("FLOW-3")
def an_expired_access_token_is_renewed_once(workspace: Workspace) -> None:
    for known in START_BY:
        with Flow(workspace) as flow:
            ann, last = flow.signed_in("ann", expired=True), company(flow.signed_in("cleo"))
            flow.store.holding(*company(flow.signed_in("bob"), *STRANGERS), ann, *last)
            token = known_user(workspace, known, flow.store.stored(ann))
            flow.start(token)
            renewed = is_renewed(flow, flow.store.stored(ann).updated_by(token))
            for _ in range(2):
                flow.calls_as("ann", renewed.access_token)
            flow.start(token)
            flow.calls_as("ann", renewed.access_token)
            flow.asked_for_tokens(1, f"after a start by {known}, the renewed token is used")


@check("FLOW-3")
def a_token_that_expires_while_the_application_runs_is_renewed(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(*company(flow.signed_in("bob"), *STRANGERS))
        flow.default_centre.user("ann").lifetimes = [EXPIRED_AT_ONCE, EXPIRED_AT_ONCE]
        code = flow.code_of("ann")
        flow.start(code)
        row = signed_in(flow, rows, "ann", code)
        for turn in (2, 3):
            flow.calls_as("ann")
            flow.asked_for_tokens(turn, "each expired access token is renewed once")
            row = is_renewed(flow, row)
        flow.calls_as("ann", row.access_token)
        flow.asked_for_tokens(3, "the third access token lives an hour")


def is_renewed(flow: Flow, row: Row) -> Row:
    """The row of one who had an expired access token holds the new one, and all the rest as before.

    Args:
        flow: The SDK at work.
        row: The one whose access token had expired.

    Returns:
        The row as it is now.
    """
    old = next(other for other in flow.store.kept if (other.id, other.user_name) == (row.id, row.user_name))
    renewal = flow.zoho.asked(TOKEN)
    if not renewal:
        flow.asked_for_tokens(1, "the expired access token is renewed")
    want = row.but(access_token=renewal[-1].answer.get("access_token"), expires_in=flow.passed().expires_in)
    because = "the same row holds the renewed access token"
    flow.store.expect(changed=[(old, want)], fields=RENEWED, because=because)
    return next(one for one in flow.store.kept if (one.id, one.user_name) == (row.id, row.user_name))


# FLOW-4: the application knows the id


@check("FLOW-4")
def a_stored_id_is_all_that_an_application_needs(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        names = company("ann", "bob", "cleo", "dan", least=1)
        rows = flow.store.holding(*map(flow.signed_in, names), *company(*STRANGERS))
        for name, row in zip(names, rows, strict=False):
            flow.start(known_user(workspace, "id", row))
            flow.calls_as(name, row.access_token)
            flow.calls_as(name, row.access_token)
        flow.asked_for_tokens(0, "the stored access tokens are valid")
        flow.store.expect(rows)


@check("FLOW-4")
def an_expired_token_is_renewed_by_its_own_refresh_token(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        names = company("ann", "bob", "cleo", least=1)
        users = {name: flow.signed_in(name, expired=True) for name in names}
        flow.store.holding(*company(*STRANGERS), *users.values())
        for name in (names[-1], *names[:-1]):
            row = flow.store.stored(users[name])
            flow.start(known_user(workspace, "id", row))
            flow.calls_as(name)
            is_renewed(flow, row)
        flow.asked_for_tokens(len(names), f"{len(names)} expired tokens are renewed once each")


@check("FLOW-4")
def an_unknown_id_is_nobodys(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        others = company(*STRANGERS, flow.signed_in("bob", expired=True))
        rows = flow.store.holding(flow.signed_in("ann"), *others)
        credentials = [one for row in rows for one in (row.access_token, row.refresh_token, row.grant_token)]
        unknown = ("987654321", "nobody", f"{rows[0].id} ", f"0{rows[0].id}", f"{rows[0].id} or 1=1", "%")
        for id in [id for id in unknown if all(row.id != id for row in rows)]:
            since = len(flow.zoho.requests)
            if flow.try_start(Row(id=id)).raised is None:
                flow.app.call_api()
            sent = flow.sent(credentials, since)
            expected = f"with the unknown id {format_value(id)}, no stored token is sent"
            demand(workspace, not sent, expected, f"Zoho was asked: {', '.join(map(str, sent[:1]))}")
            flow.store.expect(rows, because=f"the unknown id {format_value(id)} changes nothing")


# FLOW-7: a user logs out


@check("FLOW-7")
def remove_after_signing_in_removes_that_row(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(*company(flow.signed_in("bob"), *STRANGERS))
        code = flow.code_of("ann")
        token = flow.start(code)
        _is_removed(flow, token, signed_in(flow, rows, "ann", code))


@check("FLOW-7")
def remove_after_a_start_with_what_is_known_removes_that_row(workspace: Workspace) -> None:
    for known in ("refresh token", "user name", "id"):
        for expired in (False, True):
            with Flow(workspace) as flow:
                ann = flow.signed_in("ann", expired=expired)
                row = flow.store.holding(*company(flow.signed_in("bob"), *STRANGERS), ann)[-1]
                token = flow.start(known_user(workspace, known, row))
                _is_removed(flow, token, is_renewed(flow, row) if expired else row)


@check("FLOW-7")
def remove_after_signing_in_again_removes_the_users_row(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("ann"), *company(flow.signed_in("bob"), *STRANGERS))
        _is_removed(flow, flow.start(flow.code_of("ann")), rows[0])


def _is_removed(flow: Flow, token: Any, row: Row) -> None:
    answer = flow.app.remove(token)
    flow.works(answer, "OAuthToken.remove()")
    flow.store.expect(gone=[row], because="remove() removes the row of its token and no other")
    demand(flow.workspace, answer.returned is True, "OAuthToken.remove() says that it worked", answer)


# FLOW-8: a user's access is taken back


@check("FLOW-8")
def revoke_sends_the_refresh_token_of_the_row_with_that_id(workspace: Workspace) -> None:
    _needs_revoke()
    with Flow(workspace) as flow:
        names = company("ann", "bob", "cleo", least=1)
        rows = flow.store.holding(*company(VALID_EVE), *map(flow.signed_in, names), *company(ACCESS, GRANT))
        users = [row for row in rows if row.user_name and row.user_name != VALID_EVE.user_name]
        token = flow.start(known_user(workspace, "id", users[0]))
        for user in (users[-1], *users[:-1]):
            since = len(flow.zoho.requests)
            flow.works(flow.app.revoke(token, user.id), "OAuthToken.revoke(id)")
            _revoked(flow, since, rows, [user.refresh_token], f"of the row {format_value(user.id)}")


@check("FLOW-8")
def revoke_of_a_row_without_a_refresh_token_or_of_an_unknown_id_revokes_nobody(workspace: Workspace) -> None:
    _needs_revoke()
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("ann"), *company(ACCESS, GRANT, flow.signed_in("bob")))
        token = flow.start(known_user(workspace, "id", rows[0]))
        ids = [*(row.id for row in rows[1:-1]), "987654321", "nobody", f"{rows[0].id} or 1=1"]
        for id in [id for id in ids if id not in (rows[0].id, rows[-1].id)]:
            since = len(flow.zoho.requests)
            flow.app.revoke(token, id)
            _revoked(flow, since, rows, [], f"for the id {format_value(id)}, which has none")


def _needs_revoke() -> None:
    can = abilities()
    if not can.revokes:
        not_applicable(f"OAuthToken.revoke of this SDK cannot run, whatever the store: {can.revoke_raised}")


def _revoked(flow: Flow, since: int, rows: list[Row], want: list[Any], whose: str) -> None:
    """Zoho was sent this and nothing else, and the rows are as they were."""
    sent = [request.form.get("token") for request in flow.zoho.requests[since:] if request.kind == REVOKE]
    expected = f"revoke sends the refresh token {whose}: {_listed(want)}"
    demand(flow.workspace, sent == want, expected, f"it sent {_listed(sent)}")
    flow.store.expect(rows, because="revoking changes nothing stored")


def _listed(tokens: Sequence[Any]) -> str:
    return ", ".join(map(format_value, tokens)) or "nothing"


# FLOW-10: many threads meet one expired token

THREADS = ("one", "two", "three", "four")


@check("FLOW-10", thread_safe=True)
def threads_that_meet_one_expired_token_by_its_id_renew_it_once(workspace: Workspace) -> None:
    _is_renewed_once(workspace, "id")


@check("FLOW-10", thread_safe=True)
def threads_that_meet_one_expired_token_by_its_user_renew_it_once(workspace: Workspace) -> None:
    _is_renewed_once(workspace, "user name")


def _is_renewed_once(workspace: Workspace, known: str) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(*STRANGERS, flow.signed_in("ann", expired=True), flow.signed_in("bob"))
        token = known_user(workspace, known, rows[4])
        flow.start(known_user(workspace, "id", rows[-1]))
        gate = Gate(flow, len(THREADS))
        flow.zoho.hold = gate.wait

        def work(thread: str, wait: Callable[[], None]) -> None:
            flow.switch(oauth_token(token))
            flow.calls_as("ann")

        try:
            flow.together(work, THREADS, gate.look)
        finally:
            gate.open()
        flow.asked_for_tokens(1, f"{len(THREADS)} threads that meet one expired token renew it once")
        is_renewed(flow, rows[4])


# BYID-5: a token that came from the store is handed to the SDK


@check("BYID-5")
def a_token_from_find_token_by_id_is_handed_to_the_sdk(workspace: Workspace) -> None:
    _is_whole(workspace, lambda at, row: at.store.call("find_token_by_id", id_of(at.store, row)).returned)


@check("BYID-5")
def a_token_from_get_tokens_is_handed_to_the_sdk(workspace: Workspace) -> None:
    def listed(flow: Flow, row: Row) -> Any:
        tokens = flow.store.call("get_tokens").returned
        return next((token for token in tokens or () if to_row(token).user_name == row.user_name), None)

    _is_whole(workspace, listed)


def _is_whole(workspace: Workspace, take: Callable[[Flow, Row], Any]) -> None:
    with Flow(workspace) as flow:
        names = company("ann", "bob", "cleo", least=1)
        users = {name: flow.signed_in(name, expired=name == "bob") for name in names}
        flow.store.holding(*company(*STRANGERS), *users.values())
        steps = (flow.start_with, flow.switch, flow.switch, flow.start_with)
        for name, go in zip((*names, *names[1:2]), steps, strict=False):
            row = flow.store.stored(users[name])
            token = take(flow, row)
            require(workspace, token is not None, f"the store has the token {format_value(row.id)}", None)
            go(token)
            row = is_renewed(flow, row) if row.expires_in == PAST else row
            flow.calls_as(name, row.access_token)
        flow.store.expect()
