"""pytest-zoho-tokenstore: the conformance test kit for the Zoho CRM Python SDK's ``TokenStore``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._report.verdict import ClauseVerdict, Verdict
    from ._runner.check_function import check
    from ._runner.contract_class import TokenStoreContract
    from ._spec.clause_results import Finding, Outcome, UsageError
    from ._spec.clauses import Level

__all__ = [
    "ClauseVerdict",
    "Finding",
    "Level",
    "Outcome",
    "TokenStoreContract",
    "UsageError",
    "Verdict",
    "check",
]

_MODULES = {
    "ClauseVerdict": "_report.verdict",
    "Finding": "_spec.clause_results",
    "Level": "_spec.clauses",
    "Outcome": "_spec.clause_results",
    "TokenStoreContract": "_runner.contract_class",
    "UsageError": "_spec.clause_results",
    "Verdict": "_report.verdict",
    "check": "_runner.check_function",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the plugin lives in this package and is loaded in every pytest run."""
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
