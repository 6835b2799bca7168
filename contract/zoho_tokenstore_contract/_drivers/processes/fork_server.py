"""Fresh processes that open the store under test for themselves, and end whatever happens.

A nursery is a process that is started anew, imports the SDK, the kit and the libraries that the store
stands on, and opens nothing. It forks every child, so that a child costs milliseconds and yet inherits
nothing of the test process. A child imports the store by its origin, opens it, and runs a function of
the kit, which talks with the check through a pipe, one JSON value a line::

    with Processes(bench) as processes:
        child = processes.start(count_rows, location, {"rows": 3}).ready()
        answer = child.receive("get_tokens")


    def count_rows(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
        pipe.send(len(store.get_tokens()))

When the test process dies, the nursery notices, kills its children and ends.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import faulthandler
import gc
import importlib
import importlib.util
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..._harness.calls import Answer, rows_of
from ..._harness.limits import active
from ..._harness.messages import format_exception
from ..._harness.ownership import OTHER_STORAGE, reason_unreadable, refuse
from ..._harness.source import MissingState, StoreSource, lookup, pickled_state
from ..._harness.store_handle import marks_of
from ..._harness.workspace import Workspace
from ..._spec.outcomes import NotApplicable
from .preload import libraries_of
from .surroundings import Surroundings

Task = Callable[[Any, Path, "Pipe", Any], None]

_CAN_FORK = hasattr(os, "fork") and hasattr(socket, "send_fds") and bool(sys.executable)
_HARD_LIMIT = 60.0  # for what the kit's own nursery does
_PRELOADED = (
    "_runner.contract_class",
    "_checks.secrets.leaks",
    "_checks.flows.sign_in",
)  # with what they import


class Pipe:
    """One end of the line between a check and a child: JSON values, one a line.

    Attributes:
        open: In a child: opens the store on a further location.
    """

    open: Callable[[Path], Any]

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""

    def send(self, value: Any) -> None:
        """Send a value; when this returns, the other side has it, however this process ends."""
        self._end.sendall(json.dumps(value).encode() + b"\n")

    def receive(self, limit: float | None = None) -> Any:
        """The next value.

        Raises:
            EOFError: The other side is gone.
            TimeoutError: Nothing came within `limit` seconds.
        """
        deadline = None if limit is None else time.monotonic() + limit
        while b"\n" not in self._rest:
            # Zero would mean not to wait at all, and then another exception.
            self._end.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            try:
                chunk = self._end.recv(1 << 16)
            except ConnectionError:
                chunk = b""
            finally:
                self._end.settimeout(None)
            if not chunk:
                raise EOFError
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        """Hang up."""
        self._end.close()


class Child:
    """A process with a store of its own, as the check sees it.

    Attributes:
        pid: Its process id.
        number: Which child of the check it is, counted from 1.
    """

    def __init__(self, workspace: Workspace, nursery: ForkServer, number: int) -> None:
        self.workspace = workspace
        self.number = number
        self.pid = 0
        self._fork_server = nursery
        self._pipe: Pipe | None = None
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed when it ends)
        self._status: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ended(self) -> bool:
        """Whether it has been waited for."""
        return self._status is not None

    def start(self, request: dict[str, Any], *, fresh: bool = False) -> None:
        """Have the fork server fork it, or execute a Python anew, which costs the imports."""
        ours, theirs = socket.socketpair()
        self._pipe = Pipe(ours)
        with theirs:
            if not fresh:
                self.pid = self._fork_server.fork(request, theirs.fileno(), self._words.fileno())
                return
            code = (
                "import sys; sys.path[:] = sys.argv[2:]; "
                f"from {__name__} import fresh_main; fresh_main(int(sys.argv[1]))"
            )
            self._process = subprocess.Popen(  # noqa: S603 (this very Python)
                [
                    sys.executable,
                    "-c",
                    code,
                    str(theirs.fileno()),
                    *map(str, map(Path.absolute, map(Path, sys.path))),
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                env=request["environment"],
                start_new_session=True,
            )
            self.pid = self._process.pid
        self._pipe.send(request)

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
            self._status = self._fork_server.wait(self.pid) if self._process is None else self._process.wait()
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
        if not _CAN_FORK:
            raise NotApplicable("processes are started through POSIX calls, which are missing here")
        if workspace.sut.source.is_local:
            raise NotApplicable(
                f"another process cannot import {workspace.sut.source.qualname}: "
                "it is defined inside a function; define it at the top of a module"
            )
        self._fork_server = _fork_server()
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
            surroundings: What else the process is started in; it is then executed anew, not forked.

        Returns:
            The child, at once. It imports what it needs, and opens the store when `Child.ready` says so.

        Raises:
            StoreUnavailable: Another process does not open the storage that the kit means.
        """
        self._prove_storage()
        return self._start(task, location, payload, surroundings)

    def _prove_storage(self) -> None:
        """See once that another process opens the kit's own storage: module globals may differ there.

        It lists a new location, which has to be empty; a shared storage may hold what the kit saved.
        """
        sut = self.workspace.sut
        state = json.dumps(pickled_state(sut.open), sort_keys=True)
        if sut.disposable or state in sut.proven_in_children:
            return
        child = self._start(list_rows, self.workspace.location()).ready()
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
        child = Child(self.workspace, self._fork_server, self._started)
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
            },
            fresh=surroundings is not None,
        )
        return child


def list_rows(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    """In a child: tell what marks each stored row as the kit's own, and change nothing."""
    try:
        rows = rows_of(Answer(returned=store.get_tokens()))
    except Exception as error:
        rows = rows_of(Answer(raised=error))
    told: dict[str, Any] = {"unreadable": rows}
    if not isinstance(rows, str):
        told = {"rows": [[one for one in marks_of(row) if isinstance(one[1], str)] for row in rows]}
    pipe.send(told)


# The nursery, seen from the test process


class ForkServer:
    """The process that forks the children."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._has_forked = False
        ours, theirs = socket.socketpair()
        self._control = ours
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        code = (
            "import json, sys; sys.path[:] = json.loads(sys.stdin.readline()); "
            f"from {__name__} import server_main; server_main(int(sys.argv[1]))"
        )
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (this very Python)
                [sys.executable, "-c", code, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=self._words,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the test process, which ends the rest
            )
        assert self._process.stdin is not None
        with self._process.stdin as line, contextlib.suppress(OSError):
            line.write(json.dumps([str(Path(entry).absolute()) for entry in sys.path]).encode() + b"\n")

    @property
    def alive(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def fork(self, request: dict[str, Any], pipe: int, words: int) -> int:
        self._has_forked = True
        return self._ask(request, [pipe, words])

    def wait(self, pid: int) -> int:
        return self._ask({"wait": pid}, [])

    def _ask(self, request: dict[str, Any], handles: list[int]) -> int:
        with self._lock:
            try:
                socket.send_fds(self._control, [b"?"], handles)
                pipe = Pipe(self._control)
                pipe.send(request)
                return int(pipe.receive(_HARD_LIMIT))
            except (EOFError, TimeoutError, OSError) as error:
                self._words.seek(0)
                said = self._words.read().decode(errors="replace")[-2000:]
                self.end()
                raise RuntimeError(f"the kit's process for starting processes failed: {said}") from error

    def end(self) -> None:
        """Kill it; the children, whose lines close, are its and end with it."""
        if self.owner == os.getpid():
            self._control.close()
            if self._has_forked:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(5)
            self._process.kill()
            self._process.wait()
            self._words.close()


_fork_servers: list[ForkServer] = []
imports_a_store = False
"""Whether this is a child, whose import of a module must not check a store of its own."""


def get_ready() -> None:
    """Begin to start the nursery, where there can be one: its imports take seconds, beside other work."""
    if _CAN_FORK:
        _fork_server()


@contextlib.contextmanager
def ended_afterwards() -> Iterator[None]:
    """End the fork server at the end, unless it was there before: who calls a function keeps no process."""
    before = list(_fork_servers)
    try:
        yield
    finally:
        for server in [one for one in _fork_servers if one not in before]:
            _fork_servers.remove(server)
            atexit.unregister(server.end)
            server.end()


def _fork_server() -> ForkServer:
    """The one of this test process: starting it costs as much as importing the SDK."""
    while _fork_servers and not _fork_servers[-1].alive:
        _fork_servers.pop()
    if not _fork_servers:
        _fork_servers.append(ForkServer())
        atexit.register(_fork_servers[-1].end)
    return _fork_servers[-1]


# The nursery and its children, seen from inside


def server_main(handle: int) -> None:
    """The life of the nursery: fork and wait as it is told, end when the test process has ended."""
    package = __name__.partition(".")[0]
    for name in _PRELOADED:
        importlib.import_module(f"{package}.{name}")
    importlib.import_module(f"{package}._spec.sdk").load()
    gc.collect()
    gc.freeze()  # or else every child copies what it collects
    control = socket.socket(fileno=handle)
    running: set[int] = set()
    while True:
        try:
            word, handles, _, _ = socket.recv_fds(control, 1, 2)
            if not word:
                break
            request = Pipe(control).receive()
        except (OSError, EOFError):
            break
        if "wait" in request:
            pid = request["wait"]
            running.discard(pid)
            Pipe(control).send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            continue
        _import_ahead(request["libraries"])
        pid = os.fork()
        if not pid:
            control.close()
            os.setpgid(0, 0)
            worker_main(request, Pipe(socket.socket(fileno=handles[0])), handles[1])
            return
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # whoever is first
        for one in handles:
            os.close(one)
        running.add(pid)
        Pipe(control).send(pid)
    for pid in running:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _import_ahead(libraries: list[str]) -> None:
    """Import what children would import each by itself; where it fails, they say so."""
    missing = [name for name in libraries if name not in sys.modules]
    for name in missing:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    if missing:
        gc.collect()
        gc.freeze()


def fresh_main(handle: int) -> None:
    """The life of a child that is executed anew: it is told by its pipe what a forked one gets at once."""
    pipe = Pipe(socket.socket(fileno=handle))
    worker_main(pipe.receive(), pipe, 2)


def worker_main(request: dict[str, Any], pipe: Pipe, words: int) -> None:
    """The life of a child."""
    os.dup2(words, 1)
    os.dup2(words, 2)
    faulthandler.register(signal.SIGUSR1)
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = request["path"]
    os.chdir(request["cwd"])
    importlib.invalidate_caches()
    location = Path(request["location"])
    global imports_a_store  # noqa: PLW0603 (a child has one life)
    imports_a_store = True
    try:
        open_store = StoreSource(*request["source"]).opener(request["state"])
    except BaseException as error:
        # Also what skips a test module.
        pipe.send({"unimportable": f"importing it fails: {format_exception(error)}"})
        return

    def open_there(location: Path) -> Any:
        if request["in_location"]:
            os.chdir(location)
        return open_store(location)

    pipe.open = open_there
    try:
        pipe.receive()
        store = pipe.open(location)
    except EOFError:
        return  # the check is over
    except MissingState as missing:
        pipe.send({"unimportable": str(missing)})
        return
    except Exception as error:
        pipe.send({"raised": format_exception(error)})
        return
    task = lookup(*request["task"])
    try:
        pipe.send({"opened": True})
        task(store, location, pipe, request["payload"])
    except ConnectionError:
        pass  # the check is over
    except Exception:
        pipe.send({"failed": traceback.format_exc()})
