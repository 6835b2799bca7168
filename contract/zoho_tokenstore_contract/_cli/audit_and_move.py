"""The commands ``audit`` and ``move``: what they run, what they print, and the same as JSON."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import importlib.metadata
import itertools
import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .._migration.addresses import parse
from .._migration.audit import EXAMPLES, Audit, audit
from .._migration.move import Moved, Standing, check_target, look_at_target, move
from .._migration.open_store import opened, opened_if_there, opened_to_write
from .._migration.plan import LEFT_OUT, OTHER, SAME, Plan, plan
from .._migration.readers import CUT, CannotRead, shown
from .._spec.clause_results import UsageError
from .._spec.sdk import load

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
    with opened(address) as reader, _Progress("rows read") as progress:
        found = audit(reader, load().version, progress)
    _print(_audit_lines(address.text, found))
    _write(given.report, lambda: _audit_json(address.text, found))
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
            with _Progress("rows read") as progress:
                plan(reader, made, progress)
            with opened_if_there(target) as there, _Progress("rows of the target read") as progress:
                found = look_at_target(there, made, progress)
            check_target(found, made, target.text, merge=given.merge)
            _print(_plan_lines(source.text, target.text, made, found, whole=given.dry_run))
            if not given.dry_run:
                with (
                    opened_to_write(target) as store,
                    _Progress(f"of {made.to_write:,} rows") as progress,
                ):
                    moved = move(reader, store, made, progress)
                _print(_moved_lines(moved, made))
            _write(given.report, lambda: _move_json(source.text, target.text, made, found, moved))
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


class _Progress:
    """A line on the terminal that tells how far a command is; nothing where nobody looks."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_seen = sys.stderr.isatty()

    def __call__(self, number: int) -> None:
        """Tell how far it is."""
        if self._is_seen:
            sys.stderr.write(f"\r{number:,} {self._what} ")
            sys.stderr.flush()

    def __enter__(self) -> _Progress:  # noqa: PYI034 (typing.Self needs Python 3.11)
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
    if path is None:
        return
    from .._report.report_files import write_whole

    try:
        write_whole(json.dumps(value(), indent=2) + "\n", path)
    except OSError as error:
        raise UsageError(f"--report: {path} cannot be written: {error}") from error


_WIDTH = 80


def _header() -> dict[str, Any]:
    """What every JSON report begins with."""
    sdk = load()
    return {
        "schema": 1,
        "kit": importlib.metadata.version("pytest-zoho-tokenstore"),
        "sdk": {"distribution": sdk.distribution, "version": sdk.version},
    }


def _audit_lines(address: str, audit: Audit) -> Iterator[str]:
    """An audit to be read."""
    sdk = load()
    whose = f" ({audit.store} of {sdk.distribution} {sdk.version})" if audit.store else ""
    yield f"{address}{whose}"
    yield f"  {_number(audit.rows, 'row')}, {_number(audit.users, 'user')}"
    if audit.unnamed:
        yield f"  {_number(audit.unnamed, 'row')} without a user name"
    if audit.expired:
        first, last = (_day(moment) for moment in audit.expired_since)
        yield f"  {_number(audit.expired, 'expired access token')}, the first of {first}, the last of {last}"
    if audit.looked_up < audit.rows:
        yield f"  {_number(audit.looked_up, 'id')} looked up"
    yield ""
    yield "found, the worst first:" if audit.findings else "nothing wrong was found"
    for finding in audit.findings:
        yield from _wrapped(f"{finding.count:>8,}  {finding.meaning}", 10)
        for example in finding.examples:
            yield from _wrapped(f"          - {example}", 12)
        if finding.count > len(finding.examples) == EXAMPLES:
            yield f"          - and {finding.count - EXAMPLES:,} more"
    if not audit.known:
        return
    yield ""
    yield f"what {audit.store} is known to do, and what was seen of it here:"
    for fault in sorted(audit.known, key=lambda fault: audit.count(fault.traces), reverse=True):
        seen = audit.count(fault.traces)
        yield from _wrapped(f"{seen or '-':>8}  {fault.meaning} ({', '.join(fault.clauses)})", 10)
    yield "A clause: zoho-tokenstore clauses ID. The way to another store: zoho-tokenstore move --help"


def _audit_json(address: str, audit: Audit) -> dict[str, Any]:
    """An audit for programs; see docs/moving.md."""
    return {
        **_header(),
        "target": address,
        "store": audit.store or None,
        "rows": audit.rows,
        "users": audit.users,
        "unnamed": audit.unnamed,
        "expired": audit.expired,
        "expired_since": list(audit.expired_since) if audit.expired else None,
        "looked_up": audit.looked_up,
        "findings": [
            {
                "kind": finding.kind,
                "meaning": finding.meaning,
                "count": finding.count,
                "examples": finding.examples,
            }
            for finding in audit.findings
        ],
        "known": [
            {
                "clauses": list(fault.clauses),
                "meaning": fault.meaning,
                "seen": audit.count(fault.traces),
            }
            for fault in audit.known
        ],
    }


def _plan_lines(source: str, target: str, made: Plan, found: Standing, *, whole: bool) -> Iterator[str]:
    """A plan to be read; `whole` is for all rows of which something is told, and not only the first."""
    yield f"{source} -> {target}"
    counts = (
        (made.total, "rows in the source"),
        (made.to_write, "of them to be in the target"),
        (made.in_target(SAME), "of these there already"),
        (made.in_target(OTHER), "there in another state: the newest row that can renew is kept"),
        (found.others, "other rows in the target, which stay"),
        (made.new_ids, "with a new id, for they have none, or that of another row"),
        (made.headers, "header lines, which are no tokens"),
    )
    yield from (f"{count:>8,}  {what}" for count, what in counts if count)
    lists = (
        (
            made.losers,
            "not written: another row of the login is the newest that can renew",
            (f"{place}: {better} is written" for place, better in made.conflicts()),
        ),
        (made.notes_of(CUT), "written without a field that is cut", _joined(made.notes(CUT))),
        (made.notes_of(LEFT_OUT), "not to be carried over", _joined(made.notes(LEFT_OUT))),
    )
    for count, title, lines in lists:
        yield from _listed(count, title, lines, count if whole else EXAMPLES)


def _moved_lines(moved: Moved, made: Plan) -> Iterator[str]:
    """What a move did, to be read."""
    yield ""
    counts = (
        (moved.written, "written"),
        (moved.already, "there before"),
        (moved.updated, "brought up to date"),
        (moved.newer, "left as they were: the target has newer ones"),
    )
    yield from (f"{count:>8,}  {what}" for count, what in counts if count)
    if moved.broken_off:
        yield f"broken off: {moved.broken_off}"
    elif not moved.failed and (moved.written or moved.already or moved.updated):
        yield "each was read back by its id and by every key, and is equal in every field"
    yield from _listed(len(moved.failed), "failed", _joined(moved.failed), len(moved.failed))
    for number, (old, new) in enumerate(made.changed_ids()):
        if not number:
            yield "ids that are others in the target, old -> new:"
        yield f"  {shown(old)} -> {shown(new)}"


def _move_json(source: str, target: str, made: Plan, found: Standing, moved: Moved | None) -> dict[str, Any]:
    """A move for programs; see docs/moving.md."""
    report: dict[str, Any] = {
        **_header(),
        "source": source,
        "target": target,
        "rows": made.total,
        "to_write": made.to_write,
        "there_already": made.in_target(SAME),
        "there_in_another_state": made.in_target(OTHER),
        "others_in_target": found.others,
        "headers": made.headers,
        "conflicts": [{"place": place, "instead": better} for place, better in made.conflicts()],
        "cut": list(_joined(made.notes(CUT))),
        "left_out": [{"place": place, "why": why} for place, why in made.notes(LEFT_OUT)],
    }
    if moved is not None:
        report |= {
            "written": moved.written,
            "updated": moved.updated,
            "newer_in_target": moved.newer,
            "failed": [{"place": place, "why": why} for place, why in moved.failed],
            "broken_off": moved.broken_off or None,
            "ids": dict(made.changed_ids()),
        }
    return report


def _joined(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"{place}: {why}" for place, why in pairs)


def _listed(count: int, title: str, lines: Iterable[str], most: int) -> Iterator[str]:
    if not count:
        return
    yield f"{count:>8,}  {title}:"
    for line in itertools.islice(lines, most):
        yield from _wrapped(f"          - {line}", 12)
    if count > most:
        yield f"          - and {count - most:,} more; --dry-run tells them"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _day(moment: int) -> str:
    try:
        return dt.datetime.fromtimestamp(moment / 1000, dt.timezone.utc).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return "an unknown day"


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=" " * indent, drop_whitespace=True, replace_whitespace=False
    ) or [""]
