"""What a store's users risk, in words that need no knowledge of the contract."""

from __future__ import annotations

from collections.abc import Iterable

RISKS = {
    "sends one user's calls with another user's token": """
        SAVE-2 SAVE-3 SAVE-5 SAVE-11 FIND-7 FIND-8 BYID-3 DEL-5 VALUE-6 VALUE-7 ISO-1 PERSIST-3 FLOW-4 FLOW-6
    """,
    "shows secrets to others": "SECRET-*",
    "loses tokens that were stored": """
        SAVE-9 SAVE-10 SAVE-13 DEL-1 DEL-2 DEL-3 VALUE-8 VALUE-9 PERSIST-1 PERSIST-4 THREAD-2 THREAD-3
        PROC-* CRASH-* FLOW-9
    """,
    "goes on using tokens that were deleted, revoked or replaced": """
        SAVE-18 FIND-6 FIND-11 BYID-4 LIST-3 DEL-4 CLEAR-1 PERSIST-2 FLOW-7 FLOW-8
    """,
    "makes users sign in again, or asks Zoho for tokens until it refuses": """
        SAVE-1 SAVE-4 SAVE-6 SAVE-7 SAVE-8 SAVE-12 SAVE-14 SAVE-15 SAVE-20 SAVE-21 FIND-1 FIND-2 FIND-3
        FIND-4 FIND-5 FIND-9 FIND-10 BYID-1 LIST-1 CLEAR-2 FLOW-*
    """,
    "gives tokens back changed, or mixed up under load": "SAVE-17 FIND-12 VALUE-* MODEL-* THREAD-*",
    "fails with errors that the application does not expect": """
        IFACE-* SAVE-* FIND-* BYID-* LIST-* DEL-* CLEAR-* PERSIST-*
    """,
}
"""What can happen, worst first, and the clauses that prevent it; `*` is every clause of a group.

A clause that several lines name belongs to the line that names it by its number, else to the first.
"""


def every(clause: str) -> str:
    """What stands for every clause of the group that a clause belongs to, such as ``SAVE-*``."""
    return f"{clause.rpartition('-')[0]}-*"


def risk_of(clause: str) -> int:
    """The place of a clause's risk in `RISKS`, 0 for the worst."""
    for one in (clause, every(clause)):
        for place, clauses in enumerate(RISKS.values()):
            if one in clauses.split():
                return place
    return len(RISKS) - 1


def risks(clauses: Iterable[str]) -> list[tuple[str, list[str]]]:
    """The risks of broken clauses, worst first, each with its clauses."""
    found: dict[int, list[str]] = {}
    for clause in clauses:
        found.setdefault(risk_of(clause), []).append(clause)
    words = list(RISKS)
    return [(words[place], found[place]) for place in sorted(found)]
