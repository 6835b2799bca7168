"""The verdict as the JSON value that every report is made from."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from .._spec.clauses import CLAUSES, CONTRACT_VERSION
from .._spec.outcomes import ClauseResult
from .._spec.sdk import SDKMissing, load
from .verdict import StoreVerdict, Verdicts

SCHEMA = 1
DISTRIBUTION = "pytest-zoho-tokenstore"


def as_json(verdicts: Verdicts) -> dict[str, Any]:
    """The report as plain values: schema 1, which is public.

    Args:
        verdicts: What the run found out.

    Returns:
        ``schema``, ``kit``, ``contract`` (its version), ``sdk`` (``distribution`` and ``version``, or
        ``null``), ``python`` and ``stores``: for each its ``target``, ``strict``, ``verdict``
        (``conforms``, ``violates`` or ``null``), ``reason`` where that is ``null``, ``cause`` where
        the smoke check found one, and ``clauses``, each with ``id``, ``level``, ``outcome``, and where
        they apply ``reason`` and ``findings``.
    """
    return {
        "schema": SCHEMA,
        "kit": importlib.metadata.version(DISTRIBUTION),
        "contract": CONTRACT_VERSION,
        "sdk": _sdk(),
        "python": platform.python_version(),
        "stores": [_store(store) for store in verdicts.stores.values()],
    }


def _sdk() -> dict[str, str] | None:
    try:
        sdk = load()
    except SDKMissing:
        return None
    return {"distribution": sdk.distribution, "version": sdk.version}


def _store(store: StoreVerdict) -> dict[str, Any]:
    made: dict[str, Any] = {"target": store.target, "strict": store.strict, "verdict": store.verdict}
    if store.verdict is None:
        made["reason"] = store.reason_no_script
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
