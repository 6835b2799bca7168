"""Write what a plan says with the target's own `save_token`, and read every row back by every key.

The source is only read. What a move that was killed has written is recognised by its contents, so that
running it again adds what is missing and doubles nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._spec.clause_results import UsageError
from .._spec.tokens import FIELDS, SECRETS, Row, to_row, to_token
from . import digests
from .audit import EXAMPLES
from .plan import OTHER, SAME, Order, Plan, writable
from .readers import CannotRead, Changed, Reader, SourceRecord, described

BATCH = 500
"""How many rows are held in memory at once."""

MOST_FAILURES = 100
"""A move stops after so many rows that the target does not take."""

_CLIENT = ("client_id", "client_secret")
_WAYS = {
    "access_token": ("access_token",),
    "grant_token": ("grant_token", *_CLIENT),
    "refresh_token": ("refresh_token", *_CLIENT),
}


@dataclass
class Standing:
    """What else a target holds before anything is written.

    Attributes:
        others: How many rows are of logins that the plan does not write.
        examples: Where the first of its rows stand that are not those of the plan.
    """

    others: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class Moved:
    """What a move did.

    Attributes:
        written: How many rows it saved as new ones.
        updated: How many rows of the target it brought up to date, with ``--merge``.
        newer: How many rows of the target it left alone, for they are newer than those of the source.
        already: How many rows the target held already.
        failed: What could not be carried over, or reads back differently: where, and why.
        broken_off: Why the move ended early; "" where it did not.
    """

    written: int = 0
    updated: int = 0
    newer: int = 0
    already: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    broken_off: str = ""


def look_at_target(
    reader: Reader | None, made: Plan, progress: Callable[[int], None] = lambda _: None
) -> Standing:
    """Compare what a target holds with what is to be written, and note it in the plan.

    Args:
        reader: Reads the target; ``None`` where there is none yet.
        made: What is to be written.
        progress: Told how many rows have been read, now and then.

    Raises:
        CannotRead: The target cannot be read.
    """
    found = Standing()
    for count, record in enumerate(reader.records() if reader is not None else (), 1):
        if not _is_of_plan(record.row and record.row.plain(), made, found) and len(found.examples) < EXAMPLES:
            found.examples.append(described(record))
        if count % 1000 == 0:
            progress(count)
    made.end_of_target()
    return found


def _is_of_plan(row: Row | None, made: Plan, found: Standing) -> bool:
    """Note a row of the target. Returns whether it is one that is to be written, in the same state."""
    if row is None:
        found.others += 1
        return False
    if row.id is not None:
        made.take(row.id)
    number = made.leads_to([digests.contents(row)])
    if number is not None and (state := made.state_of(number)) != SAME:
        found.others += state == OTHER
        made.see_in_target(number, SAME, row)
        return True
    number = made.leads_to(digests.keys(row))
    if number is not None and made.state_of(number) is None:
        made.see_in_target(number, OTHER, row)
    else:
        found.others += 1
        made.share(digests.reached_by(row))
    return False


def check_target(found: Standing, made: Plan, address: str, *, merge: bool) -> None:
    """Refuse a target that holds tokens of its own.

    Args:
        found: How the target stands to the source.
        made: The plan.
        address: The address of the target.
        merge: Other tokens are to be kept beside the new ones.

    Raises:
        UsageError: It holds other tokens, and nobody said that they are to be merged.
    """
    differs = made.in_target(OTHER)
    if merge or not (found.others or differs):
        return
    what = []
    if found.others:
        what.append(f"{found.others:,} rows that are not in the source")
    if differs:
        what.append(f"{differs:,} rows of the same logins in another state")
    raise UsageError(
        f"{address} holds {' and '.join(what)}: {'; '.join(found.examples)}. Nothing was written. "
        "With --merge they stay, and of one login the newest row that can renew"
    )


def move(source: Reader, store: Any, made: Plan, progress: Callable[[int], None] = lambda _: None) -> Moved:
    """Write what is missing in the target, and read all of it back.

    Args:
        source: Reads the source.
        store: Where to write.
        made: What to write; what the target holds is noted in it.
        progress: Told how many rows are done, after each batch.
    """
    mover = _Mover(store, made)
    done = 0
    try:
        # Ids that are kept come first: what the target makes up must not be one of them.
        for keeps_id in (True, False):
            for orders, records in _batches(source, made, keeps_id=keeps_id):
                mover.carry_over([(orders[number], record) for number, record in records if number in orders])
                done += len(orders)
                progress(done)
                if mover.moved.broken_off:
                    return mover.moved
            if done == made.to_write:
                return mover.moved
        raise Changed
    except CannotRead as error:
        mover.moved.broken_off = f"the source: {error}, with --merge"
    return mover.moved


def _batches(
    source: Reader, made: Plan, *, keeps_id: bool
) -> Iterator[tuple[dict[int, Order], list[tuple[int, SourceRecord]]]]:
    records = enumerate(source.records())
    while batch := list(itertools.islice(records, BATCH)):
        yield made.orders(batch[0][0], batch[-1][0], keeps_id=keeps_id), batch


@dataclass(frozen=True)
class _Saved:
    """A row that is to be read back: its place, what it has to be, and the fields that count."""

    place: str
    row: Row
    fields: Sequence[str]


class _Mover:
    def __init__(self, store: Any, made: Plan) -> None:
        self.moved = Moved()
        self._store = store
        self._plan = made
        self._ids: list[tuple[int, str | None]] = []

    def carry_over(self, batch: list[tuple[Order, SourceRecord]]) -> None:
        """Save some rows, and read them back.

        Raises:
            Changed: One of them is not as it was when the plan was made. None is saved then.
        """
        rows = [(order, described(record), writable(record)) for order, record in batch]
        if any(row is None or digests.contents(row) != order.contents for order, _, row in rows):
            raise Changed
        saved = [self._save(order, place, row) for order, place, row in rows if row is not None]
        for one in saved:
            if one is not None:
                self._check(one)
        self._plan.note_ids(self._ids)
        self._ids.clear()

    def _save(self, order: Order, place: str, row: Row) -> _Saved | None:
        """Save a row, unless the target has it; ``None`` where there is nothing to read back."""
        if self.moved.broken_off:
            return None
        if order.state == SAME:
            self.moved.already += 1
            return self._saved(order, place, row, order.target_id)
        if order.state == OTHER:
            return self._merge(order, place, row, order.target_id, order.target_worth)
        # An application that uses the target already may have saved the login since it was looked at.
        since = self._saved_since(row)
        if since is not None:
            return self._merge(order, place, row, since.id, digests.worth(since)[1:])
        # The store may not keep such an id: better another one than no token.
        id = self._written(place, *([row] if order.keeps_id else []), row.but(id=None))
        if id is None:
            return None
        self.moved.written += 1
        return self._saved(order, place, row, id)

    def _written(self, place: str, *tries: Row) -> str | None:
        """Save the first of these that the target takes. Returns its id; ``None`` where it takes none."""
        said = ""
        for row in tries:
            token = to_token(row)
            try:
                self._store.save_token(token)
            except Exception as error:
                said = _harmless(error, row)
            else:
                return str(token.get_id())
        self._fail(place, f"save_token raises {said}")
        return None

    def _saved_since(self, row: Row) -> Row | None:
        if row.user_name:
            asked = row.only("user_name")
        elif not digests.has_no_key(row):
            *_, way = digests.credentials(row)
            asked = row.only(*_WAYS[way])
        else:
            return None
        answer = self._found_by(asked)
        return None if isinstance(answer, str) else answer

    def _merge(
        self, order: Order, place: str, row: Row, id: str | None, worth: tuple[bool, int]
    ) -> _Saved | None:
        if worth >= digests.worth(row)[1:]:
            self.moved.newer += 1
            self._ids.append((order.number, id))
            return None
        if (id := self._written(place, row.but(id=None))) is None:
            return None
        self.moved.updated += 1
        # Fields that the row lacks stay as they are in the target.
        return self._saved(order, place, row, id, ["id", *row.but(id=None).present()])

    def _saved(
        self, order: Order, place: str, row: Row, id: str | None, fields: Sequence[str] = FIELDS
    ) -> _Saved:
        self._ids.append((order.number, id))
        return _Saved(place, row.but(id=id), fields)

    def _check(self, saved: _Saved) -> None:
        """Read a row back by its id and by every key, and compare it field by field."""
        row = saved.row
        problem = _difference(self._answer(lambda: self._store.find_token_by_id(row.id)), saved)
        way = "id"
        if row.user_name and not problem:
            problem, way = _difference(self._found_by(row.only("user_name")), saved), "user name"
        for name, key in digests.credentials(row).items():
            if problem:
                break
            problem, way = _difference(self._found_by(row.only(*_WAYS[name])), saved), name.replace("_", " ")
            # Where several rows have a credential, it may lead to any of them.
            if problem and self._plan.is_shared(key):
                problem = ""
        if problem and not self._is_renewed(row):
            self._fail(saved.place, f"read back by its {way}, {problem}")

    def _is_renewed(self, row: Row) -> bool:
        """Whether an application that uses the target has renewed the row meanwhile."""
        now = self._answer(lambda: self._store.find_token_by_id(row.id))
        return (
            isinstance(now, Row)
            and (now.id, now.user_name) == (row.id, row.user_name)
            and digests.expiry(now) > digests.expiry(row)
        )

    def _found_by(self, asked: Row) -> Row | str:
        return self._answer(lambda: self._store.find_token(to_token(asked)))

    def _answer(self, ask: Callable[[], Any]) -> Row | str:
        try:
            token = ask()
            return "it is not found" if token is None else to_row(token).plain()
        except Exception as error:
            return f"the target raises {type(error).__name__}"

    def _fail(self, place: str, why: str) -> None:
        self.moved.failed.append((place, why))
        if len(self.moved.failed) >= MOST_FAILURES:
            self.moved.broken_off = f"{MOST_FAILURES} rows failed"


def _difference(answer: Row | str, saved: _Saved) -> str:
    if isinstance(answer, str):
        return answer
    names = [name for name in saved.fields if getattr(answer, name) != getattr(saved.row, name)]
    return f"it differs in {', '.join(names)}" if names else ""


def _harmless(error: Exception, row: Row) -> str:
    """An exception in words, without a secret of the row."""
    text = str(error)
    for name in SECRETS:
        if value := getattr(row, name):
            text = text.replace(value, "***")
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__
