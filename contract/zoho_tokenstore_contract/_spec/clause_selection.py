"""Names of clauses and groups, as a run is told which of them to check."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from .clause_results import UsageError
from .clauses import CLAUSES, GROUPS, did_you_mean


def named_clauses(entries: list[str], option: str) -> frozenset[str]:
    """The clauses that an option names.

    Args:
        entries: The option's values, each a list of ids of clauses and groups with commas between them.
        option: The option, for the message.

    Returns:
        The ids of the clauses; none where the option was not given.

    Raises:
        UsageError: A name is neither a clause nor a group.
    """
    names = [name.strip().upper().replace("_", "-") for entry in entries for name in entry.split(",")]
    for name in names:
        if name not in CLAUSES and name not in GROUPS:
            close = difflib.get_close_matches(name, [*CLAUSES, *GROUPS], n=3)
            hint = f"; the nearest are {', '.join(close)}" if close else f"; groups are {', '.join(GROUPS)}"
            raise UsageError(f"{option}: there is no clause or group {name!r}{hint}")
    return frozenset(id for id, clause in CLAUSES.items() if id in names or clause.group in names)


def refuse_wrong_allowances(allowed: Mapping[str, str], option: str) -> None:
    """Refuse a list of allowed clauses that names another, or gives no reason.

    Args:
        allowed: Clause id to the reason why a store may break it.
        option: Where it comes from, for the message.

    Raises:
        UsageError: With the first entry that is wrong.
    """
    for clause, reason in allowed.items():
        if clause not in CLAUSES:
            hint = did_you_mean(str(clause).upper(), CLAUSES)
            raise UsageError(f"{option}: there is no clause {clause!r}{hint}")
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f"{option}: {clause} needs the reason why it may be broken")
