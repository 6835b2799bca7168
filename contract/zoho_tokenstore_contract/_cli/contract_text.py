"""The contract on the terminal: a clause in full, or a group with a line for each clause."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import Any

from .._spec.clauses import CLAUSES, GROUPS, SOURCES, Clause


def print_clause(clause: Clause) -> None:
    """Print a clause in full: what it promises, why, since when, and what is tried.

    Args:
        clause: The clause.
    """
    from .._checks.registry import checks_of

    sources = " and ".join(SOURCES[mark].replace("*", "").replace("`", "") for mark in clause.source.split())
    since = f"from version {clause.since} on; until then it is reported and weighs nothing"
    tried = [f"- {check.name.replace('_', ' ')}" for check in checks_of(clause.id)]
    _print_wrapped(f"{clause.id} ({clause.level.value}), {GROUPS[clause.group]}")
    print()
    _print_wrapped(clause.text)
    print()
    _print_wrapped(f"Why it matters: {clause.why}")
    _print_wrapped(f"Source: {sources}.")
    _print_wrapped(f"In the contract: {since if clause.new else f'since version {clause.since}'}.")
    print("\nWhat is tried:")
    for line in tried:
        _print_wrapped(line, subsequent_indent="  ")


def print_group(group: str) -> None:
    """Print the clauses of a group, a line each.

    Args:
        group: The group, such as ``SAVE``.
    """
    print(f"{group}: {GROUPS[group]}")
    for clause in CLAUSES.values():
        if clause.group == group:
            line = f"  {clause.id:9} {clause.level.value:6} {'(new) ' if clause.new else ''}{clause.text}"
            # One line each: whole where a program reads, as wide as the window where somebody does.
            print(textwrap.shorten(line, _width(), placeholder=" ...") if sys.stdout.isatty() else line)


def _print_wrapped(text: str, **layout: Any) -> None:
    print(textwrap.fill(text, min(_width(), 100), break_long_words=False, break_on_hyphens=False, **layout))


def _width() -> int:
    return shutil.get_terminal_size().columns
