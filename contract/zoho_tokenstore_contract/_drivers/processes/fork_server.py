"""The process that forks the children: it has the SDK and the kit, and has opened no store.

When the test process dies, the fork server notices, kills its children and ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Protocol

from .child_environments import Surroundings
from .child_main import PRELOADED, PRELOADED_ELSEWHERE, server_main
from .forked_process import ForkedProcess
from .pipe import Pipe

CAN_FORK = hasattr(os, "fork") and hasattr(socket, "send_fds") and bool(sys.executable)
_HARD_LIMIT = 60.0  # seconds, for what the kit's own process does


class Process(Protocol):
    """What the fork server needs of the process that it runs in, however that was started."""

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


class ForkServer:
    """A process that forks children.

    Args:
        surroundings: What it is executed in; as this process by default.
        forked: Fork it from this process, which has then to be as it should be: the SDK and the kit are
            imported, no store is, and no thread runs. Otherwise it is executed anew, which costs the imports.
        closed: Where it is forked: what it has to close of this process.

    Attributes:
        owner: The process that started it.
    """

    def __init__(
        self,
        surroundings: Surroundings | None = None,
        *,
        forked: bool = False,
        closed: Sequence[Connection] = (),
    ) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._has_forked = False
        ours, theirs = socket.socketpair()
        self._control = ours
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        with theirs:
            self._process = self._fork(theirs, closed) if forked else self._execute(theirs, surroundings)

    def _execute(self, theirs: socket.socket, surroundings: Surroundings | None) -> Process:
        code = (
            "import json, sys; sys.path[:] = json.loads(sys.stdin.readline()); "
            f"from {server_main.__module__} import server_main; server_main(int(sys.argv[1]), sys.argv[2:])"
        )
        preloaded = PRELOADED if surroundings is None else PRELOADED_ELSEWHERE
        process = subprocess.Popen(  # noqa: S603 (this very Python)
            [sys.executable, "-c", code, str(theirs.fileno()), *preloaded],
            stdin=subprocess.PIPE,
            stdout=self._words,
            stderr=self._words,
            pass_fds=[theirs.fileno()],
            env=None if surroundings is None else surroundings.variables(),
            start_new_session=True,  # Ctrl-C is for the test process, which ends the rest
        )
        assert process.stdin is not None
        with process.stdin as line, contextlib.suppress(OSError):
            line.write(json.dumps([str(Path(entry).absolute()) for entry in sys.path]).encode() + b"\n")
        return process

    def _fork(self, theirs: socket.socket, closed: Sequence[Connection]) -> Process:
        def live() -> None:
            self._control.close()
            for one in closed:
                one.close()
            os.dup2(self._words.fileno(), 1)
            os.dup2(self._words.fileno(), 2)
            server_main(theirs.detach())

        return ForkedProcess(live)

    @property
    def alive(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def fork(self, request: dict[str, Any], pipe: int, words: int) -> int:
        """Fork a child.

        Args:
            request: What the child does.
            pipe: The file descriptor of its line to the check.
            words: The file descriptor that takes its standard output and errors.

        Returns:
            The child's process id.
        """
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


_fork_servers: dict[Surroundings | None, ForkServer] = {}


@contextlib.contextmanager
def ended_afterwards() -> Iterator[None]:
    """End those fork servers at the end that were not there before: who calls a function keeps no process."""
    before = list(_fork_servers.values())
    try:
        yield
    finally:
        for surroundings, server in list(_fork_servers.items()):
            if server not in before:
                del _fork_servers[surroundings]
                atexit.unregister(server.end)
                server.end()


def get_ready(surroundings: Surroundings | None = None) -> None:
    """Begin to start a fork server, where there can be one: its imports take seconds, beside other work.

    Args:
        surroundings: What it is executed in, other than the test process.
    """
    if CAN_FORK:
        fork_server(surroundings)


def fork_now(closed: Sequence[Connection] = ()) -> None:
    """Fork the fork server from this process, before it imports a store: that saves the imports.

    Args:
        closed: What the fork server must not keep open.
    """
    if CAN_FORK:
        _fork_servers[None] = ForkServer(forked=True, closed=closed)
        atexit.register(_fork_servers[None].end)


def fork_server(surroundings: Surroundings | None = None) -> ForkServer:
    """The one of this test process: starting it costs as much as importing the SDK.

    Args:
        surroundings: What it is executed in, other than the test process.
    """
    server = _fork_servers.get(surroundings)
    if server is None or not server.alive:
        server = ForkServer(surroundings)
        _fork_servers[surroundings] = server
        atexit.register(server.end)
    return server
