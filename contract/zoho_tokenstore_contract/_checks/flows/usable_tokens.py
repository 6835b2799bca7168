"""BYID-5: what a store returns is a token that the SDK can work with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._drivers.zoho.sdk_abilities import PAST
from ..._drivers.zoho.sdk_session import Flow
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, format_value
from ..registry import check
from .renewal import is_renewed
from .sign_in import STRANGERS

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
            ("ann", -3, flow.start_with),
            ("bob", -2, flow.switch),
            ("cleo", -1, flow.switch),
            ("bob", -2, flow.start_with),
        ):
            token = take(flow, rows[place])
            if token is None:
                workspace.fail(
                    f"the store has the token {format_value(rows[place].id)}",
                    "None",
                    precondition_failed=True,
                )
            go(token)
            if rows[place].expires_in == PAST:
                rows[place] = is_renewed(flow, rows, rows[place])
            flow.calls_as(name, rows[place].access_token)
        flow.store.expect(rows)
