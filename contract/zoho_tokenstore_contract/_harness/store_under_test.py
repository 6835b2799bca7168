"""The store under test: how it is opened and closed, and what its author declares of it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Origin:
    """Where a factory or contract class can be imported again, in another process.

    Attributes:
        module: The module's name.
        qualname: The name inside it; has ``<locals>`` in it where nothing can import it.
        file: The module's source file, for modules that are not on the path.
    """

    module: str
    qualname: str
    file: str | None

    @classmethod
    def of(cls, thing: Any) -> Origin:
        """The origin of a class or function."""
        try:
            file: str | None = inspect.getsourcefile(thing)
        except TypeError:
            file = None
        return cls(
            module=getattr(thing, "__module__", "") or "",
            qualname=getattr(thing, "__qualname__", "<locals>"),
            file=str(Path(file).resolve()) if file else None,
        )


@dataclass
class Subject:
    """A store under test.

    What a store is, is declared and never guessed.

    Attributes:
        target: Its name in reports.
        open: Opens the store on the directory that is passed.
        close: Closes an open store.
        persistent: Opening the same location again means the same rows.
        thread_safe: One store object may be used by several threads.
        own_storage: Each location has storage of its own; else the kit empties it between checks.
        allowed: Clause id to the reason why this store may break it.
        strict: SHOULD counts as MUST.
        in_location: The location is the current directory while the store is made and used.
        break_storage: Puts the storage of an open store out of reach, where its author says how.
        origin: Where another process can import what opens the store.
        saved: Every credential and user name that the kit gave to this store: rows that hold
            none of them are somebody else's.
        hangs: What never came back so far: a call, as ``save_token``, or the calls that hold each
            other, as ``save_token and delete_token``.
    """

    target: str
    open: Callable[[Path], Any]
    close: Callable[[Any], None]
    origin: Origin
    persistent: bool = True
    thread_safe: bool = True
    own_storage: bool = True
    allowed: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    in_location: bool = False
    break_storage: Callable[[Any, Path], None] | None = None
    saved: set[Any] = field(default_factory=set)
    hangs: list[str] = field(default_factory=list)


def close_by_default(store: Any) -> None:
    """Call ``store.close()`` where the store has one."""
    close = getattr(store, "close", None)
    if callable(close):
        close()


def takes_location(factory: Callable[..., Any]) -> bool:
    """Whether a factory takes a positional argument: the location."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return True
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    return any(parameter.kind in positional for parameter in parameters)


def lookup(module: str, qualname: str) -> Any:
    """Import a module and follow a dotted name in it.

    Raises:
        ImportError: Where the module cannot be imported.
        AttributeError: Where it has no such name.
    """
    thing: Any = importlib.import_module(module)
    for name in qualname.split("."):
        thing = getattr(thing, name)
    return thing
