"""What differs after a call, as data and in one sentence: which rows, which fields, what they share."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from .._spec.clause_results import Difference
from .._spec.short_wording import brief_token, brief_value, owner, several
from .._spec.tokens import FIELDS, Row, absent
from .calls import CallRecord

CHANGING = ("save_token", "delete_token", "delete_tokens")
"""The methods that change what is stored."""
_MANY = 3
_KIT = Path(__file__).parent.parent
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def brief_call(record: CallRecord) -> str:
    """A recorded call, without its answer, in few words."""
    if isinstance(record.argument, Row):
        argument = brief_token(record.argument)
    else:
        argument = "" if record.argument is ... else brief_value(record.argument)
    return f"{record.method}({argument})"


def passed_fields(record: CallRecord) -> tuple[str, ...]:
    """The fields that the passed token had, those with an empty text as such."""
    if not isinstance(record.argument, Row):
        return ()
    empty = [f"{name}=''" for name in FIELDS if getattr(record.argument, name) == ""]
    return (*record.argument.present(), *(empty if len(empty) < _MANY else ["'' elsewhere"]))


def of_rows(
    calls: Sequence[CallRecord],
    before: Sequence[Row],
    after: Sequence[Row],
    *,
    changed: Sequence[tuple[Row, Row]],
    gone: Sequence[Row],
    new: int,
    fields: Sequence[str],
) -> Difference | None:
    """What differs where the stored rows are not as expected; the arguments are those of `expect`.

    Args:
        calls: The recorded calls; the last one is what made the difference.
        before: The rows before it.
        after: The rows after it.
        changed: Rows that it had to change, each with what it had to become.
        gone: Rows that it had to remove.
        new: How many rows it had to add.
        fields: The fields that are compared.

    Returns:
        The difference; ``None`` where there is none.
    """
    record = _last_call(calls)
    if record is None:
        return None
    kind, wrong, rows, words = _compared(before, after, changed, gone, new=new, fields=fields)
    listing, ids = calls[-1].store, {row.id for row in after}
    if before and not any(row.id in ids for row in before) and _is_opened_again(calls, listing):
        kind, wrong, rows = "lost every row", (), ""
        words = f"{_rows(before)} gone after the store was opened again"
    elif (
        record.method in CHANGING and record.store != listing and _are_together(calls, record.store, listing)
    ):
        kind, words = "not seen by another store", f"another open store does not see it: {words}"
    return Difference(record.method, passed_fields(record), kind, wrong, rows, brief_call(record), words)


def _is_opened_again(calls: Sequence[CallRecord], store: int) -> bool:
    """Whether something had been saved on the location of a store when that was opened."""
    opened = next((place for place, one in enumerate(calls) if (one.method, one.store) == ("open", store)), 0)
    return any(one.method in CHANGING and _are_together(calls, one.store, store) for one in calls[:opened])


def _are_two_on_one(calls: Sequence[CallRecord], one: int, other: int) -> bool:
    """Whether they are two stores that were opened on the same location."""
    return one != other and _are_together(calls, one, other)


def _are_together(calls: Sequence[CallRecord], one: int, other: int) -> bool:
    """Whether two stores were opened on the same location."""
    places = {record.store: record.location for record in calls if record.method == "open"}
    return places.get(one) == places.get(other)


def _last_call(calls: Sequence[CallRecord]) -> CallRecord | None:
    """The call after which the rows were compared: the last one that does not only list them."""
    made = [record for record in calls if not record.note]
    telling = [record for record in made if record.method not in ("get_tokens", "chdir")]
    return telling[-1] if telling else None


Compared = tuple[str, tuple[str, ...], str, str]


def _compared(
    before: Sequence[Row],
    after: Sequence[Row],
    changed: Sequence[tuple[Row, Row]],
    gone: Sequence[Row],
    *,
    new: int,
    fields: Sequence[str],
) -> Compared:
    frame = _without(before, [*gone, *(old for old, _ in changed)])
    rest, missing = _without(after, frame), _without(frame, after)
    pairs = [(row, next((now for now in rest if now.id == row.id), None)) for row in missing]
    altered = [(row, now) for row, now in pairs if now is not None]
    if altered:
        return _altered(altered, before)
    if missing:
        common = shared_by(missing, [row for row in before if row not in missing])
        words = f"{_rows(missing)} gone, though the call does not address {_them(missing)}{_that(common)}"
        return "lost another row", (), common, words
    if left := [row for row in gone if row in rest]:
        common = shared_by(left, [row for row in before if row not in left])
        of = f"{len(left)} of {len(gone)} rows" if len(gone) > 1 else f"{owner(left[0])}'s row"
        there = "are" if len(gone) > 1 else "is"
        return "left a row", (), common, f"{of} {there} still there{_that(common) or _named(left, gone)}"
    if wrong := _wrong(changed, rest, fields):
        return wrong
    return _number(before, rest, new + len(changed), new)


def _without(rows: Sequence[Row], taken: Sequence[Row]) -> list[Row]:
    """The rows that are left when some are taken; what a store answers may not be hashable."""
    left = list(rows)
    for row in taken:
        if row in left:
            left.remove(row)
    return left


def _altered(altered: Sequence[tuple[Row, Row]], before: Sequence[Row]) -> Compared:
    rows = [old for old, _ in altered]
    common = shared_by(rows, [row for row in before if row not in rows])
    old, now = altered[0]
    fields = _differing(old, now)
    values = several((f"{name} is {brief_value(getattr(now, name))}" for name in fields), 3)
    whose = "'s row, ".join(dict.fromkeys(owner(row) for row in rows[:3])) + "'s row"
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    words = f"{whose}{more}, which the call does not address, changed: {values}{_that(common)}"
    return "changed another row", fields, common, words


def _wrong(changed: Sequence[tuple[Row, Row]], rest: Sequence[Row], fields: Sequence[str]) -> Compared | None:
    """The rows that should have changed, and did not become what they should be."""
    for old, wanted in changed:
        want = wanted.plain().only(*fields)
        if any(row.plain().only(*fields) == want for row in rest):
            continue
        now = next((row for row in rest if row.id == old.id), None)
        if now is None:
            return "lost its row", (), "", f"{owner(old)}'s row, which it should update, is gone"
        wrong = [name for name in fields if getattr(now.plain(), name) != getattr(want, name)]
        replaced = [name for name in _differing(old, now) if name not in wrong]
        states = {name: _state(name, old, now, want) for name in wrong}
        kinds = {
            state.partition(" is ")[0] if " is " in state else "kept old value" for state in states.values()
        }
        kind = "kept old value" if kinds == {"kept old value"} else "wrong value"
        words = f"{_told(states)} in {owner(old)}'s row"
        if replaced:
            words += f"; {several(replaced, 3)} {'was' if len(replaced) == 1 else 'were'} replaced"
        others = len(rest) - len(changed)
        if others > 0:
            kind = "added a second row"
            words = f"{others} row{'s were' if others > 1 else ' was'} added instead; {words}"
        return kind, tuple(wrong), "", words
    return None


def _told(states: dict[str, str]) -> str:
    """Fields with what became of them; those of the same fate together."""
    kept = [name for name, state in states.items() if state == "kept its old value"]
    said = (
        [f"{several(kept)} kept {'its old value' if len(kept) == 1 else 'their old values'}"] if kept else []
    )
    said += [state for name, state in states.items() if name not in kept]
    return several(said, 3)


def _state(name: str, old: Row, now: Row, want: Row) -> str:
    value = getattr(now, name)
    if value == getattr(old, name) and not absent(value):
        return "kept its old value"
    return f"{name} is {brief_value(value)}, not {brief_value(getattr(want, name))}"


def _number(before: Sequence[Row], rest: Sequence[Row], rows: int, new: int) -> Compared:
    if len(rest) < rows:
        missing = rows - len(rest)
        return "stored no row", (), "", f"{missing} row{'s' if missing > 1 else ''} fewer than expected"
    added = len(rest) - rows
    users = [row.user_name for row in before if row.user_name]
    twins = [row for row in rest if row.user_name in users]
    if twins and not new:
        return "added a second row", (), "", f"it added a second row of {owner(twins[-1])}"
    if not new:
        names = several(owner(row) for row in rest[-added:])
        return "added a row", (), "", f"it added {added} row{'s' if added > 1 else ''}: {names}"
    return "added more rows", (), "", f"it added {len(rest) - rows + new} rows, not {new}"


def _differing(one: Row, other: Row) -> tuple[str, ...]:
    return tuple(name for name in FIELDS if getattr(one.plain(), name) != getattr(other.plain(), name))


def _rows(rows: Sequence[Row]) -> str:
    if len(rows) == 1:
        return f"{owner(rows[0])}'s row is"
    return f"{len(rows)} rows ({several(map(owner, rows))}) are"


def _them(rows: Sequence[Row]) -> str:
    return "it" if len(rows) == 1 else "them"


def _that(common: str) -> str:
    return f": exactly the rows {common}" if common else ""


def _named(left: Sequence[Row], gone: Sequence[Row]) -> str:
    return "" if len(gone) == 1 else f": {several(map(owner, left))}"


def shared_by(wrong: Sequence[Row], rest: Iterable[Row]) -> str:
    """What these rows have in common and no other row has, for a sentence; "" where it is nothing.

    Args:
        wrong: The rows that are wrong.
        rest: The others.

    Returns:
        The words.
    """
    right = list(rest)
    if len(wrong) < 2 or not right:
        return ""
    for name in FIELDS:
        if name == "id":
            continue
        lack = [absent(getattr(row, name)) for row in wrong]
        others = [absent(getattr(row, name)) for row in right]
        if all(lack) and not any(others):
            return f"without {_words(name)}"
        if all(others) and not any(lack):
            return f"with {_words(name)}"
    for name in ("user_name", "client_id", "client_secret"):
        value = getattr(wrong[0], name)
        alike = all(getattr(row, name) == value for row in wrong)
        if alike and not any(getattr(row, name) == value for row in right):
            return f"with {name}={brief_value(value)}"
    return ""


def _words(name: str) -> str:
    return f"an {name}" if name[0] in "ae" else f"a {name}"


def store_frame(error: BaseException) -> str:
    """The innermost line of the store that an exception passed, else of a library that it uses.

    Returns:
        The line as ``store.py:12 in save_token``; "" where it passed neither.
    """
    frames = _outside_the_kit(error)
    return innermost_line(error) or (_line(frames[-1]) if frames else "")


def innermost_line(error: BaseException, after: int = 0) -> str:
    """The innermost line of the store itself that an exception passed; "" where it passed none.

    Args:
        error: The exception.
        after: How many of the outermost frames do not count.
    """
    frames = _outside_the_kit(error, after)
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)]
    return _line(own[-1]) if own else ""


def _outside_the_kit(error: BaseException, after: int = 0) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)[after:]
    return [frame for frame in frames if not Path(frame.filename).is_relative_to(_KIT)]


def _line(frame: traceback.FrameSummary) -> str:
    return f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
