"""What the threads that call a store share, and what of it changes."""

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import inspect
import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ..._spec.sdk import load
from .pause_points import is_installed, is_of_a_store
from .steps import ANYTHING, FILES, ITEMS

TEXTS = (str, bytes, int, float, bool, type(None), type(...))
SKIPPED = (
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
_MOST_OBJECTS, _MOST_LOOKS = 3000, 1_000_000
"""Objects of a store, and looks at them in one call, beyond which the store is too large to look at.

A call that goes through a large library, as that of a database is, would take minutes.
"""
_NEAREST = 300
"""How many objects of such a store are looked at."""
_ITEMS = (list, dict, tuple, set, frozenset, collections.deque, types.CellType, types.MethodType)
"""What holds items and no attributes."""
_State = dict[int, dict[str, object]]
"""For each object its attributes, or its items, as the ids of their values."""
_MOST_BYTES = 1 << 18
"""Of longer files, size and time of the last change tell whether they have changed."""
OF_FILES = ("_csv", "_io", "fcntl", "io", "nt", "posix", "sqlite3")
"""Modules whose functions change nothing but files."""


class SharedState:
    """The objects of a store, what its classes and modules name, and its files.

    Attributes:
        is_too_large: There are too many objects to look at.
    """

    def __init__(self, store: object, location: Path) -> None:
        self.is_too_large = False
        self._store = store
        self._location = location
        self._looks = 0
        self._roots: dict[int, _Names] = {}
        self._state: _State = {}
        self._kept: list[Any] = []
        self._files: object = None
        for cls in own_classes(store):
            self.add(vars(cls))
            self.add(vars(sys.modules[cls.__module__]))

    def add(self, names: Any) -> bool:
        """Count what a class or a module names as shared; whether it was not yet."""
        if id(names) in self._roots:
            return False
        self._roots[id(names)] = _Names(names)
        return True

    def changes(self, *, of_files: bool) -> set[str]:
        """What has changed since this was asked before.

        Args:
            of_files: Files may have changed, too.
        """
        before, self._state = self._state, {}
        kept: list[Any] = []  # while what was there before is kept, too, no id is given to another object
        layer = [self._store]
        for root in self._roots.values():
            values = root.data()
            self._state[id(root.names)] = {name: id(value) for name, value in values.items()}
            kept += values.values()
            layer += _holders(values.values())
        while layer:
            found: list[Any] = []
            for one in layer:
                if id(one) in self._state:
                    continue
                self._state[id(one)], inside = _inside(one)
                found += inside
                self._looks += len(inside)
                most = _NEAREST if self.is_too_large else _MOST_OBJECTS
                if len(self._state) > most or self._looks > _MOST_LOOKS:
                    self.is_too_large = True
                    return {ANYTHING}
            kept += found
            layer = [*_holders(found)]
        self._kept = kept
        if of_files or self._files is None:
            # Where there are none, it is unknown what is changed.
            self._files = _content(self._location) or object()
        self._state[0] = {FILES if isinstance(self._files, tuple) else ANYTHING: self._files}
        return {
            name
            for one, old in before.items()
            if (new := self._state.get(one)) is not None and new != old
            for name in old.keys() | new.keys()
            if old.get(name) != new.get(name)
        }

    def is_private(self, value: object) -> bool:
        """Whether nothing leads from a value to what the store holds, or out of the process."""
        layer = [value]
        met: set[int] = set()
        while layer:
            kinds: set[type] = set(map(type, layer))
            if not all(map(_leads_on, kinds)) or any(id(one) in self._state for one in layer):
                return False
            met.update(map(id, layer))
            layer = [one for one in _holders(gc.get_referents(*layer)) if id(one) not in met]
        return True


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
                if not (name.startswith("__") or name == "_abc_impl" or isinstance(value, SKIPPED))
            ]
        return {name: self.names.get(name) for name in self._of_data}


def _inside(thing: object) -> tuple[dict[str, object], list[Any]]:
    """What a thing holds: its state, and the values in it."""
    if type(thing) in _ITEMS:
        inside = gc.get_referents(thing)
        return {ITEMS: tuple(map(id, inside))}, inside
    state: dict[str, object] = {}
    attributes = attributes_of(thing)
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
    known = (*TEXTS, list, dict, tuple, set, frozenset, sdk.OAuthToken, sdk.UserSignature)
    return issubclass(kind, known) or (kind.__module__, kind.__name__) == ("sqlite3", "Row")


def attributes_of(thing: object) -> dict[str, Any] | None:
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
    return kind not in TEXTS and kind.__module__ not in OF_FILES and not issubclass(kind, SKIPPED)


def own_classes(store: object) -> list[type]:
    """The classes of a store that are not Python's, the SDK's or the kit's."""
    return [
        cls
        for cls in type(store).__mro__
        if (file := getattr(sys.modules.get(cls.__module__), "__file__", None)) and is_of_a_store(file)
    ]


def library_files(store: object) -> Callable[[str], bool]:
    """What tells of a file whether it is a library's: installed, and not beside a class of the store.

    Args:
        store: The store.
    """
    own = tuple(f"{Path(inspect.getfile(cls)).parent}{os.sep}" for cls in own_classes(store))
    return functools.cache(lambda file: is_installed(file) and not file.startswith(own))
