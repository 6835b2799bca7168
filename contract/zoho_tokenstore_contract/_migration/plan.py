"""What a move writes: one row for each login, under its own id where it can keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .._spec.tokens import Row
from . import rules
from .audit import described
from .reading import HEADER, Reader, SourceRecord


@dataclass(frozen=True)
class LeftOut:
    """A place of the source of which nothing is written.

    Attributes:
        place: Where, with the id and the user where these may be told.
        why: The reason.
    """

    place: str
    why: str


@dataclass(frozen=True)
class Conflict:
    """A row of the source in place of which another one of the same login is written.

    Attributes:
        place: Where it stands.
        id: Its id, where no row that is written has that one.
        instead: The number of the row that is written.
        instead_place: Where that one stands.
    """

    place: str
    id: str | None
    instead: int
    instead_place: str


@dataclass
class Plan:
    """What a move writes.

    Attributes:
        total: How many places the source has.
        writes: For each row that is written, by its number in the source, a digest of its contents.
        new_id: The rows of these that cannot keep their id, with the reason.
        left_out: What cannot be carried over.
        headers: How many header lines are among the rows; they are no tokens.
        conflicts: The rows in place of which another one of the same login is written.
        cut: The rows that are written without a field that is cut.
        keys: Which row of these a digest of a key leads to.
        shared: Digests of credentials that several of these rows have.
    """

    total: int = 0
    writes: dict[int, rules.Digest] = field(default_factory=dict)
    new_id: dict[int, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    headers: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    keys: dict[rules.Digest, int] = field(default_factory=dict)
    shared: set[rules.Digest] = field(default_factory=set)


@dataclass(frozen=True)
class _Candidate:
    """What the plan keeps of a row while it chooses."""

    __slots__ = ("contents", "id", "keys", "number", "place", "reached_by", "worth")
    number: int
    place: str
    id: str | None
    worth: tuple[bool, bool, int]
    contents: rules.Digest
    keys: list[rules.Digest]
    reached_by: list[rules.Digest]


def plan(reader: Reader, progress: Callable[[int], None] = lambda _: None) -> Plan:
    """Decide what a move writes.

    Of several rows of one login, the newest that can renew is written. Where two rows have one id, the
    first keeps it, for that is the one that the SDK finds today.

    Args:
        reader: Reads the source.
        progress: Told how many rows have been read, now and then.

    Raises:
        CannotRead: The source cannot be read.
    """
    made = Plan()
    candidates = []
    for number, record in enumerate(reader.records()):
        made.total = number + 1
        candidate = _candidate(number, record, made)
        if candidate is not None:
            candidates.append(candidate)
        if made.total % 1000 == 0:
            progress(made.total)
    given = _give_ids(candidates, losers := _choose(candidates, made), made)
    by_number = {one.number: one for one in candidates}
    for one in candidates:
        if (instead := losers.get(one.number)) is not None:
            id = None if one.id in given else one.id
            made.conflicts.append(Conflict(one.place, id, instead, by_number[instead].place))
    return made


def writable(record: SourceRecord) -> Row | None:
    """The row of a record as it is written; ``None`` where nothing is."""
    if record.row is None:
        return None
    row = record.row.plain()
    return row if rules.has_credential(row) else None


def numbered(reader: Reader, made: Plan) -> Iterator[tuple[int, SourceRecord, Row]]:
    """The rows that a plan writes, with their number, read once more."""
    for number, record in enumerate(reader.records()):
        row = writable(record)
        if number in made.writes and row is not None:
            yield number, record, row


def _candidate(number: int, record: SourceRecord, made: Plan) -> _Candidate | None:
    row = writable(record)
    if record.fault == HEADER:
        made.headers += 1
        return None
    if row is None:
        made.left_out.append(LeftOut(described(record), record.why or "it has no token"))
        return None
    if record.fault:
        made.cut.append(f"{record.place}: {record.why}")
    return _Candidate(
        number,
        described(record),
        None if row.id is None else str(row.id),
        rules.worth(row),
        rules.contents(row),
        rules.keys(row),
        rules.reached_by(row),
    )


def _choose(candidates: list[_Candidate], made: Plan) -> dict[int, int]:
    """Choose the best row of each login: another one with a key of it would only change it (SAVE-4 to -8).

    Returns:
        For each row that is not written, by its number, the number of the one that is.
    """
    losers: dict[int, int] = {}
    for one in sorted(candidates, key=lambda one: (one.worth, one.number), reverse=True):
        other = next((made.keys[key] for key in (one.contents, *one.keys) if key in made.keys), None)
        if other is not None:
            losers[one.number] = other
            continue
        made.writes[one.number] = one.contents
        made.keys[one.contents] = one.number
        for key in one.reached_by:
            if key != one.contents and made.keys.setdefault(key, one.number) != one.number:
                made.shared.add(key)
    return losers


def _give_ids(candidates: list[_Candidate], losers: dict[int, int], made: Plan) -> dict[str, int]:
    """Note which rows cannot keep their id. Returns the number of the row that each id goes to."""
    given: dict[str, int] = {}
    for one in candidates:
        if one.number in losers:
            continue
        if one.id is None:
            made.new_id[one.number] = "it has none"
        elif given.setdefault(one.id, one.number) != one.number:
            made.new_id[one.number] = "another row has the same id"
    return given
