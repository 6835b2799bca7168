"""A private MariaDB server on loopback, for the store of the SDK that needs one.

`pytest-mysql` was weighed: it compiles `mysqlclient`, and its server exists inside pytest only, while
`python -m tests.published` needs one too. These few lines need nothing but the server's own programs.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVER, INSTALLER = "mariadbd", "mariadb-install-db"
_START_LIMIT = 60.0


class NoServer(Exception):
    """There is no MariaDB server to start, or it does not start; the text says why."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        host: The loopback address.
        port: Its port.
        user: The name of a user who may do everything.
        password: The password of that user, made up for this server.
        version: What the server says that it is.
        directory: Where it keeps everything.
    """

    host: str
    port: int
    user: str
    password: str
    version: str
    directory: Path


def missing() -> str:
    """Why there is no server to start; "" where there is one."""
    absent = [name for name in (SERVER, INSTALLER) if _program(name) is None]
    return f"no {' and no '.join(absent)} found: install Debian's mariadb-server" if absent else ""


@contextlib.contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """Start a server with a data directory of its own, and take both away at the end.

    Args:
        durable: It flushes its log at every commit, as a server does that nobody configured. Tests
            need no such thing, since the server itself is never killed while it is asked something.

    Yields:
        The server, once it answers.

    Raises:
        NoServer: It cannot be started.
    """
    server, installer = _program(SERVER), _program(INSTALLER)
    if server is None or installer is None:
        raise NoServer(missing())
    with tempfile.TemporaryDirectory(prefix="tokenstore-mariadb-", ignore_cleanup_errors=True) as base:
        _run(
            installer,
            "--no-defaults",
            f"--datadir={base}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--user={getpass.getuser()}",
        )
        user, password, port = "kit", secrets.token_hex(16), _free_port()
        opening = Path(base, "opening.sql")
        opening.write_text(
            f"create user {user}@127.0.0.1 identified by '{password}';\n"  # one statement a line
            f"grant all on *.* to {user}@127.0.0.1;\n"
        )
        log = Path(base, "log")
        command = [
            server,
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={base}/data",
            f"--socket={base}/socket",
            f"--pid-file={base}/pid",
            f"--log-error={log}",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--init-file={opening}",
            "--skip-name-resolve",
            # As Debian configures it; without, an older server would take no text beyond latin-1.
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
        ]
        if not durable:
            command += ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        # So that the server does not outlive a process that is killed.
        if (setpriv := shutil.which("setpriv")) is not None:
            command = [setpriv, "--pdeathsig", "KILL", *command]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for whoever asks the server, who then stops it
        )
        try:
            _wait_until_it_answers(process, port, log)
            yield Server("127.0.0.1", port, user, password, _version(server), Path(base))
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        raise NoServer(f"{command[0]} fails: {done.stdout.decode(errors='replace')[-2000:]}")


def _version(server: str) -> str:
    words = subprocess.run([server, "--version"], capture_output=True, check=True).stdout.decode().split()
    return words[words.index("Ver") + 1]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """A server greets whoever connects, as soon as it is ready and not before."""
    deadline = time.monotonic() + _START_LIMIT
    while process.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=5) as one,
        ):
            if one.recv(1):
                return
        time.sleep(0.05)
    said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise NoServer(f"{SERVER} does not start: {said}")
