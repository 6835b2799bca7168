"""What each step of a call does to what threads share, so that pauses that show nothing new are left out.

A step is what a thread does between two places of the store's own code. Pausing before a step and pausing
after it are the same where the step touches nothing that another thread touches meanwhile. Whatever is not
known to be harmless counts as touched or changed.
"""

from __future__ import annotations

import bisect
import builtins
import collections
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
from ..outward_calls import INSIDE, place_of, reaches_out
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
ITEMS, FILES, OUTSIDE, ANYTHING = "[]", "a file", "outside", "?"
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
_FREE = (
    "LOAD_CONST",
    "LOAD_CLOSURE",
    "LOAD_ASSERTION_ERROR",
    "LOAD_SMALL_INT",
    "STORE_SUBSCR",
    "DELETE_SUBSCR",
)
_ITEM_WORDS = (
    *("BINARY", "BOOL", "COMPARE", "CONTAINS", "EXTEND", "FORMAT", "ITER", "JUMP_IF", "MERGE", "NOT"),
    *("SLICE", "SUBSCR", "UNPACK", "UPDATE"),
)
"""What the names of instructions have that look into lists and the like, or ask whether there is anything."""
_OF_A_LOCK = {"acquire", "release", "__enter__", "__exit__"}


@dataclass(frozen=True)
class Step:
    """What a thread does from one place of a store's code to the next one.

    Attributes:
        place: Where it begins.
        reads: What it may read of what other threads see: names of attributes and globals, `ITEMS` of lists
            and the like, `FILES`, what is `OUTSIDE` of the process, or `ANYTHING`.
        changes: The same for what it changed.
        held: The locks that the thread holds at its beginning, by the path on which the store has them.
    """

    place: Place
    reads: frozenset[str]
    changes: frozenset[str]
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
        self._shared: _State = {}
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
        self._locks = dict(_locks(self._store))
        self._changes()
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
            if self._add(frame.f_globals):
                self._changes()
            held = frozenset(path for path, lock in self._locks.items() if _is_held(lock))
            place = Place(frame.f_code, frame.f_lineno, event)
            at = frame if event == "line" else frame.f_back
            self._open = (place, self._reads(at), held)
            line = None if at is None else _lines(at.f_code).get(at.f_lineno)
            self._may_change = line is None or line.stores
            self._called = set()
        return self._arrive

    def _add(self, names: Any) -> bool:
        """Count what a class or a module names as shared; whether it was not yet."""
        if any(names is root for root in self._roots):
            return False
        self._roots.append(names)
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
        outside = self._called & {OUTSIDE, FILES}
        if reads or outside:
            reads = reads | self._called
        changes = self._changes() if reads and (self._may_change or not self._closely) else set()
        if OUTSIDE in outside:
            changes = changes | {OUTSIDE}
        self.steps.append(Step(place, frozenset(reads), frozenset(changes), held))

    def _changes(self) -> set[str]:
        """What has changed since this was asked before."""
        if not self._closely:
            return {ANYTHING}
        before, self._shared = self._shared, {}
        layer = [self._store]
        for root in self._roots:
            values = {name: value for name, value in list(root.items()) if _is_data(name, value)}
            self._shared[id(root)] = {name: id(value) for name, value in values.items()}
            layer += _holders(values.values())
        while layer:
            found: list[Any] = []
            for one in layer:
                if id(one) not in self._shared:
                    self._shared[id(one)], inside = _inside(one)
                    found += inside
            layer = [*_holders(found)]
            if len(self._shared) > _MOST_OBJECTS:
                return {ANYTHING}
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
        line = _lines(frame.f_code).get(frame.f_lineno)
        if not is_of_a_store(frame.f_code.co_filename) or line is None or line.unknown:
            return {ANYTHING}
        seen = [frame.f_locals[name] for name in line.locals if name in frame.f_locals]
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
            if any(id(one) in self._shared or not isinstance(one, _known()) for one in layer):
                return False
            met.update(map(id, layer))
            layer = [one for one in _holders(gc.get_referents(*layer)) if id(one) not in met]
        return True


def telling(steps: Sequence[Step], others: Sequence[Step]) -> list[int]:
    """Before which of its steps a thread may be paused so that something else shows than elsewhere.

    Between two steps that meet what the others do, all places are one. Of them the last counts at which no
    lock that the thread holds keeps the others from changing what it reads, or from reading what it changes.
    Before the first such step the others go first, as in a run without a pause.

    Args:
        steps: What the thread does.
        others: What the other threads do.

    Returns:
        The numbers of the steps. Where a lock keeps all others out, one in the middle of what it guards:
        they may give up where they should wait.
    """
    seen = {(step.reads, step.changes, step.held) for step in others if step.reads}
    chosen: set[int] = set()
    met = False
    latest: dict[str, int] = {}  # where the others can change, and where they can read
    for number, step in enumerate(steps):
        for _, changes, held in seen:
            if not held & step.held:
                latest.update({"read": number, "change": number} if changes else {"read": number})
        meets = {
            what
            for reads, changes, _ in seen
            for what, both in (
                ("change", _overlap(step.reads | step.changes, changes)),
                ("read", _overlap(step.changes, reads)),
            )
            if both
        }
        # Where this very step is not guarded, it may depend on more than is seen of it.
        places = {latest[what] for what in meets & latest.keys()}
        chosen |= places if met else places & {number}
        if meets:
            met = True
            latest.clear()
    if not chosen:
        guarded = [number for number, step in enumerate(steps) if step.reads and step.held]
        chosen.update(guarded[len(guarded) // 2 :][:1])
    return sorted(chosen)


def _overlap(some: frozenset[str], others: frozenset[str]) -> bool:
    return bool(some & others or (ANYTHING in some and others) or (ANYTHING in others and some))


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


def _is_data(name: str, value: object) -> bool:
    """Whether a name of a module or class may be given another value: not a function, class, or constant."""
    return not (name.startswith("__") or name == "_abc_impl" or isinstance(value, _SKIPPED))


def _inside(thing: object) -> tuple[dict[str, object], list[Any]]:
    """What a thing holds: its state, and the values in it."""
    state: dict[str, object] = {}
    attributes = getattr(thing, "__dict__", None)
    if isinstance(attributes, dict):
        state = {name: id(value) for name, value in list(attributes.items())}
        if not isinstance(thing, _ITEMS):
            return state, list(attributes.values())
    inside = gc.get_referents(thing)
    state[ITEMS if isinstance(thing, _ITEMS) else ANYTHING] = tuple(map(id, inside))
    return state, inside


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
        for name, value in list(getattr(thing, "__dict__", {}).items()):
            if isinstance(value, (_LOCK, _RLOCK)):
                yield f"{path}.{name}", value
            elif depth > 1 and not isinstance(value, (*_SKIPPED, *_TEXTS)) and id(value) not in seen:
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
        stores: It may change something by itself, without a call.
        items: It may read items by itself.
    """

    locals: frozenset[str]
    globals: frozenset[str]
    attributes: frozenset[str]
    unknown: bool
    stores: bool
    items: bool


@functools.cache
def _lines(code: types.CodeType) -> dict[int, _Line]:
    starts = dict(dis.findlinestarts(code))
    steps: dict[int, list[dis.Instruction]] = {}
    line = code.co_firstlineno
    for step in dis.get_instructions(code):
        line = starts.get(step.offset) or line
        steps.setdefault(line, []).append(step)
    return {line: _line(some, code.co_freevars) for line, some in steps.items()}


def _line(steps: Sequence[dis.Instruction], of_others: Sequence[str]) -> _Line:
    named: dict[str, set[str]] = {"FAST": set(), "GLOBAL": set(), "ATTR": set()}
    unknown = False
    for step in steps:
        name = step.opname
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        if "LOAD_FAST" in name or name == "LOAD_DEREF":
            named["FAST"].update(names)
        elif name in ("LOAD_GLOBAL", "STORE_GLOBAL"):
            named["GLOBAL"].update(names)
        elif name in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR"):
            named["ATTR"].update(names)
        elif name == "STORE_DEREF":
            unknown |= step.argval in of_others
        elif name.startswith(("LOAD_", "STORE_", "DELETE_", "IMPORT_")):
            unknown |= name not in _FREE and not name.startswith(("STORE_FAST", "DELETE_FAST"))
    stores = any(
        step.opname.startswith(("STORE_A", "STORE_S", "STORE_G", "DELETE_", "BINARY_OP", "INPLACE_"))
        or "WITH" in step.opname
        for step in steps
    )
    items = any(word in step.opname for step in steps for word in _ITEM_WORDS)
    locals, globals, attributes = map(frozenset, named.values())
    return _Line(locals, globals, attributes, unknown or "__dict__" in attributes, stores or unknown, items)
