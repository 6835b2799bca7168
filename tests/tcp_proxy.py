"""A proxy on loopback that cuts connections at a byte that a test names."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType

_SIZE = 1 << 16


class Proxy:
    """Passes bytes between clients and a server until it is told to cut.

    A cut resets the client's connection, and is made once: what connects next is passed on again.

    Attributes:
        port: Where it listens on 127.0.0.1.
        cuts: How many connections it has cut.
    """

    def __init__(self, server_port: int) -> None:
        self.cuts = 0
        self._server_port = server_port
        self._lock = threading.Lock()
        self._request_left: int | None = None
        self._answer_left: int | None = None
        self._reachable = True
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Proxy:  # noqa: PYI034 (Self needs Python 3.11)
        self._begin(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing alone does not wake a thread that waits for a connection.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reach(False)
        for thread in self._threads:
            thread.join()

    def cut_request_after(self, size: int) -> None:
        """Cut when so many further bytes of requests have been passed on."""
        with self._lock:
            self._request_left = size

    def cut_answer_after(self, size: int) -> None:
        """Cut when so many further bytes of answers have been passed on: the server has answered."""
        with self._lock:
            self._answer_left = size

    def reach(self, reachable: bool) -> None:
        """Let clients reach the server, or end every connection and take no new one."""
        with self._lock:
            self._reachable = reachable
            for one in () if reachable else self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _begin(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._server_port)) as server,
        ):
            with self._lock:
                if not self._reachable:
                    return
                self._open |= {client, server}
            try:
                self._pass_on(client, server)
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            for one in select.select([client, server], [], [])[0]:
                data = one.recv(_SIZE)
                if not data:
                    return
                kept, cut = self._counted(data, is_request=one is client)
                (server if one is client else client).sendall(kept)
                if cut:
                    # No farewell: what the client waits for ends in a reset.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return

    def _counted(self, data: bytes, *, is_request: bool) -> tuple[bytes, bool]:
        """What of the data is passed on, and whether the connection is cut then."""
        with self._lock:
            left = self._request_left if is_request else self._answer_left
            if left is None:
                return data, False
            rest = left - len(data)
            if is_request:
                self._request_left = None if rest <= 0 else rest
            else:
                self._answer_left = None if rest <= 0 else rest
            if rest > 0:
                return data, False
            self.cuts += 1
            return data[:left], True
