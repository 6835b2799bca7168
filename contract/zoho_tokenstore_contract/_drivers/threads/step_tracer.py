"""Watches the steps of a call: what each of them reads and changes of what threads share."""

from __future__ import annotations

import builtins
import contextlib
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..._spec.sdk import load
from ..outward_calls import INSIDE, place_of, reaches_out
from .lines import lines_of
from .pause_points import Place, is_of_a_store, is_place, is_the_kits, without_collections
from .shared_state import OF_FILES, SKIPPED, TEXTS, SharedState, attributes_of, library_files, own_classes
from .steps import ANYTHING, FILES, ITEMS, OUTSIDE, Step
from .threads_of_stores import trace_followed

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_BY_NAME = ("getattr", "hasattr", "setattr", "delattr", "vars")
_NAMES = """
    abs all any bool bytes callable dict enumerate filter float format frozenset hash int isinstance iter len
    list map max min next ord chr range repr reversed round set slice sorted str sum tuple type zip
"""
_READER_NAMES = """
    copy count decode encode endswith format get getpid index isdisjoint items join keys lower monotonic split
    startswith strip time values
"""
_READERS = frozenset(_READER_NAMES.split())
"""Methods of texts, lists and the like that change nothing."""
_PURE = frozenset(id(getattr(builtins, name)) for name in _NAMES.split())
"""Functions of Python that change nothing but what they are passed."""
_OF_A_LOCK = {"acquire", "release", "__enter__", "__exit__"}


class StepTracer:
    """Notes the steps of what a thread does while it is watched.

    Where objects of the store cannot be looked at, a step may read and change anything. In a store that is
    too large for it, a step in a library's code does neither, unless it reaches out of the process.

    Attributes:
        steps: The steps in their order.
    """

    def __init__(self, store: object, location: Path, *, closely: bool, too_large: bool = False) -> None:
        """Prepares to watch.

        Args:
            store: The store that is called.
            location: Where it may have its files.
            closely: Find out what is shared, and whether it changed, which takes long; else every object may
                be shared, and every step with one may change it.
            too_large: The store is known to be too large for that. Of a library's functions, only the
                beginnings and ends are places then.
        """
        self.steps: list[Step] = []
        self._store = store
        self._closely = closely
        self._shared = SharedState(store, location)
        self._shared.is_too_large = too_large
        self._is_a_librarys = library_files(store)
        self._in_brief = self._is_a_librarys if too_large else None
        self._locks: dict[str, Any] = {}
        self._held: frozenset[str] = frozenset()
        self._open: tuple[Place, set[str], frozenset[str]] | None = None
        self._may_change = False
        self._called: set[str] = set()  # what the functions that were called since may read and change

    @property
    def found_too_much(self) -> bool:
        """Whether the store is too large for its objects to be looked at."""
        return self._shared.is_too_large

    @without_collections()
    def watch(self, act: Callable[[], None]) -> None:
        """Do something in this thread, and note its steps."""
        with contextlib.suppress(Exception):
            self._locks = dict(_locks(self._store))
            if self._closely:  # of one that is too large, what is near is known then
                self._shared.changes(of_files=False)
        tracing, profiling = sys.gettrace(), sys.getprofile()
        if self._closely:  # else every line that calls something changes something
            sys.setprofile(self._profile)
        sys.settrace(self._trace)
        trace_followed(self._trace_another)
        try:
            act()
        finally:
            trace_followed(None)
            sys.settrace(tracing)
            sys.setprofile(profiling)
            self._close()

    def _trace(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        return self._arrive(frame, event, arg) if self._enters(frame) else None

    def _enters(self, frame: types.FrameType) -> bool:
        """Whether a function begins that may be a store's; of a library's in brief, no lines are seen."""
        if not is_of_a_store(frame.f_code.co_filename):
            return False
        if self._in_brief is not None and self._in_brief(frame.f_code.co_filename):
            frame.f_trace_lines = False
        return True

    def _arrive(self, frame: types.FrameType, event: str, _arg: Any) -> Any:
        if is_place(frame, event, self._in_brief):
            self._close()
            place = Place(frame.f_code, frame.f_lineno, event)
            try:
                self._begin(place, frame, event)
            except Exception:
                self._open, self._may_change = (place, {ANYTHING}, frozenset()), True
            self._called = set()
        return self._arrive

    def _trace_another(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        """The trace function of a thread that works for the watched one."""
        return self._arrive_another(frame, event, arg) if self._enters(frame) else None

    def _arrive_another(self, frame: types.FrameType, event: str, _arg: Any) -> Any:
        if is_place(frame, event, self._in_brief):
            self._close()
            inside = self._shared.is_too_large and self._is_a_librarys(frame.f_code.co_filename)
            unknown = frozenset(() if inside else (ANYTHING,))
            place = Place(frame.f_code, frame.f_lineno, event)
            self.steps.append(Step(place, unknown, unknown, frozenset()))
        return self._arrive_another

    def _begin(self, place: Place, frame: types.FrameType, event: str) -> None:
        """A step begins here."""
        if self._closely and self._shared.is_too_large and self._is_a_librarys(frame.f_code.co_filename):
            # Which locks it takes is its own matter.
            self._open = (place, set(), self._held)
            return
        if not self._shared.is_too_large and self._shared.add(frame.f_globals):
            self._changes()
        self._held = frozenset(path for path, lock in self._locks.items() if _is_held(lock))
        at = frame if event == "line" else frame.f_back
        self._open = (place, self._reads(at), self._held)
        line = None if at is None else lines_of(at.f_code).get(at.f_lineno)
        self._may_change = line is None or line.stores

    def _profile(self, frame: types.FrameType, event: str, function: Any) -> None:
        self._may_change |= event in ("call", "c_call") and not _only_reads(function)
        if event == "call" and not is_of_a_store(frame.f_code.co_filename):
            self._called.add(ANYTHING)  # it goes through what it is passed, as `copy.deepcopy` does
        elif event == "c_call" and getattr(function, "__name__", "") in _BY_NAME:
            self._called.add(ANYTHING)
        elif event == "c_call" and not reaches_out(function):
            self._called.add(ITEMS)
        elif event == "c_call":
            self._called.add(FILES if place_of(function) in OF_FILES else OUTSIDE)

    def _close(self) -> None:
        """The step that goes on ends here."""
        if self._open is None:
            return
        place, reads, held = self._open
        self._open = None
        try:
            step = self._step(place, reads, held)
        except Exception:
            step = Step(place, frozenset((ANYTHING,)), frozenset((ANYTHING,)), frozenset())
        self.steps.append(step)

    def _step(self, place: Place, reads: set[str], held: frozenset[str]) -> Step:
        outside = self._called & {OUTSIDE, FILES}
        if reads or outside:
            reads = reads | (outside if self._shared.is_too_large else self._called)
        changes = self._changes() if reads and (self._may_change or not self._closely) else set()
        if OUTSIDE in outside:
            changes = changes | {OUTSIDE}
        return Step(place, frozenset(reads), frozenset(changes), held)

    def _changes(self) -> set[str]:
        """What has changed since this was asked before."""
        if not self._closely or self._shared.is_too_large:
            return {ANYTHING}
        return self._shared.changes(of_files=FILES in self._called)

    def _reads(self, frame: types.FrameType | None) -> set[str]:
        """What the line at which a thread is may read but what this very call has made."""
        if frame is None or is_the_kits(frame.f_code.co_filename):
            return set()  # the call has come back
        line = lines_of(frame.f_code).get(frame.f_lineno)
        if not is_of_a_store(frame.f_code.co_filename) or line is None or line.unknown:
            return {ANYTHING}
        values = frame.f_locals  # made anew each time that it is asked for
        seen = [values[name] for name in line.locals if name in values]
        shared = [value for value in seen if not self._is_private(value)]
        if all(_is_harmless(frame, name) for name in line.globals) and (
            not shared or (len(shared) == 1 and _is_about_its_lock(shared[0], line.attributes))
        ):
            return set()
        if not self._closely:
            return {ANYTHING}
        return {*line.attributes, *line.globals, *([ITEMS] if line.items else [""])}

    def _is_private(self, value: object) -> bool:
        """Whether nothing leads from a value to what the store holds, or out of the process."""
        if not self._closely:
            return type(value) in TEXTS
        return self._shared.is_private(value)


def holds_a_lock(store: object) -> Callable[[], bool]:
    """What tells whether the thread that asks holds a lock of a store."""
    locks = [lock for _, lock in _locks(store)]
    return lambda: any(map(_is_held, locks))


def _locks(store: object) -> Iterator[tuple[str, Any]]:
    """The locks that a store, its parts, classes and modules have in attributes: not those in containers.

    Which lock of a container a call takes depends on what it is passed.
    """
    things: list[tuple[str, Any, int]] = [("", store, 3)]
    for cls in own_classes(store):
        things += [(cls.__qualname__, cls, 1), (cls.__module__, sys.modules[cls.__module__], 1)]
    seen = set()
    for path, thing, depth in things:  # it grows meanwhile
        for name, value in (attributes_of(thing) or {}).items():
            kind = type(value)  # a proxy may raise where it is asked for its class
            if issubclass(kind, (_LOCK, _RLOCK)):
                yield f"{path}.{name}", value
            elif depth > 1 and not issubclass(kind, (*SKIPPED, *TEXTS)) and id(value) not in seen:
                seen.add(id(value))
                things.append((f"{path}.{name}", value, depth - 1))


def _is_held(lock: Any) -> bool:
    """Whether a lock is held; of one that counts its owner's turns, by this thread."""
    is_owned = getattr(lock, "_is_owned", None)  # as `Condition` asks it
    return bool(lock.locked() if is_owned is None else is_owned())


def _only_reads(function: object) -> bool:
    """Whether a function of Python's own changes nothing."""
    return id(function) in _PURE or getattr(function, "__name__", "") in _READERS


def _is_harmless(frame: types.FrameType, name: str) -> bool:
    value = frame.f_globals.get(name, frame.f_builtins.get(name))
    if type(value) is tuple:
        return all(type(one) in TEXTS for one in value)
    if isinstance(value, types.ModuleType):
        return value.__name__ in INSIDE
    if isinstance(value, types.FunctionType):
        return is_of_a_store(value.__code__.co_filename)  # it has steps of its own
    return (
        id(value) in _PURE
        or value in (load().OAuthToken, load().UserSignature)
        or (isinstance(value, type) and issubclass(value, BaseException))
    )


def _is_about_its_lock(thing: object, attributes: frozenset[str]) -> bool:
    """Whether a line only takes or gives back a lock that a thing has."""
    own = getattr(thing, "__dict__", {})
    return bool(attributes - _OF_A_LOCK) and all(
        isinstance(own.get(name), (_LOCK, _RLOCK)) for name in attributes - _OF_A_LOCK
    )
