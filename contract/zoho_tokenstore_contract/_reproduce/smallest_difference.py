"""Finds the smallest observable difference between this store and a correct one after the same calls.

The difference becomes the last assertion of a script. It speaks of the one thing that is wrong, and of
nothing that stores may choose.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """

    kind: str
    key: int
    fields: tuple[str, ...] = ()
    wanted: Any = None


@dataclass(frozen=True)
class Comparison:
    """A program with what came of it on the store under test, and on one that keeps the contract."""

    program: Program
    seen: dict[int, StepObservation]
    right: dict[int, StepObservation]

    def claim(self) -> Assertion | None:
        """The difference at the latest step that has one."""
        for step in reversed(self.program):
            if step.key in self.seen and step.key in self.right:
                claim = self._at(step)
                if claim is not None:
                    return claim
        return None

    def _at(self, step: ProgramStep) -> Assertion | None:
        seen, right = self.seen[step.key], self.right[step.key]
        if right.kind == "raised":
            return None
        if right.kind == "refused":
            kind = {"returned": "refused", "raised": "clean"}.get(seen.kind)
            return None if kind is None else Assertion(kind, step.key)
        if seen.kind != "returned":
            return Assertion("opens" if step.method == "open" else "comes back", step.key)
        if seen.awaitable:
            return Assertion("plain", step.key)
        return self._of_value(step, seen, right) or self._of_passed(step, seen, right)

    # what was returned

    def _of_value(self, step: ProgramStep, seen: StepObservation, right: StepObservation) -> Assertion | None:
        if right.value is None:
            return None if seen.value is None else Assertion("none", step.key)
        if isinstance(right.value, list):
            if not isinstance(seen.value, list):
                return Assertion("list", step.key)
            if self._is_disputed(step):
                return self._of_kept_rows(step, seen.value, right.value)
            if len(seen.value) != len(right.value):
                return Assertion("count", step.key, wanted=len(right.value))
            rows = self._of_rows(step, seen.value, right.value)
            return rows or (Assertion("signature", step.key) if seen.bare_name else None)
        if not isinstance(right.value, Row):
            return None
        if not isinstance(seen.value, Row):
            return Assertion("token", step.key)
        if fields := self._differing(step, seen.value, right.value):
            wanted = tuple(self._wanted(step, right.value, name) for name in fields)
            return Assertion("found", step.key, fields, wanted)
        if seen.lacks:
            return Assertion("whole", step.key, seen.lacks)
        if seen.bare_name:
            return Assertion("signature", step.key)
        return None

    def _is_disputed(self, step: ProgramStep) -> bool:
        """One store took a token before that the other refused, and both may."""
        return any(
            self.seen[one.key].kind != self.right[one.key].kind
            for one in self.program
            if one.key < step.key and one.method == "save_token" and {one.key} <= {*self.seen} & {*self.right}
        )

    def _of_kept_rows(self, step: ProgramStep, seen: Sequence[Any], right: Sequence[Row]) -> Assertion | None:
        """A row that is not in dispute, and is not there."""
        for row in right:
            owned = self._owner(self.right, step, row)
            if owned is None or owned not in self.seen or self.seen[owned].kind != self.right[owned].kind:
                continue
            for name in _TELLING:
                value = getattr(row, name)
                there = [getattr(one, name) for one in seen if isinstance(one, Row)]
                if value is not None and value not in there:
                    return Assertion("holds", step.key, (name,), (value,))
        return None

    def _of_rows(self, step: ProgramStep, seen: Sequence[Any], right: Sequence[Row]) -> Assertion | None:
        if not all(isinstance(row, Row) for row in seen):
            return Assertion("rows", step.key, ("id",), self._all(step, right, ("id",)))
        if self._ids_are_apart(right) and not self._ids_are_apart(seen):
            return Assertion("unique", step.key)
        pairs = itertools.combinations((*_TELLING, "id"), 2)
        for names in (*((name,) for name in _TELLING), ("id",), *pairs):
            if self._multiset(self.seen, step, seen, names) != self._multiset(self.right, step, right, names):
                wanted = self._all(step, right, names)
                if wanted is not None:
                    return Assertion("rows", step.key, names, wanted)
        return None

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
    ) -> Assertion | None:
        if (
            seen.passed_after is None
            or right.passed_after is None
            or step.method not in ("save_token", "find_token")
        ):
            return None
        mine, other = (
            self._owner(self.seen, step, seen.passed_after),
            self._owner(self.right, step, right.passed_after),
        )
        own = step.key if step.same is None else step.same
        brought = isinstance(step.argument, Row) and isinstance(step.argument.id, str) and step.argument.id
        if step.method == "save_token" and absent(seen.passed_after.id) and not absent(right.passed_after.id):
            return Assertion("has id", step.key)
        if step.method == "save_token" and other == own and not brought:
            if not isinstance(seen.passed_after.id, str):
                return Assertion("has id", step.key)
            if mine != own and mine is not None:
                return Assertion("own id", step.key, wanted=(mine,))
        fields = self._differing(step, seen.passed_after, right.passed_after)
        if not fields:
            return None
        wanted = tuple(self._wanted(step, right.passed_after, name) for name in fields)
        return None if ... in wanted else Assertion("left", step.key, fields, wanted)

    # fields

    def _differing(self, step: ProgramStep, seen: Row, right: Row) -> tuple[str, ...]:
        """The field that differs; one that differs in more than `""` or a type comes first."""
        views: tuple[Callable[[Row], Row], ...] = (Row.plain, lambda row: row)
        for view in views:
            for name in _TELLING:
                if getattr(view(seen), name) != getattr(view(right), name):
                    return (name,)
        if self._comparable(self.seen, step, seen, "id") != self._comparable(self.right, step, right, "id"):
            return () if self._wanted(step, right, "id") is ... else ("id",)
        return ()

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
