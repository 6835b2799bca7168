"""Write what a plan says with the target's own `save_token`, and read every row back by every key.

The source is only read. What a move that was killed has written is recognised by its contents, so that
running it again adds what is missing and doubles nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .._spec.outcomes import UsageError
from .._spec.tokens import FIELDS, SECRETS, Row, to_row, to_token
from . import rules
from .audit import EXAMPLES, described
from .opening import Target
from .plan import Plan, numbered
from .reading import Reader

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
    """What the target holds before anything is written.

    Attributes:
        there: The rows of the plan that it holds already, by their number, with their id.
        differs: The rows of the plan of whose login it holds another state: its id and its worth.
        others: How many other rows it holds.
        examples: Where the first of these and of those that differ stand.
        ids: Every id that it has given.
    """

    there: dict[int, str] = field(default_factory=dict)
    differs: dict[int, tuple[str, tuple[bool, bool, int]]] = field(default_factory=dict)
    others: int = 0
    examples: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)


@dataclass
class Moved:
    """What a move did.

    Attributes:
        written: How many rows it saved as new ones.
        updated: How many rows of the target it brought up to date, with ``--merge``.
        newer: How many rows of the target it left alone, for they are newer than those of the source.
        already: How many rows the target held already.
        ids: For each row that has another id in the target: the old one and the new one.
        kept: The ids in the target of the rows that are written in place of others, by their number.
        failed: What could not be carried over, or reads back differently: where, and why.
        broken_off: Why the move ended early; "" where it did not.
    """

    written: int = 0
    updated: int = 0
    newer: int = 0
    already: int = 0
    ids: list[tuple[str | None, str | None]] = field(default_factory=list)
    kept: dict[int, str] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    broken_off: str = ""


def standing(reader: Reader | None, made: Plan) -> Standing:
    """Look at what a target holds.

    Args:
        reader: Reads the target; ``None`` where there is none yet.
        made: What is to be written.

    Raises:
        CannotRead: The target cannot be read.
    """
    found = Standing()
    for record in reader.records() if reader is not None else ():
        row = None if record.row is None else record.row.plain()
        if row is not None and row.id is not None:
            found.ids.add(str(row.id))
        number = None if row is None else made.keys.get(rules.contents(row))
        if row is not None and number is not None and number not in found.there:
            found.there[number] = str(row.id)
            continue
        number = (
            None
            if row is None
            else next((made.keys[key] for key in rules.keys(row) if key in made.keys), None)
        )
        if row is not None and number is not None and number not in found.differs:
            found.differs[number] = (str(row.id), rules.worth(row))
        else:
            found.others += 1
            made.shared.update(rules.reached_by(row) if row is not None else ())
        if len(found.examples) < EXAMPLES:
            found.examples.append(described(record))
    return found


def check_target(found: Standing, address: str, *, merge: bool) -> None:
    """Refuse a target that holds tokens of its own.

    Raises:
        UsageError: It holds other tokens, and nobody said that they are to be merged.
    """
    if merge or not (found.others or found.differs):
        return
    what = []
    if found.others:
        what.append(f"{found.others:,} rows that are not in the source")
    if found.differs:
        what.append(f"{len(found.differs):,} rows of the same logins in another state")
    raise UsageError(
        f"{address} holds {' and '.join(what)}: {'; '.join(found.examples)}. Nothing was written. "
        "With --merge they stay, and of one login the newest row that can renew"
    )


def move(
    source: Reader,
    target: Target,
    made: Plan,
    found: Standing,
    progress: Callable[[int], None] = lambda _: None,
) -> Moved:
    """Write what is missing in the target, and read all of it back.

    Args:
        source: Reads the source.
        target: Where to write.
        made: What to write.
        found: What the target held before.
        progress: Told how many rows are done, after each batch.
    """
    mover = _Mover(target.store, made, found)
    done = 0
    # Ids that are kept come first: what the target makes up must not be one of them.
    for keeps_id in (True, False) if made.new_id else (True,):
        rows = ((*one,) for one in numbered(source, made) if (one[0] not in made.new_id) is keeps_id)
        for batch in _batches(rows):
            saved = [mover.save(number, described(record), row) for number, record, row in batch]
            for one in saved:
                if one is not None:
                    mover.check(one)
            done += len(batch)
            progress(done)
            if mover.moved.broken_off:
                return mover.moved
    if done != len(made.writes):
        mover.moved.broken_off = CHANGED
    return mover.moved


CHANGED = "the source has changed since the plan was made; run the command again, with --merge"


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(rows, BATCH)):
        yield batch


@dataclass(frozen=True)
class _Saved:
    """A row that is to be read back: its place, what it has to be, and the fields that count."""

    place: str
    row: Row
    fields: tuple[str, ...]


class _Mover:
    def __init__(self, store: Any, made: Plan, found: Standing) -> None:
        self.moved = Moved()
        self._store = store
        self._plan = made
        self._found = found
        self._preferred = {one.instead for one in made.conflicts}

    def save(self, number: int, place: str, row: Row) -> _Saved | None:
        """Save a row, unless the target has it; ``None`` where there is nothing to read back."""
        if self.moved.broken_off:
            return None
        if rules.contents(row) != self._plan.writes[number]:
            self.moved.broken_off = CHANGED
            return None
        if number in self._found.differs and number not in self._found.there:
            return self._merge(number, place, row, *self._found.differs[number])
        if number in self._found.there:
            self.moved.already += 1
            return self._saved(number, place, row, self._found.there[number])
        # An application that uses the target already may have saved the login since it was looked at.
        since = self._saved_since(row)
        if since is not None:
            return self._merge(number, place, row, since.id, rules.worth(since))
        keeps_id = number not in self._plan.new_id and str(row.id) not in self._found.ids
        token = to_token(row if keeps_id else row.but(id=None))
        error = self._try_to_save(token)
        if error is not None and keeps_id:
            # The store may not keep such an id: better another one than no token.
            token = to_token(row.but(id=None))
            error = self._try_to_save(token)
        if error is not None:
            self._fail(place, f"save_token raises {_harmless(error, row)}")
            return None
        self.moved.written += 1
        return self._saved(number, place, row, token.get_id())

    def _saved_since(self, row: Row) -> Row | None:
        if row.user_name:
            asked = row.only("user_name")
        elif ways := [way for way in rules.credentials(row) if not rules.has_no_key(row)]:
            asked = row.only(*_WAYS[ways[-1]])
        else:
            return None
        answer = self._found_by(asked)
        return None if isinstance(answer, str) else answer

    def _merge(
        self, number: int, place: str, row: Row, id: str, worth: tuple[bool, bool, int]
    ) -> _Saved | None:
        if worth[1:] >= rules.worth(row)[1:]:
            self.moved.newer += 1
            self._note_id(number, row, id)
            return None
        token = to_token(row.but(id=None))
        error = self._try_to_save(token)
        if error is not None:
            self._fail(place, f"save_token raises {_harmless(error, row)}")
            return None
        self.moved.updated += 1
        self._note_id(number, row, token.get_id())
        return _Saved(place, row.but(id=token.get_id()), tuple(row.but(id=token.get_id()).present()))

    def _saved(self, number: int, place: str, row: Row, id: str | None) -> _Saved:
        self._note_id(number, row, id)
        return _Saved(place, row.but(id=id), FIELDS)

    def _note_id(self, number: int, row: Row, id: str | None) -> None:
        if number in self._preferred and id is not None:
            self.moved.kept[number] = id
        if id != row.id:
            self.moved.ids.append((row.id, id))

    def _try_to_save(self, token: Any) -> Exception | None:
        try:
            self._store.save_token(token)
        except Exception as error:
            return error
        return None

    def check(self, saved: _Saved) -> None:
        """Read a row back by its id and by every key, and compare it field by field."""
        row = saved.row
        answers = {"id": self._answer(lambda: self._store.find_token_by_id(row.id))}
        if row.user_name:
            answers["user name"] = self._found_by(row.only("user_name"))
        for name, key in rules.credentials(row).items():
            # Where several rows have a credential, it may lead to any of them.
            if key not in self._plan.shared:
                answers[name.replace("_", " ")] = self._found_by(row.only(*_WAYS[name]))
        for way, answer in answers.items():
            if problem := _difference(answer, saved):
                self._fail(saved.place, f"read back by its {way}, {problem}")
                return

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
