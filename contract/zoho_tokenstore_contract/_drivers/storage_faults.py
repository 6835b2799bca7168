"""Faults of a store's storage: files that are damaged, a storage that is out of reach."""

from __future__ import annotations

import contextlib
import os
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from .._harness.calls import CallRecord
from .._harness.store_handle import StoreHandle
from .._harness.workspace import Workspace, not_applicable
from .._spec.clause_results import StoreUnavailable


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


def harm_to(path: Path, content: bytes) -> str:
    """What became of a file that had this content.

    Args:
        path: The file.
        content: What was in it.

    Returns:
        What has happened to it, in words; "" where it is as it was.
    """
    if not path.is_file():
        return "is gone"
    return "" if path.read_bytes() == content else "has other content"


def state_of(folder: Path) -> int:
    """A number for what another process finds in a folder, which is another one once a file has changed.

    Args:
        folder: The folder; what lies in folders in it counts, too.

    Returns:
        The number, which has no meaning in another process.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):  # it may be gone by now
            found.append((str(path), path.read_bytes() if path.is_file() else b""))
    return hash(tuple(found))


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


def damage_main_file(store: StoreHandle, what: str, damage: Callable[[bytes], bytes]) -> tuple[Path, bytes]:
    """Damage the main file of a closed store.

    Args:
        store: The store, which is closed.
        what: The damage in words.
        damage: Makes the damaged content of the content.

    Returns:
        The file, and its content now.
    """
    main = main_file(store)
    content = damage(main.read_bytes())
    main.write_bytes(content)
    place = main.relative_to(store.location)
    note = f"(while the store is closed, the kit damages its file {place}: {what})"
    store.workspace.calls.append(CallRecord(1, "damage", note=note))
    return main, content


def needs_break_storage(workspace: Workspace) -> None:
    """End the check of a store that does not say how to put its storage out of reach.

    Raises:
        NotApplicable: It does not.
    """
    if workspace.sut.break_storage is None:
        not_applicable("the store does not say how to put its storage out of reach (break_storage)")


def break_storage(store: StoreHandle) -> None:
    """Put the storage of an open store out of reach.

    Raises:
        NotApplicable: The system keeps files in their place while they are open.
        StoreUnavailable: The store's own hook fails.
    """
    workspace, hook = store.workspace, store.workspace.sut.break_storage
    assert hook is not None
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


def mend_storage(store: StoreHandle, location: Path) -> None:
    """Put the storage of a store in reach again, at the location that it was opened on.

    Args:
        store: A store after `break_storage`.
        location: Where it was opened.

    Raises:
        StoreUnavailable: The store's own hook fails.
    """
    workspace, hook = store.workspace, store.workspace.sut.mend_storage
    assert hook is not None
    answer = workspace.guarded("mend_storage", lambda: hook(store.store, location), store.location)
    workspace.calls.append(CallRecord(1, "other", note=f"mend_storage {answer}"))
    if answer.raised is not None:
        raise StoreUnavailable(f"mend_storage {answer}")
    store.location = location
    if workspace.sut.in_location:
        os.chdir(location)
