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
import base64
import contextlib
import faulthandler
import gc
import importlib
import importlib.util
import io
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any

from ..._harness.store_under_test import Origin, Subject, lookup, takes_location
from ..._harness.workspace import Bench, shown_exception
from ..._spec.outcomes import NotApplicable
from ..._spec.tokens import shown
from .preload import libraries_of

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

    def __init__(self, bench: Bench, nursery: _Nursery, number: int) -> None:
        self.bench = bench
        self.number = number
        self.pid = 0
        self._nursery = nursery
        self._pipe: Pipe | None = None
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed when it ends)
        self._status: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has been waited for."""
        return self._status is not None

    def start(self, request: dict[str, Any]) -> None:
        """Have the nursery fork it."""
        ours, theirs = socket.socketpair()
        self._pipe = Pipe(ours)
        with theirs:
            self.pid = self._nursery.fork(request, theirs.fileno(), self._words.fileno())

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
            self.bench.broken("the store opens in another process", f"raised {answer['raised']}")
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
            return self.hear(waiting_for)
        except EOFError:
            status = self.end()
            self.bench.broken(
                f"{waiting_for} comes back in process {self.number}",
                f"the process ended with status {status}{self._last_words()}",
            )

    def hear(self, waiting_for: str) -> Any:
        """Its next value, where it may also end: then `EOFError`."""
        assert self._pipe is not None
        try:
            value = self._pipe.receive(self.bench.call_limit)
        except TimeoutError:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGUSR1)  # prints the stack of every thread
            time.sleep(0.3)
            self.end()
            self.bench.subject.hangs.append(waiting_for)
            self.bench.broken(
                f"{waiting_for} comes back in process {self.number}",
                f"it had not come back after {self.bench.call_limit:g} seconds{self._last_words()}",
            )
        if isinstance(value, dict) and "failed" in value:
            raise RuntimeError(f"in process {self.number}: {value['failed']}")
        return value

    def rest(self, waiting_for: str) -> list[Any]:
        """Everything that it says until it ends."""
        values = []
        with contextlib.suppress(EOFError):
            while True:
                values.append(self.hear(waiting_for))
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
            self._status = self._nursery.wait(self.pid)
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

    def __init__(self, bench: Bench) -> None:
        """Makes sure that processes can be had, and that they could import the store.

        Raises:
            NotApplicable: With the reason why not.
        """
        self.bench = bench
        if not _CAN_FORK:
            raise NotApplicable("processes are started through POSIX calls, which are missing here")
        if "<locals>" in bench.subject.origin.qualname:
            raise NotApplicable(
                f"another process cannot import {bench.subject.origin.qualname}: "
                "it is defined inside a function; define it at the top of a module"
            )
        self._nursery = _nursery()
        self._libraries = libraries_of(bench.subject.origin)
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

    def start(self, task: Task, location: Path, payload: Any = None) -> Child:
        """Start a process that opens the store on a location and runs a function of the kit.

        Args:
            task: The function; it is found again by its name.
            location: What the store is opened on.
            payload: What the function gets, as JSON has it.

        Returns:
            The child, at once. It imports what it needs, and opens the store when `Child.ready` says so.
        """
        subject = self.bench.subject
        home = self.bench._home
        mask = os.umask(0o077)
        os.umask(mask)
        for child in [child for child in self._children if child.ended]:
            child.close()
            self._children.remove(child)
        self._started += 1
        child = Child(self.bench, self._nursery, self._started)
        self._children.append(child)
        child.start(
            {
                "origin": [subject.origin.module, subject.origin.qualname, subject.origin.file],
                "state": _state_of(subject),
                "path": [str(Path(home, entry)) for entry in sys.path],
                "cwd": home,
                "in_location": subject.in_location,
                "environment": dict(os.environ),
                "umask": mask,
                "location": str(location),
                "task": [task.__module__, task.__qualname__],
                "libraries": self._libraries,
                "payload": payload,
            }
        )
        return child


def _state_of(subject: Subject) -> dict[str, str]:
    """What fixtures set on the test instance, as far as another process can have it."""
    state = {}
    for name, value in getattr(getattr(subject.open, "__self__", None), "__dict__", {}).items():
        with contextlib.suppress(Exception):
            state[name] = base64.b64encode(pickle.dumps(value)).decode()
    return state


# The nursery, seen from the test process


class _Nursery:
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
            f"from {__name__} import _serve; _serve(int(sys.argv[1]))"
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


_nurseries: list[_Nursery] = []


def get_ready() -> None:
    """Begin to start the nursery, where there can be one: its imports take seconds, beside other work."""
    if _CAN_FORK:
        _nursery()


def _nursery() -> _Nursery:
    """The one of this test process: starting it costs as much as importing the SDK."""
    while _nurseries and not _nurseries[-1].alive:
        _nurseries.pop()
    if not _nurseries:
        _nurseries.append(_Nursery())
        atexit.register(_nurseries[-1].end)
    return _nurseries[-1]


# The nursery and its children, seen from inside


def _serve(handle: int) -> None:
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
            _live(request, Pipe(socket.socket(fileno=handles[0])), handles[1])
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


def _live(request: dict[str, Any], pipe: Pipe, words: int) -> None:
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
    try:
        open_store = opener(Origin(*request["origin"]), request["state"])
    except BaseException as error:
        # Also what skips a test module.
        pipe.send({"unimportable": f"importing it fails: {shown_exception(error)}"})
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
    except _MissingState as missing:
        pipe.send({"unimportable": str(missing)})
        return
    except Exception as error:
        pipe.send({"raised": shown_exception(error)})
        return
    task = lookup(*request["task"])
    try:
        pipe.send({"opened": True})
        task(store, location, pipe, request["payload"])
    except ConnectionError:
        pass  # the check is over
    except Exception:
        pipe.send({"failed": traceback.format_exc()})


class _MissingState(Exception):
    """A contract class opens its store with what only the test process has."""


def opener(origin: Origin, state: dict[str, str]) -> Callable[[Path], Any]:
    """What opens the store in this process, as the test process opens it.

    Args:
        origin: Where the factory or contract class is.
        state: Pickled attributes for the instance of a contract class.

    Raises:
        Exception: Whatever importing it raises.
    """
    from ..._runner.contract_class import TokenStoreContract  # noqa: PLC0415 (imports this package's upper floor)

    thing = _find(origin)
    if not (isinstance(thing, type) and issubclass(thing, TokenStoreContract)):
        with_location = takes_location(thing)
        return lambda location: thing(location) if with_location else thing()

    def open_store(location: Path) -> Any:
        test = thing()
        for name, value in state.items():
            with contextlib.suppress(Exception):
                setattr(test, name, pickle.loads(base64.b64decode(value)))  # noqa: S301 (the parent's)
        try:
            return test.open_store(location)
        except AttributeError as error:
            if error.obj is test or error.obj is thing:
                raise _MissingState(
                    f"open_store uses self.{error.name}, which only the test process has; "
                    "let it depend on the location, module globals or environment variables alone"
                ) from error
            raise

    return open_store


def _find(origin: Origin) -> Any:
    thing: Any = _module(origin)
    for name in origin.qualname.split("."):
        thing = getattr(thing, name)
    return thing


def _module(origin: Origin) -> ModuleType:
    """Import the origin's module by name, or by file where the name means something else here."""
    if origin.module != "__main__":
        failure: ImportError | None = None
        try:
            module = importlib.import_module(origin.module)
        except ImportError as error:
            failure = error
        else:
            if origin.file is None or _same_file(module, origin.file):
                return module
        if origin.file is None:
            raise failure or ImportError(f"there is no module {origin.module}")
    if origin.file is None or not Path(origin.file).is_file():
        raise ImportError(f"{origin.module} is not a file")
    # A test file in packages may use relative imports: its name begins at the outermost package.
    path = Path(origin.file)
    root, names = path.parent, [path.stem]
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    if len(names) > 1:
        sys.path.insert(0, str(root))
        module = importlib.import_module(".".join(names))
        if _same_file(module, origin.file):
            return module
    name = "__mp_main__" if origin.module == "__main__" else origin.module
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{shown(origin.file)} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if origin.module != "__main__":
        # Found beside itself, as the parent found it.
        sys.path.insert(0, str(path.parent))
    spec.loader.exec_module(module)
    return module


def _same_file(module: ModuleType, file: str) -> bool:
    own = getattr(module, "__file__", None)
    return own is not None and Path(own).resolve() == Path(file).resolve()
