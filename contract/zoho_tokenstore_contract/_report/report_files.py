"""The report as files, each by a writer of its own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

from .badge import badge
from .html.page import page
from .json_report import Report, as_json
from .markdown import markdown


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

    Whoever reads the path meanwhile finds the file that was there, or the new one, never a part.

    Args:
        report: What the run found out.
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
