"""Faults of a store's storage: files that are damaged, a storage that is out of reach."""

from __future__ import annotations

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .._harness.calls import CallRecord
from .._harness.store_handle import StoreHandle
from .._harness.workspace import Workspace, not_applicable
from .._spec.clause_results import StoreUnavailable
from .._spec.tokens import Row
from .sample_tokens import ACCESS, ANN, BOB


def files_in(location: Path) -> list[Path]:
    """The regular files under a location that have no name elsewhere: a linked one may be somebody's."""
    if location.is_symlink():
        return []
    files: dict[Path, os.stat_result] = {}
    for path in location.rglob("*"):
        with contextlib.suppress(OSError):  # it may be gone by now
            if stat.S_ISREG((found := path.lstat()).st_mode):
                files[path] = found
    known = Counter((found.st_dev, found.st_ino) for found in files.values())
    return [path for path, found in files.items() if known[found.st_dev, found.st_ino] == found.st_nlink]


def main_file(store: StoreHandle) -> Path:
    """The main file of a file-backed store.

    A database's log and shared memory are not: what they hold belongs to the file beside them.
    """
    files = [
        path for path in files_in(store.location) if not path.name.endswith(("-wal", "-shm", "-journal"))
    ]
    if not files:
        not_applicable("the store keeps no files under its location")
    return max(files, key=lambda path: path.stat().st_size)


def _overwritten(content: bytes) -> bytes:
    return b"\x00\xff" * 32 + content[64:]


def _halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _replaced(content: bytes) -> bytes:
    return b"Remember the milk.\n" * 20


DAMAGES: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("its first 64 bytes are overwritten", _overwritten),
    ("it is cut in half", _halved),
    ("a text file is put in its place", _replaced),
)


@contextlib.contextmanager
def out_of_reach(
    workspace: Workspace,
    rows: Sequence[Row] = (ANN, ACCESS, BOB),
    gone: Sequence[Row] = (),
    opened: StoreHandle | None = None,
) -> Iterator[tuple[StoreHandle, list[Row]]]:
    """A store with rows that have been read, and that it can no longer reach.

    It is a new store, or one that is open already. Where further rows were deleted, the store was opened
    anew after that, and has saved none of them.

    Args:
        workspace: The workspace of the check.
        rows: The rows that are stored and read first.
        gone: Rows that were stored and deleted.
        opened: A store that is open already; by default a new one.
    """
    hook = workspace.sut.break_storage
    if hook is None:
        not_applicable("the store does not say how to put its storage out of reach (break_storage)")
    store = opened or workspace.open()
    held = store.holding(*rows, *gone) if opened is None else []
    for row in held[len(rows) :]:
        store.call("delete_token", row.id)
    if gone and workspace.sut.persistent:
        store = workspace.reopen(store)
    answer = workspace.guarded("break_storage", lambda: hook(store.store, store.location), store.location)
    if workspace.sut.in_location and not store.location.is_dir():
        # Else the process would still sit in what was renamed away.
        store.location = workspace.location()
        os.chdir(store.location)
    workspace.calls.append(CallRecord(1, "break_storage", answer=str(answer)))
    if isinstance(answer.raised, PermissionError) and getattr(answer.raised, "winerror", None):
        not_applicable(f"Windows keeps files in their place while they are open: break_storage {answer}")
    if answer.raised is not None:
        raise StoreUnavailable(f"break_storage {answer}")
    yield store, held


def mend(workspace: Workspace, store: StoreHandle, location: Path) -> None:
    """Put the storage of a store in reach again, at the location that it was opened on.

    Args:
        workspace: The workspace of the check.
        store: A store from `out_of_reach`.
        location: Where it was opened.
    """
    hook = workspace.sut.mend_storage
    assert hook is not None
    answer = workspace.guarded("mend_storage", lambda: hook(store.store, location), store.location)
    workspace.calls.append(CallRecord(1, "other", note=f"mend_storage {answer}"))
    if answer.raised is not None:
        raise StoreUnavailable(f"mend_storage {answer}")
    store.location = location
    if workspace.sut.in_location:
        os.chdir(location)
