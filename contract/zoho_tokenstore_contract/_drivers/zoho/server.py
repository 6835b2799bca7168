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
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
HOUR = 3600
EXPIRED_AT_ONCE = 1
"""A lifetime in seconds that the SDK, which renews five seconds early, takes for over."""

TOKENS_IN_TEN_MINUTES = 10
"""How many access tokens Zoho gives for one refresh token in ten minutes; no check takes longer."""

REQUEST_NUMBER = "X-Request-Number"
"""The header with which an answer says which request it belongs to."""

TOKEN, REVOKE, USERS, ORG, OTHER = "token", "revoke", "users", "org", "other"

_PATHS = (
    (re.compile(r"/oauth/v2/token"), TOKEN),
    (re.compile(r"/oauth/v2/token/revoke"), REVOKE),
    (re.compile(r"/crm/v\d+/users"), USERS),
    (re.compile(r"/crm/v\d+/org"), ORG),
)


@dataclass(frozen=True)
class Request:
    """One request, and what was answered.

    Attributes:
        number: Counted from 1, over all data centres.
        centre: The name of the data centre that was asked.
        kind: ``token``, ``revoke``, ``users``, ``org`` or ``other``.
        form: The form that was sent.
        access_token: What the ``Authorization`` header carried, if anything.
        answer: The answered JSON.
    """

    number: int
    centre: str
    kind: str
    method: str
    path: str
    form: dict[str, str]
    access_token: str | None
    answer: dict[str, Any]

    @property
    def credentials(self) -> set[str]:
        """Every token that was sent along."""
        sent = {self.form.get(name) for name in ("code", "refresh_token", "token")}
        return {token for token in (*sent, self.access_token) if token}

    def __str__(self) -> str:
        sent = [f"{name}={value}" for name, value in self.form.items()]
        if self.access_token is not None:
            sent.append(f"Authorization: Zoho-oauthtoken {self.access_token}")
        return f"{self.method} {self.path} ({', '.join(sent)}) -> {json.dumps(self.answer)}"


@dataclass
class User:
    """A user of one data centre, and the rules for the answers that concern this user.

    Attributes:
        name: The part of the address before the @.
        lifetimes: The seconds for which the next access tokens live, in turn; then an hour each.
        look_ups_to_fail: How many of the next questions for the current user fail.
    """

    name: str
    lifetimes: list[int] = field(default_factory=list)
    look_ups_to_fail: int = 0
    issued: int = 0

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    @property
    def signature(self) -> str:
        """The user name under which the SDK stores the tokens."""
        return f"{self.email}:{ORG_ID}"


ORG_ID = "77"


@dataclass
class _Refresh:
    user: User
    client: str
    given: int = 0


class DataCentre:
    """The accounts server and the API of one data centre.

    Attributes:
        name: Its name, which is the first part of the paths.
        url: Where its API is; also what it answers as ``api_domain``.
        accounts_url: Where it issues tokens.
        in_milliseconds: Lifetimes are answered in milliseconds, with ``expires_in_sec`` beside.
    """

    def __init__(self, name: str, url: str, clients: dict[str, str]) -> None:
        self.name = name
        self.url = url
        self.accounts_url = f"{url}/oauth/v2/token"
        self.in_milliseconds = False
        self._clients = clients
        self._users: dict[str, User] = {}
        self._codes: dict[str, User] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._access: dict[str, tuple[User, str | None]] = {}

    # what a check sets up

    def user(self, name: str) -> User:
        """The user of this name, new where there was none."""
        return self._users.setdefault(name, User(name))

    def code(self, name: str) -> str:
        """A new code (grant token) for a user, good for one exchange."""
        user = self.user(name)
        code = self._new(user, "grant")
        self._codes[code] = user
        return code

    def refresh_token(self, name: str, client: str | None = None) -> str:
        """A new refresh token of a user, as from an earlier exchange by a client.

        Args:
            name: The user.
            client: The client id; by default the first one.

        Returns:
            The token.
        """
        user = self.user(name)
        token = self._new(user, "refresh")
        self._refresh[token] = _Refresh(user, client or next(iter(self._clients)))
        return token

    def access_token(self, name: str, refresh_token: str | None = None) -> str:
        """A new access token of a user, that dies with the refresh token it came from.

        Args:
            name: The user.
            refresh_token: The refresh token that it came from, if any.

        Returns:
            The token.
        """
        user = self.user(name)
        token = self._new(user, "access")
        self._access[token] = (user, refresh_token)
        return token

    def revoke(self, refresh_token: str) -> bool:
        """Revoke a refresh token and its access tokens; whether there was such a one."""
        if self._refresh.pop(refresh_token, None) is None:
            return False
        for token in [token for token, (_, source) in self._access.items() if source == refresh_token]:
            self.expire(token)
        return True

    def expire(self, access_token: str) -> None:
        """Have an access token refused from now on."""
        self._access.pop(access_token, None)

    def owner(self, access_token: str | None) -> str | None:
        """The name of the user to whom a valid access token belongs."""
        found = self._access.get(access_token or "")
        return None if found is None else found[0].name

    # what the SDK asks

    def answer(self, kind: str, form: dict[str, str], access_token: str | None) -> tuple[int, dict[str, Any]]:
        """The HTTP status and the JSON for a request.

        Args:
            kind: What is asked for.
            form: The fields of the request.
            access_token: The access token that it carries, if any.

        Returns:
            The status and the JSON.
        """
        if kind == TOKEN:
            return 200, self._answer_token(form)
        if kind == REVOKE:
            known = self.revoke(form.get("token", ""))
            return 200, {"status": "success"} if known else {"error": "invalid_token"}
        found = self._access.get(access_token or "")
        if found is None:
            return 401, _api_error("INVALID_TOKEN", "invalid oauth token")
        if kind == ORG:
            return 200, {"org": [{"id": "2", "zgid": ORG_ID}]}
        if kind != USERS:
            return 404, _api_error(
                "INVALID_URL_PATTERN", "Please check if the URL trying to access is correct"
            )
        user = found[0]
        if user.look_ups_to_fail:
            user.look_ups_to_fail -= 1
            return 500, _api_error("INTERNAL_ERROR", "Internal Server Error")
        info = {"per_page": 200, "count": 1, "page": 1, "more_records": False}
        return 200, {"users": [{"id": "1", "email": user.email}], "info": info}

    def _answer_token(self, form: dict[str, str]) -> dict[str, Any]:
        client = form.get("client_id", "")
        if client not in self._clients:
            return {"error": "invalid_client"}
        if form.get("client_secret") != self._clients[client]:
            return {"error": "invalid_client_secret"}
        if form.get("grant_type") == "authorization_code":
            user = self._codes.pop(form.get("code", ""), None)
            if user is None:
                return {"error": "invalid_code"}
            refresh_token = self.refresh_token(user.name, client)
            return {**self._issued(refresh_token), "refresh_token": refresh_token}
        if form.get("grant_type") != "refresh_token":
            return {"error": "unsupported_grant_type"}
        refresh_token = form.get("refresh_token", "")
        known = self._refresh.get(refresh_token)
        if known is None or known.client != client:
            return {"error": "invalid_code"}
        if known.given >= TOKENS_IN_TEN_MINUTES:
            return {
                "error": "Access Denied",
                "error_description": "You have made too many requests continuously. "
                "Please try again after some time.",
            }
        return self._issued(refresh_token)

    def _issued(self, refresh_token: str) -> dict[str, Any]:
        known = self._refresh[refresh_token]
        known.given += 1
        lifetime = known.user.lifetimes.pop(0) if known.user.lifetimes else HOUR
        made: dict[str, Any] = {
            "access_token": self.access_token(known.user.name, refresh_token),
            "api_domain": self.url,
            "token_type": "Bearer",
            "expires_in": lifetime,
        }
        if self.in_milliseconds:
            made |= {"expires_in": lifetime * 1000, "expires_in_sec": lifetime}
        return made

    def _new(self, user: User, kind: str) -> str:
        user.issued += 1
        return f"1000.{self.name}.{user.name}.{kind}.{user.issued}"


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
                status, answer = 404, _api_error("INVALID_URL_PATTERN", f"no data centre {centre}")
            number = len(self.requests) + 1
            request = Request(number, centre, kind, method, path, form, access_token, answer)
            self.requests.append(request)
            if self._tell is not None:
                self._tell(request)
        return number, status, answer

    def server_main(self) -> None:
        while not self._closing:
            self._server.handle_request()


def _api_error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "details": {}, "message": message, "status": "error"}


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
