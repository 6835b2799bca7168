"""The register of checks: functions that arrange, call and compare, each naming the clause that it checks.

A check takes a `Workspace`, returns when the clause is kept, and raises otherwise. One module for each
clause group; the modules are imported by `checks_of`, when the first contract class is collected.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from .._harness.workspace import Workspace
from .._spec.clauses import CLAUSES

FAMILIES = {
    "rows": (
        "interface saving_new_rows_and_names saving_updates finding passed_tokens "
        "reading_by_id_and_list deleting clearing_and_retention"
    ),
    "values": "round_trip long_and_absent_values lookalikes empty_and_unkeepable",
    "lifetime": "locations reopening two_stores other_environments sequences",
    "stress": (
        "other_threads concurrent_threads thread_histories interrupts processes_at_once openings crashes "
        "storage_failures"
    ),
    "secrets": "file_modes leaks",
    "flows": "sign_in signed_in_users",
}
"""The folders of checks, and their modules in the order in which the checks are run."""
MODULES = (
    "limit_probes",
    *(f"{family}.{module}" for family, modules in FAMILIES.items() for module in modules.split()),
)


@dataclass(frozen=True)
class Check:
    """One check of one clause.

    Attributes:
        clause: The id of the clause.
        name: What the check does, as words joined by underscores.
        run: The check itself.
        persistent: It applies to persistent stores alone.
        thread_safe: It applies to thread-safe stores alone.
    """

    clause: str
    name: str
    run: Callable[[Workspace], None]
    persistent: bool
    thread_safe: bool


_registered: dict[str, list[Check]] = {}


def check(
    clause: str, *, persistent: bool = False, thread_safe: bool = False
) -> Callable[[Callable[[Workspace], None]], Callable[[Workspace], None]]:
    """Register a function as a check of a clause.

    Args:
        clause: The id of the clause that the function checks.
        persistent: It applies to persistent stores alone.
        thread_safe: It applies to thread-safe stores alone.

    Returns:
        A decorator that registers a function and returns it unchanged.

    Raises:
        ValueError: There is no such clause.
    """
    if clause not in CLAUSES:
        raise ValueError(f"no such clause: {clause}")

    def register(run: Callable[[Workspace], None]) -> Callable[[Workspace], None]:
        made = Check(clause, run.__name__, run, persistent, thread_safe)
        _registered.setdefault(clause, []).append(made)
        return run

    return register


@dataclass(frozen=True)
class Case:
    """A row of a table of cases.

    Attributes:
        clause: The id of the clause that it shows.
        name: What it shows, in words.
    """

    clause: str
    name: str


SomeCase = TypeVar("SomeCase", bound=Case)


def check_each(
    cases: Iterable[SomeCase],
) -> Callable[[Callable[[Workspace, SomeCase], None]], Callable[[Workspace, SomeCase], None]]:
    """Register a function as a check of each row of a table."""

    def register(run: Callable[[Workspace, SomeCase], None]) -> Callable[[Workspace, SomeCase], None]:
        for case in cases:
            check(case.clause)(_one_of(run, case))
        return run

    return register


def _one_of(run: Callable[[Workspace, SomeCase], None], case: SomeCase) -> Callable[[Workspace], None]:
    """A check that is one row of a table."""

    def one(workspace: Workspace) -> None:
        run(workspace, case)

    one.__name__, one.__module__ = case.name.replace(" ", "_"), run.__module__
    return one


def checks_of(clause: str) -> tuple[Check, ...]:
    """The checks of a clause, in the order in which they are written down."""
    _load()
    return tuple(_registered.get(clause, ()))


@functools.cache
def _load() -> None:
    """Register every check, once: also where `pytester` drops the modules between two runs in a process."""
    for module in MODULES:
        importlib.import_module(f"{__package__}.{module}")
