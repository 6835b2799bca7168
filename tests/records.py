"""Recorded answers as files: compact JSON under ``data/``, a line for each store."""

from __future__ import annotations

import json
from typing import Any


def compact(record: dict[str, Any]) -> str:
    """A record as JSON, with a line for each entry of its lists, so that a change shows as few lines.

    Args:
        record: Names to values; lists are written an entry a line.

    Returns:
        The JSON text, without a line break at its end.
    """
    parts = []
    for name, value in record.items():
        if isinstance(value, list):
            entries = ",\n".join(json.dumps(entry) for entry in value)
            parts.append(f"{json.dumps(name)}: [\n{entries}\n]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{" + ",\n".join(parts) + "}"
