"""Look at a store in use, and say what has happened to its rows. Nothing is written, no secret is told."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .._spec.tokens import FIELDS, SECRETS, Row
from . import rules
from .known import KnownFault, known_faults
from .reading import CUT, HEADER, NOT_LISTED, UNREADABLE, CannotRead, Reader, SourceRecord

LOOK_UPS = 500
"""How many ids are looked up at most; fewer in large stores: `FileStore` reads its file for each."""

_LEAST_LOOK_UPS, _ROWS_READ = 20, 1_000_000

EXAMPLES = 5
_WIDTH = 255  # of the columns of the SDK's table

MEANINGS = {
    "unlisted": "the store cannot list its rows; what it finds for a user depends on the order of the rows",
    UNREADABLE: "rows that do not read",
    CUT: "rows that are cut, and whose refresh token is whole",
    HEADER: "header lines among the rows; FileStore lists and finds them like tokens",
    NOT_LISTED: "rows in the place of the header, which FileStore neither lists nor finds",
    "no-id": "rows without an id",
    "odd-id": "rows of FileStore whose id is no number",
    "doubled-id": "ids that several rows share; the SDK asks by id, and gets the first",
    "not-by-id": "ids by which the store does not find their row",
    "stuck-id": "ids that DBStore would give to the next new user, although a row has them",
    "doubled-user": "users with several rows; the store finds one of them",
    "same-login": "rows without a user name whose credential another row has too",
    "no-key": "rows that can be found by nothing but their id",
    "lost": "rows that nothing can find again",
    "no-credential": "rows without any token",
    "no-refresh": "rows without a refresh token; their users have to log in again after an hour",
    "no-client": "refresh tokens without client id or secret, which cannot be renewed",
    "shared": "credentials that rows of several users share",
    "width": f"values of exactly {_WIDTH} characters, as wide as the SDK's table: they may be cut",
    "mode": "the file can be read by others than its owner",
    "owner": "the file belongs to another user than the one who asks",
    "directory": "others can replace the file: its directory is open to them",
}
"""What an audit finds, by kind, in the order in which it is told."""


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
    look = _Look(reader)
    try:
        for number, record in enumerate(reader.records(), 1):
            look.see(record)
            if number % 1000 == 0:
                progress(number)
    except CannotRead as error:
        look.find("unlisted", str(error))
    look.finish()
    look.audit.known = known_faults(reader.store, release)
    return look.audit


class _Look:
    """One look at a store. Of secrets it keeps digests."""

    def __init__(self, reader: Reader) -> None:
        self.audit = Audit(reader.store)
        self._reader = reader
        self._now = int(time.time() * 1000)
        self._found = {kind: AuditFinding(kind) for kind in MEANINGS}
        self._ids: dict[str, tuple[int, rules.Digest, str]] = {}  # how many rows, the first, and its place
        self._users: Counter[str] = Counter()
        self._owners: dict[rules.Digest, str] = {}  # of a credential: the first user
        self._shared: set[rules.Digest] = set()
        self._reached: dict[rules.Digest, str] = {}  # by a credential: the place of a row
        self._unnamed: list[tuple[str, list[rules.Digest]]] = []
        self._ends: list[int] = []

    def find(self, kind: str, example: str = "") -> None:
        """Note what is wrong at one place."""
        finding = self._found[kind]
        finding.count += 1
        if example and len(finding.examples) < EXAMPLES:
            finding.examples.append(example)

    def see(self, record: SourceRecord) -> None:
        """Look at one row."""
        place = described(record)
        if record.fault:
            self.find(record.fault, f"{record.place}: {record.why}")
        if record.row is None:
            return
        row = record.row.plain()
        self.audit.rows += 1
        self._see_id(row, record, place)
        self._see_user(row, place)
        self._see_credentials(row, place)
        if any(isinstance(value, str) and len(value) == _WIDTH for value in vars(row).values()):
            names = [name for name in FIELDS if len(getattr(row, name) or "") == _WIDTH]
            self.find("width", f"{place}: {', '.join(names)}")
        if row.access_token and 0 < rules.expiry(row) < self._now:
            self._ends.append(rules.expiry(row))

    def _see_id(self, row: Row, record: SourceRecord, place: str) -> None:
        if row.id is None:
            self.find("no-id", place)
            return
        id = str(row.id)
        count, first, first_place = self._ids.get(id, (0, rules.contents(row), place))
        self._ids[id] = (count + 1, first, first_place)
        if count == 1:
            self.find("doubled-id", f"id {shown(id)}")
        if self._reader.store == "FileStore" and not id.isdecimal():
            self.find("odd-id", record.place)

    def _see_user(self, row: Row, place: str) -> None:
        if not row.user_name:
            self.audit.unnamed += 1
            return
        self._users[row.user_name] += 1
        if self._users[row.user_name] == 2:
            self.find("doubled-user", f"user {shown(row.user_name)}")

    def _see_credentials(self, row: Row, place: str) -> None:
        if not rules.has_credential(row):
            self.find("no-credential", place)
        elif not row.refresh_token:
            self.find("no-refresh", place)
        elif not rules.can_renew(row):
            self.find("no-client", place)
        if not row.user_name:
            if rules.has_no_key(row):
                self.find("lost" if row.id is None else "no-key", place)
            self._unnamed.append((place, rules.keys(row)))
        for way in rules.credentials(row).values():
            if row.user_name:
                owner = self._owners.setdefault(way, row.user_name)
                if owner != row.user_name and way not in self._shared:
                    self._shared.add(way)
                    self.find("shared", f"users {shown(owner)} and {shown(row.user_name)}")
            if row.user_name or way not in self._reached:
                self._reached[way] = place

    def finish(self) -> None:
        """Look at what takes more than one row."""
        self.audit.users = len(self._users)
        self.audit.expired = len(self._ends)
        if self._ends:
            self.audit.expired_since = (min(self._ends), max(self._ends))
        if reason := self._reader.listing_fails():
            self.find("unlisted", f"{self._reader.store}.get_tokens raises {reason}")
        for place, ways in self._unnamed:
            others = [other for way in ways if (other := self._reached.get(way, place)) != place]
            if others:
                self.find("same-login", f"{place}, as {others[0]}")
        self._look_up()
        if self._reader.store == "DBStore" and self._ids:
            # As its generate_id does.
            largest = max(self._ids)
            if largest.isdecimal() and str(int(largest) + 1) in self._ids:
                self.find("stuck-id", f"id {shown(str(int(largest) + 1))}")
        if self._reader.path is not None:
            for kind, example in _of_file(Path(self._reader.path)):
                self.find(kind, example)
        self.audit.findings = [finding for finding in self._found.values() if finding.count]

    def _look_up(self) -> None:
        most = max(_LEAST_LOOK_UPS, min(LOOK_UPS, _ROWS_READ // max(self.audit.rows, 1)))
        step = -(-len(self._ids) // most) or 1
        for id in list(self._ids)[::step]:
            _, first, place = self._ids[id]
            found = self._reader.by_id(id)
            self.audit.looked_up += 1
            if found is None:
                self.find("not-by-id", f"{place}: nothing")
            elif rules.contents(found.plain()) != first:
                self.find("not-by-id", f"{place}: another row")


def described(record: SourceRecord) -> str:
    """The place of a row, with its id and user. A damaged row may hold a secret in any field."""
    row = record.row
    if row is None or record.fault:
        return record.place
    parts = [f"{name} {shown(value)}" for name, value in (("id", row.id), ("user", row.user_name)) if value]
    if any(value in (row.id, row.user_name) for name in SECRETS if (value := getattr(row, name))):
        parts = []
    return f"{record.place} ({', '.join(parts)})" if parts else record.place


def shown(text: str) -> str:
    """An id or a user name for the output; hidden where it looks like a token or is too long."""
    if len(text) > 80 or text.startswith("1000.") or text.count(".") > 8:
        return f"of {len(text)} characters"
    return repr(text)


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
