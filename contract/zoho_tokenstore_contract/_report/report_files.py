"""The report as files, each by a writer of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .badge import badge
from .html.page import page
from .markdown import markdown
from .report import Report
from .verdict import Verdict

SCHEMA = 1


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain values: schema 1, which is public.

    Args:
        report: What the run found out.

    Returns:
        ``schema``, ``kit``, ``contract`` (its version), ``sdk`` (``distribution`` and ``version``, or
        ``null``), ``python``, ``date`` (ISO 8601, UTC), ``seconds``, ``command`` and ``stores``: for each its
        ``target``, ``strict``, ``verdict`` (``conforms``, ``violates`` or ``null``), ``reason`` where that
        is ``null``, ``cause`` where the smoke check found one, and ``clauses``, each with ``id``, ``level``,
        ``outcome``, and where they apply ``reason`` and ``findings``.
    """
    return {
        "schema": SCHEMA,
        "kit": report.kit,
        "contract": report.contract,
        "sdk": report.sdk and {"distribution": report.sdk[0], "version": report.sdk[1]},
        "python": report.python,
        "date": report.date,
        "seconds": report.seconds,
        "command": report.command,
        "stores": [Verdict.of(store).as_dict() for store in report.stores],
    }


def _json(report: Report) -> str:
    return json.dumps(as_json(report), indent=2) + "\n"


RENDERERS: dict[str, Callable[[Report], str]] = {
    ".json": _json,
    ".html": page,
    ".md": markdown,
    ".svg": badge,
}
"""What makes the text of a file, by the ending of its name."""


def refusal(path: Path) -> str:
    """Why no report can be written to a path, before anything was run; "" where one can."""
    if path.suffix not in RENDERERS:
        *others, last = RENDERERS
        return f"{path.name!r} does not end in {', '.join(others)} or {last}"
    if not path.parent.is_dir():
        return f"there is no directory {path.parent}"
    return f"{path} is a directory" if path.is_dir() else ""


def write(report: Report, path: Path) -> None:
    """Write a report in the form that the ending of the path asks for.

    Args:
        report: What the run found out.
        path: Where to; what `refusal` does not refuse.

    Raises:
        OSError: Where it cannot be written. What was there is still there.
    """
    write_whole(RENDERERS[path.suffix](report), path)


def write_whole(text: str, path: Path) -> None:
    """Write a file whole or not at all: who reads it meanwhile finds what was there, or the new file.

    Args:
        text: What it is to hold.
        path: Where it is; a link stays a link.

    Raises:
        OSError: Where it cannot be written. What was there is still there.
    """
    target = path.resolve()
    unfinished = target.with_name(f".tokenstore-report-{secrets.token_hex(8)}")
    try:
        with unfinished.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
