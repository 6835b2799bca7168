"""CRASH-4: a storage that is out of reach."""

from __future__ import annotations

from typing import Any

from ..._harness.calls import Answer
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row, to_token
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    ANN,
    CLIENT,
    GRANT,
    GUS,
    REFRESH,
    key_of,
    person,
)
from ..storage_faults import out_of_reach

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


METHODS = ("find_token", "save_token", "get_tokens", "find_token_by_id", "delete_token", "delete_tokens")


@check("CRASH-4")
def every_method_raises_when_the_storage_is_out_of_reach(workspace: Workspace) -> None:
    for method in METHODS:
        for row in (ANN, person("zoe")) if method in ("find_token", "save_token") else (ANN,):
            workspace.fresh_examples()
            with out_of_reach(workspace) as (store, rows):
                _raises(workspace, store, method, row, rows[0].id)


@check("CRASH-4")
def every_method_raises_one_after_another(workspace: Workspace) -> None:
    with out_of_reach(workspace) as (store, rows):
        for method in (*METHODS, *METHODS):
            _raises(workspace, store, method, ANN, rows[0].id)


@check("CRASH-4")
def every_way_of_asking_raises_when_the_storage_is_out_of_reach(workspace: Workspace) -> None:
    rows = (ANN, ACCESS, GRANT, REFRESH)
    unknown = (
        Row(user_name="zoe@example.com:77"),
        Row(access_token="1000.zoe.access"),
        Row(**CLIENT, grant_token="1000.zoe.grant"),
        Row(**CLIENT, refresh_token="1000.zoe.refresh"),
    )
    with out_of_reach(workspace, rows, gone=(person("gone"),)) as (store, held):
        for row in (*map(key_of, rows), *unknown, Row(id=held[0].id), Row(id=held[-1].id)):
            _raises(workspace, store, "find_token", row, None)
        for row in (*(key_of(row).but(expires_in="1900000000999") for row in rows), REFRESH, GUS):
            _raises(workspace, store, "save_token", row, None)
        for row in held:
            _raises(workspace, store, "find_token_by_id", ANN, row.id)
            _raises(workspace, store, "delete_token", ANN, row.id)


def _raises(workspace: Workspace, store: StoreHandle, method: str, row: Row, id: Any) -> None:
    argument = {"find_token_by_id": (id,), "delete_token": (id,), "get_tokens": (), "delete_tokens": ()}
    answer: Answer = store.call(method, *argument.get(method, (to_token(row),)))
    if answer.raised is None:
        workspace.fail(f"{method} raises when the storage is out of reach", str(answer))
