"""The end of a process whose exit status tells a verdict: the store may have left threads and processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import threading
import time

from .exit_guard import end_process
from .watchdog import Watchdog

_NOTICE = 3.0  # seconds after which the run says what it waits for
_PATIENCE = 20.0  # seconds that this then gets


def end_with(status: int) -> None:
    """Have this process, whose run is over, end with a status, whatever it has to wait for.

    Python waits at its end for threads and for processes of `multiprocessing`, unless they are daemons.

    Args:
        status: The exit status, which the caller is about to end with.
    """
    threading.Thread(target=_watch, args=(status,), name="tokenstore-end", daemon=True).start()


def _watch(status: int) -> None:
    time.sleep(_NOTICE)
    processes = [one for one in multiprocessing.active_children() if not one.daemon]
    threads = [one for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
    left = [f"the thread {one.name!r}" for one in threads]
    left += [f"the process {one.pid}" for one in processes]
    if not left:
        return
    Watchdog.say(
        f"\ntokenstore: the run is over, and waits for {' and '.join(left)}, started and left by the store; "
        f"it ends in {_PATIENCE:g} s\n"
    )
    time.sleep(_PATIENCE)
    for one in processes:
        one.kill()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    end_process(status)
