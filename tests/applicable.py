"""Which clauses apply to a store in memory."""

from __future__ import annotations

from zoho_tokenstore_contract._spec.clauses import CLAUSES

_GROUPS = frozenset({"PERSIST", "PROC", "CRASH"})
_CLAUSES = frozenset({"CLEAR-3", "SECRET-1", "FLOW-2"})


def takes_a_file(clause: str) -> bool:
    """Whether a clause takes a file or a second opening, which stores in memory do not have."""
    return clause != "CRASH-6" and (clause in _CLAUSES or CLAUSES[clause].group in _GROUPS)
