"""What `audit` and `move` print, and the same as JSON."""

from __future__ import annotations

import datetime
import importlib.metadata
import textwrap
from collections.abc import Iterator
from typing import Any

from .._sdk import load
from .audit import EXAMPLES, Audit

_WIDTH = 100


def header() -> dict[str, Any]:
    """What every JSON report begins with."""
    sdk = load()
    return {
        "schema": 1,
        "kit": importlib.metadata.version("pytest-zoho-tokenstore"),
        "sdk": {"distribution": sdk.distribution, "version": sdk.version},
    }


def audit_text(address: str, audit: Audit) -> str:
    """An audit to be read.

    Args:
        address: The store as it may be printed.
        audit: What was found.
    """
    return "\n".join(_audit_lines(address, audit)) + "\n"


def _audit_lines(address: str, audit: Audit) -> Iterator[str]:
    sdk = load()
    whose = f" ({audit.store} of {sdk.distribution} {sdk.version})" if audit.store else ""
    yield f"{address}{whose}"
    yield f"  {audit.rows:,} rows, {audit.users:,} users, {audit.unnamed:,} rows without a user name"
    if audit.expired:
        first, last = (_day(moment) for moment in audit.expired_since)
        yield f"  {audit.expired:,} access tokens have expired, the first on {first}, the last on {last}"
    yield f"  {audit.looked_up:,} ids looked up"
    yield ""
    yield "found:" if audit.findings else "nothing wrong was found"
    for finding in audit.findings:
        yield from _wrapped(f"{finding.count:>6,}  {finding.meaning}", 8)
        for example in finding.examples:
            yield from _wrapped(f"        - {example}", 10)
        if finding.count > len(finding.examples) == EXAMPLES:
            yield f"        - and {finding.count - EXAMPLES:,} more"
    if audit.known:
        yield ""
        yield f"what {audit.store} is known to do (docs/published-stores.md), and what was seen of it here:"
    for fault in audit.known:
        seen = audit.count(fault.traces)
        traces = f"traces here: {seen:,}" if seen else "no trace here"
        yield from _wrapped(f"  {', '.join(fault.clauses)}: {fault.meaning} ({traces})", 4)


def audit_json(address: str, audit: Audit) -> dict[str, Any]:
    """An audit for programs; see docs/moving.md."""
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


def _day(moment: int) -> str:
    try:
        return datetime.datetime.fromtimestamp(moment / 1000, datetime.timezone.utc).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return "an unknown day"


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=" " * indent, drop_whitespace=True, replace_whitespace=False
    ) or [""]
