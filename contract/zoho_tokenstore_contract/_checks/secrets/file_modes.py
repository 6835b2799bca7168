"""SECRET-1: files are closed to other users."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

from ..._drivers.processes.children import Processes
from ..._drivers.processes.crash_points import CrashPoints
from ..._drivers.processes.pipe import Pipe
from ..._harness.messages import format_exception
from ..._harness.workspace import Workspace, not_applicable
from ..._spec.tokens import Row, to_token
from ..registry import check
from ..sample_tokens import ACCESS, ANN, BOB, GRANT, ONE_OF_EVERY_KIND, REFRESH, person
from ..storage_faults import files_in


@check("SECRET-1")
def files_are_closed_to_others_after_each_call(workspace: Workspace) -> None:
    with _usual_umask(workspace):
        store = workspace.open()
        seen: dict[str, str] = {}

        def look(after: str) -> None:
            for name, mode in open_files(store.location).items():
                seen.setdefault(name, f"{name} has mode {mode} after {after}")

        look("opening")
        for row in ONE_OF_EVERY_KIND:
            store.try_save(row)
            look("save_token")
        saved = store.try_save(ANN.but(access_token="1000.ann.access.2"))
        look("an update")
        found = store.find_quietly(ANN.only("user_name"))
        look("find_token")
        if files_in(store.location) and found.returned is None:
            workspace.fail("a token is stored, whose file is looked at", str(found), precondition_failed=True)
        store.call("delete_token", saved.passed_after.id)
        look("delete_token")
        files = files_in(store.location)
        workspace.close(store)
        look("closing")
        files += files_in(store.location)
        if workspace.sut.persistent:
            store = workspace.open(store.location)
            store.try_save(ANN)
            look("opening again")
            workspace.close(store)
        if not files:
            not_applicable("the store keeps no files under its location")
        _all_closed(workspace, seen)


@check("SECRET-1")
def files_outside_the_location_are_closed_to_others(workspace: Workspace) -> None:
    with _usual_umask(workspace):
        store = workspace.holding(ANN)
        if not files_in(store.location):
            not_applicable("the store keeps no files under its location")
        workspace.fresh_examples()
        with _places_of_its_own(workspace) as places:
            store = workspace.open()
            rows = store.holding(ANN, ACCESS, GRANT, REFRESH)
            store.try_save(ANN.but(access_token="1000.ann.access.2"))
            store.call("delete_token", rows[1].id)
            store.find_quietly(ANN.only("user_name"))
            seen = {
                name: f"{name}, which lies outside the location, has mode {mode}"
                for name, mode in open_files(places).items()
            }
        for path in store.location.parent.iterdir():  # beside the location
            if path.is_file() and path.stat().st_size and path.stat().st_mode & 0o066:
                seen[path.name] = f"../{path.name}, which lies outside the location, is open"
        _all_closed(workspace, seen)


@contextlib.contextmanager
def _places_of_its_own(workspace: Workspace) -> Iterator[Path]:
    """A home, a directory for temporary files and a working directory to which nothing else writes."""
    places, cwd = workspace.location(), Path.cwd()
    home, temporary, working = (places / name for name in ("home", "tmp", "work"))
    for place in (home, temporary, working):
        place.mkdir(mode=0o755)
    environment = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        environment[f"XDG_{name}_HOME"] = str(home / f".{name.lower()}")
    with (
        mock.patch.dict(os.environ, environment, HOME=str(home)),
        mock.patch.object(tempfile, "tempdir", None),
    ):
        os.chdir(working)
        try:
            yield places
        finally:
            os.chdir(cwd)


@check("SECRET-1", persistent=True)
def files_are_closed_to_others_in_the_middle_of_each_call(workspace: Workspace) -> None:
    with _usual_umask(workspace), Processes(workspace) as processes:
        store = workspace.holding(ANN, ACCESS, BOB)
        if not files_in(store.location):
            not_applicable("the store keeps no files under its location")
        workspace.close(store)
        rows = [person("zoe"), ANN.but(access_token="1000.ann.access.2"), GRANT, REFRESH]
        workspace.remember(rows)
        child = processes.start(watch_modes, store.location, [asdict(row) for row in rows]).ready()
        told = child.receive("save_token")
        if "raised" in told:
            workspace.fail(
                "save_token works in another process", f"raised {told['raised']}", precondition_failed=True
            )
        _all_closed(workspace, told["seen"])


def _all_closed(workspace: Workspace, seen: dict[str, str]) -> None:
    if seen:
        workspace.fail(
            "every file with content is closed to group and others, or in a directory of the store's that is",
            "; ".join(list(seen.values())[:5]),
        )


@contextlib.contextmanager
def _usual_umask(workspace: Workspace) -> Iterator[None]:
    probe = workspace.location() / "probe"
    probe.touch()
    probe.chmod(0o600)
    if probe.stat().st_mode & 0o777 != 0o600:  # on Windows, and on some file systems elsewhere
        not_applicable("files keep no POSIX modes here")
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


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
