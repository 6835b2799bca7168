"""A line to a server that counts the turns taken on it, and that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Passes on what a client and a server on loopback say to each other.

    Attributes:
        port: Where clients connect.
        turns: How often a client spoke after the server had: the round trips.
    """

    def __init__(self, port: int) -> None:
        """Begins to listen; see `line_to`."""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.turns = 0
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._listen)

    def cut(self) -> None:
        """End every connection, and refuse further ones."""
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Cut it, and wait until nothing of it runs."""
        self.cut()
        for thread in self._threads:
            thread.join()

    def _begin(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
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
        self._other = {client: server, server: client}
        self._client = client
        self._client_spoke = False

    def pass_on(self) -> None:
        """Until one of them hangs up."""
        import selectors

        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            for end in self._other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    said = end.recv(1 << 16)
                    if not said:
                        return
                    spoke = end is self._client
                    self._proxy.turns += spoke and not self._client_spoke
                    self._client_spoke = spoke
                    self._other[end].sendall(said)


@contextlib.contextmanager
def line_to(port: int) -> Iterator[Proxy]:
    """A line to the server on a port of loopback."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
