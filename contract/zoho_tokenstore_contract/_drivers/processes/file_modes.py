"""Which files others can open, after a call and in the middle of it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._harness.messages import format_exception
from ..._spec.tokens import Row, to_token
from .children import Processes
from .crash_points import CrashPoints
from .pipe import Pipe
from .reading import told_of_saves


def open_files(location: Path) -> dict[str, str]:
    """The files with content under a location that group or others can open, and their modes."""
    found = {}
    for path in location.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            status = path.lstat()
            if not path.is_file() or path.is_symlink() or not status.st_size or not status.st_mode & 0o066:
                continue
            around = itertools.takewhile(lambda parent: parent != location, path.parents)
            if all(parent.stat().st_mode & 0o011 for parent in around):
                found[str(path.relative_to(location))] = f"{status.st_mode & 0o777:04o}"
    return found


def seen_during_saves(processes: Processes, location: Path, rows: Sequence[Row]) -> dict[str, str]:
    """Have another process save rows, and look at the files at every moment of each save.

    Args:
        processes: The processes of the check.
        location: Where the store is opened.
        rows: The rows.

    Returns:
        The files that others could open, and in words with which mode and when.

    Raises:
        Violation: A save raises: another clause speaks of that.
    """
    return dict(told_of_saves(processes, watch_modes, location, rows)["seen"])


def watch_modes(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: look at the files at every moment of each save.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the rows to save.
    """
    seen: dict[str, str] = {}

    def look(moment: int) -> None:
        for name, mode in open_files(location).items():
            seen.setdefault(name, f"{name} has mode {mode} in the middle of save_token")

    for fields in payload:
        try:
            with CrashPoints(look):
                store.save_token(to_token(Row(**fields)))
        except Exception as error:
            pipe.send({"raised": format_exception(error)})
            return
        look(0)
    pipe.send({"seen": seen})
