"""The life of a child process, and of the fork server: what runs in processes of their own."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..._harness.messages import format_exception
from ..._harness.store_source import MissingState, StoreSource, lookup
from .crash_points import follow_threads
from .pipe import Pipe

PRELOADED = ("_runner.contract_class", "_checks.secrets.leaks", "_checks.flows.sign_in")
"""What children run, with what it imports."""
PRELOADED_ELSEWHERE = ("_drivers.processes.reading", "_drivers.processes.rounds")
"""What those run that are executed in other surroundings."""


def server_main(handle: int, preloaded: Sequence[str] = PRELOADED) -> None:
    """The life of the fork server: fork and wait as it is told, end when the test process has ended.

    Args:
        handle: The file descriptor of its line to the test process.
        preloaded: Which modules of the kit it imports first.
    """
    package = __name__.partition(".")[0]
    for name in preloaded:
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


def _look_again() -> None:
    """Forget what lay in the directories of the path: the user's modules may be newer than this process.

    `importlib.invalidate_caches` does so for each directory of each package, which costs a child more than
    to open a store; of the user's packages none is imported yet.
    """
    for entry in sys.path:
        finder = sys.path_importer_cache.get(entry)
        if finder is None:
            sys.path_importer_cache.pop(entry, None)
        elif hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()


imports_a_store = False
"""Whether this is a child, whose import of a module must not check a store of its own."""


def worker_main(request: dict[str, Any], pipe: Pipe, words: int) -> None:
    """The life of a child: open the store when it is told to, and run the task.

    Args:
        request: What to open, and in which environment.
        pipe: The line to the check.
        words: The file descriptor that takes standard output and errors.
    """
    os.dup2(words, 1)
    os.dup2(words, 2)
    faulthandler.register(signal.SIGUSR1)
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.path[:] = request["path"]
    os.chdir(request["cwd"])
    _look_again()
    location = Path(request["location"])
    global imports_a_store  # noqa: PLW0603 (a child has one life)
    imports_a_store = True
    follow_threads()
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
