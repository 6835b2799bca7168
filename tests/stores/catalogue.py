"""The catalogue of faulty and of unusual but correct stores, filled by the modules beside it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._spec.clause_results import ClauseResult

S = TypeVar("S", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fault:
    """A store with one mistake.

    Attributes:
        store: The class; called with the location.
        clauses: The ids that the mistake breaks; the kit has to report each of them.
        says: Fragments of which one must be in what the kit expected of the first of them, or saw.
        declared: What its author declares: `StoreUnderTest` fields such as ``persistent=False``.
    """

    store: Any
    clauses: tuple[str, ...]
    says: tuple[str, ...]
    declared: dict[str, Any]

    @property
    def does(self) -> str:
        """What it does wrong, in one sentence."""
        return (self.store.__doc__ or "").strip()

    def is_told_by(self, result: ClauseResult) -> bool:
        """Whether a result gives the right reason: the text of the clause, in every message, is none."""
        told = ((finding.expected, finding.seen) for finding in result.findings)
        return any(says in text for texts in told for text in texts for says in self.says)

    def __str__(self) -> str:
        return f"{self.store.__module__.rpartition('.')[2]}.{self.store.__name__}"


@dataclass(frozen=True)
class Correct:
    """A store that is right but different."""

    store: Any
    declared: dict[str, Any]

    def __str__(self) -> str:
        return str(self.store.__name__)


_faults: list[Fault] = []
_correct: list[Correct] = []


def fault(*clauses: str, says: str | tuple[str, ...], **declared: Any) -> Callable[[S], S]:
    """Register a store class whose docstring says what it does wrong."""

    def register(store: S) -> S:
        if not store.__doc__:
            raise ValueError(f"{store.__name__}: say what it does wrong")
        _faults.append(Fault(store, clauses, (says,) if isinstance(says, str) else says, declared))
        return store

    return register


def correct(**declared: Any) -> Callable[[S], S]:
    """Register a store class that keeps every MUST clause."""

    def register(store: S) -> S:
        _correct.append(Correct(store, declared))
        return store

    return register


def _load() -> None:
    import tests.stores as package

    # What lies in packages comes last.
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    for module in sorted(found, key=lambda module: module.name.count(".")):
        importlib.import_module(module.name)


def faults() -> list[Fault]:
    """Every faulty store."""
    _load()
    return list(_faults)


def correct_stores() -> list[Correct]:
    """Every correct store."""
    _load()
    return list(_correct)


def sut_for(store: Callable[[Path], Any], **declared: Any) -> StoreUnderTest:
    """The store under test for a class or function that takes the location.

    Its storage is made by the test and may be lost, so a store with a broken ``get_tokens`` is examined too.
    """
    declared.setdefault("disposable", True)
    return StoreUnderTest(
        target=f"{store.__module__}:{store.__qualname__}",
        open=store,
        close=close_by_default,
        source=StoreSource.of(store),
        **declared,
    )
