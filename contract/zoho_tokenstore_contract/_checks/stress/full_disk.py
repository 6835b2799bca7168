"""CRASH-2: a full disk."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..._drivers.processes.children import Child, Processes
from ..._drivers.processes.pipe import Pipe
from ..._harness.messages import format_exception
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, to_token
from ..registry import check
from ..sample_tokens import (
    ACCESS,
    REFRESH,
)
from ..storage_faults import files_in, main_file
from .concurrent_processes import rows_with
from .kills import USERS, in_brief, in_child, instead_of, wide

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

FILL = 24  # saves that may still find room
LARGE = 4096  # characters a field, for stores whose files do not grow otherwise
EXTRA = (1, 16, 700, 4096, 9000)
"""How many bytes more than the largest file has: in the first field of a row, in its middle, a page."""


@check("CRASH-2", persistent=True)
def a_full_disk_makes_saving_raise_and_costs_no_row(workspace: Workspace) -> None:
    if resource is None:
        not_applicable("file-size limits are a POSIX call, which is missing here")
    with Processes(workspace) as processes:
        store = workspace.open()
        before = store.holding(*(wide(f"user{number}") for number in range(USERS)), ACCESS, REFRESH)
        main_file(store)
        location = store.location
        workspace.close(store)
        arranged = list(workspace.calls)
        raised = []
        for turn, extra in enumerate(EXTRA):
            workspace.calls[:] = arranged
            rows = [_filling("update" if turn % 2 else "insert", turn, number) for number in range(FILL + 6)]
            workspace.remember(rows)
            payload = {"rows": [asdict(row) for row in rows], "extra": extra}
            child = processes.start(save_until_full, location, payload).ready()
            before, failed = _kept_when_full(child, location, before, rows)
            raised.append(failed)
        if not any(raised):
            not_applicable(
                "the process that saves never had to write beyond a limit just above its largest file"
            )


def _filling(kind: str, turn: int, number: int) -> Row:
    name = f"user{number % USERS}" if kind == "update" else f"full{turn}-{number}"
    row = wide(name, f"{turn}-{number}")
    if number < FILL:
        return row
    return row.but(
        **{name: value.ljust(LARGE, "y") for name, value in row.present().items() if name.endswith("_token")}
    )


def _kept_when_full(
    child: Child, location: Path, before: list[Row], rows: list[Row]
) -> tuple[list[Row], bool]:
    """Compare what is there when the limit is gone; the rows, and whether a save raised."""
    workspace = child.workspace
    limit = child.receive("save_token")
    workspace.calls.append(in_child(f"no file grows beyond {limit} bytes", method="limit"))
    ids = [row.id for row in before]
    wanted = {row.user_name or row: row for row in before}
    failed = None
    for row in rows:
        word = child.receive("save_token beyond the file-size limit")
        if "raised" in word:
            failed = row
            workspace.calls.append(in_child(f"raised {word['raised']}", row))
            break
        id = word["saved"]
        ids.append(id)
        workspace.calls.append(in_child("returned None", row, id))
        old = wanted.get(row.user_name)
        wanted[row.user_name] = row.but(id=id) if old is None else old.updated_by(row)
    child.receive("close")
    child.end()
    workspace.calls.append(in_child("the limit is gone", method="limit"))
    store = workspace.open(location)
    found = rows_with(store, ids)
    workspace.close(store)
    for row in wanted.values():
        accepted = [row]
        if failed is not None and failed.user_name == row.user_name:
            accepted.append(row.updated_by(failed))
        if not any(one in accepted for one in found):
            promised = (
                "every earlier row is still there when the limit is gone"
                if failed is not None
                else "save_token raises where it could not write, and what it stored is there"
            )
            workspace.fail(f"{promised}: {in_brief(row)}", instead_of(row, found))
    return found, failed is not None


def save_until_full(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: save under a file-size limit until that fails.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the rows, and the bytes that the files may still grow by.
    """
    assert resource is not None
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails instead
    limit = max(path.stat().st_size for path in files_in(location)) + payload["extra"]
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    tokens = [to_token(Row(**fields)) for fields in payload["rows"]]
    pipe.send(limit)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    for token in tokens:
        try:
            store.save_token(token)
        except Exception as error:
            pipe.send({"raised": format_exception(error)})
            break
        pipe.send({"saved": token.get_id()})
    # What it still tries to write now must not destroy anything either.
    close = getattr(store, "close", None)
    if callable(close):
        with contextlib.suppress(Exception):
            close()
    pipe.send("closed")
    pipe.receive()
