"""Names of clauses and groups, as a run is told which of them to check."""

from __future__ import annotations

import difflib

from .clauses import CLAUSES, GROUPS
from .outcomes import UsageError


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
