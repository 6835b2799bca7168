"""A token store in one SQLite file, for the Zoho CRM Python SDK.

``zoho-tokenstore copy sqlite my_store.py`` copies this module, and those beside it that it imports. They
need the SDK and the standard library, nothing else::

    Initializer.initialize(environment, token, store=SQLiteFileStore("tokens.db"))

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .sqlite_opening import (
    begin_to_write,
    beside,
    changes_in_file,
    connect,
    create,
    identity_of,
    location_of,
)
from .sqlite_rows import BY_ID, comparable, first_row, save_row
from .token_fields import (
    Fields,
    fill_token,
    new_token,
    present,
    read_token,
    read_token_to_save,
    refusal,
    ways_to_find,
)

_Answer = TypeVar("_Answer")


class SQLiteFileStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in an SQLite file that threads and processes of one machine share.

    A call that has returned is on the disk: the write-ahead log is flushed (``synchronous=FULL``)
    before it ends. So what it did survives the end of the process at any moment, and a power loss as
    far as the disk keeps its word on a flush. A save cut short leaves the row as it was.

    An exception that a signal handler raises ends the call that it interrupts, and nothing else
    [CRASH-6]. A handler may call the store; to save in the middle of a save of its own thread is refused.
    Finding does not wait for a save that waits for another process.

    The file and what SQLite writes beside it are closed to group and others from the moment they
    exist; a file of another user is refused. Keep it on a local disk: the log needs memory that all its
    users share. Fork with `os.fork` or what calls it; a child that came otherwise is refused.

    A file that is no token database, or has another version of the table, is refused with
    `SDKException` and left alone. The database of the published SQLite sample is taken over, with its
    rows, unless these contradict one another.

    When the file or its log is moved, deleted, replaced or set back while the store is open, every call
    raises, instead of going on with a file that nobody will find again. So copy it with `backup`, or
    ``sqlite3 tokens.db ".backup copy.db"``: the file alone lacks what is still in the log. To put a copy
    in its place, close all stores, remove ``tokens.db-wal`` and ``tokens.db-shm``, and move it there.

    What the contract leaves open: deleting an unknown id is silent; ids are ten random decimal digits and
    never given twice, also when the file is lost or set back to an older copy; `get_tokens` answers in the
    order of insertion. A token with the name of a stored user and the id of another row updates the user's
    row alone; with the id of another user's row and a new name it becomes a row of its own, under a new id.

    Reports with the local variables of each frame (``capture_locals``, Sentry) show no secret of the frames
    of this module. `sqlite3` has no frames of Python, and so shows none either.

    Args:
        path: The database file, or a directory that then holds ``zohooauth.db``.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the storage fails.
    """

    # Readers have a connection of their own, so that they never wait for a writer. Each lock lets one
    # caller at a time use its connection. The locks and the connections are C's: `with` on them has no
    # moment at which a signal's handler could raise between entering and leaving.

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = location_of(path)
        self._file_name = os.fspath(self._path)  # as text, which each call looks at in a third of the time
        self._log_name = os.fspath(beside(self._path, "-wal"))
        self._begin()
        with Surfaced(f"Cannot open the token database {self._path}"), _OPENING:
            create(self._path)
            self._file = identity_of(self._path)
            self._to_write()

    def _begin(self) -> None:
        self._process: int | None = os.getpid()  # None while it forks
        self._reading, self._writing = threading.RLock(), threading.RLock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._changing = False
        self._closed = False
        self._database = ""  # its identity, once it is known
        self._log: tuple[int, int] | None = None
        self._written: tuple[int, int] | None = None  # when, at last, and how long the file was then
        self._changes = 0  # in the file, without its log, at that time
        _STORES[id(self)] = self

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        with Surfaced(Constants.GET_TOKEN_DB_ERROR):
            if not isinstance(token, OAuthToken):
                self._rows(BY_ID, Fields(id=None))  # a store that is out of reach raises [CRASH-4]
                return None
            sent = read_token(token)
            rows = self._rows(first_row(ways_to_find(present(sent))), sent)
            return fill_token(token, rows[0]) if rows else None

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others.
        """
        with Surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            sent = read_token_to_save(token)
            row_id = self._change(lambda connection: save_row(connection, sent))
        # Only now, so that a save that failed leaves the token as it was.
        token.set_id(row_id)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with Surfaced(Constants.DELETE_TOKEN_DB_ERROR):
            one = comparable(Fields(id=id))
            self._change(lambda connection: connection.execute("DELETE FROM oauthtoken WHERE id = :id", one))

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with Surfaced(Constants.GET_TOKENS_DB_ERROR):
            rows = self._rows("SELECT * FROM oauthtoken ORDER BY number", Fields())
            return [new_token(row) for row in rows]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with Surfaced(Constants.DELETE_TOKENS_DB_ERROR):
            self._change(lambda connection: connection.execute("DELETE FROM oauthtoken"))

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        with Surfaced(Constants.GET_TOKEN_DB_ERROR):
            rows = self._rows(BY_ID, Fields(id=id))
            return new_token(rows[0]) if rows else None

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write all rows, as they are at one moment, to a new file that this class can open.

        Args:
            path: Where no file is yet. The copy is closed to group and others.
        """
        target = location_of(path)
        with Surfaced(f"Cannot write a copy to {target}"):
            os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            try:
                with self._reading, contextlib.closing(sqlite3.connect(target)) as copy:
                    self._to_read().backup(copy)  # in one piece, so that no save comes in between
            except BaseException:
                target.unlink()
                raise

    def close(self) -> None:
        """Close the file. Every later call of another method raises."""
        self._closed = True
        if self._process == os.getpid():
            with self._writing, self._reading:
                self._disconnect()

    def __enter__(self) -> SQLiteFileStore:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # A store that is forgotten closes its file, as Python's own files do.
        if not getattr(self, "_closed", True):
            self.close()

    def __reduce__(self) -> Any:
        # A copy, also one in another process, is another store on the same file.
        return type(self), (os.fspath(self._path),)

    # ---------------------------------------------------------------------------------------------
    # One call.

    def _rows(self, query: str, sent: Fields) -> list[sqlite3.Row]:
        """Return the rows that a query answers with."""
        self._check_process()
        texts = comparable(sent)
        with self._reading:
            return self._to_read().execute(query, texts).fetchall()

    def _change(self, change: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Look and write in one step: nobody comes between [THREAD-3, PROC-1]."""
        self._check_process()
        with self._writing:
            if self._changing:
                raise refusal("a signal handler called the store in the middle of a save")
            try:
                self._changing = True
                connection = self._to_write()
                with connection:  # commits, or rolls back
                    begin_to_write(connection)
                    before = connection.total_changes
                    answer = change(connection)
                    if connection.total_changes != before:
                        connection.execute("UPDATE file SET changes = changes + 1")
                    # Asked again, since the transaction may have waited for another process: what is
                    # acknowledged is in the file that the next one will open [CRASH-4].
                    self._check_file()
                return answer
            finally:
                self._changing = False

    def _to_read(self) -> sqlite3.Connection:
        if self._closed:
            raise refusal("the store is closed")
        self._check_file()
        if self._reader is None:
            self._reader = self._connect()
        if self._reader.in_transaction:  # where readers and writers share one connection
            raise refusal("a signal handler called the store in the middle of a save")
        return self._reader

    def _to_write(self) -> sqlite3.Connection:
        if self._closed:
            raise refusal("the store is closed")
        self._check_file()
        if self._writer is None:
            self._writer = self._connect()
        if self._writer.in_transaction:  # the storage failed in the middle of ending it
            self._writer.rollback()
        return self._writer

    # ---------------------------------------------------------------------------------------------
    # The file.

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise refusal("this process was forked past Python: open the store after the fork [PROC-2]")

    def _check_file(self) -> None:
        """Refuse to go on where the file that was opened, or its log, is not under its name any more."""
        status = os.stat(self._file_name)
        if (status.st_dev, status.st_ino) != self._file:
            raise refusal(f"{self._path} is no longer the file that was opened")
        if self._log is None:  # nothing is open
            return
        log = os.stat(self._log_name)
        if (log.st_dev, log.st_ino) != self._log:
            raise refusal(f"{self._path}-wal is no longer the log that was opened")
        if self._written != (status.st_mtime_ns, status.st_size):
            # By SQLite, which moves the log into the file now and then, or a copy was put over it.
            found = changes_in_file(self._path)
            if found is None:  # it cannot tell just now: the next call looks again
                return
            if found[0] != self._database or found[1] < self._changes:
                raise refusal(f"{self._path} was overwritten while it was open")
            self._changes = found[1]
            self._written = status.st_mtime_ns, status.st_size

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path)
        try:
            identity = connection.execute("SELECT identity FROM file").fetchone()[0]
            if self._database not in ("", identity):
                raise refusal(f"{self._path} is no longer the database that was opened")
            self._database = identity
            self._log = self._log or identity_of(self._log_name)
            self._check_file()
        except BaseException:
            connection.close()
            raise
        return connection

    def _pause(self) -> None:
        """Leave nothing open while the process forks."""
        self._disconnect()

    def _disconnect(self) -> None:
        """Close what is open. The caller has both locks."""
        for connection in (self._reader, self._writer):
            if connection is not None and self._log is not None and self._has_newer_log():
                # SQLite would move the old log into the file, over what is newer. So it stays open for ever.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
            elif connection is not None:
                connection.close()
        self._reader = self._writer = self._log = None

    def _has_newer_log(self) -> bool:
        try:
            return identity_of(self._path) == self._file and identity_of(self._log_name) != self._log
        except OSError:
            return False


def break_storage(store: SQLiteFileStore, location: Path) -> None:
    """Put an open store's files out of reach, for the tests of what it does then [CRASH-4]."""
    del store
    location.rename(location.with_name(f"{location.name}-out-of-reach"))


def mend_storage(store: SQLiteFileStore, location: Path) -> None:
    """Put them back in reach [CRASH-5]."""
    del store
    location.with_name(f"{location.name}-out-of-reach").rename(location)


# ---------------------------------------------------------------------------------------------
# Failures.


class Surfaced:
    """Lets every failure come out as `SDKException`, with its cause, and without a secret [SECRET-2]."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        # The system's errors have a number; a signal handler's TimeoutError has none, and is not ours.
        failed = isinstance(error, (sqlite3.Error, UnicodeError, OverflowError)) or (
            isinstance(error, OSError) and error.errno is not None
        )
        if failed:
            # These two quote the text that they could not encode or decode, which may be a token.
            cause = None if isinstance(error, UnicodeError) or "decode" in str(error) else error
            # The SDK writes the cause behind the text.
            text = self._message if cause is None else f"{self._message}: "
            if "malformed" in str(cause):
                text = f"{self._message}, which is damaged, or beside it is the log of another copy (-wal): "
            raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


# ---------------------------------------------------------------------------------------------
# Forks. A child that inherits an open connection believes that it holds its parent's locks, even on
# connections of its own: SQLite counts them by process in memory. When the parent then closes, it
# deletes the log that the child goes on writing to. So nothing is open while a process forks.

_OPENING = threading.RLock()
_STORES: weakref.WeakValueDictionary[int, SQLiteFileStore] = weakref.WeakValueDictionary()
_paused: list[SQLiteFileStore] = []


def _before_fork() -> None:
    _OPENING.acquire()
    for store in list(_STORES.values()):
        _paused.append(store)
        store._writing.acquire()
        store._reading.acquire()
        store._pause()
        store._process = None


def _after_fork() -> None:
    for store in _paused:
        if store._process is None:
            store._process = os.getpid()
        _release(store._reading)
        _release(store._writing)
    _paused.clear()
    _release(_OPENING)


def _release(lock: Any) -> None:
    with contextlib.suppress(RuntimeError):  # it was not acquired: the hook before was interrupted
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
