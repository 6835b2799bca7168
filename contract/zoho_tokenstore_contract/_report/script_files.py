"""Writes the scripts that show what stores break into a directory, one for each store and clause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .._spec.clause_results import ClauseResult
from .verdict import StoreVerdict, Verdicts


def why_not(directory: Path) -> str | None:
    """Why scripts must not be written into a directory, if so."""
    if directory.is_file():
        return f"{directory} is a file"
    if directory.is_dir() and any(directory.iterdir()):
        return f"{directory} is not empty, and scripts of an earlier run would be taken for those of this one"
    return None


def write(verdicts: Verdicts, directory: Path) -> list[Path]:
    """Write a script for each broken clause that has one; makes the directory.

    Args:
        verdicts: What the run found out.
        directory: Where to.

    Returns:
        The files.

    Raises:
        OSError: Where one cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for _, result, name in named(verdicts):
        path = directory / name
        path.write_text(script_of(result), encoding="utf-8", errors="backslashreplace")
        written.append(path)
    return written


def named(verdicts: Verdicts) -> Iterator[tuple[StoreVerdict, ClauseResult, str]]:
    """Each broken clause of each store that has a script, with the name of its file."""
    taken: set[str] = set()
    for store in verdicts.stores.values():
        prefix = base = re.sub(r"\W+", "_", store.target).strip("_") or "store"
        number = 1
        while prefix in taken:
            number += 1
            prefix = f"{base}_{number}"
        taken.add(prefix)
        for result in store.all_results:
            if script_of(result):
                yield store, result, f"{prefix}_{result.clause.replace('-', '_')}.py"


def script_of(result: ClauseResult) -> str:
    """The script that shows a clause broken, "" where there is none."""
    return next((finding.script for finding in result.findings if finding.script), "")


def reason_script_missing(result: ClauseResult) -> str:
    """Why there is none."""
    return next((finding.no_script for finding in result.findings if finding.no_script), "")
