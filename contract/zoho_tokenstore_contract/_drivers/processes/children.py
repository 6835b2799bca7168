"""Fresh processes that open the store under test for themselves, and end whatever happens.

A child is forked by the fork server: it costs milliseconds and yet inherits nothing of the test process. It
imports the store by its origin, opens it, and runs a function of the kit, which talks with the check through
a pipe::

    with Processes(workspace) as processes:
        child = processes.start(count_rows, location, {"rows": 3}).ready()
        answer = child.receive("get_tokens")


    def count_rows(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
        pipe.send(len(store.get_tokens()))
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..._harness.calls import Answer, rows_of
from ..._harness.ownership import OTHER_STORAGE, reason_unreadable, refuse, see_a_row
from ..._harness.store_handle import marks_of
from ..._harness.store_limits import active
from ..._harness.store_source import pickled_state
from ..._harness.workspace import Workspace
from ..._spec.clause_results import NotApplicable
from .child_environments import Surroundings
from .fork_server import CAN_FORK, ForkServer, fork_server
from .pipe import Pipe
from .preloaded_libraries import libraries_of

Task = Callable[[Any, Path, Pipe, Any], None]


class Child:
    """A process with a store of its own, as the check sees it.

    Attributes:
        pid: Its process id.
        number: Which child of the check it is, counted from 1.
    """

    def __init__(self, workspace: Workspace, server: ForkServer, number: int) -> None:
        self.workspace = workspace
        self.number = number
        self.pid = 0
        self._fork_server = server
        self._pipe: Pipe | None = None
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed when it ends)
        self._status: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has been waited for."""
        return self._status is not None

    def start(self, request: dict[str, Any]) -> None:
        """Have the fork server fork it."""
        ours, theirs = socket.socketpair()
        self._pipe = Pipe(ours)
        with theirs:
            self.pid = self._fork_server.fork(request, theirs.fileno(), self._words.fileno())

    def ready(self) -> Child:
        """Have it open the store, and wait until it has.

        Raises:
            NotApplicable: Another process cannot import what opens the store.
            Violation: Opening raises, ends the process, or does not come back.
        """
        self.send("open")
        answer = self.receive("open")
        if "unimportable" in answer:
            raise NotApplicable(f"another process cannot open the store: {answer['unimportable']}")
        if "raised" in answer:
            blame = "" if active().opens_empty else "PERSIST-1"
            self.workspace.fail(
                "the store opens in another process", f"raised {answer['raised']}", blame=blame
            )
        return self

    def send(self, value: Any) -> None:
        """Send it a value; what it no longer reads is lost."""
        assert self._pipe is not None
        with contextlib.suppress(ConnectionError):
            self._pipe.send(value)

    def receive(self, waiting_for: str) -> Any:
        """Its next value.

        Args:
            waiting_for: What the process does meanwhile, as ``save_token``, for the message.

        Raises:
            Violation: It ended without a word, or had nothing to say within the limit of a call.
        """
        try:
            return self.try_receive(waiting_for)
        except EOFError:
            status = self.end()
            self.workspace.fail(
                f"{waiting_for} comes back in process {self.number}",
                f"the process ended with status {status}{self._last_words()}",
            )

    def try_receive(self, waiting_for: str) -> Any:
        """Its next value, where it may also end: then `EOFError`."""
        assert self._pipe is not None
        try:
            value = self._pipe.receive(self.workspace.call_limit)
        except TimeoutError:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGUSR1)  # prints the stack of every thread
            time.sleep(0.3)
            self.end()
            self.workspace.sut.hangs.append(waiting_for)
            self.workspace.fail(
                f"{waiting_for} comes back in process {self.number}",
                f"it had not come back after {self.workspace.call_limit:g} seconds{self._last_words()}",
            )
        if isinstance(value, dict) and "failed" in value:
            raise RuntimeError(f"in process {self.number}: {value['failed']}")
        return value

    def rest(self, waiting_for: str) -> list[Any]:
        """Everything that it says until it ends."""
        values = []
        with contextlib.suppress(EOFError):
            while True:
                values.append(self.try_receive(waiting_for))
        return values

    def kill(self) -> None:
        """SIGKILL, at once; `end` waits until it is gone."""
        if self._status is None and self.pid:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill it where it still runs, wait until it is gone: how it ended, -9 for SIGKILL."""
        if self._status is None and self.pid:
            self.kill()
            self._status = self._fork_server.wait(self.pid)
        return self._status or 0

    def close(self) -> None:
        """End it and forget what it wrote."""
        self.end()
        if self._pipe is not None:
            self._pipe.close()
        self._words.close()

    def _last_words(self) -> str:
        self._words.seek(0, io.SEEK_END)
        self._words.seek(max(0, self._words.tell() - 4000))
        text = self._words.read().decode(errors="replace").strip()
        return f"; it wrote:\n{text}" if text else ""


class Processes:
    """The processes of one check. Used as a context manager, it leaves none behind."""

    def __init__(self, workspace: Workspace) -> None:
        """Makes sure that processes can be had, and that they could import the store.

        Raises:
            NotApplicable: With the reason why not.
        """
        self.workspace = workspace
        if not CAN_FORK:
            raise NotApplicable("processes are started through POSIX calls, which are missing here")
        if workspace.sut.source.is_local:
            raise NotApplicable(
                f"another process cannot import {workspace.sut.source.qualname}: "
                "it is defined inside a function; define it at the top of a module"
            )
        self._fork_server = fork_server()
        self._libraries = libraries_of(workspace.sut.source)
        self._children: list[Child] = []
        self._started = 0

    def __enter__(self) -> Processes:  # noqa: PYI034 (Self needs Python 3.11)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            child.kill()
        for child in self._children:
            child.close()

    def start(
        self, task: Task, location: Path, payload: Any = None, surroundings: Surroundings | None = None
    ) -> Child:
        """Start a process that opens the store on a location and runs a function of the kit.

        Args:
            task: The function; it is found again by its name.
            location: What the store is opened on.
            payload: What the function gets, as JSON has it.
            surroundings: What else the process is started in. Where Python has to be executed in them, that
                is done once: a fork server of their own forks the processes.

        Returns:
            The child, at once. It imports what it needs, and opens the store when `Child.ready` says so.

        Raises:
            StoreUnavailable: Another process does not open the storage that the kit means.
        """
        self._prove_storage(surroundings)
        return self._start(task, location, payload, surroundings)

    def _prove_storage(self, surroundings: Surroundings | None) -> None:
        """See once that another process opens the kit's own storage.

        Module globals may differ there, and what is configured in the user's home, where that is another one.
        The other process lists a new location, which has to be empty; a shared storage may hold what the
        kit saved.
        """
        sut = self.workspace.sut
        state = json.dumps([pickled_state(sut.open), str(surroundings or "")], sort_keys=True)
        if sut.disposable or state in sut.proven_in_children:
            return
        if not (sut.own_storage or sut.shown) and (reason := see_a_row(self.workspace)):
            refuse(sut, reason)
        child = self._start(list_rows, self.workspace.location(), surroundings=surroundings).ready()
        listed = child.receive("get_tokens")
        child.end()
        self._started = 0  # messages count the processes of the check alone
        if "rows" not in listed:
            refuse(sut, reason_unreadable(f"in another process, {listed['unreadable']}"))
        rows = [{(name, value) for name, value in marks} for marks in listed["rows"]]
        if rows and (sut.own_storage or not all(marks & sut.saved for marks in rows)):
            refuse(sut, OTHER_STORAGE)
        sut.proven_in_children.add(state)

    def _start(
        self, task: Task, location: Path, payload: Any = None, surroundings: Surroundings | None = None
    ) -> Child:
        sut = self.workspace.sut
        home = self.workspace.home
        mask = os.umask(0o077)
        os.umask(mask)
        for child in [child for child in self._children if child.ended]:
            child.close()
            self._children.remove(child)
        self._started += 1
        executed = surroundings is not None and surroundings.executed
        server = fork_server(surroundings) if executed else self._fork_server
        child = Child(self.workspace, server, self._started)
        self._children.append(child)
        environment = dict(os.environ)
        if surroundings is not None:
            environment = surroundings.environment(self.workspace.location())
            mask = surroundings.umask
        child.start(
            {
                "source": dataclasses.astuple(sut.source),
                "state": pickled_state(sut.open),
                "path": [str(Path(home, entry)) for entry in sys.path],
                "cwd": home,
                "in_location": sut.in_location,
                "environment": environment,
                "umask": mask,
                "location": str(location),
                "task": [task.__module__, task.__qualname__],
                "libraries": self._libraries,
                "payload": payload,
            }
        )
        return child


def list_rows(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: tell what marks each stored row as the kit's own, and change nothing.

    Args:
        store: The store, which this process opened.
        location: The location of its storage.
        pipe: The line to the check.
        payload: Not used.
    """
    try:
        rows = rows_of(Answer(returned=store.get_tokens()))
    except Exception as error:
        rows = rows_of(Answer(raised=error))
    told: dict[str, Any] = {"unreadable": rows}
    if not isinstance(rows, str):
        told = {"rows": [[one for one in marks_of(row) if isinstance(one[1], str)] for row in rows]}
    pipe.send(told)
