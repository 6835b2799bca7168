"""Stores that keep their rows in SQLite, with one mistake each that other kinds of stores make too."""

from __future__ import annotations

import contextlib
import json
import locale
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken

from .batches.first_designs import FIELDS, SqlStore, refuse
from .catalogue import correct, fault
from .faulty_locks_kept import USUAL


def with_each_change(db: Any, statement: str) -> None:
    """Have the database run a statement with each change of a row."""
    for event in ("insert", "update", "delete"):
        db.execute(f"create trigger if not exists on_{event} after {event} on t begin {statement}; end")


class RemembersIdsInATable(SqlStore):
    """The common part of those that note in a second table what they found by id."""

    def _ddl(self, db: Any) -> None:
        super()._ddl(db)
        db.execute("create table if not exists seen (id text primary key, fields text)")
        with_each_change(db, "delete from seen")

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str) or not self._ok(id):
            return None
        with self._tx(True) as db:
            seen = db.execute("select fields from seen where id=?", (id,)).fetchone()
            row = json.loads(seen[0]) if seen else self._one(db, "id=?", id)
            if row and not seen:
                db.execute("insert into seen values (?, ?)", (id, json.dumps(row)))
        return self._build(row) if row else None


@fault("CLEAR-1", says="after delete_tokens")
class DropsItsTableAndNotWhatItNoted(RemembersIdsInATable):
    """Clears by making its table anew, and its triggers with it, so that nothing empties the notes."""

    def delete_tokens(self) -> None:
        with self._tx(True) as db:
            db.execute("drop table t")
            self._ddl(db)


@correct()
class EmptiesWhatItNoted(RemembersIdsInATable):
    """Notes in a second table what it found by id; a trigger empties the notes."""


@fault("SAVE-14", says="a name came that has a row already")
class MovesANameToTheUnnamedRow(SqlStore):
    """Finds users in a table of names, in which an unnamed row whose token brings a name takes it over."""

    def _ddl(self, db: Any) -> None:
        super()._ddl(db)
        db.execute("create table if not exists names (user_name text primary key, id text)")
        db.execute(
            "create trigger if not exists gone after delete on t "
            "begin delete from names where id = old.id; end"
        )

    def _one(self, db: Any, where: Any, *args: Any) -> Any:
        if where == "user_name=?":
            where = "id=(select id from names where user_name=?)"
        return super()._one(db, where, *args)

    def _enter(self, db: Any, name: str | None, id: str) -> None:
        if name:
            db.execute("insert or replace into names values (?, ?)", (name, id))

    def _locate(self, db: Any, row: Any) -> Any:
        hit, held = super()._locate(db, row)
        if held and not held["user_name"]:
            self._enter(db, row["user_name"], held["id"])
        return hit, held

    def _insert(self, db: Any, row: Any) -> None:
        super()._insert(db, row)
        self._enter(db, row["user_name"], row["id"])

    def _update(self, db: Any, hit: Any, row: Any) -> Any:
        new = super()._update(db, hit, row)
        if not hit["user_name"]:
            self._enter(db, new["user_name"], new["id"])
        return new


@fault("PERSIST-5", says="UnicodeDecodeError")
class ReadsTextInTheLocalesEncoding(SqlStore):
    """Reads what SQLite keeps as UTF-8 in the encoding that the locale prefers."""

    def _connect(self) -> Any:
        db = super()._connect()
        db.text_factory = lambda text: text.decode(locale.getpreferredencoding(False))
        return db


@fault("VALUE-3", says="comes back as")
class OverwritesTheBeginning(SqlStore):
    """Keeps values in pieces of 512 characters, and replaces as many as the new value has."""

    def _update(self, db: Any, hit: Any, row: Any) -> Any:
        longer = {
            name: value + (hit[name] or "")[-(-len(value) // 512) * 512 :]
            for name, value in row.items()
            if value and name not in ("id", "user_name")
        }
        return super()._update(db, hit, {**row, **longer})


@fault("DEL-5", says="no deleted row had")
class KeepsATableOfDeletedIds(SqlStore):
    """Gives the lowest number that no row has, and none of the last 64 that deleted rows had."""

    def _ddl(self, db: Any) -> None:
        super()._ddl(db)
        db.execute("create table if not exists gone (n integer primary key, id text)")
        db.execute(
            "create trigger if not exists note after delete on t "
            "begin insert into gone (id) values (old.id); "
            "delete from gone where n <= (select max(n) from gone) - 64; end"
        )

    def _new_id(self, db: Any) -> str:
        used = {id for (id,) in db.execute("select id from t union select id from gone")}
        return next(str(number) for number in range(1, len(used) + 2) if str(number) not in used)


@fault("BYID-2", says="raised ValueError")
class BindsDigitsAsNumbers(SqlStore):
    """Makes a number of an id that `isdigit` takes for one before it asks the database."""

    def find_token_by_id(self, id: Any) -> Any:
        if isinstance(id, str) and id.isdigit() and str(int(id)) != id:
            return None
        return super().find_token_by_id(id)


@fault("THREAD-5", says="explains every answer")
class ComparesItsVersionTwice(SqlStore):
    """Reads, and writes where nobody wrote meanwhile; after two conflicts it returns without having saved."""

    def _ddl(self, db: Any) -> None:
        super()._ddl(db)
        db.execute("create table if not exists version (number integer)")
        db.execute("insert into version select 0 where not exists (select * from version)")
        with_each_change(db, "update version set number = number + 1")

    def _version(self, db: Any) -> int:
        return int(db.execute("select number from version").fetchone()[0])

    def save_token(self, token: Any) -> None:
        sent = self._row(token) if isinstance(token, OAuthToken) else None
        if sent is None or not self._ok(*sent.values()):
            super().save_token(token)
            return
        for _ in range(2):
            row = dict(sent)
            with self._tx(False) as db:
                before, (hit, held) = self._version(db), self._locate(db, row)
            with self._tx(True) as db:
                if self._version(db) != before:
                    continue
                if hit:
                    row = self._update(db, hit, row)
                else:
                    self._check(row)
                    if held or not row["id"]:
                        row["id"] = self._new_id(db)
                    self._insert(db, row)
            break
        self._fill(token, row)

    def _check(self, row: Any) -> None:
        credential = row["grant_token"] or row["refresh_token"] or row["access_token"]
        if (row["id"] or row["user_name"]) and not credential:
            raise refuse("a token without a credential cannot be stored")


@fault("SAVE-1", says="a token that the SDK has merged")
class InsertsAllAttributes(SqlStore):
    """Takes each public attribute of a token for a column of its table."""

    def _row(self, token: Any) -> Any:
        return super()._row(token) | {name: own for name, own in vars(token).items() if name[0] != "_"}

    def _insert(self, db: Any, row: Any) -> None:
        places = ",".join("?" * len(row))
        db.execute(f"insert into t ({','.join(row)}) values ({places})", list(row.values()))  # noqa: S608

    @staticmethod
    def _ok(*texts: Any) -> Any:
        return SqlStore._ok(*(text for text in texts if isinstance(text, str)))

    def _fill(self, token: Any, row: Any) -> Any:
        return super()._fill(token, {name: row[name] for name in FIELDS})


@fault("THREAD-2", says="leave each of them one row")
class MakesItsTableLate(SqlStore):
    """Looks with the first change whether there is a table, and then makes one in place of any."""

    def __init__(self, location: Path) -> None:
        self.dir = Path(location).absolute()
        self.file = self.dir / "tokens.db"
        self.file.touch(0o600)

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with super()._tx(False) as db:
            found = db.execute("select * from sqlite_master where name = 't'").fetchone()
        if write and not found:
            with super()._tx(True) as db:
                db.execute("drop table if exists t")
                self._ddl(db)
        with super()._tx(write) as db:
            if not write and not found:
                db.execute(self.DDL.replace("table", "temp table", 1))
            yield db


@fault("VALUE-6", "SAVE-10", says="one new row")
class JoinsColumns(SqlStore):
    """Compares client id, secret and token as one text, joined with a slash."""

    def _one(self, db: Any, where: Any, *args: Any) -> Any:
        name, pair, rest = where.partition("=? and client_id=? and client_secret=?")
        if not pair:
            return super()._one(db, where, *args)
        token, *client = args
        joined = f"client_id || '/' || client_secret || '/' || {name} = ?{rest}"
        return super()._one(db, joined, "/".join([*client, token]))


@fault("SECRET-1", says="outside")
class BacksItsDatabaseUpAtHome(SqlStore):
    """Copies its database into the home directory after each change, for all to read."""

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with super()._tx(write) as db:
            yield db
        if write and Path.home() not in USUAL:
            shutil.copyfile(self.file, Path.home() / f"{self.dir.name}.backup")


@fault("SAVE-12", says="again changes nothing")
class InsertsWhatNoColumnFinds(SqlStore):
    """Inserts a token without a user whose credentials match no row, also where it has its row's id."""

    def _locate(self, db: Any, row: Any) -> Any:
        hit, held = super()._locate(db, row)
        by_id_alone = hit and held and not row["user_name"] and self._key(db, row) is None
        return (None, held) if by_id_alone else (hit, held)


@fault("SAVE-3", says="finds")
class HasIdsOfTwentyCharacters(SqlStore):
    """Gives ids of 20 characters, keeps longer ones whole, and looks for their first 20 characters."""

    def _new_id(self, db: Any) -> str:
        return super()._new_id(db)[:20]

    def find_token_by_id(self, id: Any) -> Any:
        return super().find_token_by_id(id[:20] if isinstance(id, str) else id)
