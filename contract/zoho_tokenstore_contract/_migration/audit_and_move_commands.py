"""The commands ``audit`` and ``move``."""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .._spec.clause_results import UsageError
from .._spec.sdk import load
from . import report
from .addresses import parse
from .audit import audit
from .move import check_target, look_at_target, move
from .open_address import opened, opened_if_there, opened_to_write
from .plan import LEFT_OUT, Plan, plan
from .read_rows import CannotRead

FINE, FOUND = 0, 1
"""The exit statuses beside that of wrong use, which `UsageError` stands for."""


def run_audit(given: argparse.Namespace) -> int:
    """Look at a store in use.

    Args:
        given: ``target``, and ``report``, a path or ``None``.

    Returns:
        The exit status.

    Raises:
        UsageError: The store cannot be opened.
    """
    address = parse(given.target)
    _check_report(given.report)
    with opened(address) as reader, MoveProgress("rows read") as progress:
        found = audit(reader, load().version, progress)
    _print(report.audit_lines(address.text, found))
    _write(given.report, lambda: report.audit_json(address.text, found))
    return FOUND if found.findings else FINE


def run_move(given: argparse.Namespace) -> int:
    """Copy every token from one store to another.

    Args:
        given: ``source``, ``target``, ``dry_run``, ``merge``, and ``report``, a path or ``None``.

    Returns:
        The exit status.

    Raises:
        UsageError: A store cannot be opened or read, or the target holds other tokens.
    """
    source, target = parse(given.source), parse(given.target)
    if source.is_same_as(target):
        raise UsageError("source and target are the same store; give another file, table or prefix")
    _check_report(given.report)
    moved = None
    try:
        with opened(source) as reader, contextlib.closing(Plan()) as made:
            with MoveProgress("rows read") as progress:
                plan(reader, made, progress)
            with opened_if_there(target) as there, MoveProgress("rows of the target read") as progress:
                found = look_at_target(there, made, progress)
            check_target(found, made, target.text, merge=given.merge)
            _print(report.plan_lines(source.text, target.text, made, found, whole=given.dry_run))
            if not given.dry_run:
                with (
                    opened_to_write(target) as store,
                    MoveProgress(f"of {made.to_write:,} rows") as progress,
                ):
                    moved = move(reader, store, made, progress)
                _print(report.moved_lines(moved, made))
            _write(given.report, lambda: report.move_json(source.text, target.text, made, found, moved))
            is_whole = not made.notes_of(LEFT_OUT)
    except CannotRead as error:
        raise UsageError(f"a store cannot be read: {error}") from error
    except KeyboardInterrupt:
        sys.stderr.write("What is written stays; the same command goes on from there.\n")
        raise
    return FINE if is_whole and (moved is None or not (moved.failed or moved.broken_off)) else FOUND


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class MoveProgress:
    """A line on the terminal that tells how far a command is; nothing where nobody looks."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_seen = sys.stderr.isatty()

    def __call__(self, number: int) -> None:
        """Tell how far it is."""
        if self._is_seen:
            sys.stderr.write(f"\r{number:,} {self._what} ")
            sys.stderr.flush()

    def __enter__(self) -> MoveProgress:  # noqa: PYI034 (typing.Self needs Python 3.11)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_seen:
            sys.stderr.write("\r\x1b[K")


def _check_report(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix != ".json":
        raise UsageError(f"--report: {path.name!r} does not end in .json")
    if not path.parent.is_dir():
        raise UsageError(f"--report: there is no directory {path.parent}")


def _write(path: Path | None, value: Callable[[], dict[str, Any]]) -> None:
    """Write a report, whole or not at all."""
    if path is None:
        return
    unfinished = path.with_name(f".tokenstore-report-{secrets.token_hex(8)}")
    try:
        with unfinished.open("x", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(value(), indent=2) + "\n")
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"--report: {path} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
