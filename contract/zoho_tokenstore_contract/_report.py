"""The verdict as a JSON file."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from ._clauses import CLAUSES
from ._outcomes import ClauseResult
from ._sdk import SDKMissing, load
from ._verdict import StoreVerdict, Verdicts

SCHEMA = 1
DISTRIBUTION = "pytest-zoho-tokenstore"


def as_json(verdicts: Verdicts) -> dict[str, Any]:
    """The report as plain values: schema 1, which is public.

    Args:
        verdicts: What the run found out.

    Returns:
        ``schema``, ``kit``, ``sdk`` (``distribution`` and ``version``, or ``null``), ``python`` and
        ``stores``: for each its ``target``, ``strict``, ``verdict`` (``conforms``, ``violates`` or
        ``null``), ``reason`` where that is ``null``, ``cause`` where the smoke check found one, and
        ``clauses``.
    """
    return {
        "schema": SCHEMA,
        "kit": importlib.metadata.version(DISTRIBUTION),
        "sdk": _sdk(),
        "python": platform.python_version(),
        "stores": [_store(store) for store in verdicts.stores.values()],
    }


def write_json(verdicts: Verdicts, path: Path) -> None:
    """Write the report to a file.

    Raises:
        OSError: Where it cannot be written.
    """
    text = json.dumps(as_json(verdicts), indent=2)
    path.write_text(text + "\n", encoding="ascii")


def _sdk() -> dict[str, str] | None:
    try:
        sdk = load()
    except SDKMissing:
        return None
    return {"distribution": sdk.distribution, "version": sdk.version}


def _store(store: StoreVerdict) -> dict[str, Any]:
    made: dict[str, Any] = {"target": store.target, "strict": store.strict, "verdict": store.verdict}
    if store.verdict is None:
        made["reason"] = store.why_none
    if store.cause:
        made["cause"] = store.cause
    made["clauses"] = [_clause(result) for result in store.all_results]
    return made


def _clause(result: ClauseResult) -> dict[str, Any]:
    data = result.as_dict()
    made = {"id": result.clause, "level": CLAUSES[result.clause].level.value, "outcome": data["outcome"]}
    if result.reason:
        made["reason"] = result.reason
    if result.findings:
        made["findings"] = data["findings"]
    return made
