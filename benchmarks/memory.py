"""The memory that rows take: ``python -m benchmarks.memory CASE SIZE FILE``, a process for each case.

It prints one JSON object: the greatest number of bytes in use while the rows were there, found and
saved (``holding``), and until all of them had been listed (``listing``), above what was in use before.
"""

from __future__ import annotations

import gc
import json
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import FINDS, UPDATE, Handle, row, token_of
from zoho_reference_stores import ListStore, SQLiteFileStore, SQLiteMemoryStore
from zoho_reference_stores.list_store import _Record

BARE = "bare data"
CASES = (BARE, "ListStore", "SQLiteMemoryStore", "SQLiteFileStore")
_CALLS = 2000


def measured(case: str, size: int, file: Path) -> dict[str, int]:
    """Measure one of `CASES` in a process of its own.

    Args:
        case: What keeps the rows.
        size: The number of rows.
        file: The file of an `SQLiteFileStore` that holds them.

    Returns:
        Bytes by ``holding`` and ``listing``.
    """
    command = [sys.executable, "-m", "benchmarks.memory", case, str(size), str(file)]
    answer = subprocess.run(  # noqa: S603 (this program)
        command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, check=True
    )
    made: dict[str, int] = json.loads(answer.stdout)
    return made


def measure(case: str, size: int, file: Path) -> dict[str, int]:
    """As `measured`, in this process."""
    # Whatever is imported at the first call is there before.
    Handle(ListStore()).batch(UPDATE, [row(0)], 1)
    gc.collect()
    before = peak()
    if case == BARE:
        rows = [list(row(number)) for number in range(size)]
        holding = peak()
        tokens = [token_of(tuple(values)) for values in rows]
    else:
        store = _opened(case, size, file)
        _use(store, size)
        holding = peak()
        tokens = store.get_tokens()
    if len(tokens) != size:
        raise RuntimeError(f"{case} lists {len(tokens)} rows instead of {size}")
    # At least one byte, for a few rows fit into what the imports left.
    return {"holding": max(1, holding - before), "listing": max(1, peak() - before)}


def _opened(case: str, size: int, file: Path) -> Any:
    if case == "ListStore":
        in_list = ListStore()
        in_list._records = [_Record(row(number)) for number in range(size)]
        return in_list
    if case == "SQLiteMemoryStore":
        in_memory = SQLiteMemoryStore()
        source = sqlite3.connect(file)
        source.backup(in_memory._writer)
        source.close()
        return in_memory
    return SQLiteFileStore(file)


def _use(store: Any, size: int) -> None:
    # Even numbers: the others may have been saved with other access tokens.
    rows = [row(number) for number in range(0, size, 2 * max(1, size // _CALLS))]
    for operation in (*FINDS, UPDATE):
        batch = Handle(store).batch(operation, rows, size)
        if not all(batch.right(argument, batch.call(argument)) for argument in batch.arguments):
            raise RuntimeError(f"{operation} is answered wrongly")


def peak() -> int:
    """The most bytes of memory that this process ever had."""
    try:
        # Of this program alone: on Linux, `getrusage` also counts what started it, before it did.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
