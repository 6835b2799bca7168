"""CLEAR-3: deleting touches no file that is not the store's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..._harness.calls import CallRecord
from ..._harness.row_acts import require
from ..._harness.store_handle import StoreHandle
from ..._harness.workspace import Workspace
from ..._spec.tokens import Row
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, GRANT, REFRESH, pool
from ..storage_faults import main_file

CONTENT = b"Not a token.\n" * 40
ROWS = pool(ANN, ACCESS, BOB, GRANT, REFRESH)


def _clear(store: StoreHandle, others: list[str]) -> None:
    store.call("delete_tokens")


def _delete_each(store: StoreHandle, others: list[str]) -> None:
    # A store with a file for each row may take any name for an id.
    for id in (*others, *(row.id for row in store.kept)):
        store.call("delete_token", id)


@check("CLEAR-3", persistent=True)
def delete_tokens_leaves_other_files_alone(workspace: Workspace) -> None:
    _leaves_other_files(workspace, _clear, "delete_tokens")


@check("CLEAR-3", persistent=True)
def delete_token_leaves_other_files_alone(workspace: Workspace) -> None:
    _leaves_other_files(workspace, _delete_each, "delete_token")


def _leaves_other_files(
    workspace: Workspace, delete: Callable[[StoreHandle, list[str]], None], method: str
) -> None:
    store = workspace.holding(*ROWS)
    main = main_file(store)
    delete(store, [])
    require(workspace, not store.rows(), f"{method} removes the rows")
    for opened_again in (False, True):
        workspace.fresh_examples()
        store = workspace.holding(*ROWS)
        if opened_again:
            workspace.close(store)
        others = _put_others(store.location, main, store.kept)
        names = [str(path.relative_to(store.location)) for path in others]
        workspace.calls.append(
            CallRecord(1, "other", note=f"other files are put under the location: {', '.join(names)}")
        )
        if opened_again:
            _, again = workspace.try_open(store.location)
            if again is None:
                return  # it owns up to what it does not know
            again.kept = store.kept
            store = again
        delete(store, names)
        for path in others:
            if not path.is_file() or path.read_bytes() != CONTENT:
                seen = "has other content" if path.is_file() else "is gone"
                workspace.fail(f"{method} leaves other files under the location alone", f"{path.name} {seen}")


def _put_others(location: Path, main: Path, rows: list[Row]) -> list[Path]:
    """Files that are not the store's: of other kinds and of its own, named like its file or after an id."""
    ids: list[Any] = [row.id for row in rows[:2]]
    names = [
        "notes.txt",
        ".env",
        "app.log",
        "uploads/report.pdf",
        f"{main.stem}-of-last-year.txt",
        f"invoices{main.suffix}.zip",
        *(f"invoice-{id}.txt" for id in ids if isinstance(id, str) and id.isalnum() and len(id) < 50),
    ]
    paths = [location / name for name in names if not (location / name).exists()]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CONTENT)
    return paths
