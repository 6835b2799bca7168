"""A private MariaDB server on loopback.

`pytest-mysql` was weighed: it compiles `mysqlclient`, and its server exists inside pytest only, while
`python -m tests.published` needs one too. These few lines need nothing but the server's own programs.
"""

from __future__ import annotations

import contextlib
import getpass
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers import NoServer, Server, free_port, process, program, run

SERVER, INSTALLER = "mariadbd", "mariadb-install-db"
_START_LIMIT = 60.0


def missing() -> str:
    """Why there is no server to start; "" where there is one."""
    absent = [name for name in (SERVER, INSTALLER) if program(name) is None]
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
    server, installer = program(SERVER), program(INSTALLER)
    if server is None or installer is None:
        raise NoServer(missing())
    with tempfile.TemporaryDirectory(prefix="tokenstore-mariadb-", ignore_cleanup_errors=True) as base:
        run(
            installer,
            "--no-defaults",
            f"--datadir={base}/data",
            f"--tmpdir={base}",  # two that install at once get in each other's way there
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--user={getpass.getuser()}",
        )
        user, password, port = "kit", secrets.token_hex(16), free_port()
        opening = Path(base, "opening.sql")
        opening.write_text(
            f"create user {user}@127.0.0.1 identified by '{password}';\n"  # one statement a line
            f"grant all on *.* to {user}@127.0.0.1 with grant option;\n"
        )
        log = Path(base, "log")
        command = [
            server,
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={base}/data",
            f"--socket={base}/socket",
            f"--pid-file={base}/pid",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--init-file={opening}",
            "--skip-name-resolve",
            # As Debian configures it; without, an older server would take no text beyond latin-1.
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
        ]
        if not durable:
            command += [
                "--innodb-flush-log-at-trx-commit=0",
                "--skip-innodb-doublewrite",
                "--innodb-flush-method=nosync",
                "--sync-frm=0",
                "--innodb-file-per-table=0",
            ]
        with process(command, log) as started:
            _wait_until_it_answers(started, port, log)
            yield Server("127.0.0.1", port, user, password, _version(server), Path(base))


def _version(server: str) -> str:
    words = subprocess.run([server, "--version"], capture_output=True, check=True).stdout.decode().split()
    return words[words.index("Ver") + 1]


def _wait_until_it_answers(started: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """A server greets whoever connects, as soon as it is ready and not before."""
    deadline = time.monotonic() + _START_LIMIT
    while started.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=5) as one,
        ):
            if one.recv(1):
                return
        time.sleep(0.05)
    raise NoServer(f"{SERVER} does not start: {log.read_text(errors='replace')[-2000:]}")
