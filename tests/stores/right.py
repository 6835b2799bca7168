"""`RightStore`: a small store that keeps every clause, in pieces that a faulty store replaces.

Each short method is one decision. A faulty store overrides one of them, so that one behaviour is
broken and everything else is right.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

Fields = dict[str, Any]
"""A row or a token: its ten fields by name, ``None`` where absent."""

OTHERS = (
    "client_id",
    "client_secret",
    "refresh_token",
    "access_token",
    "grant_token",
    "expires_in",
    "redirect_url",
    "api_domain",
)
CREDENTIALS = ("grant_token", "refresh_token", "access_token")


def refusal(message: str, cause: BaseException | None = None) -> SDKException:
    """The exception with which these stores refuse."""
    return SDKException(code="TOKEN STORE", message=message, cause=cause)


class RightStore(TokenStore):  # type: ignore[misc]
    """Keeps its rows in one JSON file under the location, replaced as a whole by each change."""

    def __init__(self, location: Path) -> None:
        self.location = Path(location).absolute()
        self.file = self.location / "rows.json"
        self.lock = threading.RLock()
        self.prepare()

    # the six methods

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        row = self.match_to_find(self.read()["rows"], self.fields_of(token))
        return self.missed(token) if row is None else self.found(token, row)

    def save_token(self, token: Any) -> None:
        if not isinstance(token, OAuthToken):
            self.not_a_token(token)
            return
        sent = self.fields_of(token)
        with self.changing() as state:
            row = self.match_to_save(state["rows"], sent)
            if row is None:
                row = self.insert(state, sent)
            else:
                self.update(row, sent)
        self.saved(token, row)

    def delete_token(self, id: Any) -> None:
        with self.changing() as state:
            self.remove(state, id)

    def get_tokens(self) -> list[Any]:
        return [self.new_token(row) for row in self.read()["rows"]]

    def delete_tokens(self) -> None:
        with self.changing() as state:
            self.clear(state)

    def find_token_by_id(self, id: Any) -> Any:
        row = self.by_id(self.read()["rows"], id)
        return None if row is None else self.new_token(row)

    def close(self) -> None:
        """Nothing is held open."""

    # what they decide

    def not_a_token(self, thing: Any) -> None:
        """Saving something that is no token: ignored."""

    def match_to_find(self, rows: list[Fields], sent: Fields) -> Fields | None:
        """The row that a token finds."""
        if sent["user_name"]:
            return self.by_user(rows, sent) or self.unnamed(self.by_id(rows, sent["id"]))
        return (
            self.by_access(rows, sent)
            or self.by_grant(rows, sent)
            or self.by_refresh(rows, sent)
            or self.by_id(rows, sent["id"])
            or self.by_access_at_last(rows, sent)
        )

    def match_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        """The row that a token updates."""
        if sent["user_name"]:
            return (
                self.by_user(rows, sent)
                or self.unnamed(self.by_id(rows, sent["id"]))
                or self.learned(rows, sent)
            )
        return (
            self.by_access(rows, sent)
            or self.by_grant(rows, sent)
            or self.by_refresh(rows, sent)
            or self.by_id_to_save(rows, sent)
            or self.by_access_at_last(rows, sent)
        )

    def by_user(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return first(row for row in rows if self.same_name(row["user_name"], sent["user_name"]))

    def same_name(self, stored: str | None, sent: str | None) -> bool:
        return stored is not None and stored == sent

    def same_token(self, stored: str | None, sent: str | None) -> bool:
        return bool(sent) and stored == sent

    def same_client(self, row: Fields, sent: Fields) -> bool:
        return bool(
            sent["client_id"]
            and sent["client_secret"]
            and row["client_id"] == sent["client_id"]
            and row["client_secret"] == sent["client_secret"]
        )

    def by_access(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if sent["client_id"] or sent["client_secret"]:
            return None
        return first(row for row in rows if self.same_token(row["access_token"], sent["access_token"]))

    def by_grant(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return first(
            row
            for row in rows
            if self.same_client(row, sent) and self.same_token(row["grant_token"], sent["grant_token"])
        )

    def by_refresh(self, rows: list[Fields], sent: Fields) -> Fields | None:
        return first(
            row
            for row in rows
            if self.same_client(row, sent) and self.same_token(row["refresh_token"], sent["refresh_token"])
        )

    def by_access_at_last(self, rows: list[Fields], sent: Fields) -> Fields | None:
        if not (sent["client_id"] and sent["client_secret"]) or any(
            sent[name] for name in ("grant_token", "refresh_token", "id")
        ):
            return None
        return first(row for row in rows if self.same_token(row["access_token"], sent["access_token"]))

    def by_id(self, rows: list[Fields], id: Any) -> Fields | None:
        return first(row for row in rows if self.same_id(row["id"], id))

    def same_id(self, stored: str, asked: Any) -> bool:
        return isinstance(asked, str) and stored == asked

    def by_id_to_save(self, rows: list[Fields], sent: Fields) -> Fields | None:
        row = self.by_id(rows, sent["id"])
        if row is not None and row["user_name"] and any(sent[name] for name in CREDENTIALS):
            return None
        return row

    def unnamed(self, row: Fields | None) -> Fields | None:
        return None if row is None or row["user_name"] else row

    def learned(self, rows: list[Fields], sent: Fields) -> Fields | None:
        """The unnamed row of a token whose user is known only now."""
        if sent["id"]:
            return None
        unnamed = [row for row in rows if not row["user_name"]]
        return self.by_grant(unnamed, sent) or self.by_refresh(unnamed, sent)

    def insert(self, state: Any, sent: Fields) -> Fields:
        """Add a row for a token that matches none."""
        if (sent["id"] or sent["user_name"]) and not any(sent[name] for name in CREDENTIALS):
            raise refusal("a token without a credential")
        row = dict(sent)
        if self.by_id(state["rows"], sent["id"]) is not None:
            self.id_is_taken(row)
        if not row["id"]:
            row["id"] = self.next_id(state)
        state["used"].append(row["id"])
        state["rows"].append(row)
        return row

    def id_is_taken(self, row: Fields) -> None:
        """Another user's row has the id: a user gets another one, nobody is refused."""
        if not row["user_name"]:
            raise refusal("the id is another user's")
        row["id"] = None

    def next_id(self, state: Any) -> str:
        """An id that no row has or had."""
        while True:
            state["last"] += 1
            if str(state["last"]) not in state["used"]:
                return str(state["last"])

    def update(self, row: Fields, sent: Fields) -> None:
        """Replace what the token has, keep the rest."""
        for name in ("user_name", *OTHERS):
            if sent[name]:
                row[name] = sent[name]

    def saved(self, token: Any, row: Fields) -> None:
        """What a save leaves in the passed token."""
        token.set_id(row["id"])

    def found(self, token: Any, row: Fields) -> Any:
        """Fill in the passed token from its row and answer with it."""
        self.fill(token, row)
        return token

    def missed(self, token: Any) -> Any:
        """The answer when nothing matches."""
        return None

    def fill(self, token: Any, row: Fields) -> None:
        own = self.fields_of(token)
        token.set_id(row["id"])
        if not own["user_name"]:
            token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
        for name in OTHERS:
            if not own[name]:
                getattr(token, f"set_{name}")(row[name])

    def new_token(self, row: Fields) -> Any:
        """A token of its own for a row."""
        token = OAuthToken(id=row["id"])
        self.fill(token, row)
        return token

    def remove(self, state: Any, id: Any) -> None:
        row = self.by_id(state["rows"], id)
        if row is not None:
            state["rows"].remove(row)

    def clear(self, state: Any) -> None:
        state["rows"].clear()

    def fields_of(self, token: Any) -> Fields:
        """A token's fields as the store keeps them."""
        if not isinstance(token, OAuthToken):
            raise refusal("not a token")
        signature = token.get_user_signature()
        fields = {name: getattr(token, f"get_{name}")() or None for name in ("id", *OTHERS)}
        fields["user_name"] = (signature.get_name() or None) if signature is not None else None
        return fields

    # the file

    def prepare(self) -> None:
        """Make the file where there is none, refuse one that is damaged."""
        with self.locked():
            if self.file.exists():
                self.read()
            else:
                self.write({"last": 0, "used": [], "rows": []})

    def read(self) -> Any:
        """The whole state: the last id given, all ids ever used, the rows."""
        try:
            digest, _, text = self.file.read_bytes().partition(b"\n")
        except OSError as error:
            raise refusal("the storage cannot be read", error) from error
        if hashlib.sha256(text).hexdigest().encode() != digest:
            raise refusal("the storage is damaged")
        return json.loads(text)

    def write(self, state: Any) -> None:
        """Replace the file in one step."""
        content = self.encoded(state)
        draft = self.location / "rows.json.draft"
        try:
            self.write_file(draft, content)
            draft.replace(self.file)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise refusal("the storage cannot be written", error) from error

    def encoded(self, state: Any) -> bytes:
        """The content of the file, which shows whether it is whole."""
        text = json.dumps(state).encode()
        return hashlib.sha256(text).hexdigest().encode() + b"\n" + text

    def write_file(self, path: Path, content: bytes) -> None:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)

    @contextlib.contextmanager
    def changing(self) -> Iterator[Any]:
        """Read, change and write in one step, alone among threads and processes."""
        with self.locked():
            state = self.read()
            yield state
            self.write(state)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self.lock:
            try:
                handle = os.open(self.location / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise refusal("the storage cannot be locked", error) from error
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)


class ChangesWhenOpened(RightStore):
    """Writes its rows each time it is opened; what it makes of them is another decision."""

    def opened(self, state: Any) -> None:
        """What becomes of the state: nothing."""

    def prepare(self) -> None:
        super().prepare()
        with self.changing() as state:
            self.opened(state)


def first(rows: Iterator[Fields]) -> Fields | None:
    """The first of some rows, if any."""
    return next(rows, None)


def break_storage(store: RightStore, location: Path) -> None:
    """Put an open store's file out of reach."""
    location.rename(location.with_name(f"{location.name}-gone"))


def mend_storage(store: RightStore, location: Path) -> None:
    """Put it in reach again."""
    location.with_name(f"{location.name}-gone").rename(location)
