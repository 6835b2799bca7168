"""A Zoho on loopback: the accounts server and the piece of the CRM API that the SDK asks.

It plays several data centres at once, each under a path of its own. It issues, renews and revokes
tokens by rules that a check sets, refuses what Zoho refuses, and remembers every request.

The standard library's server does all of it. A library would be one more package in the
environment of everybody who checks a store, beside pytest and hypothesis, and what it would save
is the twenty lines of `_Server` and `_Handler`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .data_centre import ORG, OTHER, REVOKE, TOKEN, USERS, DataCentre, Request, api_error

HOST = "127.0.0.1"


REQUEST_NUMBER = "X-Request-Number"
"""The header with which an answer says which request it belongs to."""


_PATHS = (
    (re.compile(r"/oauth/v2/token"), TOKEN),
    (re.compile(r"/oauth/v2/token/revoke"), REVOKE),
    (re.compile(r"/crm/v\d+/users"), USERS),
    (re.compile(r"/crm/v\d+/org"), ORG),
)


class Zoho:
    """The server. Used as a context manager, it listens while it is entered.

    Attributes:
        requests: Every request so far, in the order of the answers.
        hold: Called before a token request is answered; may wait.
    """

    def __init__(self, clients: dict[str, str], tell: Callable[[Request], None] | None = None) -> None:
        """Prepares to be entered.

        Args:
            clients: The secret of each client id that its accounts servers know.
            tell: Called with every request, once it has its answer.
        """
        self.requests: list[Request] = []
        self.hold: Callable[[], None] | None = None
        self._clients = clients
        self._tell = tell
        self._centres: dict[str, DataCentre] = {}
        self._lock = threading.Lock()
        self._closing = False

    def __enter__(self) -> Zoho:  # noqa: PYI034 (Self needs Python 3.11)
        self._server = _Server((HOST, 0), functools.partial(_Handler, self))
        self._thread = threading.Thread(target=self.server_main, name="loopback-zoho", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        # One more connection wakes the accepting thread at once, where `shutdown` would poll.
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, self._server.server_port), timeout=5).close()
        self._thread.join(5)
        self._server.server_close()

    def centre(self, name: str) -> DataCentre:
        """The data centre of this name, new where there was none."""
        if name not in self._centres:
            url = f"http://{HOST}:{self._server.server_port}/{name}"
            self._centres[name] = DataCentre(name, url, self._clients)
        return self._centres[name]

    def asked(self, kind: str) -> list[Request]:
        """The requests of one kind."""
        return [request for request in list(self.requests) if request.kind == kind]

    def answer(
        self, method: str, target: str, form: dict[str, str], access_token: str | None
    ) -> tuple[int, int, dict[str, Any]]:
        """Answer a request and remember it: its number, the HTTP status and the JSON.

        Args:
            method: The HTTP method.
            target: The path and the query.
            form: The fields of the request.
            access_token: The access token that it carries, if any.

        Returns:
            The number of the request, the HTTP status and the JSON.
        """
        path = urlsplit(target).path
        centre, _, rest = path[1:].partition("/")
        kind = next((kind for shape, kind in _PATHS if shape.fullmatch(f"/{rest}")), OTHER)
        if kind == TOKEN and self.hold is not None:
            self.hold()
        with self._lock:
            if centre in self._centres:
                status, answer = self._centres[centre].answer(kind, form, access_token)
            else:
                status, answer = 404, api_error("INVALID_URL_PATTERN", f"no data centre {centre}")
            number = len(self.requests) + 1
            request = Request(number, centre, kind, method, path, form, access_token, answer)
            self.requests.append(request)
            if self._tell is not None:
                self._tell(request)
        return number, status, answer

    def server_main(self) -> None:
        while not self._closing:
            self._server.handle_request()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        self.handlers: list[threading.Thread] = []
        super().__init__(*arguments)

    def server_bind(self) -> None:
        # `HTTPServer` asks for the host's full name, and a name server may take its time.
        socketserver.TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        # Daemon threads, so that nothing keeps the process alive; remembered, so that they are
        # waited for all the same.
        handler = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self.handlers.append(handler)
        handler.start()

    def server_close(self) -> None:
        super().server_close()
        for handler in self.handlers:
            handler.join(1)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that is gone has nobody to be told.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet: apart, the second may wait 40 ms for the first's receipt.
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(self, zoho: Zoho, *arguments: Any) -> None:
        self._zoho = zoho
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is printed: every request is remembered."""

    def _answer(self, form: dict[str, str]) -> None:
        scheme, _, access_token = self.headers.get("Authorization", "").partition(" ")
        token = access_token if scheme == "Zoho-oauthtoken" else None
        number, status, answer = self._zoho.answer(self.command, self.path, form, token)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header(REQUEST_NUMBER, str(number))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
