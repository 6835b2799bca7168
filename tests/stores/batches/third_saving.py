"""The third batch: faulty stores, from IFACE to LIST."""

# mypy: ignore-errors
from __future__ import annotations

import asyncio
import time
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import fault
from .third_designs import (
    FIELDS,
    HOOKS,
    PLAIN,
    FolderStore,
    JsonStore,
    LogStore,
    MemoryStore,
    RowStore,
    SqliteStore,
    fields_of,
    first,
    make_token,
    refused,
    same_client,
    user_of,
)


@fault("IFACE-2", says="answers with a plain value", **HOOKS)
class LoopAwareStore(SqliteStore):
    """Where an event loop runs in the thread, finding answers with a task."""

    def find_token(self, token: Any) -> Any:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return super().find_token(token)
        return loop.create_task(asyncio.to_thread(super().find_token, token))


@fault("SAVE-1", says="one new row for", **HOOKS)
class ClientSlotStore(JsonStore):
    """Tokens without a user are taken for one and the same if their client is the same."""

    def by_credential(self, rows: Any, new: Any) -> Any:
        row = super().by_credential(rows, new)
        if row is None and new["client_id"]:
            row = first(rows, lambda row: not row["user_name"] and same_client(row, new))
        return row

    def locate(self, rows: Any, new: Any) -> Any:
        if not new["user_name"]:
            row = super().by_credential(rows, new)
            return self.by_id(rows, new["id"]) if row is None and new["id"] else row
        return super().locate(rows, new)


@fault("SAVE-2", says="a non-empty str as its id", **HOOKS)
class LastRowIdStore(SqliteStore):
    """An inserted token gets the number of its row as its id, not the text."""

    def read_token(self, token: Any) -> Any:
        if isinstance(token.get_id(), int):
            token.set_id(str(token.get_id()))
        return super().read_token(token)

    def after_save(self, token: Any, row: Any) -> Any:
        token.set_id(int(row["id"]) if token.get_id() is None else row["id"])

    def find_token(self, token: Any) -> Any:
        if isinstance(token, OAuthToken) and isinstance(token.get_id(), int):
            token.set_id(str(token.get_id()))
        return super().find_token(token)

    def delete_token(self, id: Any) -> Any:
        super().delete_token(str(id) if isinstance(id, int) else id)

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(str(id) if isinstance(id, int) else id)


@fault("SAVE-3", says="invalid literal for int", **HOOKS)
class DigitCounterStore(JsonStore):
    """The next id is `int()` of all ids for which `isdigit()` holds, and "²" is such a one."""

    def new_id(self, state: Any) -> Any:
        state["last"] = (
            max([state["last"]] + [int(row["id"]) for row in state["rows"] if row["id"].isdigit()]) + 1
        )
        return str(state["last"])


@fault("SAVE-4", says="row is updated in place", **HOOKS)
class ReplaceIntoStore(SqliteStore):
    """An update is `insert or replace`, with the id that the token brings: the row's id changes."""

    def put(self, db: Any, new: Any) -> Any:
        row = self.target(db, new)
        if row is None or not new["id"] or not new["user_name"] or row["id"] == new["id"]:
            return super().put(db, new)
        if self.by_id(db, new["id"]) is not None:
            return super().put(db, new)
        merged = {name: new[name] or row[name] for name in FIELDS}
        db.execute(
            "insert or replace into tokens (%s) values (%s)"
            % (", ".join(FIELDS), ", ".join(":" + name for name in FIELDS)),
            merged,
        )
        return merged


@fault("SAVE-5", says="a new user is a new row", **HOOKS)
class AnyFieldStore(JsonStore):
    """Saving takes the first row that matches by name OR by refresh token, in row order."""

    def target(self, rows: Any, new: Any) -> Any:
        if new["user_name"] and new["refresh_token"]:
            row = first(
                rows,
                lambda row: (
                    row["user_name"] == new["user_name"]
                    or (row["refresh_token"] == new["refresh_token"] and same_client(row, new))
                ),
            )
            if row is not None:
                return row
        return super().target(rows, new)


@fault("SAVE-7", says="the row that holds the token is updated in place", **HOOKS)
class PendingGrantStore(SqliteStore):
    """A grant token is looked for among rows that have not been exchanged yet (no refresh token)."""

    def target(self, db: Any, new: Any) -> Any:
        if (
            not new["user_name"]
            and not new["refresh_token"]
            and not new["id"]
            and new["grant_token"]
            and new["client_id"]
            and new["client_secret"]
        ):
            return self.one(db, self.GRANT + " and refresh_token is null", new)
        return SqliteStore.target(self, db, new)


@fault("SAVE-8", says="the row that holds the token is updated in place", **HOOKS)
class RedirectClientStore(FolderStore):
    """The redirect URL is part of what makes a client the same, for refresh tokens."""

    def by_refresh(self, rows: Any, new: Any) -> Any:
        return first(
            rows,
            lambda row: (
                row["refresh_token"] == new["refresh_token"]
                and same_client(row, new)
                and row["redirect_url"] == new["redirect_url"]
            ),
        )


@fault("SAVE-10", says="row is another client's", **HOOKS)
class SecretlessClientStore(JsonStore):
    """A client is the same if its id is; the secret is not compared, for grant tokens."""

    def by_grant(self, rows: Any, new: Any) -> Any:
        return first(
            rows,
            lambda row: row["grant_token"] == new["grant_token"] and row["client_id"] == new["client_id"],
        )


@fault("SAVE-11", says="a row of its own", **HOOKS)
class UpsertIdStore(SqliteStore):
    """An insert is an upsert on the id, so a token with someone's id takes over the row."""

    def adopt(self, db: Any, new: Any) -> Any:
        try:
            return super().adopt(db, new)
        except SDKException:
            return None

    def insert(self, db: Any, new: Any) -> Any:
        names = [name for name in FIELDS if name != "id"]
        db.execute(
            "insert into tokens (%s) values (%s) on conflict(id) do update set %s"
            % (
                ", ".join(FIELDS),
                ", ".join(":" + name for name in FIELDS),
                ", ".join("%s=excluded.%s" % (name, name) for name in names),
            ),
            new,
        )


@fault("SAVE-13", says="its fields replaced", **HOOKS)
class NewerWinsStore(LogStore):
    """An update whose expiry is not later, compared as text, is dropped as stale."""

    def merged(self, row: Any, new: Any) -> Any:
        if row["expires_in"] and new["expires_in"] and new["expires_in"] < row["expires_in"]:
            return dict(row)
        return super().merged(row, new)


@fault("SAVE-14", says="exactly one row of", **HOOKS)
class TwoNamesStore(JsonStore):
    """An unnamed row takes the name that comes with its id, though that user has a row already."""

    def target(self, rows: Any, new: Any) -> Any:
        if new["user_name"] and new["id"]:
            row = self.by_id(rows, new["id"])
            if row is not None and not row["user_name"]:
                return row
        return super().target(rows, new)


@fault("SAVE-15", says="now under the name that its token brought", **HOOKS)
class RefreshAdoptStore(LogStore):
    """A name learned later finds its unnamed row by refresh token, never by grant token."""

    def adopt_by_credential(self, unnamed: Any, new: Any) -> Any:
        return self.by_refresh(unnamed, new) if new["refresh_token"] else None


@fault("SAVE-17", says="the passed token keeps its", **HOOKS)
class StaleEchoStore(FolderStore):
    """After an update the passed token gets the row as it was read, before the merge."""

    def put(self, state: Any, new: Any) -> Any:
        old = self.target(state["rows"], new)
        row = super().put(state, new)
        return {**row, "_old": old}

    def after_save(self, token: Any, row: Any) -> Any:
        old = row["_old"]
        token.set_id(row["id"])
        for name in PLAIN:
            if old and name != "id" and old[name]:
                getattr(token, "set_" + name)(old[name])


@fault("SAVE-20", says="a client needs a grant or refresh token", **HOOKS)
class NeedsRefreshStore(SqliteStore):
    """A token with client credentials has to have a grant or refresh token, "or it cannot renew"."""

    def check_insert(self, new: Any) -> Any:
        super().check_insert(new)
        if (
            new["client_id"]
            and new["client_secret"]
            and not new["user_name"]
            and not new["grant_token"]
            and not new["refresh_token"]
        ):
            raise refused("a client needs a grant or refresh token")


@fault("SAVE-22", says="its access token has expired", **HOOKS)
class TidyListStore(SqliteStore):
    """Listing throws out rows whose access token expired more than a day ago."""

    def all(self, db: Any) -> Any:
        yesterday = int((time.time() - 86400) * 1000)
        db.execute(
            "delete from tokens where cast(expires_in as integer) < ? and expires_in is not null",
            (yesterday,),
        )
        return super().all(db)

    def get_tokens(self) -> Any:
        return [self.make(row) for row in self.run(self.all, True)]


@fault("SAVE-21", says="carries the id of its row", **HOOKS)
class NoIdOnUpdateStore(FolderStore):
    """A token that updated a row by credential, not by name, is not told the row's id."""

    def after_save(self, token: Any, row: Any) -> Any:
        if user_of(token) or row.get("_new"):
            token.set_id(row["id"])

    def put(self, state: Any, new: Any) -> Any:
        before = len(state["rows"])
        row = super().put(state, new)
        return {**row, "_new": len(state["rows"]) > before}


@fault("FIND-1", says="find_token finds", **HOOKS)
class ClientAndUserStore(SqliteStore):
    """When a token brings a client id, its user is looked for under that client only."""

    def locate(self, db: Any, new: Any) -> Any:
        if new["user_name"] and new["client_id"]:
            return self.one(db, "user_name=:user_name and client_id=:client_id", new)
        return RowStore.locate(self, db, new)


@fault("FIND-2", says="find_token finds", **HOOKS)
class UnnamedAccessStore(LogStore):
    """An access token is found among rows without a user only."""

    def locate(self, rows: Any, new: Any) -> Any:
        row = super().locate(rows, new)
        if (
            row is not None
            and row["user_name"]
            and not new["user_name"]
            and not new["client_id"]
            and not new["id"]
            and new["access_token"]
        ):
            return None
        return row


@fault("FIND-4", says="find_token finds", **HOOKS)
class AccessRoutedStore(SqliteStore):
    """Whatever has an access token is looked for by it, also with client and refresh token."""

    def locate(self, db: Any, new: Any) -> Any:
        if not new["user_name"] and new["access_token"] and new["refresh_token"]:
            return self.by_access(db, new)
        return RowStore.locate(self, db, new)


@fault("FIND-7", says="find_token returns None for", **HOOKS)
class SomeOfClientStore(SqliteStore):
    """An unknown access token with client credentials finds some row of that client."""

    def locate(self, db: Any, new: Any) -> Any:
        row = RowStore.locate(self, db, new)
        if row is None and not any((new["user_name"], new["id"], new["grant_token"], new["refresh_token"])):
            row = self.one(db, "client_id=:client_id and client_secret=:client_secret", new)
        return row


@fault("FIND-8", says="find_token returns None for", **HOOKS)
class FallThroughStore(LogStore):
    """When the user is not stored, the search goes on by refresh token."""

    def locate(self, rows: Any, new: Any) -> Any:
        row = super().locate(rows, new)
        if row is None and new["user_name"]:
            row = self.by_credential(rows, new)
        return row


@fault("FIND-10", says="the passed token with", **HOOKS)
class HalfFilledStore(SqliteStore):
    """The passed token is given the id alone; the rest is in the token that is returned."""

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken) or not user_of(token):
            return super().find_token(token)
        row = self.run(lambda db: self.locate(db, fields_of(token)), False)
        if row is None:
            return None
        token.set_id(row["id"])
        found = make_token(row)
        for name in PLAIN:
            if getattr(token, "get_" + name)():
                getattr(found, "set_" + name)(getattr(token, "get_" + name)())
        return found


@fault("FIND-11", says="changes nothing stored", **HOOKS)
class TokenCacheStore(JsonStore):
    """Found tokens are cached as they were handed out, and served again by id."""

    def __init__(self, location: Any) -> Any:
        super().__init__(location)
        self._cache = {}

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        if found is not None:
            self._cache[found.get_id()] = found
        return found

    def find_token_by_id(self, id: Any) -> Any:
        return self._cache.get(id) or super().find_token_by_id(id)

    def run(self, work: Any, write: Any) -> Any:
        if write:
            self._cache = {}
        return super().run(work, write)


def bare(row: Any) -> Any:
    token = object.__new__(OAuthToken)
    for name in PLAIN:
        getattr(token, "set_" + name)(row[name])
    token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
    return token


@fault("BYID-1", says="its expires_in is None", **HOOKS)
class NoExpiryByIdStore(LogStore):
    """`find_token_by_id` builds by the constructor, which has no expiry, and forgets it."""

    def find_token_by_id(self, id: Any) -> Any:
        token = super().find_token_by_id(id)
        if token is not None:
            token.set_expires_in(None)
        return token


@fault("BYID-3", says="does not find the id", **HOOKS)
class NumericIdStore(SqliteStore):
    """Ids are compared as numbers where they look like numbers: "01" finds "1"."""

    def find_token_by_id(self, id: Any) -> Any:
        if isinstance(id, str) and id.strip().isdecimal():
            id = str(int(id))
        return super().find_token_by_id(id)


@fault("BYID-5", says="Initializer.initialize works", **HOOKS)
class BareListStore(JsonStore):
    """Listed tokens are made by `object.__new__`, and lack what only the constructor sets."""

    def get_tokens(self) -> Any:
        return [bare(row) for row in self.run(lambda state: list(state["rows"]), False)]


@fault("LIST-1", says="get_tokens shows", **HOOKS)
class ListByUserStore(SqliteStore):
    """The list is built in a dict by user, so of the unnamed rows one is left."""

    def get_tokens(self) -> Any:
        return list({user_of(token): token for token in super().get_tokens()}.values())


@fault("LIST-3", says="changes nothing stored", persistent=False)
class KeptListStore(MemoryStore):
    """The list that was handed out is kept and handed out again while nothing is saved."""

    def __init__(self, location: Any = None) -> Any:
        super().__init__(location)
        self._list = None

    def run(self, work: Any, write: Any) -> Any:
        with self._lock:
            if write:
                self._list = None
            return super().run(work, write)

    def get_tokens(self) -> Any:
        with self._lock:
            if self._list is None:
                self._list = super().get_tokens()
            return self._list
