"""FLOW-7, FLOW-8: the SDK removes and revokes."""

from __future__ import annotations

from typing import Any

from ..._drivers.zoho.data_centre import REVOKE
from ..._drivers.zoho.sdk_abilities import abilities
from ..._drivers.zoho.sdk_session import Flow
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, format_value
from ..registry import check
from ..sample_tokens import ACCESS, GRANT
from .renewal import is_renewed
from .sign_in import STRANGERS, VALID_EVE, issued_tokens, known_user, signed_in

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
                rows = flow.store.holding(
                    flow.signed_in("bob"), *STRANGERS, flow.signed_in("ann", expired=expired)
                )
                token = flow.start(known_user(workspace, known, rows[-1]))
                if expired:
                    rows[-1] = is_renewed(flow, rows, rows[-1])
                _is_removed(flow, token, rows, -1)


@check("FLOW-7")
def remove_after_signing_in_again_removes_the_users_row(workspace: Workspace) -> None:
    with Flow(workspace) as flow:
        ann = flow.signed_in("ann")
        rows = flow.store.holding(ann, flow.signed_in("bob"), *STRANGERS)
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
    if answer.returned is not True:
        flow.workspace.fail("OAuthToken.remove() says that it worked", str(answer))


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
            _revoked(flow, since, [rows[place].refresh_token], f"of the row {format_value(rows[place].id)}")
            flow.store.expect(rows, because="revoking changes nothing stored")


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
            _revoked(flow, since, [], f"for the id {format_value(id)}, which has none")
            flow.store.expect(rows, because="revoking changes nothing stored")


def _needs_revoke() -> None:
    can = abilities()
    if not can.revokes:
        not_applicable(f"OAuthToken.revoke of this SDK cannot run, whatever the store: {can.revoke_raised}")


def _revoked(flow: Flow, since: int, want: list[Any], whose: str) -> None:
    sent = [request.form.get("token") for request in flow.zoho.requests[since:] if request.kind == REVOKE]
    if sent != want:
        flow.workspace.fail(
            f"revoke sends the refresh token {whose}: {', '.join(map(format_value, want)) or 'nothing'}",
            f"it sent {', '.join(map(format_value, sent)) or 'nothing'}",
        )
