"""A private PostgreSQL server on loopback.

`pytest-postgresql` was weighed: its server exists inside pytest only, and does not run where the tests
are run by root, as in a container.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers import NoServer, Server, as_other_user, free_port, process, program, run

_DEBIAN = Path("/usr/lib/postgresql")  # holds a directory for each release
_START_LIMIT = 60.0
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # The server itself is never killed while it is asked something.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


def missing() -> str:
    """Why there is no server to start; "" where there is one."""
    absent = [name for name in ("postgres", "initdb", "pg_isready") if _program(name) is None]
    if absent:
        return f"no {' and no '.join(absent)} found: install Debian's postgresql"
    if os.geteuid() == 0 and (_other_user() is None or shutil.which("setpriv") is None):
        return "PostgreSQL refuses to be run by root, and there is no other user or no setpriv"
    return ""


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Start a server with a data directory of its own, and take both away at the end.

    Yields:
        The server, once it answers.

    Raises:
        NoServer: It cannot be started.
    """
    if reason := missing():
        raise NoServer(reason)
    server, installer = str(_program("postgres")), str(_program("initdb"))
    with tempfile.TemporaryDirectory(prefix="tokenstore-postgres-", ignore_cleanup_errors=True) as base:
        user, password, port = "kit", secrets.token_hex(16), free_port()
        Path(base, "password").write_text(password)
        other = _other_user() if os.geteuid() == 0 else None
        if other is not None:
            for path in (base, f"{base}/password"):
                shutil.chown(path, other)
        run(
            *(["setpriv", *as_other_user(other)] if other else []),
            *(installer, "--pgdata", f"{base}/data", "--username", user, "--pwfile", f"{base}/password"),
            # md5 is made quickly, and nobody else gets to see it.
            *("--auth", "md5", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        log = Path(base, "log")
        options = [f"--{name}={value}" for name, value in {**_OPTIONS, "port": port}.items()]
        with process(
            [server, "-D", f"{base}/data", *options], log, as_user=other, stop=signal.SIGINT
        ) as started:
            _wait_until_it_answers(started, port, log)
            yield Server("127.0.0.1", port, user, password, _version(server), Path(base))


def _program(name: str) -> str | None:
    releases = sorted(_DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return program(name, *map(str, releases))


def _other_user() -> str | None:
    """Somebody who is not root."""
    import pwd  # Windows has none

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


def _version(server: str) -> str:
    said = subprocess.run([server, "--version"], capture_output=True, check=True).stdout.decode()
    return said.split()[2]


def _wait_until_it_answers(started: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_LIMIT
    ask = [str(_program("pg_isready")), "--host=127.0.0.1", f"--port={port}", "--quiet"]
    while started.poll() is None and time.monotonic() < deadline:
        if subprocess.run(ask, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise NoServer(f"postgres does not start: {log.read_text(errors='replace')[-2000:]}")
