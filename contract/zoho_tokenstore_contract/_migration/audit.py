"""Look at a store in use, and say what has happened to its rows. Nothing is written, no secret is told."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .._spec.tokens import FIELDS, Row
from . import digests
from .digests import scratch, to_blob, to_text
from .known_faults import KnownFault, known_faults
from .readers import (
    CUT,
    HEADER,
    NOT_LISTED,
    UNREADABLE,
    CannotRead,
    Changed,
    Reader,
    SourceRecord,
    described,
    shown,
)

LOOK_UPS = 500
"""How many ids are looked up at most; fewer in large stores: `FileStore` reads its file for each."""

_LEAST_LOOK_UPS, _ROWS_READ = 20, 1_000_000

EXAMPLES = 5
_WIDTH = 255  # of the columns of the SDK's table

MEANINGS = {
    "changed": "somebody wrote to the store while it was read: what follows may be half a save",
    "unlisted": "the store cannot list its rows; what it finds for a user depends on the order of the rows",
    UNREADABLE: "rows that do not read",
    NOT_LISTED: "rows in the place of the header, which FileStore neither lists nor finds",
    "lost": "rows that nothing can find again",
    CUT: "rows that are cut, and whose refresh token is whole",
    HEADER: "header lines among the rows; FileStore lists and finds them like tokens",
    "shared": "credentials that rows of several users share",
    "doubled-id": "ids that several rows share; the SDK asks by id, and gets the first",
    "not-by-id": "ids by which the store does not find their row",
    "stuck-id": "ids that DBStore would give to the next new user, although a row has them",
    "no-client": "refresh tokens without client id or secret, which cannot be renewed",
    "no-credential": "rows without any token",
    "no-refresh": "rows without a refresh token; their users have to log in again after an hour",
    "doubled-user": "users with several rows; the store finds one of them",
    "same-login": "rows without a user name whose credential another row has too",
    "mode": "the file can be read by others than its owner",
    "directory": "others can replace the file: its directory is open to them",
    "owner": "the file belongs to another user than the one who asks",
    "no-id": "rows without an id",
    "odd-id": "rows of FileStore whose id is no number",
    "no-key": "rows that can be found by nothing but their id",
    "width": f"values of exactly {_WIDTH} characters, as wide as the SDK's table: they may be cut",
}
"""What an audit finds, by kind; the worst is told first."""


@dataclass
class AuditFinding:
    """What is wrong in the same way at several places.

    Attributes:
        kind: A key of `MEANINGS`.
        count: At how many places.
        examples: The first of them.
    """

    kind: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def meaning(self) -> str:
        """The kind in words."""
        return MEANINGS[self.kind]


@dataclass
class Audit:
    """What is known of a store after looking at it.

    Attributes:
        store: ``FileStore``, ``DBStore``, or "" for any other.
        rows: How many rows read.
        users: How many user names they have.
        unnamed: How many of the rows have none.
        expired: How many access tokens have ended.
        expired_since: When the first and the last of them ended, in milliseconds since the epoch.
        looked_up: How many ids were looked up.
        findings: What is wrong.
        known: What the store is known to do, where it is one of the SDK's own.
    """

    store: str
    rows: int = 0
    users: int = 0
    unnamed: int = 0
    expired: int = 0
    expired_since: tuple[int, int] = (0, 0)
    looked_up: int = 0
    findings: list[AuditFinding] = field(default_factory=list)
    known: list[KnownFault] = field(default_factory=list)

    def count(self, kinds: tuple[str, ...]) -> int:
        """At how many places one of these kinds was found."""
        return sum(finding.count for finding in self.findings if finding.kind in kinds)


def audit(reader: Reader, release: str, progress: Callable[[int], None] = lambda _: None) -> Audit:
    """Look at every row of a store.

    Args:
        reader: Reads the store.
        release: The release of the SDK that is installed.
        progress: Told how many rows have been read, now and then.

    Returns:
        What was found.
    """
    with contextlib.closing(scratch(_TABLES)) as database:
        look = _Look(reader, database)
        try:
            for number, record in enumerate(reader.records(), 1):
                look.see(record)
                if number % 1000 == 0:
                    progress(number)
        except Changed:
            look.find("changed", "run the command again")
        except CannotRead as error:
            look.find("unlisted", str(error))
        look.finish()
    look.audit.known = known_faults(reader.store, release)
    return look.audit


_TABLES = """
CREATE TABLE row (
    number INTEGER PRIMARY KEY, place TEXT, id BLOB, contents BLOB, user BLOB,  -- digests
    name TEXT  -- of the user, as it may be printed
);
CREATE TABLE way (  -- by which credentials a row can be found; rows with a user come first
    digest BLOB, is_unnamed INTEGER, number INTEGER, is_key INTEGER, PRIMARY KEY (digest, is_unnamed, number)
) WITHOUT ROWID;
"""


class _Look:
    """One look at a store. What several rows have in common is asked of a scratch database."""

    def __init__(self, reader: Reader, database: sqlite3.Connection) -> None:
        self.audit = Audit(reader.store)
        self._reader = reader
        self._db = database
        self._now = int(time.time() * 1000)
        self._found = {kind: AuditFinding(kind) for kind in MEANINGS}

    def find(self, kind: str, example: str) -> None:
        """Note what is wrong at one place."""
        finding = self._found[kind]
        finding.count += 1
        if len(finding.examples) < EXAMPLES:
            finding.examples.append(example)

    def see(self, record: SourceRecord) -> None:
        """Look at one row."""
        if record.fault:
            self.find(record.fault, f"{record.place}: {record.why}")
        if record.row is None:
            return
        row, place, number = record.row.plain(), described(record), self.audit.rows
        self.audit.rows += 1
        user = digests.digest("user", row.user_name) if row.user_name else None
        name = shown(row.user_name) if row.user_name else None
        values = (number, place, to_blob(row.id), digests.contents(row), user, name)
        self._db.execute("INSERT INTO row VALUES (?, ?, ?, ?, ?, ?)", values)
        keys = digests.keys(row)
        self._db.executemany(
            "INSERT INTO way VALUES (?, ?, ?, ?)",
            [(way, user is None, number, way in keys) for way in digests.credentials(row).values()],
        )
        if self._reader.store == "FileStore" and row.id is not None and not str(row.id).isdecimal():
            self.find("odd-id", record.place)  # whatever stands there is not printed
        for kind, example in _faults(row, place):
            self.find(kind, example)
        if row.access_token and 0 < (end := digests.expiry(row)) < self._now:
            first, last = self.audit.expired_since if self.audit.expired else (end, end)
            self.audit.expired += 1
            self.audit.expired_since = min(first, end), max(last, end)

    def finish(self) -> None:
        """Look at what takes more than one row."""
        [self.audit.users, self.audit.unnamed] = self._db.execute(
            "SELECT count(DISTINCT user), count(*) - count(user) FROM row"
        ).fetchone()
        if reason := self._reader.listing_fails():
            self.find("unlisted", f"{self._reader.store}.get_tokens raises {reason}")
        for kind, query in _TOGETHER.items():
            for (example,) in self._db.execute(query):
                self.find(kind, example)
        self._look_up()
        if self._reader.path is not None:
            for kind, example in _of_file(Path(self._reader.path)):
                self.find(kind, example)
        self.audit.findings = [finding for finding in self._found.values() if finding.count]

    def _look_up(self) -> None:
        [number, largest] = self._db.execute("SELECT count(DISTINCT id), max(id) FROM row").fetchone()
        most = max(_LEAST_LOOK_UPS, min(LOOK_UPS, _ROWS_READ // max(self.audit.rows, 1)))
        step = -(-number // most) or 1
        ids = self._db.execute(
            "SELECT id, contents, place, count(*), min(number) FROM row WHERE id IS NOT NULL "
            "GROUP BY id ORDER BY min(number)"
        )
        for index, (blob, contents, place, count, _) in enumerate(ids):
            id = to_text(blob)
            if count > 1:
                self.find("doubled-id", f"id {shown(id)}")
            if self._reader.store == "DBStore" and id == _next(largest):
                self.find("stuck-id", f"id {shown(id)}")
            if index % step == 0:
                self.audit.looked_up += 1
                found = self._reader.by_id(id)
                if found is None or digests.contents(found.plain()) != contents:
                    self.find("not-by-id", f"{place}: {'nothing' if found is None else 'another row'}")


def _faults(row: Row, place: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a row by itself."""
    if row.id is None:
        yield "no-id", place
    if not digests.has_credential(row):
        yield "no-credential", place
    elif not row.refresh_token:
        yield "no-refresh", place
    elif not digests.can_renew(row):
        yield "no-client", place
    if not row.user_name and digests.has_no_key(row):
        yield "lost" if row.id is None else "no-key", place
    wide = [name for name in FIELDS if len(str(getattr(row, name) or "")) == _WIDTH]
    if wide:
        yield "width", f"{place}: {', '.join(wide)}"


_TOGETHER = {
    "doubled-user": "SELECT 'user ' || name FROM row WHERE user IS NOT NULL "
    "GROUP BY user HAVING count(*) > 1 ORDER BY min(number)",
    "shared": "SELECT 'users ' || min(name) || ' and ' || max(name) FROM way JOIN row USING (number) "
    "WHERE user IS NOT NULL GROUP BY digest HAVING count(DISTINCT user) > 1 ORDER BY min(number)",
    "same-login": "SELECT row.place || ', as ' || other.place FROM row JOIN way USING (number) "
    "JOIN row AS other ON other.number = "
    "(SELECT number FROM way AS same WHERE same.digest = way.digest ORDER BY is_unnamed, number LIMIT 1) "
    "WHERE row.user IS NULL AND is_key AND other.number <> row.number GROUP BY row.number",
}
"""What several rows have in common: how their places are asked for."""


def _next(largest: bytes) -> str:
    """The id that `DBStore` gives next where this is the largest text."""
    text = to_text(largest)
    return str(int(text) + 1) if text.isdecimal() else ""


def _of_file(path: Path) -> Iterator[tuple[str, str]]:
    """What others may do with a file."""
    try:
        about, directory = path.stat(), path.resolve().parent.stat()
    except OSError:
        return
    if os.name != "posix":
        return
    if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield "mode", f"its mode is {stat.S_IMODE(about.st_mode):04o}"
    if about.st_uid != os.getuid():
        yield "owner", f"it belongs to user {about.st_uid}, and user {os.getuid()} asks"
    if directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not directory.st_mode & stat.S_ISVTX:
        yield "directory", f"the mode of the directory is {stat.S_IMODE(directory.st_mode):04o}"
