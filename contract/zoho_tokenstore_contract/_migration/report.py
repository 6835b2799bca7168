"""What `audit` and `move` print, and the same as JSON."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import itertools
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from .._spec.sdk import load
from .audit import EXAMPLES, Audit, shown
from .move import Moved, Standing
from .plan import LEFT_OUT, OTHER, SAME, Plan
from .read_rows import CUT

_WIDTH = 80


def header() -> dict[str, Any]:
    """What every JSON report begins with."""
    sdk = load()
    return {
        "schema": 1,
        "kit": importlib.metadata.version("pytest-zoho-tokenstore"),
        "sdk": {"distribution": sdk.distribution, "version": sdk.version},
    }


def audit_lines(address: str, audit: Audit) -> Iterator[str]:
    """An audit to be read.

    Args:
        address: The store as it may be printed.
        audit: What was found.
    """
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


def audit_json(address: str, audit: Audit) -> dict[str, Any]:
    """An audit for programs; see docs/moving.md.

    Args:
        address: The address of the store.
        audit: What was found.

    Returns:
        A value that JSON can hold.
    """
    return {
        **header(),
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


def plan_lines(source: str, target: str, made: Plan, found: Standing, *, whole: bool) -> Iterator[str]:
    """A plan to be read.

    Args:
        source: The source as it may be printed.
        target: The target as it may be printed.
        made: What is written.
        found: What the target holds.
        whole: All rows of which something is to be told are told, and not only the first.
    """
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


def moved_lines(moved: Moved, made: Plan) -> Iterator[str]:
    """What a move did, to be read.

    Args:
        moved: What the move did.
        made: The plan that it followed.

    Returns:
        The lines.
    """
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


def move_json(source: str, target: str, made: Plan, found: Standing, moved: Moved | None) -> dict[str, Any]:
    """A move for programs; see docs/moving.md.

    Args:
        source: The source as it may be printed.
        target: The target as it may be printed.
        made: What was planned.
        found: What the target held.
        moved: What was done; ``None`` where nothing was.
    """
    report: dict[str, Any] = {
        **header(),
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
