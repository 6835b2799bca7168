"""How the file of `sqlite_file` is made, opened and checked.

``zoho-tokenstore copy sqlite my_store.py`` copies it beside the store. The ids in brackets, such as
[SAVE-4], name clauses of the TokenStore contract.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from .sqlite_rows import APPLICATION, INSERT, USE_UP, VERSION, make_tables
from .sqlite_sample import SAMPLE_COLUMNS, sample_rows
from .token_fields import FIELDS, refusal

_FILE_NAME = "zohooauth.db"
_PATIENCE = 60.0  # seconds to wait for another process: contention is no error [PROC-1]
_SLICE = 0.1  # seconds of them in one piece: a signal's handler runs in between [CRASH-6]


def location_of(path: str | os.PathLike[str]) -> Path:
    """Return where the database is for good; a directory holds ``zohooauth.db``."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise refusal(f"the path of a token database is text, not {type(path).__name__}")
    if not os.fspath(path) or "\0" in os.fspath(path):
        raise refusal("the path of a token database is empty, or has a NUL in it")
    # Absolute, so that the store stays where it is when the process changes directory [PERSIST-4].
    # Resolved too, for SQLite puts its log beside the file and not beside a link to it [SECRET-1].
    location = Path(os.path.realpath(path))
    is_directory = os.path.isdir(location)  # noqa: PTH112 (Path.is_dir raises where it may not look)
    return location / _FILE_NAME if is_directory else location


def beside(path: Path, ending: str) -> Path:
    """Return the file that SQLite keeps beside the database: ``-wal`` or ``-shm``."""
    return path.with_name(f"{path.name}{ending}")


def create(path: Path) -> None:
    """Make an empty file where there is none: SQLite itself would make it readable by everyone."""
    log = beside(path, "-wal")
    if log.exists() and not (path.exists() and path.stat().st_size):
        # SQLite would delete it, and with it the tokens that were last saved.
        raise refusal(f"the database that {log} belongs to is missing")
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    if not path.is_file():
        raise refusal(f"{path} is not a file")
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise refusal(f"{path} or its directory is readonly, and SQLite writes to both, even to read")
    _refuse_anothers(path)


def identity_of(path: str | Path) -> tuple[int, int]:
    """Return what tells a file from another one, as long as either is open somewhere."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, which is made in an empty file; refuse what is no token database."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",  # never creates a file
        uri=True,
        timeout=_PATIENCE,
        isolation_level=None,  # transactions begin where the store says so
        check_same_thread=False,  # the store's locks keep threads apart [THREAD-1]
    )
    connection.row_factory = sqlite3.Row  # its repr shows no secret [SECRET-2]
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: a flush reaches the disk itself
        if not _is_made(connection, path):
            _make(connection, path)
            # A sample that has a log already: the file alone says which database it is, too.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _write_ahead(connection)
        close_to_others(path)
        connection.execute(f"PRAGMA busy_timeout = {_SLICE * 1000:.0f}")
    except BaseException:
        connection.close()
        raise
    return connection


def changes_in_file(path: Path) -> tuple[str, int] | None:
    """Look at the file without its log.

    Returns:
        The database's identity and how often it was changed; ``None`` where the file cannot tell, since a
        process is moving the log into it, or was killed as it did.
    """
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        try:
            found: tuple[str, int] | None = connection.execute(
                "SELECT identity, changes FROM file"
            ).fetchone()
        except sqlite3.DatabaseError as error:
            if "malformed" not in str(error):
                raise
            return None
    return found


def _is_made(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there; refuse those of another version."""
    application, version = _header(connection)
    if application != APPLICATION:
        return False
    if version != VERSION:
        raise refusal(f"{path} has version {version} of the table, this store needs {VERSION}")
    if _columns(connection) != ("number", *FIELDS):
        raise refusal(f"{path} has other columns than this store made")
    return True


def _make(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file, take over those of the sample, refuse anything else."""
    with connection:
        begin_to_write(connection)
        if _is_made(connection, path):  # by another process, meanwhile
            return
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type != 'index' AND name NOT GLOB 'sqlite_*'"
        ).fetchall()
        names = [table["name"] for table in tables]
        is_sample = names == ["oauthtoken"] and _columns(connection) == SAMPLE_COLUMNS
        if any(_header(connection)) or (names and not is_sample):
            raise refusal(f"{path} is not a token database")
        rows = sample_rows(connection) if is_sample else []
        close_to_others(path)
        if is_sample:
            connection.execute("DROP TABLE oauthtoken")
        make_tables(connection)
        connection.executemany(INSERT, rows)
        connection.executemany(USE_UP, rows)


def _header(connection: sqlite3.Connection) -> tuple[int, int]:
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    return application, version


def _columns(connection: sqlite3.Connection) -> tuple[str, ...]:
    return tuple([row["name"] for row in connection.execute("PRAGMA table_info(oauthtoken)")])


def _refuse_anothers(path: Path) -> None:
    if hasattr(os, "geteuid") and path.stat().st_uid != os.geteuid():
        raise refusal(f"{path} is another user's, who could read it")


def close_to_others(path: Path) -> None:
    """Take group's and others' rights to the database's files away [SECRET-1]."""
    for file in (path, beside(path, "-wal"), beside(path, "-shm")):
        with contextlib.suppress(FileNotFoundError):
            _refuse_anothers(file)
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log: readers and a writer do not wait for one another."""
    # SQLite does not wait for others here as it does elsewhere, and several may open a new file at once.
    mode = _patiently(connection, "PRAGMA journal_mode = WAL", pause=0.01).fetchone()[0]
    if mode != "wal":
        raise refusal("the file system has no shared memory for a write-ahead log")


def begin_to_write(connection: sqlite3.Connection) -> None:
    """Begin a transaction that nobody else writes in, once other processes have ended theirs."""
    _patiently(connection, "BEGIN IMMEDIATE", pause=0)


def _patiently(connection: sqlite3.Connection, statement: str, pause: float) -> sqlite3.Cursor:
    """Execute a statement, again and again while another process holds the file."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return connection.execute(statement)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(pause)
