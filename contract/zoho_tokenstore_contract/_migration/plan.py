"""What a move writes: one row for each login, under its own id where it can keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from .._spec.tokens import Row
from . import digests
from .digests import LENGTH, Digest, scratch, to_blob, to_text
from .readers import CUT, HEADER, Reader, SourceRecord, described

SAME, OTHER = "same", "other"
"""What the target holds of the login of a row: the same row, or another state of it."""

LEFT_OUT = "left out"
"""The kind of notes on what cannot be carried over; those on what is written without a field are `CUT`."""

_TABLES = """
CREATE TABLE row (  -- what can be written
    number INTEGER PRIMARY KEY,  -- in the source
    place TEXT,
    id BLOB,
    has_name INTEGER, can_renew INTEGER, expiry INTEGER,  -- what it is worth
    contents BLOB, keys BLOB, reached_by BLOB,  -- digests
    instead INTEGER,  -- the row that is written in its place
    keeps_id INTEGER,
    state TEXT, target_id BLOB, target_can_renew INTEGER, target_expiry INTEGER  -- of its login in the target
);
CREATE TABLE key (  -- what leads to the rows that are written, and to others of the target
    digest BLOB PRIMARY KEY, number INTEGER, is_shared INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE taken (id BLOB PRIMARY KEY) WITHOUT ROWID;  -- ids in the target
CREATE TABLE note (kind TEXT, place TEXT, why TEXT);
"""


class Order(NamedTuple):
    """What is to become of a row.

    Attributes:
        number: Its number in the source.
        contents: The digest that it had.
        keeps_id: Whether it is written under its own id.
        state: `SAME`, `OTHER`, or ``None`` where the target does not have its login.
        target_id: The id that its login has in the target.
        target_worth: What that is worth, as of `digests.worth` without the name.
    """

    number: int
    contents: Digest
    keeps_id: bool
    state: str | None
    target_id: str | None
    target_worth: tuple[bool, int]


class Plan:
    """What a move writes. Of the rows, it holds places, ids and digests, and these on the disk.

    Attributes:
        total: How many places the source has.
        headers: How many header lines are among them; they are no tokens.
    """

    def __init__(self) -> None:
        self.total = 0
        self.headers = 0
        self._db = scratch(_TABLES)

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    # While the source is read.

    def add(self, record: SourceRecord) -> None:
        """Note what stands at the next place of the source."""
        number, self.total = self.total, self.total + 1
        row = writable(record)
        if record.fault == HEADER:
            self.headers += 1
            return
        if row is None:
            self._note(LEFT_OUT, described(record), record.why or "it has no token")
            return
        if record.fault == CUT:
            self._note(CUT, record.place, record.why)
        keys, reached_by = b"".join(digests.keys(row)), b"".join(digests.reached_by(row))
        values = (number, described(record), to_blob(row.id), *digests.worth(row), digests.contents(row))
        self._db.execute(
            "INSERT INTO row (number, place, id, has_name, can_renew, expiry, contents, keys, reached_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, keys, reached_by),
        )

    def decide(self) -> None:
        """Choose the best row of each login: another one with a key of it would only change it.

        See SAVE-4 to SAVE-8.
        """
        rows = self._db.execute(
            "SELECT number, contents, keys, reached_by FROM row "
            "ORDER BY has_name DESC, can_renew DESC, expiry DESC, number DESC"
        )
        for number, contents, keys, reached_by in rows:
            instead = self.leads_to([contents, *_digests(keys)])
            if instead is not None:
                self._db.execute("UPDATE row SET instead = ? WHERE number = ?", (instead, number))
                continue
            self._db.executemany(
                "INSERT INTO key VALUES (?, ?, 0) "
                "ON CONFLICT DO UPDATE SET is_shared = is_shared OR number <> excluded.number",
                [(key, number) for key in (contents, *_digests(reached_by))],
            )
        # Of several rows with one id, the SDK finds the first today.
        self._db.execute("CREATE INDEX row_of_id ON row (id)")
        self._db.execute(
            "UPDATE row SET keeps_id = number IS "
            "(SELECT min(number) FROM row AS other WHERE other.id = row.id AND other.instead IS NULL)"
        )

    # While the target is looked at.

    def leads_to(self, keys: list[Digest]) -> int | None:
        """The row that is written and that the first of these keys leads to which leads to any."""
        marks = ", ".join("?" * len(keys))
        found = dict(
            self._db.execute(
                f"SELECT digest, number FROM key WHERE digest IN ({marks}) AND number IS NOT NULL",  # noqa: S608
                keys,
            )
        )
        return next((found[key] for key in keys if key in found), None)

    def state_of(self, number: int) -> str | None:
        """What was seen so far of a row's login in the target."""
        [state] = self._db.execute("SELECT state FROM row WHERE number = ?", (number,)).fetchone()
        return None if state is None else str(state)

    def see_in_target(self, number: int, state: str, there: Row) -> None:
        """Note that the target holds the login of a row.

        Args:
            number: The number of the row in the plan.
            state: How the target has it.
            there: The row of the target.
        """
        self._db.execute(
            "UPDATE row SET state = ?, target_id = ?, target_can_renew = ?, target_expiry = ? "
            "WHERE number = ?",
            (state, to_blob(there.id), *digests.worth(there)[1:], number),
        )

    def share(self, keys: Iterable[Digest]) -> None:
        """Note that another row of the target has these keys."""
        self._db.executemany(
            "INSERT INTO key VALUES (?, NULL, 1) ON CONFLICT DO UPDATE SET is_shared = 1",
            [(key,) for key in keys],
        )

    def take(self, id: object) -> None:
        """Note that a row of the target has an id: none that is written in addition can keep it."""
        self._db.execute("INSERT OR IGNORE INTO taken VALUES (?)", (to_blob(id),))

    def end_of_target(self) -> None:
        """Decide which rows keep their id."""
        self._db.execute(
            "UPDATE row SET keeps_id = 0 "
            "WHERE state IS NULL AND EXISTS (SELECT 1 FROM taken WHERE id = row.id)"
        )

    # While it is written.

    def orders(self, first: int, last: int, *, keeps_id: bool) -> dict[int, Order]:
        """The orders for some rows by their number: for those that keep their id, or for the others.

        Args:
            first: The first number.
            last: The last number.
            keeps_id: Those that keep their id; else those that do not.

        Returns:
            The orders by number.
        """
        rows = self._db.execute(
            "SELECT number, contents, keeps_id, state, target_id, target_can_renew, target_expiry FROM row "
            "WHERE instead IS NULL AND number BETWEEN ? AND ? AND keeps_id = ?",
            (first, last, keeps_id),
        )
        return {
            number: Order(number, contents, keeps_id, state, id and to_text(id), (bool(renews), expiry or 0))
            for number, contents, _, state, id, renews, expiry in rows
        }

    def note_ids(self, ids: Iterable[tuple[int, str | None]]) -> None:
        """Note the ids that rows have in the target, by their number."""
        self._db.executemany(
            "UPDATE row SET target_id = ? WHERE number = ?", [(to_blob(id), number) for number, id in ids]
        )

    def is_shared(self, digest: Digest) -> bool:
        """Whether a key may lead to several rows of the target."""
        found = self._db.execute("SELECT is_shared FROM key WHERE digest = ?", (digest,)).fetchone()
        return found is not None and bool(found[0])

    # What is told of it.

    @property
    def to_write(self) -> int:
        """How many rows are to be in the target."""
        return self._count("row", "instead IS NULL")

    @property
    def new_ids(self) -> int:
        """How many of them cannot keep their id."""
        return self._count("row", "instead IS NULL AND NOT keeps_id AND state IS NULL")

    def in_target(self, state: str) -> int:
        """Of how many of them the target holds the login in this state."""
        return self._count("row", "state = ?", state)

    @property
    def losers(self) -> int:
        """In place of how many rows another one of the same login is written."""
        return self._count("row", "instead IS NOT NULL")

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """Where each of these stands, and where the row stands that is written."""
        return self._db.execute(
            "SELECT row.place, better.place FROM row JOIN row AS better ON better.number = row.instead "
            "ORDER BY row.number"
        )

    def notes_of(self, kind: str) -> int:
        """How many notes of a kind there are."""
        return self._count("note", "kind = ?", kind)

    def notes(self, kind: str) -> Iterator[tuple[str, str]]:
        """Place and reason of each note of a kind."""
        return self._db.execute("SELECT place, why FROM note WHERE kind = ? ORDER BY rowid", (kind,))

    def changed_ids(self) -> Iterator[tuple[str, str]]:
        """The ids of the source whose login has another id in the target, with that id."""
        rows = self._db.execute(
            "SELECT row.id, written.target_id FROM row "
            "JOIN row AS written ON written.number = coalesce(row.instead, row.number) "
            "WHERE row.id <> written.target_id AND (row.instead IS NULL OR NOT EXISTS "
            "(SELECT 1 FROM row AS other WHERE other.id = row.id AND other.instead IS NULL)) "
            "ORDER BY row.number"
        )
        return ((to_text(old), to_text(new)) for old, new in rows)

    def _note(self, kind: str, place: str, why: str) -> None:
        self._db.execute("INSERT INTO note VALUES (?, ?, ?)", (kind, place, why))

    def _count(self, table: str, condition: str, *values: Any) -> int:
        statement = f"SELECT count(*) FROM {table} WHERE {condition}"  # noqa: S608 (no value of a row)
        return int(self._db.execute(statement, values).fetchone()[0])


def plan(reader: Reader, made: Plan, progress: Callable[[int], None] = lambda _: None) -> Plan:
    """Decide what a move writes.

    Of several rows of one login, the newest that can renew is written. Where two rows have one id, the
    first keeps it, for that is the one that the SDK finds today.

    Args:
        reader: Reads the source.
        made: An empty plan.
        progress: Told how many rows have been read, now and then.

    Returns:
        The plan.

    Raises:
        CannotRead: The source cannot be read.
    """
    for record in reader.records():
        made.add(record)
        if made.total % 1000 == 0:
            progress(made.total)
    made.decide()
    return made


def writable(record: SourceRecord) -> Row | None:
    """The row of a record as it is written; ``None`` where nothing is."""
    if record.row is None:
        return None
    row = record.row.plain()
    return row if digests.has_credential(row) else None


def _digests(joined: bytes) -> list[Digest]:
    return [joined[start : start + LENGTH] for start in range(0, len(joined), LENGTH)]
