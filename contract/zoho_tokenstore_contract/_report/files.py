"""The report as files. Each is made from the JSON value alone, so that a stored report will do as well."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .badge import badge
from .html.page import page
from .markdown import markdown


def _json(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=2) + "\n"


RENDERERS: dict[str, Callable[[dict[str, Any]], str]] = {
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


def write(report: dict[str, Any], path: Path) -> None:
    """Write a report in the form that the ending of the path asks for.

    Whoever reads the path meanwhile finds the file that was there, or the new one, never a part.

    Args:
        report: The JSON value, schema 1.
        path: Where to; what `refusal` does not refuse.

    Raises:
        OSError: Where it cannot be written. What was there is still there.
    """
    text = RENDERERS[path.suffix](report)
    target = path.resolve()  # a link stays a link
    unfinished = target.with_name(f".tokenstore-report-{secrets.token_hex(8)}")
    try:
        with unfinished.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
