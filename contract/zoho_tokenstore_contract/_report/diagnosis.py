"""What the broken clauses of a store have in common, as far as the kit compared it; never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._spec.outcomes import ClauseResult, Difference, Finding

Key = tuple[str, ...]
_OTHER = re.compile(r"other values(?: than any save)? in (\w+(?:, \w+)*)")
_SPECIFIC = ("field", "rows", "error", "by", "kind")
"""What says most about a cause comes first."""


@dataclass(frozen=True)
class Cause:
    """Clauses that fail for the same reason.

    Attributes:
        words: What their differences share; "" where one clause stands alone.
        results: The clauses in the order of the contract; the first is the one to begin with.
    """

    words: str
    results: tuple[ClauseResult, ...]

    @property
    def first(self) -> ClauseResult:
        """The clause that is told in full."""
        return self.results[0]


def causes(results: Sequence[ClauseResult]) -> list[Cause]:
    """Group broken clauses by what all their differences share.

    Args:
        results: Broken clauses, in the order of the contract.

    Returns:
        The groups, in the order of their first clauses.
    """
    keys = {result.clause: _keys(result) for result in results}
    left = {result.clause: result for result in results}
    groups: list[Cause] = []
    while left:
        sharing: dict[Key, list[ClauseResult]] = {}
        for clause, result in left.items():
            for key in keys[clause]:
                sharing.setdefault(key, []).append(result)
        key, together = max(
            sharing.items(),
            key=lambda item: (len(item[1]), -_SPECIFIC.index(item[0][0])),
            default=(("",), []),
        )
        if len(together) < 2:
            groups += [Cause("", (result,)) for result in left.values()]
            break
        groups.append(Cause(_words(key), tuple(together)))
        for result in together:
            del left[result.clause]
    order = [result.clause for result in results]
    return sorted(groups, key=lambda cause: order.index(cause.first.clause))


def _keys(result: ClauseResult) -> set[Key]:
    """What all findings of a clause share, each as something that another clause's can be compared with."""
    found = [_of(finding) for finding in result.findings if not finding.precondition_failed]
    return set.intersection(*found) if found else set()


def _of(finding: Finding) -> set[Key]:
    keys: set[Key] = set()
    if other := _OTHER.search(finding.seen):
        fields = other[1].split(", ")
        keys |= {("field", fields[0])} if len(fields) == 1 else set()
    return keys if finding.difference is None else keys | {*_of_difference(finding.difference)}


def _of_difference(difference: Difference) -> Iterable[Key]:
    if len(difference.fields) == 1:
        yield "field", difference.fields[0]
    if difference.rows:
        yield "rows", difference.rows
    if difference.kind.startswith("raised"):
        yield "error", difference.method, difference.words.partition(" (at ")[0].removeprefix("raised ")
    if difference.kind and difference.by and len(difference.by) <= 3:
        yield "by", difference.method, difference.kind, *difference.by
    if difference.kind and not difference.kind.startswith("raised"):
        yield "kind", difference.method, difference.kind


def _words(key: Key) -> str:
    kind, *values = key
    if kind == "field":
        return f"in all differences the field is {values[0]}"
    if kind == "rows":
        return f"the rows that are wrong are exactly those {values[0]}"
    if kind == "error":
        return f"{values[0]} raises {values[1]}"
    if kind == "by":
        method, what, *fields = values
        return f"{method} with {', '.join(fields)} alone {_did(what)}"
    return f"{values[0]} {_did(values[1])}"


def _did(kind: str) -> str:
    return {"kept old value": "kept old values", "wrong value": "left wrong values"}.get(kind, kind)
