"""Where a workspace makes the locations of its stores, and removes them."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (a directory of its own in it)
_ROOM = 1 << 30  # bytes; containers often have 64 MB there


class Locations:
    """Directories for stores, under one that is made with the first of them.

    Attributes:
        base: That one; ``None`` where none was made.
    """

    def __init__(self) -> None:
        self.base: Path | None = None

    def new(self) -> Path:
        """A new empty directory, with a name that was never used before."""
        if self.base is None:
            # The name is known before there is a directory, so that none is left whatever happens.
            parent = Path(_in_memory() or tempfile.gettempdir()).resolve()
            self.base = parent / f"tokenstore-{secrets.token_hex(8)}"
            self.base.mkdir(mode=0o700)
        location = self.base / f"t{secrets.token_hex(8)}"
        location.mkdir()
        return location

    def remove(self) -> None:
        """Remove all of them, twice: a process or thread of a store may still have been writing."""
        for _ in range(2):
            if self.base is not None:
                shutil.rmtree(self.base, ignore_errors=True)


def _in_memory() -> str | None:
    """Where Linux keeps files in memory, if there is room; ``None`` for the usual temporary directory.

    A store that waits for the disk at each save is checked several times as fast there, and no
    clause asks what a power loss leaves. Who sets ``TMPDIR`` is obeyed.
    """
    try:
        free = shutil.disk_usage(_SHARED_MEMORY).free
    except OSError:
        return None
    usable = os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) and free > _ROOM
    return _SHARED_MEMORY if usable and "TMPDIR" not in os.environ else None
