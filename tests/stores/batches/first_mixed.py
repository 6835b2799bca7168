"""The first batch: mistakes that show in any design."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

from ..catalogue import fault
from .first_designs import (
    PLAIN,
    DirStore,
    JsonStore,
    LogStore,
    MemStore,
    SqlStore,
    build,
    by_key,
    fill,
    first,
    merge,
    row_of,
)


@fault("VALUE-8", says="a row for each of")
class DirTimestampIds(DirStore):
    """The id is the time in hundredths of a second, without a look at the stored ones."""

    def _new_id(self, state: Any) -> str:
        return str(int(time.time() * 100))


@fault("SAVE-21", "FLOW-7", says="its id is None")
class SqlIdOnlyAfterInsert(SqlStore):
    """After an update the passed token gets no id."""

    def _update(self, db: Any, hit: Any, row: Any) -> Any:
        new = super()._update(db, hit, row)
        return dict(new, id=row["id"])


@fault("SAVE-17", says="it is now None")
class DirBlanksPassedGrant(DirStore):
    """A save takes the grant token out of the passed token, as it can be used only once."""

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        if token.get_access_token():
            token.set_grant_token(None)


@fault("VALUE-4", says="from get_tokens it is ''")
class SqlNotNullColumns(SqlStore):
    """By id and in the list, absent client fields, redirect URL and domain are empty texts."""

    def _build(self, row: Any) -> Any:
        t = build(row)
        for f in ("redirect_url", "api_domain", "client_id", "client_secret"):
            if row[f] is None:
                getattr(t, "set_" + f)("")
        return t


@fault("VALUE-5", "FLOW-3", says="expires_in comes back as the str")
class SqlExpiryInteger(SqlStore):
    """find_token_by_id and get_tokens give expires_in as the number that the column holds."""

    def _build(self, row: Any) -> Any:
        t = build(row)
        if row["expires_in"] and row["expires_in"].isdigit():
            t.set_expires_in(int(row["expires_in"]))
        return t


@fault("SAVE-10", says="the refresh_token")
class LogRefreshOfAnyClient(LogStore):
    """A refresh token matches under whichever client it was stored."""

    def _key(self, rows: Any, row: Any) -> Any:
        rows = list(rows)
        hit = by_key(rows, row)
        if (
            hit is None
            and (not row["user_name"])
            and row["client_id"]
            and row["client_secret"]
            and row["refresh_token"]
            and (not row["grant_token"])
        ):
            hit = first(rows, refresh_token=row["refresh_token"])
        return hit


@fault("SAVE-15", says="one row, now under the name that its token brought")
class DirNameOnlyById(DirStore):
    """A named token takes over an unnamed row only by its id, never by a shared refresh token."""

    def _locate(self, state: Any, row: Any) -> Any:
        hit = super()._locate(state, row)
        if hit is not None and row["user_name"] and (not hit["user_name"]) and (hit["id"] != row["id"]):
            return None
        return hit


@fault("FIND-8", says="find_token returns None for")
class SqlFindFallsBack(SqlStore):
    """A user who is not stored is looked for by refresh token next, whoever's that is."""

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        if found is None and isinstance(token, OAuthToken):
            row = row_of(token)
            if row["user_name"] and row["refresh_token"] and self._ok(*row.values()):
                with self._tx(False) as db:
                    hit = self._one(db, "refresh_token=?", row["refresh_token"])
                return self._fill(token, hit) if hit else None
        return found


@fault("FIND-12", says="the passed token is left as it was")
class JsonPreparesArgument(JsonStore):
    """find_token first sets the default domain on the passed token, also where it then finds nothing."""

    def find_token(self, token: Any) -> Any:
        if isinstance(token, OAuthToken) and (not token.get_api_domain()):
            found = super().find_token(token)
            if found is None:
                token.set_api_domain("https://www.zohoapis.com")
            return found
        return super().find_token(token)


@fault("SAVE-19", says="what is no OAuthToken is ignored or refused with")
class JsonTrustsItsArgument(JsonStore):
    """save_token reads whatever it is given: anything but a token ends in an AttributeError."""

    def save_token(self, token: Any) -> None:
        token.get_user_signature()
        super().save_token(token)


@fault("SAVE-16", says="returned None")
class LogStoresBareUsers(LogStore):
    """A user without any credential is stored as a new row."""

    def _check_insert(self, row: Any) -> None:
        if not row["user_name"]:
            super()._check_insert(row)


@fault("SAVE-20", says="no rows")
class SqlNoBranchForAccessWithClient(SqlStore):
    """An access token with client credentials fits no branch of save_token and is silently not stored."""

    def save_token(self, token: Any) -> None:
        if isinstance(token, OAuthToken):
            r = row_of(token)
            if (
                r["access_token"]
                and r["client_id"]
                and r["client_secret"]
                and (not (r["user_name"] or r["grant_token"] or r["refresh_token"] or r["id"]))
            ):
                return
        super().save_token(token)


@fault("PERSIST-3", "DEL-5", says="one new row for")
class JsonCountsRowsAtOpening(JsonStore):
    """Opening sets the next id to the number of rows plus one: after a deletion one is given twice."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        with self._tx(True) as state:
            state["next"] = len(state["rows"]) + 1

    def _new_id(self, state: Any) -> str:
        new = str(state["next"])
        state["next"] += 1
        return new


@fault("BYID-1", "FLOW-4", "FLOW-3", says="a token with refresh_token=")
class DirByIdWithoutRefresh(DirStore):
    """find_token_by_id leaves the refresh token out ("an id is enough for the access token")."""

    def find_token_by_id(self, id: Any) -> Any:
        t = super().find_token_by_id(id)
        if t is not None:
            t.set_refresh_token(None)
        return t


@fault("VALUE-10", says="after saving", persistent=False)
class MemEmptyReplaces(MemStore):
    """An empty text in a saved token replaces the stored value, which is then absent."""

    def _row(self, token: Any) -> Any:
        row = row_of(token)
        row["_blank"] = [f for f in PLAIN if getattr(token, "get_" + f)() == ""]
        return row

    def _merge(self, old: Any, new: Any) -> Any:
        row = merge(old, {k: v for k, v in new.items() if k != "_blank"})
        row.update(dict.fromkeys(new["_blank"]))
        return row

    def _insert(self, state: Any, row: Any) -> Any:
        row.pop("_blank")
        return super()._insert(state, row)


@fault("SAVE-6", "FIND-2", says="the row that holds the token is updated in place")
class LogAccessOfUnnamedOnly(LogStore):
    """An access token is looked for among rows without a user alone, so a known one is stored again."""

    def _key(self, rows: Any, row: Any) -> Any:
        rows = list(rows)
        if (
            not row["user_name"]
            and row["access_token"]
            and (not row["client_id"])
            and (not row["client_secret"])
        ):
            return first(rows, access_token=row["access_token"], user_name=None)
        return by_key(rows, row)


@fault("SAVE-4", "SAVE-13", says="the stored user", persistent=False)
class MemDebounces(MemStore):
    """A second save of one user within half a second is taken for an echo and dropped."""

    def __init__(self, location: Path | None = None) -> None:
        super().__init__(location)
        self._last: Any = {}

    def _merge(self, old: Any, new: Any) -> Any:
        now = time.monotonic()
        if now - self._last.get(old["id"], 0) < 0.5:
            return old
        self._last[old["id"]] = now
        return merge(old, new)

    def _insert(self, state: Any, row: Any) -> Any:
        row = super()._insert(state, row)
        self._last[row["id"]] = time.monotonic()
        return row


@fault("BYID-4", says="changing the token that find_token_by_id returned changes")
class LogByIdShared(LogStore):
    """find_token_by_id hands the same token to every caller for as long as its row is the same."""

    def __init__(self, location: Path) -> None:
        self._kept: Any = {}
        super().__init__(location)

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str):
            return None
        with self._tx(False) as state:
            row = state["rows"].get(id)
        if row is None:
            return None
        kept = self._kept.get(id)
        if kept is None or kept[0] != row:
            kept = self._kept[id] = (row, build(row))
        return kept[1]


@fault("FIND-5", "FLOW-8", "FIND-9", says="the passed token itself is filled in from its row")
class SqlRevokeBlind(SqlStore):
    """A token that has nothing but an id gets its access token filled in, and no more."""

    def _fill(self, token: Any, row: Any) -> Any:
        mine = row_of(token)
        if mine["id"] and (not any((v for f, v in mine.items() if f != "id"))):
            token.set_access_token(row["access_token"])
            token.set_expires_in(row["expires_in"])
            return token
        return fill(token, row)
