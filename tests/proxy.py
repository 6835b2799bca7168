"""A line to a server that counts the turns taken on it, and that can be cut."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator


class Proxy:
    """Passes on what clients and a server on loopback say to each other.

    Attributes:
        port: Where clients connect.
        turns: How often a client spoke after the server had: the round trips.
        swallows: The number of the turn whose answer nobody gets: the server has done what it was
            asked, and the connection ends. ``None`` again when that has happened.
    """

    def __init__(self, port: int) -> None:
        """Begins to listen; see `line_to`."""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.turns = 0
        self.swallows: int | None = None
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._listen)

    def cut(self) -> None:
        """End every connection, and refuse further ones."""
        for end in (self._listener, *self._ends):
            _hang_up(end)

    def close(self) -> None:
        """Cut it, and wait until nothing of it runs."""
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _begin(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._ends += [client, server]
                self._begin(_Line(self, client, server).pass_on)


class _Line:
    """One connection: a thread passes on what either side says, in the order in which it comes."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._client_spoke = False

    def pass_on(self) -> None:
        """Until one of them hangs up."""
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            for end, other in ((self._client, self._server), (self._server, self._client)):
                selector.register(end, selectors.EVENT_READ, (end, other))
            while all(self._pass(*key.data) for key, _ in selector.select()):
                pass
        # The other one must not wait for ever.
        _hang_up(self._client)
        _hang_up(self._server)

    def _pass(self, end: socket.socket, other: socket.socket) -> bool:
        """Whether both go on."""
        said = end.recv(1 << 16)
        spoke = end is self._client
        if said and spoke and not self._client_spoke:
            self._proxy.turns += 1
        if said and not spoke and self._proxy.turns == self._proxy.swallows:
            self._proxy.swallows = None
            return False
        if not said:
            return False
        self._client_spoke = spoke
        other.sendall(said)
        return True


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def line_to(port: int) -> Iterator[Proxy]:
    """A line to the server on a port of loopback."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
