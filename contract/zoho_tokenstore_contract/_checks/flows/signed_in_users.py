"""FLOW-3, FLOW-4, FLOW-7, FLOW-8, FLOW-10, BYID-5: users who have signed in: renewed, removed, revoked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..._drivers.zoho.app import oauth_token
from ..._drivers.zoho.data_centre import EXPIRED_AT_ONCE, REVOKE, TOKEN
from ..._drivers.zoho.gate import Gate
from ..._drivers.zoho.sdk_abilities import PAST, abilities
from ..._drivers.zoho.sdk_session import Flow
from ..._harness.row_acts import demand, require
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, format_value
from ..registry import check
from ..sample_tokens import ACCESS, GRANT
from .sign_in import START_BY, STRANGERS, VALID_EVE, issued_tokens, known_user, signed_in

# FLOW-3: the access token expires


@check("FLOW-3")
def an_expired_access_token_is_renewed_once(workspace: Workspace) -> None:
    for known in START_BY:
        with Flow(workspace) as flow:
            rows = flow.store.holding(
                flow.signed_in("bob"), *STRANGERS, flow.signed_in("ann", expired=True), flow.signed_in("cleo")
            )
            token = known_user(workspace, known, rows[-2])
            flow.start(token)
            renewed = is_renewed(flow, rows, rows[-2].updated_by(token))
            for _ in range(2):
                flow.calls_as("ann", renewed.access_token)
            flow.start(token)
            flow.calls_as("ann", renewed.access_token)
            flow.asked_for_tokens(1, f"after a start by {known}, the renewed token is used")


@check("FLOW-3")
def a_token_that_expires_while_the_application_runs_is_renewed(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("bob"), *STRANGERS)
        flow.default_centre.user("ann").lifetimes = [EXPIRED_AT_ONCE, EXPIRED_AT_ONCE]
        code = flow.code_of("ann")
        flow.start(code)
        rows.append(signed_in(flow, rows, "ann", code))
        for turn in (2, 3):
            flow.calls_as("ann")
            flow.asked_for_tokens(turn, "each expired access token is renewed once")
            rows[-1] = is_renewed(flow, rows, rows[-1])
        flow.calls_as("ann", rows[-1].access_token)
        flow.asked_for_tokens(3, "the third access token lives an hour")


def is_renewed(flow: Flow, rows: list[Row], row: Row) -> Row:
    """The row of one who had an expired access token holds the new one, and all the rest as before.

    Args:
        flow: The SDK at work.
        rows: The stored rows before the renewal.
        row: The one whose access token had expired.

    Returns:
        The row as it is now.
    """
    old = next(other for other in rows if (other.id, other.user_name) == (row.id, row.user_name))
    renewal = flow.zoho.asked(TOKEN)
    if not renewal:
        flow.asked_for_tokens(1, "the expired access token is renewed")
    want = row.but(access_token=renewal[-1].answer.get("access_token"), expires_in=flow.passed().expires_in)
    because = "the same row holds the renewed access token"
    flow.store.expect(rows, changed=[(old, want)], fields=tuple(want.present()), because=because)
    return next(one for one in flow.store.kept if (one.id, one.user_name) == (row.id, row.user_name))


# FLOW-4: the application knows the id


@check("FLOW-4")
def a_stored_id_is_all_that_an_application_needs(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        names = ("ann", "bob", "cleo", "dan")
        rows = flow.store.holding(*(flow.signed_in(name) for name in names), *STRANGERS)
        for name, row in zip(names, rows, strict=False):
            flow.start(known_user(workspace, "id", row))
            flow.calls_as(name, row.access_token)
            flow.calls_as(name, row.access_token)
        flow.asked_for_tokens(0, "the stored access tokens are valid")
        flow.store.expect(rows)


@check("FLOW-4")
def an_expired_token_is_renewed_by_its_own_refresh_token(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        names = ("ann", "bob", "cleo")
        rows = flow.store.holding(*STRANGERS, *(flow.signed_in(name, expired=True) for name in names))
        for name, place in (("cleo", -1), ("ann", -3), ("bob", -2)):
            flow.start(known_user(workspace, "id", rows[place]))
            flow.calls_as(name)
            rows[place] = is_renewed(flow, rows, rows[place])
        flow.asked_for_tokens(3, "three expired tokens are renewed once each")


@check("FLOW-4")
def an_unknown_id_is_nobodys(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("ann"), *STRANGERS, flow.signed_in("bob", expired=True))
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
        rows = flow.store.holding(flow.signed_in("bob"), *STRANGERS)
        code = flow.code_of("ann")
        token = flow.start(code)
        _is_removed(flow, token, [*rows, signed_in(flow, rows, "ann", code)], len(rows))


@check("FLOW-7")
def remove_after_a_start_with_what_is_known_removes_that_row(workspace: Workspace) -> None:
    for known in ("refresh token", "user name", "id"):
        for expired in (False, True):
            with Flow(workspace) as flow:
                ann = flow.signed_in("ann", expired=expired)
                rows = flow.store.holding(flow.signed_in("bob"), *STRANGERS, ann)
                token = flow.start(known_user(workspace, known, rows[-1]))
                if expired:
                    rows[-1] = is_renewed(flow, rows, rows[-1])
                _is_removed(flow, token, rows, -1)


@check("FLOW-7")
def remove_after_signing_in_again_removes_the_users_row(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("ann"), flow.signed_in("bob"), *STRANGERS)
        code = flow.code_of("ann")
        token = flow.start(code)
        # Else the application names the user, whose stored token is found and used.
        if abilities().names_users:
            rows[0] = issued_tokens(flow, "ann", code, id=rows[0].id)
        _is_removed(flow, token, rows, 0)


def _is_removed(flow: Flow, token: Any, rows: list[Row], place: int) -> None:
    answer = flow.app.remove(token)
    flow.works(answer, "OAuthToken.remove()")
    flow.store.expect(rows, gone=[rows[place]], because="remove() removes the row of its token and no other")
    demand(flow.workspace, answer.returned is True, "OAuthToken.remove() says that it worked", answer)


# FLOW-8: a user's access is taken back


@check("FLOW-8")
def revoke_sends_the_refresh_token_of_the_row_with_that_id(workspace: Workspace) -> None:
    _needs_revoke()
    with Flow(workspace) as flow:
        names = ("ann", "bob", "cleo")
        rows = flow.store.holding(VALID_EVE, *(flow.signed_in(name) for name in names), ACCESS, GRANT)
        token = flow.start(known_user(workspace, "id", rows[1]))
        for place in (3, 1, 2):
            since = len(flow.zoho.requests)
            answer = flow.app.revoke(token, rows[place].id)
            flow.works(answer, "OAuthToken.revoke(id)")
            whose = f"of the row {format_value(rows[place].id)}"
            _revoked(flow, since, rows, [rows[place].refresh_token], whose)


@check("FLOW-8")
def revoke_of_a_row_without_a_refresh_token_or_of_an_unknown_id_revokes_nobody(workspace: Workspace) -> None:
    _needs_revoke()
    with Flow(workspace) as flow:
        rows = flow.store.holding(flow.signed_in("ann"), ACCESS, GRANT, flow.signed_in("bob"))
        token = flow.start(known_user(workspace, "id", rows[0]))
        ids = [rows[1].id, rows[2].id, "987654321", "nobody", f"{rows[0].id} or 1=1"]
        for id in [id for id in ids if id not in (rows[0].id, rows[3].id)]:
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
        is_renewed(flow, rows, rows[4])


# BYID-5: a token that came from the store is handed to the SDK


@check("BYID-5")
def a_token_from_find_token_by_id_is_handed_to_the_sdk(workspace: Workspace) -> None:
    _is_whole(workspace, lambda flow, row: flow.store.call("find_token_by_id", row.id).returned)


@check("BYID-5")
def a_token_from_get_tokens_is_handed_to_the_sdk(workspace: Workspace) -> None:
    def listed(flow: Flow, row: Row) -> Any:
        tokens = flow.store.call("get_tokens").returned
        return next((token for token in tokens or () if token.get_id() == row.id), None)

    _is_whole(workspace, listed)


def _is_whole(workspace: Workspace, take: Callable[[Flow, Row], Any]) -> None:
    with Flow(workspace) as flow:
        rows = flow.store.holding(
            *STRANGERS, flow.signed_in("ann"), flow.signed_in("bob", expired=True), flow.signed_in("cleo")
        )
        for name, place, go in (
            *(("ann", -3, flow.start_with), ("bob", -2, flow.switch)),
            *(("cleo", -1, flow.switch), ("bob", -2, flow.start_with)),
        ):
            token = take(flow, rows[place])
            has_it = f"the store has the token {format_value(rows[place].id)}"
            require(workspace, token is not None, has_it, None)
            go(token)
            if rows[place].expires_in == PAST:
                rows[place] = is_renewed(flow, rows, rows[place])
            flow.calls_as(name, rows[place].access_token)
        flow.store.expect(rows)
