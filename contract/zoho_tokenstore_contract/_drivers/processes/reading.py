"""What another process reads, finds and saves with a store that it opened for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..._harness.messages import format_exception
from ..._spec.tokens import Row, is_token, to_row, to_token
from .child_environments import Surroundings
from .children import Processes
from .pipe import Pipe


def told_of_rows(
    processes: Processes,
    location: Path,
    keys: Sequence[Row],
    saves: Sequence[Row],
    surroundings: Surroundings,
) -> dict[str, Any]:
    """Have another process list the rows, find some, save, and list them again.

    Args:
        processes: The processes of the check.
        location: Where the store is opened.
        keys: The tokens that are looked for.
        saves: The tokens that are saved.
        surroundings: What the process is started in.

    Returns:
        The rows that it ``listed`` first and ``after`` the saves, what it ``found`` for each key, and the
        ``ids`` of the saved tokens; or the ``method`` that ``raised``, and what.
    """
    payload = {"keys": [asdict(row) for row in keys], "saves": [asdict(row) for row in saves]}
    child = processes.start(read_find_and_save, location, payload, surroundings).ready()
    told: dict[str, Any] = child.receive("the calls in another process")
    child.end()
    return told


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
    told: dict[str, Any] = {}
    try:
        told["method"] = "get_tokens"
        told["listed"] = [asdict(to_row(token)) for token in store.get_tokens()]
        told["method"] = "find_token"
        answers = [store.find_token(to_token(Row(**key))) for key in payload["keys"]]
        told["found"] = [asdict(to_row(token)) if is_token(token) else None for token in answers]
        told["method"] = "save_token"
        tokens = [to_token(Row(**fields)) for fields in payload["saves"]]
        for token in tokens:
            store.save_token(token)
        told["ids"] = [token.get_id() for token in tokens]
        told["method"] = "get_tokens"
        told["after"] = [asdict(to_row(token)) for token in store.get_tokens()]
    except Exception as error:
        told["raised"] = format_exception(error)
    pipe.send(told)
