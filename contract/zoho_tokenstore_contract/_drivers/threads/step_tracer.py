"""Watches the steps of a call: what each of them reads and changes of what threads share."""

from __future__ import annotations

import builtins
import collections
import contextlib
import functools
import gc
import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..._spec.sdk import load
from ..outward_calls import INSIDE, place_of, reaches_out
from .lines import lines_of
from .pause_points import Place, is_of_a_store, is_place, is_the_kits
from .steps import ANYTHING, FILES, ITEMS, OUTSIDE, Step

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())
_TEXTS = (str, bytes, int, float, bool, type(None), type(...))
_SKIPPED = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    property,
    logging.Logger,
    threading.Thread,
)
"""What leads to code, and not to rows."""
_MOST_OBJECTS = 3000
"""Where a store holds more, every step that may change something counts as one that does."""
_ITEMS = (list, dict, tuple, set, frozenset, collections.deque, types.CellType, types.MethodType)
"""What holds items and no attributes."""
_BY_NAME = ("getattr", "hasattr", "setattr", "delattr", "vars")
_State = dict[int, dict[str, object]]
"""For each object its attributes, or its items, as the ids of their values."""
_MOST_BYTES = 1 << 18
"""Of longer files, size and time of the last change tell whether they have changed."""
_OF_FILES = ("_csv", "_io", "fcntl", "io", "nt", "posix", "sqlite3")
"""Modules whose functions change nothing but files."""
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

    Where objects of the store cannot be looked at, a step may read and change anything.

    Attributes:
        steps: The steps in their order.
    """

    def __init__(self, store: object, location: Path, *, closely: bool) -> None:
        """Prepares to watch.

        Args:
            store: The store that is called.
            location: Where it may have its files.
            closely: Find out what is shared, and whether it changed, which takes long; else every object may
                be shared, and every step with one may change it.
        """
        self._location = location
        self._closely = closely
        self.steps: list[Step] = []
        self._store = store
        self._roots: dict[int, _Names] = {}
        self._shared: _State = {}
        self._kept: list[Any] = []
        for cls in _own_classes(store):
            self._add(vars(cls))
            self._add(vars(sys.modules[cls.__module__]))
        self._locks: dict[str, Any] = {}
        self._files: object = None
        self._open: tuple[Place, set[str], frozenset[str]] | None = None
        self._may_change = False
        self._called: set[str] = set()  # what the functions that were called since may read and change

    def watch(self, act: Callable[[], None]) -> None:
        """Do something in this thread, and note its steps."""
        with contextlib.suppress(Exception):
            self._locks = dict(_locks(self._store))
            self._changes()
        tracing, profiling = sys.gettrace(), sys.getprofile()
        if self._closely:  # else every line that calls something counts as one that changes it
            sys.setprofile(self._profile)
        sys.settrace(self._trace)
        try:
            act()
        finally:
            sys.settrace(tracing)
            sys.setprofile(profiling)
            self._close()

    def _trace(self, frame: types.FrameType, _event: str, _arg: Any) -> Any:
        return self._arrive if is_of_a_store(frame.f_code.co_filename) else None

    def _arrive(self, frame: types.FrameType, event: str, _arg: Any) -> Any:
        if is_place(frame, event):
            self._close()
            place = Place(frame.f_code, frame.f_lineno, event)
            try:
                self._begin(place, frame, event)
            except Exception:
                self._open, self._may_change = (place, {ANYTHING}, frozenset()), True
            self._called = set()
        return self._arrive

    def _begin(self, place: Place, frame: types.FrameType, event: str) -> None:
        """A step begins here."""
        if self._add(frame.f_globals):
            self._changes()
        held = frozenset(path for path, lock in self._locks.items() if _is_held(lock))
        at = frame if event == "line" else frame.f_back
        self._open = (place, self._reads(at), held)
        line = None if at is None else lines_of(at.f_code).get(at.f_lineno)
        self._may_change = line is None or line.stores

    def _add(self, names: Any) -> bool:
        """Count what a class or a module names as shared; whether it was not yet."""
        if id(names) in self._roots:
            return False
        self._roots[id(names)] = _Names(names)
        return True

    def _profile(self, frame: types.FrameType, event: str, function: Any) -> None:
        self._may_change |= event in ("call", "c_call") and not _only_reads(function)
        if event == "call" and not is_of_a_store(frame.f_code.co_filename):
            self._called.add(ANYTHING)  # it goes through what it is passed, as `copy.deepcopy` does
        elif event == "c_call" and getattr(function, "__name__", "") in _BY_NAME:
            self._called.add(ANYTHING)
        elif event == "c_call" and not reaches_out(function):
            self._called.add(ITEMS)
        elif event == "c_call":
            self._called.add(FILES if place_of(function) in _OF_FILES else OUTSIDE)

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
            reads = reads | self._called
        changes = self._changes() if reads and (self._may_change or not self._closely) else set()
        if OUTSIDE in outside:
            changes = changes | {OUTSIDE}
        return Step(place, frozenset(reads), frozenset(changes), held)

    def _changes(self) -> set[str]:
        """What has changed since this was asked before."""
        if not self._closely:
            return {ANYTHING}
        before, self._shared = self._shared, {}
        kept: list[Any] = []  # while what was there before is kept, too, no id is given to another object
        layer = [self._store]
        for root in self._roots.values():
            values = root.data()
            self._shared[id(root.names)] = {name: id(value) for name, value in values.items()}
            kept += values.values()
            layer += _holders(values.values())
        while layer:
            found: list[Any] = []
            for one in layer:
                if id(one) not in self._shared:
                    self._shared[id(one)], inside = _inside(one)
                    found += inside
            kept += found
            layer = [*_holders(found)]
            if len(self._shared) > _MOST_OBJECTS:
                return {ANYTHING}
        self._kept = kept
        if FILES in self._called or self._files is None:
            # Where there are none, it is unknown what is changed.
            self._files = _content(self._location) or object()
        self._shared[0] = {FILES if isinstance(self._files, tuple) else ANYTHING: self._files}
        return {
            name
            for one, old in before.items()
            if (new := self._shared.get(one)) is not None and new != old
            for name in old.keys() | new.keys()
            if old.get(name) != new.get(name)
        }

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
            return type(value) in _TEXTS
        layer = [value]
        met: set[int] = set()
        while layer:
            kinds: set[type] = set(map(type, layer))
            if not all(map(_leads_on, kinds)) or any(id(one) in self._shared for one in layer):
                return False
            met.update(map(id, layer))
            layer = [one for one in _holders(gc.get_referents(*layer)) if id(one) not in met]
        return True


def holds_a_lock(store: object) -> Callable[[], bool]:
    """What tells whether the thread that asks holds a lock of a store."""
    locks = [lock for _, lock in _locks(store)]
    return lambda: any(map(_is_held, locks))


class _Names:
    """What a class or a module names."""

    def __init__(self, names: Any) -> None:
        self.names = names
        self._number = 0
        self._of_data: list[str] = []

    def data(self) -> dict[str, Any]:
        """What may be given another value: not functions, classes, and constants."""
        if len(self.names) != self._number:
            self._number = len(self.names)
            self._of_data = [
                name
                for name, value in list(self.names.items())
                if not (name.startswith("__") or name == "_abc_impl" or isinstance(value, _SKIPPED))
            ]
        return {name: self.names.get(name) for name in self._of_data}


def _inside(thing: object) -> tuple[dict[str, object], list[Any]]:
    """What a thing holds: its state, and the values in it."""
    if type(thing) in _ITEMS:
        inside = gc.get_referents(thing)
        return {ITEMS: tuple(map(id, inside))}, inside
    state: dict[str, object] = {}
    attributes = _attributes(thing)
    if attributes is not None:
        state = {name: id(value) for name, value in attributes.items()}
        if not isinstance(thing, _ITEMS):
            return state, list(attributes.values())
    inside = gc.get_referents(thing)
    state[ITEMS if isinstance(thing, _ITEMS) else ANYTHING] = tuple(map(id, inside))
    return state, inside


@functools.cache
def _leads_on(kind: type) -> bool:
    """Whether objects of a type hold nothing but what leads on from them."""
    sdk = load()
    known = (*_TEXTS, list, dict, tuple, set, frozenset, sdk.OAuthToken, sdk.UserSignature)
    return issubclass(kind, known) or (kind.__module__, kind.__name__) == ("sqlite3", "Row")


def _attributes(thing: object) -> dict[str, Any] | None:
    """What an object or class has in its ``__dict__``; ``None`` where there is none, or it cannot be read."""
    with contextlib.suppress(Exception):
        return dict(thing.__dict__)
    return None


def _content(location: Path) -> tuple[object, ...]:
    """What tells whether a file below a directory has changed."""
    found: list[object] = []
    for folder, _, names in os.walk(location):
        for name in names:
            if name.endswith("-shm"):
                continue  # SQLite's index of a log, which readers write to: nothing is in it alone
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                status = path.stat()
                found += (name, status.st_ino, status.st_size, status.st_mtime_ns)
                if status.st_size <= _MOST_BYTES:  # two changes can have the same time
                    found.append(path.read_bytes())
    return tuple(found)


def _holders(things: Iterable[Any]) -> Iterator[Any]:
    """Those that can hold others."""
    kinds: Callable[[Any], bool] = _can_hold  # mypy takes a type for what cannot be hashed
    return (one for one in things if kinds(type(one)))


@functools.cache
def _can_hold(kind: type) -> bool:
    return kind not in _TEXTS and kind.__module__ not in _OF_FILES and not issubclass(kind, _SKIPPED)


def _own_classes(store: object) -> list[type]:
    return [
        cls
        for cls in type(store).__mro__
        if (file := getattr(sys.modules.get(cls.__module__), "__file__", None)) and is_of_a_store(file)
    ]


def _locks(store: object) -> Iterator[tuple[str, Any]]:
    """The locks that a store, its parts, classes and modules have in attributes: not those in containers.

    Which lock of a container a call takes depends on what it is passed.
    """
    things: list[tuple[str, Any, int]] = [("", store, 3)]
    for cls in _own_classes(store):
        things += [(cls.__qualname__, cls, 1), (cls.__module__, sys.modules[cls.__module__], 1)]
    seen = set()
    for path, thing, depth in things:  # it grows meanwhile
        for name, value in (_attributes(thing) or {}).items():
            kind = type(value)  # a proxy may raise where it is asked for its class
            if issubclass(kind, (_LOCK, _RLOCK)):
                yield f"{path}.{name}", value
            elif depth > 1 and not issubclass(kind, (*_SKIPPED, *_TEXTS)) and id(value) not in seen:
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
        return all(type(one) in _TEXTS for one in value)
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
