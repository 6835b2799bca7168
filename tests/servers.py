"""What the private servers have in common: each a process with a directory of its own, on loopback."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

REQUIRE = "TOKENSTORE_REQUIRE_SERVERS"
"""Set to 1 where a server that is missing is a failure and no reason to skip."""

_RANGE = range(15_000, 32_000)
"""Below those that Linux gives to outgoing connections: a client that asks for a port where nobody
listens could otherwise be connected with itself, and another could take it while a server is down."""


class NoServer(Exception):
    """There is no such server to start, or it does not start; the text says why."""


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


def skip_or_fail(reason: str) -> None:
    """End a test that needs a server, unless there is no reason why it is missing.

    Args:
        reason: Why the server is missing; "" where it is there.
    """
    if reason and os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{REQUIRE}=1, but {reason}")
    if reason:
        pytest.skip(reason)


def program(name: str, *further: str) -> str | None:
    """The path of a program of a server; None where it is not installed.

    Args:
        name: The program.
        further: Directories to look in that are on nobody's path.
    """
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", *further]
    return shutil.which(name, path=os.pathsep.join(places))


def free_port() -> int:
    """A port on 127.0.0.1 that nobody has just now."""
    # Not seeded: test processes that run side by side must not all begin at the same port.
    for port in random.SystemRandom().sample(_RANGE, 200):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port found on 127.0.0.1")


def run(*command: str) -> None:
    """Run a program of a server to its end.

    Raises:
        NoServer: It fails; with what it said last.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        raise NoServer(f"{command[0]} fails: {done.stdout.decode(errors='replace')[-2000:]}")


@contextlib.contextmanager
def process(
    command: Sequence[str],
    log: Path,
    *,
    as_user: str | None = None,
    environment: Mapping[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server; it ends with this process, and with the context at the latest.

    Args:
        command: How it is started.
        log: Where what it says is written to.
        as_user: Who runs it, where that is not who asks; only root may ask.
        environment: Its environment variables; by default those of this process.
        stop: The signal that tells it to end, whoever is connected.

    Yields:
        The process. Where it does not end as it is told, it is killed.
    """
    started = begun(command, log, as_user=as_user, environment=environment)
    try:
        yield started
    finally:
        end(started, stop)


def begun(
    command: Sequence[str],
    log: Path,
    *,
    as_user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server, which ends with this process at the latest; see `process`."""
    # So that the server does not outlive a process that is killed.
    if (setpriv := shutil.which("setpriv")) is not None:
        command = [setpriv, *as_other_user(as_user), "--pdeathsig", "KILL", *command]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for whoever asks the server, who then stops it
        )


def end(started: subprocess.Popen[bytes], stop: signal.Signals = signal.SIGTERM) -> None:
    """Tell a server to end, and wait until it has; where it does not, it is killed."""
    started.send_signal(stop)
    try:
        started.wait(30)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()


def as_other_user(name: str | None) -> list[str]:
    """The options with which ``setpriv`` becomes somebody else; none for nobody else."""
    return [] if name is None else [f"--reuid={name}", "--regid", name_of_group(name), "--clear-groups"]


def name_of_group(user: str) -> str:
    """The group of a user."""
    import grp  # Windows has none
    import pwd

    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
