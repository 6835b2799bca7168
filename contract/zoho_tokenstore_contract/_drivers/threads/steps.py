"""What each step of a call does to what threads share, so that pauses that show nothing new are left out.

A step is what a thread does between two places of the store's own code. Pausing before a step and pausing
after it are the same where the step touches nothing that another thread touches meanwhile. Whatever is not
known to be harmless counts as touched or changed.
"""

from __future__ import annotations

import bisect
import builtins
import contextlib
import dis
import functools
import gc
import inspect
import itertools
import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._spec.sdk import load
from ..processes.crash_points import INSIDE, place_of, reaches_out
from .places import Place, is_of_a_store, is_the_kits

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
_MOST_BYTES = 1 << 18
"""Of longer files, size and time of the last change tell whether they have changed."""
_OF_FILES = ("_csv", "_io", "fcntl", "io", "nt", "posix", "sqlite3")
"""Modules whose functions change nothing but files."""
_NAMES = """
    abs all any bool bytes callable dict enumerate filter float format frozenset hash int isinstance iter len
    list map max min next ord chr range repr reversed round set slice sorted str sum tuple type zip
"""
_PURE = frozenset(id(getattr(builtins, name)) for name in _NAMES.split())
"""Functions of Python that change nothing but what they are passed."""
_FREE = ("LOAD_CONST", "LOAD_ATTR", "LOAD_METHOD", "LOAD_CLOSURE", "LOAD_ASSERTION_ERROR", "LOAD_SMALL_INT")
_OF_A_LOCK = {"acquire", "release", "__enter__", "__exit__"}


@dataclass(frozen=True)
class Step:
    """What a thread does from one place of a store's code to the next one.

    Attributes:
        place: Where it begins.
        touches: It may read or change what other threads see.
        changes: It changed that, or reached out of the process.
        held: The locks that the thread holds at its beginning, by the path on which the store has them.
    """

    place: Place
    touches: bool
    changes: bool
    held: frozenset[str]


class StepTracer:
    """Notes the steps of what a thread does while it is watched.

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
        self._roots: list[Any] = []
        self._named: list[int] = []
        self._held: list[Any] = []
        self._shared: set[int] = set()
        for cls in _own_classes(store):
            self._add(vars(cls))
            self._add(vars(sys.modules[cls.__module__]))
        self._locks: dict[str, Any] = {}
        self._mark: object = None
        self._open: tuple[Place, bool, frozenset[str]] | None = None
        self._reached = False  # out of the process, but for files
        self._files = False  # it called what may change files

    def watch(self, act: Callable[[], None]) -> None:
        """Do something in this thread, and note its steps."""
        self._locks = dict(_locks(self._store))
        self._mark = self._state() if self._closely else None
        tracing, profiling = sys.gettrace(), sys.getprofile()
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
        if event == "line" or (event == "return" and not frame.f_code.co_flags & inspect.CO_GENERATOR):
            self._close()
            if self._add(frame.f_globals) and self._closely:
                self._mark = self._state()
            held = frozenset(path for path, lock in self._locks.items() if _is_held(lock))
            place = Place(frame.f_code, frame.f_lineno, event)
            self._open = (place, self._touches(frame if event == "line" else frame.f_back), held)
            self._reached = self._files = False
        return self._arrive

    def _add(self, names: Any) -> bool:
        """Count what a class or a module names as shared; whether it was not yet."""
        if any(names is root for root in self._roots):
            return False
        self._roots.append(names)
        return True

    def _profile(self, _frame: types.FrameType, event: str, function: Any) -> None:
        if event == "c_call" and not self._reached and reaches_out(function):
            if place_of(function) in _OF_FILES:
                self._files = True
            else:
                self._reached = True

    def _close(self) -> None:
        """The step that goes on ends here."""
        if self._open is None:
            return
        place, touches, held = self._open
        self._open = None
        touches = touches or self._reached or self._files
        changes = self._reached
        if touches:
            before, self._mark = self._mark, self._state() if self._closely else None
            changes = changes or self._mark is None or self._mark != before
        self.steps.append(Step(place, touches, changes, held))

    def _state(self) -> int | None:
        """What tells whether anything changed that the store and its modules hold; ``None`` for too much."""
        ids = [id(value) for root in self._roots for value in list(root.values())]
        if ids != self._named:  # seldom: finding the few that hold others takes long
            self._named = ids.copy()
            self._held = [*_holders(value for root in self._roots for value in _values(root))]
        layer = [self._store, *self._held]
        self._shared = set(map(id, layer))
        while layer:
            found = gc.get_referents(*layer)
            ids += map(id, found)
            layer = [one for one in _holders(found) if id(one) not in self._shared]
            self._shared.update(map(id, layer))
            if len(self._shared) > _MOST_OBJECTS:
                return None
        files = _content(self._location)
        # Where there are none, it is unknown what is changed.
        return hash((*ids, files if files or not self._files else object()))

    def _touches(self, frame: types.FrameType | None) -> bool:
        """Whether the line at which a thread is may touch anything but what this very call has made."""
        if frame is None or is_the_kits(frame.f_code.co_filename):
            return False  # the call has come back
        if not is_of_a_store(frame.f_code.co_filename):
            return True
        line = _lines(frame.f_code).get(frame.f_lineno)
        if line is None or line.unknown or not all(_is_harmless(frame, name) for name in line.globals):
            return True
        seen = [frame.f_locals[name] for name in line.locals if name in frame.f_locals]
        shared = [value for value in seen if not self._is_private(value)]
        return bool(shared) and not (len(shared) == 1 and _is_about_its_lock(shared[0], line.attributes))

    def _is_private(self, value: object) -> bool:
        """Whether nothing leads from a value to what the store holds, or out of the process."""
        if not self._closely:
            return type(value) in _TEXTS
        layer = [value]
        met: set[int] = set()
        while layer:
            if any(id(one) in self._shared or not isinstance(one, _known()) for one in layer):
                return False
            met.update(map(id, layer))
            layer = [one for one in _holders(gc.get_referents(*layer)) if id(one) not in met]
        return True


def telling(steps: Sequence[Step], others: Sequence[Step]) -> list[int]:
    """Before which of its steps a thread may be paused so that something else shows than elsewhere.

    A step that changes something is told from its end by what the others see, and a step that reads by what
    the others change, unless a lock that the thread holds keeps them out at that time.

    Args:
        steps: What the thread does.
        others: What the other threads do.

    Returns:
        The numbers of the steps. Where a lock keeps all others out, one in the middle of what it guards:
        they may give up where they should wait.
    """
    chosen = []
    seen = {(step.changes, step.held) for step in others if step.touches}
    for number, step in enumerate(steps):
        if not step.touches:
            continue
        meets = [changes for changes, held in seen if not held & step.held]
        if any(meets) or (step.changes and meets):
            chosen.append(number)
    if not chosen:
        guarded = [number for number, step in enumerate(steps) if step.touches and step.held]
        chosen = guarded[len(guarded) // 2 :][:1]
    return chosen


def split(points: Iterable[int], changes: Sequence[int]) -> list[list[int]]:
    """Points in groups between which nothing changes.

    Args:
        points: Numbers of steps.
        changes: The numbers of those that change something.
    """
    groups = itertools.groupby(points, lambda point: bisect.bisect_left(changes, point))
    return [list(group) for _, group in groups]


def nested(steps: Sequence[Step], others: Sequence[Step]) -> tuple[list[int], list[int]]:
    """Where a thread takes a lock while it has another, of those of which the others take several, too.

    Args:
        steps: What the thread does.
        others: What the other threads do.

    Returns:
        The numbers of the steps before which it holds one already, and of those in which it takes several.
    """
    theirs = frozenset().union(*(step.held for step in others if len(step.held) > 1))
    taken = [(later.held - step.held) & theirs for step, later in itertools.pairwise(steps)]
    return (
        [number for number, locks in enumerate(taken) if locks and steps[number].held & theirs],
        [number for number, locks in enumerate(taken) if len(locks) > 1],
    )


def holds_a_lock(store: object) -> Callable[[], bool]:
    """What tells whether the thread that asks holds a lock of a store."""
    locks = [lock for _, lock in _locks(store)]
    return lambda: any(map(_is_held, locks))


def _values(names: Any) -> list[Any]:
    return [value for name, value in list(names.items()) if not name.startswith("__") and name != "_abc_impl"]


@functools.cache
def _known() -> tuple[type, ...]:
    """Types whose objects hold nothing but what leads on from them."""
    sdk = load()
    return (*_TEXTS, list, dict, tuple, set, frozenset, sdk.OAuthToken, sdk.UserSignature)


def _content(location: Path) -> tuple[object, ...]:
    """What tells whether a file below a directory has changed."""
    found: list[object] = []
    for folder, _, names in os.walk(location):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                status = path.stat()
                found += (name, status.st_ino, status.st_size, status.st_mtime_ns)
                if status.st_size <= _MOST_BYTES:  # two changes can have the same time
                    found.append(path.read_bytes())
    return tuple(found)


def _holders(things: Iterable[Any]) -> Iterator[Any]:
    """Those that can hold others."""
    return (one for one in things if _can_hold(type(one)))


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
        for name, value in list(getattr(thing, "__dict__", {}).items()):
            if isinstance(value, (_LOCK, _RLOCK)):
                yield f"{path}.{name}", value
            elif depth > 1 and not isinstance(value, (*_SKIPPED, *_TEXTS)) and id(value) not in seen:
                seen.add(id(value))
                things.append((f"{path}.{name}", value, depth - 1))


def _is_held(lock: Any) -> bool:
    """Whether a lock is held; of one that counts its owner's turns, by this thread."""
    return bool(lock._is_owned() if isinstance(lock, _RLOCK) else lock.locked())  # as `Condition` asks it


def _is_harmless(frame: types.FrameType, name: str) -> bool:
    value = frame.f_globals.get(name, frame.f_builtins.get(name))
    if type(value) is tuple:
        return all(type(one) in _TEXTS for one in value)
    if isinstance(value, types.ModuleType):
        return value.__name__ in INSIDE
    return (
        id(value) in _PURE
        or value is load().OAuthToken
        or (isinstance(value, type) and issubclass(value, BaseException))
    )


def _is_about_its_lock(thing: object, attributes: frozenset[str]) -> bool:
    """Whether a line only takes or gives back a lock that a thing has."""
    own = getattr(thing, "__dict__", {})
    return bool(attributes - _OF_A_LOCK) and all(
        isinstance(own.get(name), (_LOCK, _RLOCK)) for name in attributes - _OF_A_LOCK
    )


@dataclass(frozen=True)
class _Line:
    """What a line of code names.

    Attributes:
        locals: Variables of the call that it reads.
        globals: Names of the module that it reads.
        attributes: Attributes that it reads.
        unknown: It does something else that may reach what is shared.
    """

    locals: frozenset[str]
    globals: frozenset[str]
    attributes: frozenset[str]
    unknown: bool


@functools.cache
def _lines(code: types.CodeType) -> dict[int, _Line]:
    starts = dict(dis.findlinestarts(code))
    steps: dict[int, list[dis.Instruction]] = {}
    line = code.co_firstlineno
    for step in dis.get_instructions(code):
        line = starts.get(step.offset) or line
        steps.setdefault(line, []).append(step)
    return {line: _line(some) for line, some in steps.items()}


def _line(steps: Sequence[dis.Instruction]) -> _Line:
    named: dict[str, set[str]] = {"LOAD_FAST": set(), "LOAD_GLOBAL": set(), "LOAD_ATTR": set()}
    unknown = False
    for step in steps:
        name = step.opname
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        if "LOAD_FAST" in name:
            named["LOAD_FAST"].update(names)
        elif name == "LOAD_GLOBAL":
            named["LOAD_GLOBAL"].update(names)
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            named["LOAD_ATTR"].update(names)
        elif name.startswith(("LOAD_", "STORE_", "DELETE_", "IMPORT_")):
            unknown |= name not in _FREE and not name.startswith(("STORE_FAST", "DELETE_FAST"))
    return _Line(*map(frozenset, named.values()), unknown)
