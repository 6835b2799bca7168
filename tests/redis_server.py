"""A private Redis server on loopback, for the tests of the store that needs one."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests import ports

PROGRAM = "redis-server"
_START_LIMIT = 30.0


class NoServer(Exception):
    """There is no Redis server to start, or it does not start; the text says why."""


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
        self.port = ports.free()
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
        # So that the server does not outlive a process that is killed.
        if (setpriv := shutil.which("setpriv")) is not None:
            command = [setpriv, "--pdeathsig", "KILL", *command]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for whoever asks the server, who then stops it
        )
        try:
            self._wait_until_it_answers(log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it and wait until it is gone; what it was told is on the disk."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
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
