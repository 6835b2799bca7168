"""Other surroundings of this process: its working directory, its home, its file mode mask."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from .._harness.calls import CallRecord
from .._harness.store_handle import StoreHandle
from .._harness.workspace import Workspace, not_applicable
from .._spec.clause_results import Violation


@contextlib.contextmanager
def working_elsewhere(store: StoreHandle) -> Iterator[None]:
    """The process, and every call of the store, in another directory."""
    workspace, home, location = store.workspace, Path.cwd(), store.location
    elsewhere = workspace.location()
    workspace.calls.append(
        CallRecord(store.number, "chdir", location=elsewhere, note="os.chdir(another directory)")
    )
    os.chdir(elsewhere)
    # Where the kit changes into the location for each call, it changes into this one.
    store.location = elsewhere
    try:
        yield
    except Violation as violation:
        violation.expected = f"in another working directory: {violation.expected}"
        violation.precondition_failed = bool(violation.blame)  # else it is what the clause speaks of
        raise
    finally:
        store.location = location
        os.chdir(home)
        workspace.calls.append(CallRecord(store.number, "chdir", note="os.chdir(the directory before)"))


@contextlib.contextmanager
def places_of_its_own(workspace: Workspace) -> Iterator[Path]:
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


@contextlib.contextmanager
def usual_umask(workspace: Workspace) -> Iterator[None]:
    """A file mode mask that leaves files open to others, where files have modes at all."""
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
