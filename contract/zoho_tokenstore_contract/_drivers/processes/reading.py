"""What another process reads, finds and saves with a store that it opened for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..._harness.calls import CallRecord
from ..._harness.messages import format_exception
from ..._spec.tokens import Row, is_token, to_row, to_token
from .child_environments import Surroundings
from .children import Processes
from .pipe import Pipe


@dataclass(frozen=True)
class Visit:
    """What another process read, found and saved; what a call raised stands for its answer, as a text.

    Attributes:
        where: What it was started in, in words.
        listed: The rows that ``get_tokens`` showed first.
        found: The row that each key found, ``None`` for a miss.
        saved: Of each save ``None``, for it worked.
        after: The rows that ``get_tokens`` showed then.
    """

    where: str
    listed: list[Row] | str
    found: list[Row | str | None]
    saved: list[str | None]
    after: list[Row] | str


def visit(
    processes: Processes,
    location: Path,
    keys: Sequence[Row],
    saves: Sequence[Row],
    surroundings: Surroundings | None,
) -> Visit:
    """Have another process list the rows, find some, save, and list them again; recorded.

    Args:
        processes: The processes of the check.
        location: Where the store is opened.
        keys: The tokens that are looked for.
        saves: The tokens that are saved.
        surroundings: What the process is started in; ``None`` for those of this process.

    Returns:
        What became of each call.
    """
    payload = {"keys": [asdict(row) for row in keys], "saves": [asdict(row) for row in saves]}
    child = processes.start(read_find_and_save, location, payload, surroundings).ready()
    listed, found, saved, after = child.receive("the calls in another process")
    child.end()
    where = f"in a process with {surroundings or 'the usual surroundings'}"
    note = f"{where}: get_tokens, find_token of each row, save_token of each"
    processes.workspace.calls.append(CallRecord(1, "other", note=note))
    return Visit(where, _rows(listed), [_row(one) for one in found], saved, _rows(after))


def _row(told: Any) -> Any:
    return Row(**told) if isinstance(told, dict) else told


def _rows(told: Any) -> Any:
    return [_row(one) for one in told] if isinstance(told, list) else told


def told_of_saves(
    processes: Processes, task: Callable[[Any, Path, Pipe, Any], None], location: Path, rows: Sequence[Row]
) -> dict[str, Any]:
    """Have another process save rows, and take what it tells of that.

    Args:
        processes: The processes of the check.
        task: What it does there: it is sent the rows, and tells what a save ``raised``, if one does.
        location: Where the store is opened.
        rows: The rows.

    Returns:
        What it tells.

    Raises:
        Violation: A save raises, though nothing disturbs it: another clause speaks of that.
    """
    child = processes.start(task, location, [asdict(row) for row in rows]).ready()
    told: dict[str, Any] = child.receive("save_token")
    child.end()
    if "raised" in told:
        processes.workspace.fail(
            "save_token works in another process", f"raised {told['raised']}", precondition_failed=True
        )
    return told


def read_find_and_save(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: list the rows, find each by its key, save, and list them again.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: What the check sent: the keys to find, and the rows to save.
    """

    def told(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:
            return f"raised {format_exception(error)}"

    def listed() -> Any:
        return [asdict(to_row(token)) for token in store.get_tokens()]

    def found(key: dict[str, Any]) -> Any:
        token = store.find_token(to_token(Row(**key)))
        return asdict(to_row(token)) if is_token(token) else None

    def saved(fields: dict[str, Any]) -> None:
        store.save_token(to_token(Row(**fields)))

    pipe.send(
        [
            told(listed),
            [told(partial(found, key)) for key in payload["keys"]],
            [told(partial(saved, fields)) for fields in payload["saves"]],
            told(listed),
        ]
    )
