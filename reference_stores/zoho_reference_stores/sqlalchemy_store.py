"""A token store in a table of PostgreSQL, MariaDB, MySQL or SQLite, for the Zoho CRM Python SDK.

Copy this module into your project: it needs the SDK, SQLAlchemy 2.0.43 or newer, and a driver::

    engine = create_engine(
        "postgresql+psycopg://me:secret@db.example.com/crm",  # or mysql+pymysql://…
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
    )
    Initializer.initialize(environment, token, store=SQLAlchemyStore(engine))

The two options save round trips: then finding a token is one, and saving one is five. The store is
right without them too.

The ids in brackets, such as [SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.util.constants import Constants

from .sqlalchemy_tables import COLUMNS, ID_WIDTH, Row, check_engine, close_to_others, prepare, tables_named
from .token_fields import (
    FIELDS,
    Fields,
    Way,
    fill_token,
    id_to_insert,
    new_token,
    present,
    random_id,
    read_token,
    read_token_to_save,
    refusal,
    ways_to_find,
    ways_to_update,
)

T = TypeVar("T")

_PATIENCE = 60.0  # seconds to wait for other writers: contention is no error [PROC-1]
_CONNECTIONS = 3  # tries, where the server hangs up
_CONTENTION = {"40001", "40P01", 1020, 1213, "database is locked"}  # each server's way to say: once more


class SQLAlchemyStore(TokenStore):  # type: ignore[misc]  # the SDK has no types
    """Keeps tokens in a table that threads, processes and machines share.

    Writers take turns at the server: nodes that save the same user at the same moment leave one row,
    and nobody sees half of a save. A call that has returned is as safe as the server keeps its commits.
    A call whose connection breaks is made again on another one, and does nothing twice, so there is no
    need for ``pool_pre_ping``. When that fails too it raises, and then may have been done or not.

    An exception in the middle of a call, such as a soft time limit raises, comes out as it is, and the
    connection is closed, not given back to the pool. (Drivers take an ``OSError`` for a failure of the
    network: let handlers raise something else, not ``TimeoutError``. mysqlconnector makes such an exception
    its own, and may wait for an answer that never comes: take PyMySQL, or give it time-outs, with
    ``connect_args={"read_timeout": 60, "write_timeout": 60}``.) A child process after a fork uses
    connections of its own.

    The tables are made where they are missing. Let nothing else write to them. Any isolation level will
    do but READ UNCOMMITTED, which shows what is never committed.

    A node that freezes in the middle of a save holds up the others until the server gives up on it. MySQL
    and MariaDB let them wait for 50 seconds by default; on PostgreSQL set ``lock_timeout``, and
    ``idle_in_transaction_session_timeout`` to be rid of the frozen one.

    SQLite is for tests and small sites: use ``poolclass=NullPool`` with it, so that no connection
    outlives its file, or else `SQLiteFileStore`. A new file is closed to group and others.

    What the contract leaves open: deleting an unknown id is silent; `get_tokens` answers in the order of
    insertion. An id is a random number of ten digits, so that none comes again, not even when the
    database is set back to an older state: an application that still has the id of a row that is gone
    never gets another user's. A token with the name of a stored user and the id of another row updates the
    user's row alone; with the id of another user's row and a new name it becomes a row of its own, under a
    new id. Text with NUL or a lone surrogate and ids of more than 255 characters are refused.

    What drivers and SQLAlchemy keep in their own frames, a tool that records local variables can see:
    they need the values. The frames of this module show none.

    Args:
        engine: Where to connect. It stays the caller's, who disposes of it.
        table: The name of the table of tokens. A smaller one gets a name that begins with it.

    Raises:
        SDKException: From every method, with the code ``TOKEN_STORE``, when the server fails or cannot
            be reached.
    """

    def __init__(self, engine: sql.Engine, table: str = "oauthtoken") -> None:
        check_engine(engine)
        # An engine of its own on the same connections, which never tells what it was given [SECRET-2].
        self._engine = engine.execution_options()
        self._engine.hide_parameters = True
        self._tables = tables_named(table)
        self._process = os.getpid()
        self._pools_of_parents: list[Any] = []
        self._thread = threading.local()
        with surfaced(f"Cannot open the token table {table}"):
            close_to_others(engine)
            self.run(lambda connection: prepare(connection, self._tables))

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Fill in the token from its row and return it, or return ``None`` and leave it alone."""
        if not isinstance(token, OAuthToken):
            return None
        fields = read_token(token)
        ways = ways_to_find(present(fields))
        with surfaced(Constants.GET_TOKEN_DB_ERROR):
            rows = self.run(lambda connection: self._candidates(connection, ways, fields))
        row = first_match(ways, fields, rows)
        return None if row is None else fill_token(token, row)

    def save_token(self, token: OAuthToken) -> None:
        """Update the token's row or insert one, and set the row's id on the token.

        An update replaces the fields that the token has and keeps the others [SAVE-13].
        """
        fields = read_token_to_save(token)
        if not all(_is_storable(fields[name]) for name in present(fields)):
            raise refusal("no field of a token has NUL or half a character in it")
        if len(fields["id"] or "") > ID_WIDTH:
            raise refusal(f"an id has up to {ID_WIDTH} characters")
        new_id = random_id()
        with surfaced(Constants.SAVE_TOKEN_DB_ERROR):
            row_id = self.run(lambda connection: self._save(connection, fields, new_id))
        # Only now, so that a save that failed leaves the token as it was.
        token.set_id(row_id)

    def delete_token(self, id: str) -> None:
        """Delete the row with exactly this id, if there is one."""
        with surfaced(Constants.DELETE_TOKEN_DB_ERROR):
            self.run(lambda connection: self._delete(connection, id))

    def get_tokens(self) -> list[OAuthToken]:
        """Return a new token for each row, in the order of insertion."""
        with surfaced(Constants.GET_TOKENS_DB_ERROR):
            rows = self.run(lambda connection: _rows(connection, self._tables.all_rows, {}))
        return [new_token(row) for row in rows]

    def delete_tokens(self) -> None:
        """Delete every row."""
        with surfaced(Constants.DELETE_TOKENS_DB_ERROR):
            self.run(self._delete_all)

    def find_token_by_id(self, id: str) -> OAuthToken | None:
        """Return a new token with the row of exactly this id, or ``None``."""
        with surfaced(Constants.GET_TOKEN_DB_ERROR):
            row = self.run(lambda connection: self._row_of_id(connection, id))
        return None if row is None else new_token(row)

    # What is done on a connection. Every change is a turn of its own: one writer at a time looks, decides
    # and writes, and nobody comes between [THREAD-3, PROC-1].

    def _save(self, connection: sql.Connection, fields: Fields, new_id: str) -> str:
        ways = ways_to_update(present(fields))
        with self._turn(connection):
            rows = self._candidates(connection, ways, fields, new_id)
            row = first_match(ways, fields, rows)
            if row is not None:
                changes = Row({name: fields[name] for name in present(fields) if name != "id"})
                if changes:
                    connection.execute(self._tables.update, Row(changes, of_number=row["number"]))
                return str(row["id"])
            taken = any(row["id"] == fields["id"] for row in rows)
            inserted = Fields(fields, id=id_to_insert(fields, taken=taken) or new_id)
            earlier = next((row for row in rows if row["id"] == inserted["id"]), None)
            if earlier is None:
                connection.execute(self._tables.insert, inserted)
            elif any(earlier[name] != inserted[name] for name in FIELDS):
                raise refusal("the new id is that of another row: save once more")
            # Else a try whose answer was lost has inserted it.
            return str(inserted["id"])

    def _delete(self, connection: sql.Connection, id: str) -> None:
        with self._turn(connection):
            row = self._row_of_id(connection, id)
            if row is not None:
                connection.execute(self._tables.delete, {"of_number": row["number"]})

    def _delete_all(self, connection: sql.Connection) -> None:
        with self._turn(connection):
            connection.execute(self._tables.delete_all)

    @contextlib.contextmanager
    def _turn(self, connection: sql.Connection) -> Iterator[None]:
        """A transaction that waits for other writers, and keeps them waiting until it ends.

        Whatever is raised in it ends the connection, and so the transaction: see `_run_once`.
        """
        changing = getattr(self._thread, "changing", None)
        if changing is not None and (other := changing()) is not None and not other.closed:
            raise refusal(
                "a signal's handler cannot change the store in the middle of a change by its thread"
            )
        self._thread.changing = weakref.ref(connection)
        dialect, driver = connection.dialect, connection.connection.dbapi_connection
        if dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif driver is not None and dialect.detect_autocommit_setting(driver):
            connection.exec_driver_sql("BEGIN")  # otherwise SQLAlchemy or the driver does so
        if connection.execute(self._tables.take_turn).rowcount != 1:
            raise refusal(f"the table {self._tables.lock.name} has to have one row")
        yield
        connection.exec_driver_sql("COMMIT")

    def _row_of_id(self, connection: sql.Connection, id: str) -> Row | None:
        rows = self._candidates(connection, (), Fields(id=id))
        return next((row for row in rows if row["id"] == id), None)

    def _candidates(
        self, connection: sql.Connection, ways: Sequence[Way], fields: Fields, *further_ids: str
    ) -> list[Row]:
        """The rows that may be meant, the oldest first. Indexes find them, and their text decides then.

        So it does not matter what the server's collation takes for equal [VALUE-6, VALUE-7], and nothing
        is answered but what was asked for.
        """
        columns = {way.fields[0] for way in ways} - {"id"}
        # Nothing that is stored equals what no server stores.
        sought: dict[str, Any] = Row({name: fields[name] for name in columns if _is_storable(fields[name])})
        query = self._tables.rows_with(tuple(sorted(sought)))
        sought["ids"] = [id for id in (fields["id"], *further_ids) if _is_storable(id)]
        return _rows(connection, query, sought) if any(sought.values()) else []

    # Connections.

    def run(self, work: Callable[[sql.Connection], T]) -> T:
        """Do something on a connection; once more where other writers or a broken connection came between.

        Args:
            work: What to do. It may be done more than once.

        Returns:
            What `work` returns.
        """
        deadline = time.monotonic() + _PATIENCE
        for tries in itertools.count(1):
            try:
                return self._run_once(work)
            except (DBAPIError, OSError) as error:
                lost = _is_of_network(error) and tries < _CONNECTIONS
                in_turn = isinstance(error, DBAPIError) and _code(error) in _CONTENTION
                if not lost and not (in_turn and time.monotonic() < deadline):
                    raise
            time.sleep(random.uniform(0.001, 0.02))
        raise AssertionError  # it counts without end

    def _run_once(self, work: Callable[[sql.Connection], T]) -> T:
        """Do something on a connection, which goes back to its pool only if all went well [CRASH-6].

        After an exception, nobody knows what the server has still to answer, or whether a transaction is
        open. Then the connection is closed, and the server undoes what was not committed.
        """
        self._leave_connections_of_parent()
        connection: sql.Connection | None = None
        try:
            connection = self._engine.connect()
            result = work(connection)
            connection.close()
        except BaseException as error:
            with contextlib.suppress(Exception):  # the pool may be in any state
                if connection is not None and not connection.closed:
                    connection.invalidate()
                    connection.close()
            raised = _as_raised(error)
            if not isinstance(raised, SQLAlchemyError | SDKException):
                # It may have come in the middle of the pool's own work, and have cost it a place.
                self._engine.dispose()
            if raised is not error:
                raise raised from None
            raise
        return result

    def _leave_connections_of_parent(self) -> None:
        """After a fork, make a pool of one's own; the parent goes on using its connections [PROC-2]."""
        if self._process != os.getpid():
            self._pools_of_parents.append(self._engine.pool)  # some drivers say goodbye when they are freed
            self._engine.dispose(close=False)
            self._process = os.getpid()


def first_match(ways: Sequence[Way], fields: Fields, rows: Sequence[Row]) -> Row | None:
    """Return the row that a token speaks of: of the first way that leads to one, the oldest.

    Args:
        ways: As `ways_to_find` or `ways_to_update` answers.
        fields: Those of the token.
        rows: The oldest first.
    """
    for way in ways:
        for row in rows:
            if all(row[name] == fields[name] for name in way.fields) and not (
                way.unnamed and row["user_name"]
            ):
                return row
    return None


def _rows(connection: sql.Connection, query: sql.Select[Any], parameters: Mapping[str, Any]) -> list[Row]:
    answers = connection.execute(query, parameters)
    # In the hands of the caller the texts are plain ones, which show themselves.
    return [
        Row(zip(COLUMNS, (str(one) if isinstance(one, str) else one for one in row), strict=True))
        for row in answers
    ]


def _is_storable(value: object) -> bool:
    """Whether every server keeps a text as it is."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---------------------------------------------------------------------------------------------
# Failures.


def _is_of_network(error: BaseException) -> bool:
    """Whether a connection broke. pg8000's errors have a number, a handler's TimeoutError has none."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, OSError) and error.errno is not None


def _code(error: DBAPIError) -> Any:
    """What the driver's error says in short: an SQLSTATE, a number, or SQLite's text."""
    driver: Any = error.orig
    for name in ("sqlstate", "pgcode", "errno"):
        if code := getattr(driver, name, None):
            return code
    first = driver.args[0] if driver.args else None
    return first.get("C") if isinstance(first, dict) else first  # pg8000 has the server's whole answer there


def _as_raised(error: BaseException) -> BaseException:
    """What a handler raised where SQLAlchemy has put it into an exception of its own."""
    if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
        return error.orig or error
    return error


@contextlib.contextmanager
def surfaced(message: str) -> Iterator[None]:
    """Let what SQLAlchemy raises come out as `SDKException`, with its cause, without a secret [SECRET-2].

    Args:
        message: What cannot be done.

    Raises:
        SDKException: With the code ``TOKEN_STORE``.
    """
    try:
        yield
    except (SQLAlchemyError, UnicodeError, OSError) as error:
        if isinstance(error, OSError) and not _is_of_network(error):
            raise
        cause: BaseException | None = error
        text = f"{message}: "  # the SDK writes the cause behind it
        if isinstance(error, UnicodeError):
            cause, text = None, message  # it quotes what it could not encode, which may be a token
        elif isinstance(error, DBAPIError):
            cause = error.orig  # SQLAlchemy's own keeps the parameters
            if _quotes(str(cause), error.params):
                cause, text = None, f"{text}{type(cause).__name__} {_code(error)}"
        raise SDKException(code=Constants.TOKEN_STORE, message=text, cause=cause) from cause


def _quotes(text: str, parameters: Any) -> bool:
    """Whether a server's message has a part of a parameter in it."""
    values = parameters.values() if isinstance(parameters, Mapping) else parameters or ()
    return any(
        value[start : start + 8] in text
        for value in values
        if isinstance(value, str)
        for start in range(len(value) - 7)
    )
