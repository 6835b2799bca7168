"""The moments of a call are those at which it reaches out of its process."""

from __future__ import annotations

import _thread
import json
import os
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from zoho_tokenstore_contract._drivers.processes.crash_points import (
    CrashPoints,
    chosen,
    follow_threads,
    position_of,
)
from zoho_tokenstore_contract._drivers.storage_faults import state_of


def kinds(moments: CrashPoints) -> list[str]:
    return [name.removeprefix("_") for name in moments.names]


def test_a_file_is_opened_written_closed_and_renamed(tmp_path: Path) -> None:
    """Each step is a moment, and nothing else is."""
    path = tmp_path / "draft"

    with CrashPoints() as moments:
        text = json.dumps({"a": [1, 2, 3]}).upper()
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
        path.replace(tmp_path / "file")

    assert kinds(moments) == ["io.open", "io.write", "io.__exit__", "posix.replace"]


def test_statements_of_a_database_are_moments(tmp_path: Path) -> None:
    """Each of them."""
    connection = sqlite3.connect(tmp_path / "db")

    with CrashPoints() as moments:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
    connection.close()

    assert kinds(moments) == ["sqlite3.execute", "sqlite3.execute", "sqlite3.commit"]


def test_acting_comes_before_the_call(tmp_path: Path) -> None:
    """So that the act finds the state that a process which stops here leaves."""
    path = tmp_path / "file"
    seen = []

    with CrashPoints(lambda moment: seen.append((moment, path.exists()))):
        path.touch()
        path.unlink()

    assert seen[0] == (0, False)
    assert seen[-1][1]
    assert sys.getprofile() is None


@pytest.mark.parametrize("start", ["Thread", "start_new_thread"])
def test_a_thread_that_works_already_has_moments(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may do its work in a thread of its own, which runs since it was opened."""
    monkeypatch.setattr(_thread, "start_new_thread", _thread.start_new_thread)
    jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[object] = queue.SimpleQueue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            done.put(job())

    follow_threads()
    if start == "Thread":
        threading.Thread(target=work, daemon=True).start()
    else:
        _thread.start_new_thread(work, ())
    threading.setprofile(None)
    with CrashPoints() as moments:
        jobs.put((tmp_path / "folder").mkdir)
        done.get()
    jobs.put((tmp_path / "other").mkdir)
    done.get()
    jobs.put(None)

    assert kinds(moments) == ["posix.mkdir"]


@pytest.mark.parametrize(
    ("names", "wanted", "moments"),
    [
        (["open", "write"], 9, [0, 1, 2]),
        (["write"] * 100, 3, [0, 50, 100]),
        (["open", *["write"] * 100, "replace"], 4, [0, 1, 101, 102]),
        (["open", *["write"] * 100, "replace"], 7, [0, 1, 2, 51, 100, 101, 102]),
        (["a", "b"] * 50, 3, [0, 50, 100]),
    ],
)
def test_rare_calls_come_first(names: list[str], wanted: int, moments: list[int]) -> None:
    """Then the rest, evenly; the return of the call is the last."""
    assert chosen(names, wanted) == moments


@pytest.mark.parametrize(
    ("wanted", "changed", "most", "moments"),
    [
        (0, [40, 101], 4, [40, 101]),
        (4, [40, 101], 4, [0, 40, 101, 102]),
        (0, [1, 40, 60, 101, 102], 3, [1, 101, 102]),
        (0, range(1, 102), 3, [1, 51, 101]),
    ],
)
def test_moments_before_which_a_file_changed_come_before_rare_calls(
    wanted: int, changed: Sequence[int], most: int, moments: list[int]
) -> None:
    """Between two changes, a kill leaves the same behind wherever it comes."""
    names = ["open", *["write"] * 100, "replace"]

    assert chosen(names, wanted, changed, most) == moments


def test_the_state_of_a_folder_is_another_one_once_a_file_has_changed(tmp_path: Path) -> None:
    """A change of as many bytes at once, another name and a file in a folder count."""
    (tmp_path / "rows").write_bytes(b"1")
    states = [state_of(tmp_path)]
    for change in (
        lambda: (tmp_path / "rows").write_bytes(b"2"),
        lambda: (tmp_path / "rows").rename(tmp_path / "others"),
        (tmp_path / "in").mkdir,
        lambda: (tmp_path / "in" / "rows").write_bytes(b"1"),
    ):
        change()
        states.append(state_of(tmp_path))

    assert len(set(states)) == 5
    assert state_of(tmp_path) == states[-1]


def test_a_moment_is_found_again_where_a_file_is_written_in_more_pieces(tmp_path: Path) -> None:
    """Its number is another one then; what is called there, after as many other functions, is the same."""

    def write(pieces: int) -> None:
        with (tmp_path / "file").open("wb", buffering=0) as file:
            for _ in range(pieces):
                file.write(b"piece")
        (tmp_path / "file").replace(tmp_path / "whole")

    with CrashPoints() as few:
        write(3)
    replaced = few.names.index("posix.replace")
    found: list[str] = []
    many = CrashPoints(lambda _: found.extend(many.names[-1:] * (many.position == wanted)))
    wanted = position_of(few.names, replaced)
    with many:
        write(30)

    assert found == ["posix.replace"]
    assert position_of(few.names, len(few.names)) == (len(set(few.names)) + 1, 0, 0)


def test_a_moment_is_found_again_behind_a_loop_that_is_longer(tmp_path: Path) -> None:
    """Where there are more rows, more of them are read one by one before anything is written."""

    def save(rows: int) -> None:
        for _ in range(rows):
            with (tmp_path / "file").open("rb", buffering=0) as file:
                file.read()
        (tmp_path / "file").rename(tmp_path / "old")
        (tmp_path / "file").write_bytes(b"rows")

    (tmp_path / "file").write_bytes(b"")
    with CrashPoints() as few:
        save(3)
    emptied = few.names.index("posix.rename") + 2
    found: list[int] = []
    many = CrashPoints(lambda moment: found.extend([moment] * (many.position == wanted)))
    wanted = position_of(few.names, emptied)
    with many:
        save(30)

    assert found == [many.names.index("posix.rename") + 2]


def test_what_a_forked_process_calls_is_no_moment(tmp_path: Path) -> None:
    """A store may fork to write: the act is meant for the process that saves."""
    seen: list[int] = []

    with CrashPoints(seen.append):
        child = os.fork()
        if not child:
            (tmp_path / "file").write_text("written in the child", encoding="utf-8")
            os._exit(len(seen) - 1)
        _, status = os.waitpid(child, 0)

    assert status == 0
    assert (tmp_path / "file").exists()
