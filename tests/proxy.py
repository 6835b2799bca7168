"""A proxy on loopback that counts round trips and cuts connections where a test says."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable


class Proxy(contextlib.AbstractContextManager["Proxy"]):
    """Passes on what clients and a server on loopback say to each other, until its block ends.

    A cut is made once: what connects next is passed on again. One is planned at a time.

    Attributes:
        port: Where clients connect.
        turns: How often a client spoke after the server had: the round trips.
        cuts: How many connections were cut as planned.
        before_answer: Is called with the number of the turn before the server's answer is passed on.
    """

    def __init__(self, server_port: int, *, resets: bool = True) -> None:
        """Begins to listen.

        Args:
            server_port: Where the server listens.
            resets: Whether a cut resets the client's connection, as a network does; otherwise it ends it
                in good order, as a server does.
        """
        self.turns = self.cuts = 0
        self.before_answer: Callable[[int], None] | None = None
        self._server_port = server_port
        self._resets = resets
        self._lock = threading.Lock()
        self._cuts_requests = False
        self._first_turn = 0
        self._left: int | None = None
        self._reachable = True
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._begin(self._listen)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every connection, refuse further ones, and wait until nothing of it runs."""
        self.reach(False)
        # Closing alone does not wake a thread that waits for a connection.
        _hang_up(self._listener)
        for thread in self._threads:  # that of the listener first, which may add some
            thread.join()
        self._listener.close()

    def cut_request_after(self, size: int) -> None:
        """Cut when so many further bytes of requests have been passed on."""
        with self._lock:
            self._cuts_requests, self._first_turn, self._left = True, self.turns, size

    def cut_answer_after(self, size: int, turn: int = 1) -> None:
        """Cut when the server has answered, and so many bytes of answers have been passed on.

        Args:
            size: How many bytes, of the answer to that turn and of what follows it.
            turn: Which turn from now: 1 is the next.
        """
        with self._lock:
            self._cuts_requests, self._first_turn, self._left = False, self.turns + turn, size

    def reach(self, reachable: bool) -> None:
        """Let clients reach the server, or end every connection and hang up on whoever connects."""
        with self._lock:
            self._reachable = reachable
            for end in () if reachable else self._open:
                _hang_up(end)

    def _begin(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._begin(self.server_main, self._listener.accept()[0])

    def server_main(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._server_port)) as server,
        ):
            ends = {client, server}
            for end in ends:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if not self._reachable:
                    return
                self._open |= ends
            try:
                self._pass_on(client, server)
            finally:
                with self._lock:
                    self._open -= ends

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        client_spoke = False
        while True:
            for end in select.select([client, server], [], [])[0]:
                said = end.recv(1 << 16)
                if not said:
                    return
                is_request = end is client
                if self.before_answer is not None and client_spoke and not is_request:
                    self.before_answer(self.turns)
                kept, cut = self._counted(said, is_request, is_turn=is_request and not client_spoke)
                client_spoke = is_request
                (server if is_request else client).sendall(kept)
                if cut:
                    if self._resets:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return

    def _counted(self, said: bytes, is_request: bool, *, is_turn: bool) -> tuple[bytes, bool]:
        """What of it is passed on, and whether the connection is cut then."""
        with self._lock:
            self.turns += is_turn
            left = self._left
            if left is None or is_request != self._cuts_requests or self.turns < self._first_turn:
                return said, False
            if left > len(said):
                self._left = left - len(said)
                return said, False
            self._left = None
            self.cuts += 1
            return said[:left], True


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
