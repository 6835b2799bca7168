"""A private Redis server on loopback, for the tests of the store that needs one."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers import NoServer, begun, end, free_port

PROGRAM = "redis-server"
_START_LIMIT = 30.0


def missing() -> str:
    """Why there is no server to start; "" where there is one."""
    return "" if shutil.which(PROGRAM) else f"no {PROGRAM} found: install Debian's redis-server"


class Server:
    """A server with a data directory of its own, which can be stopped and started again.

    Attributes:
        port: Its port on 127.0.0.1, the same after every start.
        url: Its address, for `redis.Redis.from_url`.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs; when this returns it answers.

        Raises:
            NoServer: It cannot be started.
        """
        if self._process is not None:
            return
        if reason := missing():
            raise NoServer(reason)
        log = self._directory / "log"
        command = [
            PROGRAM,
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._directory)),
            *("--logfile", str(log), "--daemonize", "no", "--save", ""),
            # As the store's documentation asks for, but for the waiting; a server that is told to stop
            # writes everything first.
            *("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"),
            *self._options,
        ]
        # What it says before it has its own log is thrown away.
        self._process = begun(command, Path(os.devnull))
        try:
            self._wait_until_it_answers(log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it and wait until it is gone; what it was told is on the disk."""
        if self._process is None:
            return
        end(self._process)
        self._process = None

    def kill(self) -> None:
        """End it with SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait_until_it_answers(self, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_LIMIT
        while self._process.poll() is None and time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=5) as one,
            ):
                one.sendall(b"PING\r\n")
                if one.recv(64).startswith(b"+PONG"):
                    return
            time.sleep(0.02)
        said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise NoServer(f"{PROGRAM} does not start: {said}")


@contextlib.contextmanager
def running(*options: str) -> Iterator[Server]:
    """Start a server, and take it and its data away at the end.

    Args:
        options: Further options for its command line.

    Yields:
        The server, once it answers.

    Raises:
        NoServer: It cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="tokenstore-redis-", ignore_cleanup_errors=True) as base:
        server = Server(Path(base), *options)
        server.start()
        try:
            yield server
        finally:
            server.stop()
