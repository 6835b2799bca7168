"""A data centre of the loopback Zoho: its users, what it has issued, and what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

HOUR = 3600
EXPIRED_AT_ONCE = 1
"""A lifetime in seconds that the SDK, which renews five seconds early, takes for over."""
TOKENS_IN_TEN_MINUTES = 10
"""How many access tokens Zoho gives for one refresh token in ten minutes; no check takes longer."""
TOKEN, REVOKE, USERS, ORG, OTHER = "token", "revoke", "users", "org", "other"


@dataclass(frozen=True)
class Request:
    """One request, and what was answered.

    Attributes:
        number: Counted from 1, over all data centres.
        centre: The name of the data centre that was asked.
        kind: ``token``, ``revoke``, ``users``, ``org`` or ``other``.
        method: The HTTP method.
        path: The path that was asked for.
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
            return 401, api_error("INVALID_TOKEN", "invalid oauth token")
        if kind == ORG:
            return 200, {"org": [{"id": "2", "zgid": ORG_ID}]}
        if kind != USERS:
            return 404, api_error(
                "INVALID_URL_PATTERN", "Please check if the URL trying to access is correct"
            )
        user = found[0]
        if user.look_ups_to_fail:
            user.look_ups_to_fail -= 1
            return 500, api_error("INTERNAL_ERROR", "Internal Server Error")
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


def api_error(code: str, message: str) -> dict[str, Any]:
    """What the API answers in an error.

    Args:
        code: The code of the error.
        message: What it says.

    Returns:
        The value that JSON can hold.
    """
    return {"code": code, "details": {}, "message": message, "status": "error"}
