"""The line between a check and a child process: JSON values, one a line."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Pipe:
    """One end of the line between a check and a child: JSON values, one a line.

    Attributes:
        open: In a child: opens the store on a further location.
    """

    open: Callable[[Path], Any]

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._rest = b""

    def send(self, value: Any) -> None:
        """Send a value; when this returns, the other side has it, however this process ends."""
        self._end.sendall(json.dumps(value).encode() + b"\n")

    def receive(self, limit: float | None = None) -> Any:
        """The next value.

        Raises:
            EOFError: The other side is gone.
            TimeoutError: Nothing came within `limit` seconds.
        """
        deadline = None if limit is None else time.monotonic() + limit
        while b"\n" not in self._rest:
            # Zero would mean not to wait at all, and then another exception.
            self._end.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            try:
                chunk = self._end.recv(1 << 16)
            except ConnectionError:
                chunk = b""
            finally:
                self._end.settimeout(None)
            if not chunk:
                raise EOFError
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        """Hang up."""
        self._end.close()
