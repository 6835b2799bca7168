"""Ports on loopback for servers that tests start, stop and start again."""

from __future__ import annotations

import random
import socket

_RANGE = range(15_000, 32_000)
"""Below those that Linux gives to outgoing connections: a client that asks for a port where nobody
listens could otherwise be connected with itself, and another could take it while a server is down."""


def free() -> int:
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
