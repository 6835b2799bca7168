"""Finds the smallest observable difference between this store and a correct one after the same calls.

The difference becomes the last assertion of a script. It speaks of the one thing that is wrong, and of
nothing that stores may choose.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .._spec.clause_results import Difference
from .._spec.tokens import Row, absent
from .program import IdOfStep, Program, ProgramStep
from .replay import StepObservation, owner

_TELLING = (
    "access_token",
    "refresh_token",
    "grant_token",
    "user_name",
    "expires_in",
    "client_id",
    "client_secret",
    "redirect_url",
    "api_domain",
)


_OF_ROWS = ("get_tokens", "find_token_by_id")
"""What shows how a row is stored, whatever has changed it."""
_FEWER, _MORE = "fewer rows", "more rows"
_SHOWN_AS = {
    "lost every row": (_FEWER,),
    "lost another row": (_FEWER,),
    "lost its row": (_FEWER,),
    "stored no row": (_FEWER,),
    "left a row": (_MORE,),
    "added a row": (_MORE,),
    "added a second row": (_MORE,),
    "added more rows": (_MORE,),
    "gave an id twice": ("unique", "own id"),
    "did not fill in the passed token": ("left", "has id"),
    "found nothing": ("token",),
    "found what is not stored": ("none",),
    "found a deleted token": ("none",),
}
"""By the kind of a finding's difference, the kinds or manners of assertions that show it."""


@dataclass(frozen=True)
class Assertion:
    """One property of what came of one step.

    Attributes:
        kind: ``opens``, ``comes back``, ``refused``, ``clean`` (it raises nothing but ``SDKException``),
            ``plain``, ``none``, ``token``, ``whole``, ``list``, ``count``, ``unique``, ``holds`` and
            ``rows`` (of what is listed), ``signature`` and ``found`` (of what was found), ``left``,
            ``has id`` and ``own id`` (of the passed token).
        key: The step.
        fields: Which fields it speaks of.
        wanted: Their values, a tuple; for ``rows`` a list of these; for ``count`` a number; for
            ``own id`` the steps whose tokens have other ids. Ids are an `IdOfStep` where a store gives them.
        manner: How it differs: too few or too many rows; a value that is lost, that should not be there, or
            that should be another.
    """

    kind: str
    key: int
    fields: tuple[str, ...] = ()
    wanted: Any = None
    manner: str = ""

    @property
    def sort(self) -> tuple[object, ...]:
        """What assertions share that show the same fault: the reading, its fields, and how these differ."""
        return self.kind, self.fields, self.manner

    def shows(self, difference: Difference, method: str) -> bool:
        """Whether it shows what a finding tells.

        Args:
            difference: What the finding tells.
            method: The method of the call of which it speaks.
        """
        if difference.kind.startswith("raised"):
            return self.kind in ("opens", "comes back", "clean") and method == difference.method
        if shown := _SHOWN_AS.get(difference.kind):
            return self.kind in shown or self.manner in shown
        if method not in (difference.method, *_OF_ROWS):
            return False  # another lookup may have a fault of its own
        return not difference.fields or not {*self.fields}.isdisjoint(difference.fields)


@dataclass(frozen=True)
class Comparison:
    """A program with what came of it on the store under test, and on one that keeps the contract."""

    program: Program
    seen: dict[int, StepObservation]
    right: dict[int, StepObservation]

    def claim(self, told: Difference | None) -> Assertion | None:
        """The latest difference that shows what a finding tells; where none does, the latest one.

        Args:
            told: What the finding tells, where it is known.
        """
        latest = None
        for step in reversed(self.program):
            for claim in self.at(step):
                if told is None or claim.shows(told, step.method):
                    return claim
                latest = latest or claim
        return latest

    def at(self, step: ProgramStep) -> Iterator[Assertion]:
        """The differences at a step, the plainest first.

        Args:
            step: The step.
        """
        if step.key not in self.seen or step.key not in self.right:
            return
        seen, right = self.seen[step.key], self.right[step.key]
        if right.kind == "raised":
            return
        if right.kind == "refused":
            kind = {"returned": "refused", "raised": "clean"}.get(seen.kind)
            if kind is not None:
                yield Assertion(kind, step.key)
        elif seen.kind != "returned":
            yield Assertion("opens" if step.method == "open" else "comes back", step.key)
        elif seen.awaitable:
            yield Assertion("plain", step.key)
        else:
            yield from self._of_value(step, seen, right)
            yield from self._of_passed(step, seen, right)

    # what was returned

    def _of_value(
        self, step: ProgramStep, seen: StepObservation, right: StepObservation
    ) -> Iterator[Assertion]:
        if right.value is None:
            if seen.value is not None:
                yield Assertion("none", step.key)
        elif isinstance(right.value, list):
            yield from self._of_list(step, seen, right.value)
        elif not isinstance(right.value, Row):
            return
        elif not isinstance(seen.value, Row):
            yield Assertion("token", step.key)
        else:
            yield from self._of_fields("found", step, seen.value, right.value)
            if seen.lacks:
                yield Assertion("whole", step.key, seen.lacks)
            if seen.bare_name:
                yield Assertion("signature", step.key)

    def _of_list(self, step: ProgramStep, seen: StepObservation, right: Sequence[Row]) -> Iterator[Assertion]:
        if not isinstance(seen.value, list):
            yield Assertion("list", step.key)
        elif self._is_disputed(step):
            yield from self._of_kept_rows(step, seen.value, right)
        elif len(seen.value) != len(right):
            manner = _FEWER if len(seen.value) < len(right) else _MORE
            yield Assertion("count", step.key, wanted=len(right), manner=manner)
        else:
            yield from self._of_rows(step, seen.value, right)
            if seen.bare_name:
                yield Assertion("signature", step.key)

    def _is_disputed(self, step: ProgramStep) -> bool:
        """One store took a token before that the other refused, and both may."""
        return any(
            self.seen[one.key].kind != self.right[one.key].kind
            for one in self.program
            if one.key < step.key and one.method == "save_token" and {one.key} <= {*self.seen} & {*self.right}
        )

    def _of_kept_rows(
        self, step: ProgramStep, seen: Sequence[Any], right: Sequence[Row]
    ) -> Iterator[Assertion]:
        """A row that is not in dispute, and is not there."""
        for row in right:
            owned = self._owner(self.right, step, row)
            if owned is None or owned not in self.seen or self.seen[owned].kind != self.right[owned].kind:
                continue
            for name in _TELLING:
                value = getattr(row, name)
                there = [getattr(one, name) for one in seen if isinstance(one, Row)]
                if value is not None and value not in there:
                    yield Assertion("holds", step.key, (name,), (value,), _FEWER)

    def _of_rows(self, step: ProgramStep, seen: Sequence[Any], right: Sequence[Row]) -> Iterator[Assertion]:
        if not all(isinstance(row, Row) for row in seen):
            yield Assertion("rows", step.key, ("id",), self._all(step, right, ("id",)))
            return
        if self._ids_are_apart(right) and not self._ids_are_apart(seen):
            yield Assertion("unique", step.key)
        apart = False
        for names in (
            *((name,) for name in (*_TELLING, "id")),
            *itertools.combinations((*_TELLING, "id"), 2),
        ):
            if apart and len(names) > 1:
                return  # what each field shows by itself
            there = self._multiset(self.seen, step, seen, names)
            due = self._multiset(self.right, step, right, names)
            wanted = self._all(step, right, names) if there != due else None
            if wanted is not None:
                apart = True
                manner = _manner([*(there - due)], [*(due - there)])
                yield Assertion("rows", step.key, names, wanted, manner)

    @staticmethod
    def _ids_are_apart(rows: Sequence[Row]) -> bool:
        return len({row.id for row in rows}) == len(rows)

    def _multiset(
        self, by: dict[int, StepObservation], step: ProgramStep, rows: Sequence[Row], names: tuple[str, ...]
    ) -> Counter[Any]:
        return Counter(tuple(self._comparable(by, step, row, name) for name in names) for row in rows)

    def _all(self, step: ProgramStep, rows: Sequence[Row], names: tuple[str, ...]) -> list[Any] | None:
        wanted = [tuple(self._wanted(step, row, name) for name in names) for row in rows]
        return None if any(value is ... for values in wanted for value in values) else wanted

    # the token that was passed

    def _of_passed(
        self, step: ProgramStep, seen: StepObservation, right: StepObservation
    ) -> Iterator[Assertion]:
        if (
            seen.passed_after is None
            or right.passed_after is None
            or step.method not in ("save_token", "find_token")
        ):
            return
        mine, other = (
            self._owner(self.seen, step, seen.passed_after),
            self._owner(self.right, step, right.passed_after),
        )
        own = step.key if step.same is None else step.same
        brought = isinstance(step.argument, Row) and isinstance(step.argument.id, str) and step.argument.id
        saved, id = step.method == "save_token", seen.passed_after.id
        inserted = saved and other == own and not brought
        lost = absent(id) and not absent(right.passed_after.id)
        if (saved and lost) or (inserted and not isinstance(id, str)):
            yield Assertion("has id", step.key)
        elif inserted and mine != own and mine is not None:
            yield Assertion("own id", step.key, wanted=(mine,))
        else:
            yield from self._of_fields("left", step, seen.passed_after, right.passed_after)

    # fields

    def _of_fields(self, kind: str, step: ProgramStep, seen: Row, right: Row) -> Iterator[Assertion]:
        """The fields that differ; those that differ in more than `""` or a type come first."""
        views: tuple[Callable[[Row], Row], ...] = (Row.plain, lambda row: row)
        for view in views:
            for name in _TELLING:
                value, due = getattr(view(seen), name), getattr(view(right), name)
                if value != due:
                    manner = _manner([(value,)], [(due,)])
                    yield Assertion(kind, step.key, (name,), (getattr(right, name),), manner)
        if self._comparable(self.seen, step, seen, "id") != self._comparable(self.right, step, right, "id"):
            wanted = self._wanted(step, right, "id")
            if wanted is not ...:
                yield Assertion(kind, step.key, ("id",), (wanted,))

    def _comparable(self, by: dict[int, StepObservation], step: ProgramStep, row: Row, name: str) -> Any:
        """A field as stores can be compared by it: an id as whose it is."""
        if name != "id":
            return getattr(row, name)
        if isinstance(step.argument, Row) and row.id == step.argument.id and not absent(row.id):
            return ("given", row.id)
        owned = self._owner(by, step, row)
        if owned is not None:
            return ("given", row.id) if self._brought(owned) == row.id else ("of", owned)
        return ("absent",) if absent(row.id) else ("unknown",)

    def _owner(self, by: dict[int, StepObservation], step: ProgramStep, row: Row) -> int | None:
        return owner(self.program, by, row.id, step.key)

    def _wanted(self, step: ProgramStep, row: Row, name: str) -> Any:
        """A field of a row of the right store, as a program can say it; `...` where it cannot."""
        if name != "id":
            return getattr(row, name)
        if absent(row.id) or (isinstance(step.argument, Row) and row.id == step.argument.id):
            return row.id
        owned = self._owner(self.right, step, row)
        if owned is None:
            return ...
        return self._brought(owned) or IdOfStep(owned)

    def _brought(self, key: int) -> str:
        """The id that the token of a step brought along."""
        id = next(step.argument.id for step in self.program if step.key == key)
        return id if isinstance(id, str) else ""


def _manner(seen: Iterable[tuple[Any, ...]], right: Iterable[tuple[Any, ...]]) -> str:
    """How values differ from those that should be there."""
    if all(absent(value) for values in seen for value in values):
        return "lost"
    return "not due" if all(absent(value) for values in right for value in values) else "wrong"
