"""The second batch: mistakes of finding, deleting and values."""

from __future__ import annotations

import csv
import fnmatch
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from ..catalogue import fault
from . import second_designs as core
from .second_designs import (
    CODE,
    FIELDS,
    CacheCore,
    CsvCore,
    DirCore,
    JsonCore,
    LogCore,
    MemCore,
    NormCore,
    SnapCore,
    SqlCore,
)


# FIND
@fault("FIND-1", says="it returned None")
class NameAndClient(NormCore):
    """The look-up by user name also asks for the client id, if the token has one."""

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = super()._find_row(view, t)
        if hit is not None and t["user_name"] and t["client_id"] and hit["client_id"] != t["client_id"]:
            return None
        return hit


@fault("FIND-2", says="it returned None")
class AccessOnlyUnnamed(CsvCore):
    """The look-up by access token asks for a row without a user name."""

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = super()._find_row(view, t)
        if hit is not None and not t["user_name"] and not t["client_id"] and not t["id"] and hit["user_name"]:
            return None
        return hit


@fault("FIND-2", "SAVE-6", says="it returned None")
class IndexNotUpdated(NormCore):
    """The index is written when a row is inserted only.

    After an update the old access token finds the row, the new one does not.
    """

    class VIEW(core.NormView):
        def index(self, seq: Any, row: Any) -> None:
            if self.connection.execute("SELECT 1 FROM lookup WHERE seq = ?", (seq,)).fetchone() is None:
                super().index(seq, row)

        def same(self, row: Any, wanted: Any) -> Any:
            return all(
                row[field] == value
                for field, value in wanted.items()
                if field not in self.KEYS or value is None
            )


@fault("FIND-3", says="it returned None")
class GrantNestedInRefresh(DirCore):
    """`if refresh: if grant:` — when finding, the grant token is looked at only beside a refresh token."""

    def _find_row(self, view: Any, t: Any) -> Any:
        if (
            not t["user_name"]
            and not t["id"]
            and t["grant_token"]
            and not t["refresh_token"]
            and t["client_id"]
        ):
            return None
        return super()._find_row(view, t)


@fault("FIND-4", says="it returned None")
class AccessEndsSearch(SnapCore):
    """When finding, an access token ends the search even beside client credentials and a refresh token."""

    def _find_row(self, view: Any, t: Any) -> Any:
        if not t["user_name"] and not t["id"] and t["access_token"]:
            return view.first(access_token=t["access_token"])
        return super()._find_row(view, t)


@fault("FIND-5", "FIND-10", says="the passed token itself is filled in from its row")
class IdFindsNewToken(JsonCore):
    """find_token by id alone answers with a new token, and the one that was passed stays empty.

    Revoke reads that one.
    """

    def find_token(self, token: Any) -> Any:
        if isinstance(token, OAuthToken):
            row = self._row(token, False)
            if row["id"] and not any(row[field] for field in FIELDS[1:]):
                return self.find_token_by_id(row["id"])
        return super().find_token(token)


@fault("FIND-5", says="it returned None")
class IdAloneNotFound(NormCore):
    """A token with an id alone is not looked up by it."""

    def _find_row(self, view: Any, t: Any) -> Any:
        return self._match(view, t) or self._loose(view, t)


@fault("FIND-6", says="no such token")
class FindMissRaises(LogCore):
    """find_token raises when nothing matches."""

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        if found is None:
            raise SDKException(CODE, "no such token")
        return found


@fault("FIND-6", "FIND-8", says="it returned OAuthToken")
class FindMissReturnsToken(SqlCore):
    """find_token returns the token that was passed also when nothing matches."""

    def find_token(self, token: Any) -> Any:
        super().find_token(token)
        return token


@fault("FIND-7", says="find_token returns None for")
class SameClientWillDo(JsonCore):
    """An access token with client credentials that is not stored finds some row of the same client."""

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = super()._find_row(view, t)
        if hit is None and not self._has_key(t) and not t["id"] and t["client_id"]:
            hit = view.first(client_id=t["client_id"], client_secret=t["client_secret"])
        return hit


@fault("FIND-7", says="find_token returns None for", persistent=False)
class EmptyNameFindsUnnamed(MemCore):
    """An empty user name is compared with rows that have none: the first unnamed row is found."""

    def find_token(self, token: Any) -> Any:
        if isinstance(token, OAuthToken):
            signature = token.get_user_signature()
            if signature is not None and signature.get_name() == "":
                hit = self._run(lambda view: view.first(user_name=None), False)
                if hit is None:
                    return None
                self._fill(token, hit)
                return token
        return super().find_token(token)


@fault("FIND-8", "SAVE-5", says="find_token returns None for")
class LikeForNames(SqlCore):
    """The user name is looked for with LIKE: the name ann_b finds the user annxb."""

    class VIEW(core.SqlView):
        def clause(self, field: Any) -> Any:
            if field == "user_name":
                return "user_name LIKE ?"
            return super().clause(field)

        def first(self, **wanted: Any) -> Any:
            if "user_name" in wanted and isinstance(wanted["user_name"], str):
                exact = [row for row in self.rows() if row["user_name"] == wanted["user_name"]]
                if exact:
                    return exact[0]
            return super().first(**wanted)


@fault("FIND-8", says="find_token returns None for")
class NameFallsThroughOnFind(CacheCore):
    """A named user who is not stored falls through to the refresh token when looked for."""

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = super()._find_row(view, t)
        if hit is None and t["user_name"]:
            hit = self._match(view, dict(t, user_name=None))
        return hit


@fault("FIND-8", says="find_token returns None for")
class NameAndIdOfAnother(SnapCore):
    """A name that is not stored, with the id of another user's row, finds that row."""

    def _find_row(self, view: Any, t: Any) -> Any:
        return self._match(view, t) or (t["id"] and view.get(t["id"])) or self._loose(view, t)


@fault("FIND-9", says="the returned token with expires_in=")
class FillForgetsExpiry(DirCore):
    """The hit is filled in without expires_in, so that the SDK never renews."""

    def find_token(self, token: Any) -> Any:
        before = token.get_expires_in() if isinstance(token, OAuthToken) else None
        found = super().find_token(token)
        if found is not None:
            found.set_expires_in(before)
        return found


@fault("FIND-9", says="the returned token with client_id=")
class FillOverwrites(SnapCore):
    """A hit overwrites what the argument had with what the row has."""

    def _fill(self, token: Any, row: Any) -> None:
        token.set_id(row["id"])
        token.set_user_signature(UserSignature(row["user_name"]) if row["user_name"] else None)
        for field in FIELDS[2:]:
            getattr(token, "set_" + field)(row[field])


@fault("FIND-9", "FIND-10", says="the returned token with id=")
class FillForgetsId(CsvCore):
    """The hit is filled in without the id."""

    def find_token(self, token: Any) -> Any:
        before = token.get_id() if isinstance(token, OAuthToken) else None
        found = super().find_token(token)
        if found is not None:
            found.set_id(before)
        return found


@fault("FIND-10", "FIND-5", says="the passed token with id=")
class FindReturnsCopy(LogCore):
    """find_token fills in and returns a copy; the token that was passed stays as it was."""

    def find_token(self, token: Any) -> Any:
        if not isinstance(token, OAuthToken):
            return None
        row = self._row(token, False)
        hit = self._run(lambda view: self._find_row(view, row), False)
        if hit is None:
            return None
        return self._make(
            {field: row[field] if row[field] and field != "id" else hit[field] for field in FIELDS}
        )


@fault("FIND-11", says="a token that find_token returned")
class FoundObjectCached(CacheCore):
    """A found token is kept by user name, and the next look-up of the name is filled in from that object."""

    def __init__(self, location: Path) -> None:
        self._found: Any = {}
        super().__init__(location)

    def find_token(self, token: Any) -> Any:
        had = token.get_access_token() if isinstance(token, OAuthToken) else None
        found = super().find_token(token)
        if found is None or found.get_user_signature() is None or had:
            return found
        name = found.get_user_signature().get_name()
        kept = self._found.setdefault((name, found.get_id()), found)
        if kept is not found:
            found.set_access_token(kept.get_access_token())
        return found

    def save_token(self, token: Any) -> None:
        super().save_token(token)
        self._found.clear()


@fault("FIND-12", says="the passed token is left as it was")
class MissSetsId(NormCore):
    """A miss leaves the id of the next row on the token."""

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        if found is None and isinstance(token, OAuthToken) and not token.get_id():
            token.set_id(self._run(lambda view: view.new_id(), False))
        return found


@fault("FIND-13", says="it has no _OAuthToken__find_user")
class FoundWithNew(JsonCore):
    """find_token returns a token built with object.__new__ (the passed one is filled in too)."""

    def find_token(self, token: Any) -> Any:
        found = super().find_token(token)
        if found is None:
            return None
        bare = object.__new__(OAuthToken)
        for name, value in vars(found).items():
            if not name.endswith("find_user"):
                setattr(bare, name, value)
        return bare


# BYID
@fault("BYID-1", says="a token with api_domain=")
class ByIdForgetsDomain(SqlCore):
    """The SELECT of find_token_by_id forgets api_domain."""

    def find_token_by_id(self, id: Any) -> Any:
        found = super().find_token_by_id(id)
        if found is not None:
            found.set_api_domain(None)
        return found


@fault("BYID-2", says="find_token_by_id returns a token or None")
class UnknownIdRaises(DirCore):
    """An unknown id raises."""

    def find_token_by_id(self, id: Any) -> Any:
        found = super().find_token_by_id(id)
        if found is None:
            raise SDKException(CODE, "the given id is not stored")
        return found


@fault("BYID-3", says="find_token_by_id(")
class NumericIds(JsonCore):
    """Ids are compared as numbers where both are: 01 finds 1."""

    class VIEW(core.DictView):
        def get(self, id: Any) -> Any:
            found = super().get(id)
            if found is None and id.isascii() and id.isdigit() and len(id) < 19:
                found = super().get(str(int(id)))
            return found


@fault("BYID-3", says="find_token_by_id(")
class NoCaseIds(SqlCore):
    """find_token_by_id compares with COLLATE NOCASE: the id ab finds the row AB."""

    class VIEW(core.SqlView):
        def clause(self, field: Any) -> Any:
            return "id = ? COLLATE NOCASE" if field == "id" else super().clause(field)

        def get(self, id: Any) -> Any:
            exact = [row for row in self.rows() if row["id"] == id]
            return exact[0] if exact else super().get(id)


@fault("BYID-4", says="changing the token that find_token_by_id returned changes")
class ByIdObjectCached(LogCore):
    """find_token_by_id gives out one cached object for each row as long as the row stays the same."""

    def __init__(self, location: Path) -> None:
        self._out: Any = {}
        super().__init__(location)

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str) or not id:
            return None
        row = self._run(lambda view: view.get(id), False)
        if row is None:
            return None
        kept = self._out.get(id)
        if kept is None or kept[0] != row:
            kept = self._out[id] = (row, self._make(row))
        return kept[1]


@fault("BYID-5", says="Initializer.initialize works")
class BuiltWithNew(CsvCore):
    """find_token_by_id and get_tokens build tokens with object.__new__."""

    def _make(self, row: Any) -> Any:
        whole = super()._make(row)
        token = object.__new__(OAuthToken)
        for name, value in vars(whole).items():
            if not name.endswith("find_user"):
                setattr(token, name, value)
        return token


# LIST
@fault("LIST-1", "LIST-2", says="get_tokens returns a list of OAuthToken objects")
class ListIsGenerator(NormCore):
    """get_tokens is a generator."""

    def get_tokens(self) -> Any:
        rows = self._run(lambda view: view.rows(), False)
        return (self._make(row) for row in rows)


@fault("LIST-1", says="one of the tokens is")
class ListMasksSecrets(LogCore):
    """get_tokens leaves client_secret and refresh_token out, 'for safety'."""

    def get_tokens(self) -> Any:
        tokens = super().get_tokens()
        for token in tokens:
            token.set_client_secret(None)
            token.set_refresh_token(None)
        return tokens


@fault("LIST-1", says="one of the tokens is")
class FirstPageOnly(SqlCore):
    """get_tokens gives a page of a hundred, and no more."""

    class VIEW(core.SqlView):
        def rows(self) -> Any:
            return self._all(self.SELECT + " ORDER BY seq LIMIT 100")


@fault("LIST-2", says="it returned None")
class EmptyListIsNone(DirCore):
    """get_tokens answers None when nothing is stored."""

    def get_tokens(self) -> Any:
        return super().get_tokens() or None


@fault("LIST-3", says="changing a token that get_tokens returned changes nothing", persistent=False)
class ListIsKept(MemCore):
    """get_tokens gives out the list that the store keeps until the next change."""

    def __init__(self, location: Path) -> None:
        self._list: Any = None
        super().__init__(location)

    def _work(self, work: Any, write: Any) -> Any:
        if write:
            self._list = None
        return super()._work(work, write)

    def get_tokens(self) -> Any:
        kept = self._list
        if kept is None:
            kept = self._list = super().get_tokens()
        return kept


# DEL
@fault("DEL-3", says="no row has exactly the id")
class DeleteByGlob(DirCore):
    """The row's file is deleted by glob('%s*'): deleting 1 deletes 10 too, and * deletes all."""

    def _drop(self, view: Any, id: Any) -> None:
        if id:
            for row in view.rows():
                if fnmatch.fnmatchcase(row["id"], id + "*"):
                    view.drop(row["id"])


@fault("DEL-1", says="the row with the id")
class DeleteBySameRefresh(NormCore):
    """Deleting removes every row with the same client id and refresh token."""

    def _drop(self, view: Any, id: Any) -> None:
        gone = view.get(id)
        if gone is not None:
            for row in view.rows():
                if row["id"] == id or (
                    gone["refresh_token"] and row["refresh_token"] == gone["refresh_token"]
                ):
                    view.drop(row["id"])


@fault("DEL-1", says="the row with the id")
class DeleteByUserName(SnapCore):
    """Sign-out by id deletes by user name, and every unnamed row goes with an unnamed one."""

    def _drop(self, view: Any, id: Any) -> None:
        gone = view.get(id)
        if gone is not None:
            for row in view.rows():
                if row["user_name"] == gone["user_name"]:
                    view.drop(row["id"])


@fault("DEL-2", says="raised KeyError: 'unknown'", persistent=False)
class UnknownDeleteKeyError(MemCore):
    """Deleting an unknown id is a KeyError."""

    def _drop(self, view: Any, id: Any) -> None:
        if view.get(id) is None:
            raise KeyError(id)
        view.drop(id)


@fault("DEL-3", says="None is nobody")
class DeleteNoneDeletesAll(CsvCore):
    """`where id = ? or ? is null`: delete_token(None) deletes all."""

    def delete_token(self, id: Any) -> Any:
        if id is None:
            return self.delete_tokens()
        return super().delete_token(id)


@fault("DEL-3", says="no row has exactly the id")
class DeleteStrips(JsonCore):
    """The id is stripped before a row is deleted by it: ' 1' deletes 1."""

    def _drop(self, view: Any, id: Any) -> None:
        view.drop(id.strip())


@fault("DEL-4", says="after the token is deleted")
class CacheKeepsDeleted(CacheCore):
    """A cache by user name is not told of delete_token: the deleted user is still found."""

    def __init__(self, location: Path) -> None:
        self._named: Any = {}
        super().__init__(location)

    def _find_row(self, view: Any, t: Any) -> Any:
        hit = super()._find_row(view, t)
        if t["user_name"]:
            if hit is None:
                hit = self._named.get(t["user_name"])
            else:
                self._named[t["user_name"]] = hit
        return hit

    def delete_tokens(self) -> None:
        super().delete_tokens()
        self._named.clear()


@fault("DEL-4", says="one new row for")
class SoftDelete(SqlCore):
    """Deleted rows are marked only: saving the user again updates the marked row, which stays invisible."""

    class VIEW(core.SqlView):
        SELECT = (
            "SELECT %s FROM (SELECT * FROM tokens WHERE id NOT IN (SELECT id FROM gone)) AS tokens"
            % ", ".join(FIELDS)
        )

        def drop(self, id: Any) -> None:
            if self.get(id) is not None:
                self.connection.execute("INSERT OR IGNORE INTO gone VALUES (?)", (id,))

        def clear(self) -> None:
            super().clear()
            self.connection.execute("DELETE FROM gone")

        def put(self, row: Any) -> None:
            marked = self.connection.execute(
                "SELECT id FROM tokens WHERE user_name = ? AND id IN (SELECT id FROM gone)",
                (row["user_name"],),
            ).fetchone()
            if marked is not None:
                row = dict(row, id=marked[0])
            super().put(row)

    SCHEMA = SqlCore.SCHEMA + ("CREATE TABLE IF NOT EXISTS gone (id TEXT PRIMARY KEY)",)


@fault("DEL-4", says="and another one is saved")
class IndexKeepsDeleted(NormCore):
    """The index keeps the entries of a deleted row, whose number the next row gets.

    The deleted user's refresh token finds it.
    """

    SCHEMA = tuple(line.replace(" AUTOINCREMENT", "") for line in NormCore.SCHEMA)

    class VIEW(core.NormView):
        def drop(self, id: Any) -> None:
            seq = self._seq(id)
            if seq is not None:
                for table in ("field", "entity"):
                    self.connection.execute("DELETE FROM %s WHERE seq = ?" % table, (seq,))

        def index(self, seq: Any, row: Any) -> None:
            for key in self.KEYS:
                if row[key]:
                    self.connection.execute("DELETE FROM lookup WHERE seq = ? AND kind = ?", (seq, key))
                    self.connection.execute(
                        "INSERT INTO lookup VALUES (?, ?, ?)", (key, self.digest(row[key]), seq)
                    )

        def same(self, row: Any, wanted: Any) -> Any:
            return row["id"] != "" and all(
                row[field] == value
                for field, value in wanted.items()
                if field not in self.KEYS or value is None
            )

        def _row(self, seq: Any) -> Any:
            if self.connection.execute("SELECT 1 FROM entity WHERE seq = ?", (seq,)).fetchone() is None:
                return dict.fromkeys(FIELDS, "")
            return super()._row(seq)


@fault("DEL-5", says="an id that no deleted row had")
class HighestPlusOne(SnapCore):
    """The next id is the highest plus one: the id of the row deleted last is given again."""

    def _insert(self, view: Any, t: Any) -> Any:
        numbers = [
            int(row["id"])
            for row in view.rows()
            if row["id"].isascii() and row["id"].isdigit() and len(row["id"]) < 10
        ]
        view.state.next = max(numbers, default=0) + 1
        view.state.spent = set()
        return super()._insert(view, t)


@fault("DEL-5", says="an id that no deleted row had")
class ClearResetsCounter(JsonCore):
    """delete_tokens sets the id counter back to one."""

    class VIEW(core.DictView):
        def clear(self) -> None:
            super().clear()
            self.state.next = 1
            self.state.spent = set()


# CLEAR
@fault("CLEAR-1", says="delete_tokens removes every row")
class ClearEmptyRaises(DirCore):
    """delete_tokens raises on an empty store."""

    def delete_tokens(self) -> None:
        if not self.get_tokens():
            raise SDKException(CODE, "there is nothing to delete")
        super().delete_tokens()


@fault("CLEAR-1", says="no row is left after delete_tokens")
class ClearKeepsUnnamed(SqlCore):
    """Delete from tokens where user_name like '%': rows without a user name stay."""

    class VIEW(core.SqlView):
        def clear(self) -> None:
            self.connection.execute("DELETE FROM tokens WHERE user_name LIKE '%'")


@fault("CLEAR-1", says="delete_tokens removes every row")
class ClearRemovesFile(JsonCore):
    """delete_tokens removes the file, and every later call of the open store fails."""

    def delete_tokens(self) -> None:
        super().delete_tokens()
        os.unlink(self._file)


@fault("CLEAR-1", says="delete_tokens removes every row")
class ClearDropsTables(NormCore):
    """delete_tokens drops the tables, which only opening makes."""

    class VIEW(core.NormView):
        def clear(self) -> None:
            for table in ("lookup", "field", "entity"):
                self.connection.execute("DROP TABLE " + table)


@fault("CLEAR-3", says="notes.txt is gone")
class ClearEmptiesFolder(DirCore):
    """delete_tokens empties the whole directory, other people's files too."""

    def delete_tokens(self) -> None:
        super().delete_tokens()
        keep = {self._lock.name, self._current.name, self._folder().name}
        for entry in os.scandir(self._where):
            if entry.name not in keep:
                shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)


@fault("CLEAR-3", says="notes.txt is gone")
class DeleteTidiesJson(JsonCore):
    """delete_token tidies up: every other *.json under the location goes."""

    def delete_token(self, id: Any) -> None:
        super().delete_token(id)
        for path in list(self._where.rglob("*.json")) + list(self._where.rglob("*.txt")):
            if path != self._file:
                path.unlink()


# VALUE
@fault("VALUE-1", says="comes back as")
class UniversalNewlines(CsvCore):
    """The CSV file is read in text mode with universal newlines: a carriage return is lost."""

    def _parse(self, body: Any) -> Any:
        lines = body.split(b"\r\n", 1)
        return super()._parse(lines[0] + b"\r\n" + lines[1].replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


@fault("VALUE-1", says="comes back as None")
class ValuesStripped(LogCore):
    """Values are stripped before they are stored."""

    def _save_row(self, view: Any, t: Any) -> Any:
        return super()._save_row(
            view,
            {
                field: value.strip() or None if value and field != "id" else value
                for field, value in t.items()
            },
        )


@fault("VALUE-1", says="a new row for each of")
class HeaderLikeSkipped(CsvCore):
    """A line that begins like the header is skipped when reading: the user named user_name is not there."""

    def _parse(self, body: Any) -> Any:
        state = super()._parse(body)
        state.rows = {id: row for id, row in state.rows.items() if row["user_name"] != "user_name"}
        return state


@fault("VALUE-1", says="comes back as '\\\\n'")
class BackslashDecoded(SqlCore):
    """Backslash sequences in redirect_url are decoded when read."""

    class VIEW(core.SqlView):
        def _all(self, query: Any, values: Any = ()) -> Any:
            rows = super()._all(query, values)
            for row in rows:
                if row["redirect_url"]:
                    row["redirect_url"] = row["redirect_url"].replace("\\n", "\n").replace("\\\\", "\\")
            return rows


@fault("VALUE-2", says="api_domain comes back as")
class DomainCut(NormCore):
    """api_domain is cut at 100 characters."""

    class VIEW(core.NormView):
        def write_fields(self, seq: Any, row: Any) -> None:
            super().write_fields(seq, dict(row, api_domain=row["api_domain"] and row["api_domain"][:100]))


@fault("VALUE-2", says="expires_in comes back as")
class ExpiryThroughFloat(SnapCore):
    """expires_in goes through float(): 20 digits come back as others."""

    def _insert(self, view: Any, t: Any) -> Any:
        return super()._insert(view, self._float(t))

    def _merge(self, old: Any, t: Any) -> Any:
        return super()._merge(old, self._float(t))

    @staticmethod
    def _float(t: Any) -> Any:
        value = t["expires_in"]
        if value and len(value) < 300 and value.isascii() and value.isdigit() and str(int(value)) == value:
            value = str(int(float(value)))
        return dict(t, expires_in=value)


@fault("VALUE-3", says="raised SDKException")
class ThousandCharacters(SqlCore):
    """Values of more than 1,000 characters are refused."""

    def _row(self, token: Any, strict: Any) -> Any:
        row = super()._row(token, strict)
        if strict and any(value and len(value) > 1000 for value in row.values()):
            raise SDKException(CODE, "a value is too long")
        return row


@fault("VALUE-4", says="it is 'None'")
class NoneAsText(CsvCore):
    """Str() of the last two cells when a token is built: an absent field comes back as the text None."""

    def _make(self, row: Any) -> Any:
        return super()._make(
            {field: str(value) if field in FIELDS[8:] else value for field, value in row.items()}
        )


@fault("VALUE-4", says="it has one, with the name None")
class EmptySignature(SnapCore):
    """A row without a user comes back with UserSignature(None)."""

    def _make(self, row: Any) -> Any:
        token = super()._make(row)
        if token.get_user_signature() is None:
            token.set_user_signature(UserSignature(None))
        return token


@fault("VALUE-5", says="expires_in comes back as the str")
class ExpiryIsInteger(SqlCore):
    """expires_in is a column of type INTEGER, and comes back as int."""

    SCHEMA = tuple(line.replace("expires_in TEXT", "expires_in INTEGER") for line in SqlCore.SCHEMA)


@fault("VALUE-5", "BYID-1", says="comes back as a UserSignature", persistent=False)
class NameIsPlainText(MemCore):
    """The user name comes back as plain text, not inside a UserSignature."""

    def _make(self, row: Any) -> Any:
        token = super()._make(row)
        if row["user_name"]:
            token.set_user_signature(row["user_name"])
        return token


@fault("VALUE-6", says="it found that of")
class NormalisedIndex(NormCore):
    """Keys are normalised (NFC) in the index and when compared: a token in another Unicode form matches."""

    class VIEW(core.NormView):
        def digest(self, value: Any) -> Any:
            return super().digest(unicodedata.normalize("NFC", value))

        def same(self, row: Any, wanted: Any) -> Any:
            return all(
                (value and unicodedata.normalize("NFC", value))
                == (row[field] and unicodedata.normalize("NFC", row[field]))
                for field, value in wanted.items()
            )


@fault("VALUE-6", says="it found that of 'ab'")
class TrimmedCollation(SqlCore):
    """The token columns are COLLATE RTRIM: trailing spaces do not count."""

    SCHEMA = tuple(line.replace("_token TEXT", "_token TEXT COLLATE RTRIM") for line in SqlCore.SCHEMA)


@fault("VALUE-6", says="it found that of 'token'")
class CaseFolded(LogCore):
    """Grant and refresh tokens are compared with casefold()."""

    def _match(self, view: Any, t: Any) -> Any:
        hit = super()._match(view, t)
        if hit is None and not t["user_name"] and t["client_id"] and t["client_secret"]:
            for field in ("grant_token", "refresh_token"):
                for row in view.rows():
                    if (
                        hit is None
                        and t[field]
                        and row[field]
                        and row[field].casefold() == t[field].casefold()
                        and (row["client_id"], row["client_secret"]) == (t["client_id"], t["client_secret"])
                    ):
                        hit = row
        return hit


@fault("VALUE-7", says="it found that of 'token'")
class NamesLowered(JsonCore):
    """User names are compared in lower case, as e-mail addresses."""

    def _match(self, view: Any, t: Any) -> Any:
        if t["user_name"]:
            for row in view.rows():
                if (
                    row["user_name"]
                    and isinstance(t["user_name"], str)
                    and row["user_name"].lower() == t["user_name"].lower()
                ):
                    return row
            return None
        return super()._match(view, t)

    def _merge(self, old: Any, t: Any) -> Any:
        return dict(super()._merge(old, t), user_name=old["user_name"] or t["user_name"])


@fault("VALUE-8", says="500 rows")
class FiveHundredRows(JsonCore):
    """No more than 500 rows are kept: the oldest go."""

    class VIEW(core.DictView):
        def put(self, row: Any) -> None:
            super().put(row)
            while len(self.state.rows) > 500:
                del self.state.rows[next(iter(self.state.rows))]


@fault("VALUE-8", says="'001'")
class ThreeDigitIds(SqlCore):
    """Ids are three decimal digits of a counter, so the row after the 999th overwrites the first."""

    class VIEW(core.SqlView):
        def new_id(self) -> Any:
            return "%03d" % (int(super().new_id()) % 1000)


@fault("VALUE-9", says="came back as 'a?b'")
class EncodedWithReplace(DirCore):
    """The file is encoded with errors='replace': a lone surrogate comes back as ?."""

    def _row(self, token: Any, strict: Any) -> Any:
        row = super()._row(token, False)
        if strict:
            for field, value in row.items():
                if value is not None and not isinstance(value, str):
                    raise SDKException(CODE, "the field %s cannot be kept" % field)
                if value is not None:
                    row[field] = value.encode("utf-8", "replace").decode("utf-8")
        return row


@fault("VALUE-9", says="came back as 'a'")
class CutAtNul(NormCore):
    """Values end at a NUL character."""

    class VIEW(core.NormView):
        def write_fields(self, seq: Any, row: Any) -> None:
            super().write_fields(
                seq, {field: (value and value.split("\0")[0]) or None for field, value in row.items()}
            )


@fault("VALUE-9", says="every row still reads")
class OverFieldLimit(CsvCore):
    """A value that is longer than csv's field limit is written, and no row can be read any more."""

    LIMIT = 10**9

    def _parse(self, body: Any) -> Any:
        try:
            return super()._parse(body)
        except csv.Error:
            pass
        raise core.Damaged


@fault("VALUE-10", says="after saving")
class EmptyReplaces(SqlCore):
    """An empty text replaces what is stored when a row is updated."""

    def save_token(self, token: Any) -> Any:
        if isinstance(token, OAuthToken) and token.get_refresh_token() == "" and token.get_user_signature():
            row = self._row(token, True)

            def work(view: Any) -> Any:
                kept = self._save_row(view, row)
                view.put(dict(kept, refresh_token=None))
                return kept

            return self._after_save(token, self._run(work, True))
        return super().save_token(token)


@fault("VALUE-10", says="it returned None")
class EmptyNameHinders(DirCore):
    """A UserSignature with an empty name hinders the other keys when a token is looked for."""

    def find_token(self, token: Any) -> Any:
        if (
            isinstance(token, OAuthToken)
            and token.get_user_signature() is not None
            and token.get_user_signature().get_name() == ""
        ):
            return None
        return super().find_token(token)
