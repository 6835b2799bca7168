"""Which libraries a store stands on, so that not every child process has to import them anew.

A database's client library often takes a second to import, and CRASH-1 alone starts dozens of
processes. What is imported ahead is a library's code; the store's own modules never are, for what
they do as they are imported, each process has to do for itself.
"""

from __future__ import annotations

import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import Any

from ..._harness.store_source import StoreSource
from ..._spec.sdk import load

_OF_TESTS = frozenset({"_pytest", "hypothesis", "pytest", __name__.partition(".")[0]})
"""What a module with a contract class imports; not every fork server has it."""


def libraries_of(source: StoreSource) -> list[str]:
    """The libraries that the modules of a store import, Python's own among them.

    Args:
        source: What opens the store; its module is loaded here.

    Returns:
        The names of modules that can be imported ahead in a process that has not opened the store.
    """
    first = sys.modules.get(source.module)
    if first is None:
        return []
    libraries: dict[str, None] = {}
    own = {_package(source.module)}
    waiting, seen = [first], {first.__name__}
    while waiting:
        module = waiting.pop()
        known = _is_known(module)
        if not known and _defines_a_store(module):
            own.add(_package(module.__name__))
        if known or (_is_installed(module) and _package(module.__name__) not in own):
            libraries[module.__name__] = None
            continue
        for used in _used_by(module):
            if used.__name__ not in seen:
                seen.add(used.__name__)
                waiting.append(used)
    return [name for name in libraries if _package(name) not in own]


def _used_by(module: ModuleType) -> Iterator[ModuleType]:
    """The modules whose names, or whose functions' and classes' names, a module has."""
    for value in list(vars(module).values()):
        used: Any = value if isinstance(value, ModuleType) else sys.modules.get(_module_of(value))
        if isinstance(used, ModuleType):
            yield used


def _module_of(value: Any) -> str:
    defined = inspect.isclass(value) or inspect.isroutine(value)
    return str(getattr(value, "__module__", "")) if defined else ""


def _defines_a_store(module: ModuleType) -> bool:
    store = load().TokenStore
    return any(
        # `list[str]` passes for a class in Python 3.10, and is none.
        inspect.isclass(value)
        and not isinstance(value, GenericAlias)
        and issubclass(value, store)
        and value.__module__ == module.__name__
        for value in list(vars(module).values())
    )


def _is_known(module: ModuleType) -> bool:
    """Whether it is Python's, the SDK's or what tests stand on, and so holds no user's store."""
    package = _package(module.__name__)
    return package in sys.stdlib_module_names or package in _OF_TESTS or package == load().root


def _is_installed(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    paths = sysconfig.get_paths()
    return file is not None and any(
        Path(file).is_relative_to(paths[place]) for place in ("purelib", "platlib")
    )


def _package(name: str) -> str:
    return name.partition(".")[0]
