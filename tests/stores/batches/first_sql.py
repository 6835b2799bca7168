"""The first batch: mistakes of stores on SQLite."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException

from ..catalogue import fault
from ..right import break_storage, mend_storage
from .first_designs import FIELDS, SqlStore, merge, refuse, row_of


@fault("BYID-3", says="find_token_by_id(")
class SqlLikeForIds(SqlStore):
    """find_token_by_id looks with LIKE, so % and _ in an id match other rows, and case does not count."""

    def find_token_by_id(self, id: Any) -> Any:
        if not isinstance(id, str) or not self._ok(id):
            return None
        with self._tx(False) as db:
            hit = self._one(db, "id like ?", id)
        return self._build(hit) if hit else None


@fault("DEL-3", "BYID-3", "SAVE-3", says="no row has exactly the id")
class SqlNumericIds(SqlStore):
    """The id column has numeric affinity: '01', '1.0' and ' 1' are the id 1, and '007' is 7."""

    DDL = SqlStore.DDL.replace("id text not null unique", "id numeric not null unique")

    def _new_id(self, db: Any) -> str:
        n = db.execute("select coalesce(max(seq), 0) from sqlite_sequence where name='t'").fetchone()[0] + 1
        while db.execute("select 1 from t where id=?", (str(n),)).fetchone():
            n += 1
        return str(n)

    def _one(self, db: Any, where: Any, *args: Any) -> Any:
        r = super()._one(db, where, *args)
        if r:
            r["id"] = str(r["id"])
        return r

    def get_tokens(self) -> list[Any]:
        with self._tx(False) as db:
            rows = [dict(r) for r in db.execute(f"select {self.COLS} from t order by n")]
        return [self._build(dict(r, id=str(r["id"]))) for r in rows]


@fault("VALUE-6", says="it found that of 'token'")
class SqlGrantNocase(SqlStore):
    """The grant_token column compares without case."""

    DDL = SqlStore.DDL.replace("grant_token text", "grant_token text collate nocase")


@fault("VALUE-6", says="it found that of 'ab'")
class SqlTrimmedCredentials(SqlStore):
    """Access tokens match through rtrim(), as with a CHAR column."""

    def _key(self, db: Any, row: Any, extra: Any = "") -> Any:
        if (
            not row["user_name"]
            and row["access_token"]
            and (not row["client_id"])
            and (not row["client_secret"])
        ):
            return self._one(db, "rtrim(access_token)=rtrim(?)" + extra, row["access_token"])
        return super()._key(db, row, extra)


@fault("SAVE-5", "SAVE-1", "SAVE-11", says="only the row of the named user is updated")
class SqlInsertOrReplace(SqlStore):
    """A unique index on the refresh token with INSERT OR REPLACE: a second user of it removes the first."""

    def _ddl(self, db: Any) -> None:
        super()._ddl(db)
        db.execute("create unique index if not exists one_refresh on t (client_id, refresh_token)")

    def _insert(self, db: Any, row: Any) -> None:
        db.execute(
            f"insert or replace into t ({self.COLS}) values (%s)" % ",".join("?" * len(FIELDS)),
            [row[f] for f in FIELDS],
        )

    def _update(self, db: Any, hit: Any, row: Any) -> Any:
        new = merge(hit, row)
        db.execute(
            "update or replace t set " + ",".join(f + "=?" for f in FIELDS[1:]) + " where id=?",
            [new[f] for f in FIELDS[1:]] + [hit["id"]],
        )
        return new


@fault("CRASH-1", says="every save that had returned is there")
class SqlTakesARowOutToNameIt(SqlStore):
    """Gives a row its name in two transactions: one deletes the row, the other inserts it."""

    def _update(self, db: Any, hit: Any, row: Any) -> Any:
        if hit["user_name"] or not row["user_name"]:
            return super()._update(db, hit, row)
        db.execute("delete from t where id=?", [hit["id"]])
        db.execute("commit")
        db.execute("begin immediate")
        new = merge(hit, row)
        self._insert(db, new)
        return new


@fault("SAVE-5", "SAVE-1", says="save_token stores the token")
class SqlUniqueAccessToken(SqlStore):
    """A unique index on the access token refuses a second user that was given the same one."""

    def _ddl(self, db: Any) -> None:
        super()._ddl(db)
        db.execute("create unique index if not exists one_access on t (access_token)")


@fault("DEL-1", "DEL-4", says="the row with that id is gone, and no other")
class SqlDeleteNotCommitted(SqlStore):
    """delete_token forgets to commit."""

    def delete_token(self, id: Any) -> None:
        if isinstance(id, str) and self._ok(id):
            with contextlib.closing(self._connect()) as db:
                db.execute("begin immediate")
                db.execute("delete from t where id=?", (id,))


@fault("THREAD-1", says="save_token stores the token, also in another thread than")
class SqlReconnectsPinned(SqlStore):
    """After an error the connection is opened anew for that thread alone."""

    def __init__(self, location: Path) -> None:
        self._guard = threading.RLock()
        self._db: Any = None
        self._pid = os.getpid()
        super().__init__(location)

    def _open(self, **k: Any) -> Any:
        db = sqlite3.connect(self.file, timeout=60, isolation_level=None, **k)
        db.row_factory = sqlite3.Row
        db.execute("pragma synchronous=off")
        return db

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with self._guard:
            try:
                if self._db is None or self._pid != os.getpid():
                    if not self.file.exists():
                        raise refuse("the storage is out of reach")
                    self._old, self._db = self._db, self._open(check_same_thread=False)
                    self._pid = os.getpid()
                self._db.execute("begin immediate" if write else "begin")
                yield self._db
                self._db.execute("commit")
            except sqlite3.ProgrammingError as e:
                raise SDKException("TOKEN_STORE", "database: " + type(e).__name__) from None
            except BaseException as e:
                if self._db is not None:
                    self._db.close()
                    self._db = self._open()
                if isinstance(e, sqlite3.Error):
                    raise SDKException("TOKEN_STORE", "database: " + type(e).__name__) from None
                raise

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


@fault("THREAD-2", says="save_token works while other threads call")
class SqlUpgradesLock(SqlStore):
    """A save reads in a deferred transaction, then writes: of two at once one fails."""

    BEGIN = "begin"

    def _locate(self, db: Any, row: Any) -> Any:
        out = super()._locate(db, row)
        self._between()
        return out

    def _between(self) -> None:
        pass


@fault("THREAD-3", says="save_token works while other threads call")
class SqlRetriesOnce(SqlStore):
    """Saves by a version number and tries again after the first conflict, not after the second."""

    def _ddl(self, db: Any) -> None:
        super()._ddl(db)
        db.execute("create table if not exists v (version integer)")
        if db.execute("select count(*) from v").fetchone()[0] == 0:
            db.execute("insert into v values (0)")

    def save_token(self, token: Any) -> None:
        for _attempt in (1, 2):
            with self._tx(False) as db:
                version = db.execute("select version from v").fetchone()[0]
            self._between()
            if self._try(token, version):
                return
        raise refuse("a conflict while saving")

    def _between(self) -> None:
        pass

    def _try(self, token: Any, version: Any) -> Any:
        store = self

        class Conflict(Exception):
            pass

        class Once(SqlStore):
            def __init__(self) -> None:
                self.dir, self.file = (store.dir, store.file)

            def _locate(self, db: Any, row: Any) -> Any:
                if db.execute("update v set version=version+1 where version=?", (version,)).rowcount != 1:
                    raise Conflict
                return super()._locate(db, row)

        try:
            Once().save_token(token)
            return True
        except Conflict:
            return False


@fault("SECRET-2", says="no secret in what a log or a traceback may show")
class SqlErrorTellsStatement(SqlStore):
    """A database error is raised again with the values that were bound."""

    def save_token(self, token: Any) -> None:
        try:
            super().save_token(token)
        except SDKException as e:
            if isinstance(token, OAuthToken):
                raise SDKException(
                    "TOKEN_STORE", f"cannot save {tuple(row_of(token).values())!r}: {e}"
                ) from None
            raise


@fault("FIND-7", says="find_token returns None for")
class SqlEmptyNameIsNull(SqlStore):
    """A signature with an empty name finds the first unnamed row."""

    def find_token(self, token: Any) -> Any:
        if isinstance(token, OAuthToken):
            sig = token.get_user_signature()
            if sig is not None and sig.get_name() == "":
                with self._tx(False) as db:
                    hit = self._one(db, "coalesce(user_name,'')=?", sig.get_name())
                if hit:
                    return self._fill(token, hit)
        return super().find_token(token)


@fault("SAVE-9", says="the row of the grant token is updated, that of the refresh")
class SqlGrantOrRefresh(SqlStore):
    """Grant and refresh token are asked for in one OR: the older row wins, whichever it matches."""

    def _key(self, db: Any, row: Any, extra: Any = "") -> Any:
        c, s = (row["client_id"], row["client_secret"])
        if (extra or not row["user_name"]) and c and s and row["grant_token"] and row["refresh_token"]:
            return self._one(
                db,
                "(grant_token=? or refresh_token=?) and client_id=? and client_secret=?" + extra,
                row["grant_token"],
                row["refresh_token"],
                c,
                s,
            )
        return super()._key(db, row, extra)


@fault("VALUE-9", "VALUE-3", says="user_name comes back as")
class SqlCutsLongText(SqlStore):
    """Texts are cut to 2,000 characters, the width of the column."""

    def _row(self, token: Any) -> Any:
        return {f: v[:2000] if v else v for f, v in row_of(token).items()}


@fault("DEL-2", says="raised KeyError: 'unknown'")
class SqlDeleteUnknownKeyError(SqlStore):
    """Deleting an id that is not stored raises KeyError."""

    def delete_token(self, id: Any) -> None:
        if self.find_token_by_id(id) is None:
            raise KeyError(id)
        super().delete_token(id)


@fault("CRASH-6", says="every row still reads, also in another thread than the one")
class SqlOpenTransactionAfterInterrupt(SqlStore):
    """Rolls back after errors of the database alone: any other leaves the transaction open."""

    def __init__(self, location: Path) -> None:
        self._guard = threading.RLock()
        self._db: Any = None
        self._pid = os.getpid()
        super().__init__(location)

    @contextlib.contextmanager
    def _tx(self, write: Any) -> Iterator[Any]:
        with self._guard:
            try:
                if self._db is None or self._pid != os.getpid():
                    if not self.file.exists():
                        raise refuse("the storage is out of reach")
                    self._db = sqlite3.connect(
                        self.file, timeout=60, isolation_level=None, check_same_thread=False
                    )
                    self._db.row_factory = sqlite3.Row
                    self._db.execute("pragma synchronous=off")
                    self._pid = os.getpid()
                self._db.execute("begin immediate" if write else "begin")
                yield self._db
                self._db.execute("commit")
            except (SDKException, sqlite3.Error) as e:
                if self._db is not None and self._db.in_transaction:
                    self._db.execute("rollback")
                if isinstance(e, SDKException):
                    raise
                raise SDKException("TOKEN_STORE", "database: " + type(e).__name__) from None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


@fault("THREAD-5", says="is missing")
class SqlListsInPages(SqlStore):
    """get_tokens reads pages of five rows, each for itself: a deletion in between hides a row."""

    def get_tokens(self) -> list[Any]:
        out: Any = []
        at = 0
        while True:
            with self._tx(False) as db:
                page = [
                    dict(r)
                    for r in db.execute(f"select {self.COLS} from t order by n limit 5 offset ?", (at,))
                ]
            if not page:
                return [self._build(r) for r in out]
            out += page
            at += 5
            self._between()

    def _between(self) -> None:
        pass


@fault("CRASH-2", says="database: DatabaseError")
class SqlJournalOff(SqlStore):
    """The rollback journal is switched off: a failed transaction cannot be undone."""

    def _connect(self) -> Any:
        db = super()._connect()
        db.execute("pragma journal_mode=off")
        return db


@fault("CRASH-1", says="after the kill, no row but those that were saved")
class SqlTwoStepInsert(SqlStore):
    """A new row is committed with its id and name alone, and its other fields follow."""

    def _insert(self, db: Any, row: Any) -> None:
        bare = {f: row[f] if f in ("id", "user_name") else None for f in FIELDS}
        super()._insert(db, bare)
        db.execute("commit")
        self._between()
        db.execute("begin immediate")
        super()._update(db, bare, row)

    def _between(self) -> None:
        pass


def mend(store: Any, location: Path) -> None:
    """Mend the storage, rid of what was made in the place of the real folder."""
    shutil.rmtree(location, ignore_errors=True)
    mend_storage(store, location)


@fault("CRASH-4", says="returned None", break_storage=break_storage, mend_storage=mend)
class SqlMakesFolderAnew(SqlStore):
    """Makes a missing folder and table anew: an unmounted storage looks like an empty one."""

    def _connect(self) -> Any:
        self.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.file.exists():
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600))
        db = super()._connect()
        self._ddl(db)
        return db
