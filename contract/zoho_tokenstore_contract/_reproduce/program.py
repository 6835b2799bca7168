"""The calls of a finding as a program: what is literal in it, and what another call gave."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._harness.calls import CallRecord
from .._spec.tokens import Row

METHODS = ("save_token", "find_token", "find_token_by_id", "get_tokens", "delete_token", "delete_tokens")


CHANGES = ("append", "pop", "clear")
"""What is done to a list that was returned."""


OVERWRITTEN = "spoilt"
"""What every field of an overwritten token is set to."""


class Unplayable(Exception):
    """The calls cannot be made again; the text says why."""


@dataclass(frozen=True)
class IdOfStep:
    """The id that the token of an earlier step carries, with text around it."""

    step: int
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class ProgramStep:
    """One call of a program.

    Attributes:
        key: Its number; stays the same when other steps are left out.
        method: A method of the store, ``open``, ``close``, ``chdir``, ``overwrite_fields``, or one of
            `CHANGES`.
        store: The step that opened the store.
        argument: A row for a token, whose id may be an `IdOfStep`; an `IdOfStep`; another value; `...` for
            none.
        same: The step whose very token, or list, is meant.
        place: For `same`: ``passed``, ``returned``, or the place in the returned list.
        location: Which location is opened, or changed to, counted from 1; 0 for where it began.
    """

    key: int
    method: str
    store: int = 0
    argument: Any = ...
    same: int | None = None
    place: str | int = "passed"
    location: int = 0


Program = tuple[ProgramStep, ...]


def program_of(calls: Sequence[CallRecord]) -> Program:
    """Make a program of recorded calls.

    Raises:
        Unplayable: Where an argument is nothing that a program can write down.
    """
    return tuple(_Reader().read(calls))


class _Reader:
    def __init__(self) -> None:
        self.stores: dict[int, int] = {}
        self.locations: dict[Path | None, int] = {}
        self.ids: dict[str, int] = {}
        self.objects: dict[int, tuple[int, str | int]] = {}

    def read(self, calls: Sequence[CallRecord]) -> Iterator[ProgramStep]:
        for key, call in enumerate(calls, 1):
            if call.method == "open":
                self.stores[call.store] = key
                yield ProgramStep(key, "open", key, location=self._location(call.location))
                continue
            if call.store not in self.stores:
                raise Unplayable("its calls begin in the middle")
            store = self.stores[call.store]
            if call.method == "chdir":
                yield ProgramStep(
                    key,
                    "chdir",
                    store,
                    location=0 if call.location is None else self._location(call.location),
                )
            elif call.method in ("overwrite_fields", *CHANGES):
                if id(call.passed) not in self.objects:
                    raise Unplayable("it changes an object that no recorded call has to do with")
                same, place = self.objects[id(call.passed)]
                yield ProgramStep(key, call.method, store, same=same, place=place)
            else:
                yield self._call(key, store, call)

    def _location(self, location: Path | None) -> int:
        return self.locations.setdefault(location, len(self.locations) + 1)

    def _call(self, key: int, store: int, call: CallRecord) -> ProgramStep:
        argument, same, place = call.argument, None, "passed"
        if isinstance(argument, Row) and call.passed is None:
            raise Unplayable("some of its calls are made in another process")
        if isinstance(argument, Row):
            if id(call.passed) in self.objects:
                same, at = self.objects[id(call.passed)]
                place = at if isinstance(at, str) else "passed"
                if isinstance(at, int):
                    same = None
            else:
                self.objects[id(call.passed)] = (key, "passed")
            argument = argument.but(id=self._id(argument.id))
        elif isinstance(argument, str):
            argument = self._id(argument)
        elif argument is not ... and not _is_literal(argument):
            raise Unplayable(f"it passes {type(argument).__name__}, which a program cannot write down")
        if isinstance(call.id_after, str) and call.id_after:
            self.ids.setdefault(call.id_after, key if same is None else same)
        for place_in_list, token in enumerate(call.returned if isinstance(call.returned, list) else ()):
            self.objects.setdefault(id(token), (key, place_in_list))
        if call.returned is not None:
            self.objects.setdefault(id(call.returned), (key, "returned"))
        return ProgramStep(key, call.method, store, argument, same, place)

    def _id(self, id: Any) -> Any:
        """An id of which a store gave the whole, or the text that was made of it."""
        if not isinstance(id, str):
            return id
        if id in self.ids:
            return IdOfStep(self.ids[id])
        for given, step in self.ids.items():
            # A short one stands in other texts by chance.
            if len(given) > 3 and given in id:
                before, _, after = id.partition(given)
                return IdOfStep(step, before, after)
        return id


def _is_literal(value: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (SyntaxError, ValueError):
        return False
