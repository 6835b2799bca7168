"""Runs the command without what Windows lacks: ``python -m tests.without_posix check TARGET``.

Modules cannot be imported, functions and signals are not there, a mode that is set is not kept. What differs
in other ways, such as paths, sockets and open files that cannot be replaced, shows on a real Windows alone.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = ("fcntl", "grp", "pwd", "resource", "termios")
NAMES: dict[ModuleType, tuple[str, ...]] = {
    os: (
        *("fork", "forkpty", "geteuid", "getpgid", "getuid", "killpg", "mkfifo", "register_at_fork"),
        *("sched_getaffinity", "sched_setaffinity", "setsid", "WNOHANG", "O_DIRECTORY", "O_NOFOLLOW"),
        *("O_CLOEXEC", "fchmod", "fchown", "chown"),
    ),
    signal: (
        *("pthread_kill", "pthread_sigmask", "setitimer", "alarm", "ITIMER_REAL"),
        *("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGSTOP", "SIGUSR1", "SIGUSR2"),
    ),
    socket: ("recv_fds", "send_fds"),
}


def remove() -> None:
    """Take it all away from this process, before the kit and the stores are imported.

    What belongs to neither is imported before: on this system the standard library needs what is taken away.
    """
    for library in ("subprocess", "multiprocessing.context", "pytest", "hypothesis"):
        importlib.import_module(library)
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it fails from now on
    for module, names in NAMES.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)

    def chmod(path: Any, mode: int, **_: Any) -> None:
        os.stat(path)

    os.chmod = chmod


def main() -> int:
    """Run the command, whose arguments are those of this process; the exit status."""
    remove()
    from zoho_tokenstore_contract._cli.commands import main as command

    sys.path.insert(0, str(Path.cwd()))
    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
