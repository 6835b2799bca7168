"""What the broken clauses of a store have in common, and which follow from others.

All of it is read from the findings: what two clauses do not both show is not said of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._spec.clause_results import ClauseResult, Finding
from .finding_signature import Sign, is_opened_empty, kept_keys, signs_of, signs_on_the_way
from .risks import every
from .wording import in_short, short_sentence

_SPECIFIC = ("field", "among", "rows", "error", "by", "kind", "lost together", "together")
"""What says most about a cause comes first."""

FOLLOWS = {
    "SAVE-22": "PERSIST-1",
    "VALUE-9": "PERSIST-1 SAVE-* FIND-* BYID-* DEL-*",
    "PERSIST-*": "PERSIST-1",
    "PERSIST-2": "PERSIST-1 DEL-1 DEL-2",
    "PERSIST-3": "PERSIST-1 SAVE-2 SAVE-3",
    "PERSIST-5": "PERSIST-1 FIND-*",
    "MODEL-1": "SAVE-* FIND-* BYID-* LIST-* DEL-* CLEAR-* VALUE-* PERSIST-*",
    "THREAD-5": "THREAD-2 THREAD-3 THREAD-4",
    "PROC-1": "THREAD-2 THREAD-3 PERSIST-1",
    "PROC-2": "THREAD-2 THREAD-3 PROC-1 PERSIST-1",
    "CRASH-1": "PERSIST-1",
    "CRASH-6": "PERSIST-1",
    "DEL-4": "DEL-1 DEL-2",
    "DEL-5": "SAVE-2 SAVE-3 PERSIST-3",
    "VALUE-*": "SAVE-* FIND-* BYID-* DEL-*",
    "FLOW-6": "THREAD-*",
    "FLOW-10": "",
    "FLOW-*": "SAVE-* FIND-* BYID-* DEL-* PERSIST-1",
}
"""Which clauses may be broken by the fault of another one; `*` is every clause of a group.

A clause follows only where its findings show the other's fault, too; see `signs_of`.
"""

_REST_ON_REOPENING = (
    "PERSIST-2",
    "PERSIST-3",
    "PERSIST-4",
    "PERSIST-5",
    "PROC-1",
    "PROC-2",
    "CRASH-1",
    "FLOW-2",
)
"""Clauses of which each check looks for rows in a store that was opened again."""

_SPEAK_OF = {
    "found a deleted token": ("DEL-4", "CLEAR-1"),
    "found what is not stored": ("FIND-6",),
    "found a wrong row": ("FIND-6", "FIND-8", "DEL-4"),
    "takes users whose names differ for one": ("SAVE-5", "FIND-8"),
    "kept old value": ("SAVE-13",),
    "wrong value": ("SAVE-13",),
    "changed another row": ("SAVE-5", "SAVE-11"),
    "changed a text": ("VALUE-1",),
    "lost another row": ("DEL-1", "DEL-2"),
}
"""Which clauses speak of what went wrong, and do not only meet it."""

_MANY = 99
_BY_CHANCE = ("THREAD-5",)
"""Clauses whose later checks are made up: the first one is what they are told by."""


@dataclass(frozen=True)
class Cause:
    """Clauses that fail for the same reason.

    Attributes:
        words: What their differences share; "" where one clause stands alone.
        results: The clauses: first the one to begin with, then in the order of the contract.
        following: Clauses that are broken because these are.
    """

    words: str
    results: tuple[ClauseResult, ...]
    following: tuple[ClauseResult, ...] = ()

    @property
    def first(self) -> ClauseResult:
        """The clause that is told in full."""
        return self.results[0]

    @property
    def said(self) -> str:
        """What they share, or what differs in the one clause."""
        return self.words or short_sentence(self.first)

    @property
    def all(self) -> tuple[ClauseResult, ...]:
        """Every clause that it explains."""
        return *self.results, *self.following

    @property
    def at_risk(self) -> list[str]:
        """The clauses whose risks it brings: where rows are gone, what was to be done with them is none."""
        told = self.results if is_opened_empty(self.first) else self.all
        return [result.clause for result in told]


def _calls(result: ClauseResult) -> int:
    return min((len(one.shortest) for one in result.findings if one.shortest), default=_MANY)


def causes(results: Sequence[ClauseResult], others: Sequence[ClauseResult] = ()) -> list[Cause]:
    """Group broken clauses by what all their differences share, each with those that follow from it.

    Args:
        results: Broken clauses, in the order of the contract.
        others: More of them, which are told only where they follow from one of these.

    Returns:
        The groups, those that explain most first, then in the order of their first clauses.
    """
    heads = _heads(results, others)
    left = {result.clause: result for result in results if result.clause not in heads}
    keys = {clause: kept_keys(result) for clause, result in left.items()}
    following = {
        clause: tuple(result for result in (*results, *others) if heads.get(result.clause) == clause)
        for clause in left
    }
    groups: list[Cause] = []
    while left:
        key, together = _largest(left.values(), keys)
        if len(together) < 2:
            groups += [Cause("", (result,), following[clause]) for clause, result in left.items()]
            break
        together = _in_order(together, key)
        of_them = [one for result in together for one in following[result.clause]]
        groups.append(Cause(_words(key), tuple(together), tuple(of_them)))
        for result in together:
            del left[result.clause]
    order = [result.clause for result in results]
    return sorted(groups, key=lambda cause: (-len(cause.all), order.index(cause.results[0].clause)))


def _in_order(together: Sequence[ClauseResult], key: Sign) -> list[ClauseResult]:
    """Clauses that share something, the one to begin with first."""
    speaking = _SPEAK_OF.get(key[2], ()) if key[0] in ("by", "kind") else ()
    ranks = {clause: place for place, clause in enumerate(speaking)}
    first = min(together, key=lambda result: (ranks.get(result.clause, _MANY), _calls(result)))
    return [first, *(result for result in together if result is not first)]


def _largest(left: Iterable[ClauseResult], keys: dict[str, set[Sign]]) -> tuple[Sign, list[ClauseResult]]:
    """What the most clauses share, and these."""
    sharing: dict[Sign, list[ClauseResult]] = {}
    for result in left:
        for key in keys[result.clause]:
            sharing.setdefault(key, []).append(result)
    return max(
        sharing.items(),
        key=lambda item: (len(item[1]), -_SPECIFIC.index(item[0][0])),
        default=(("",), []),
    )


def _heads(results: Sequence[ClauseResult], others: Sequence[ClauseResult]) -> dict[str, str]:
    """For each clause that follows from another one: that, where it is told."""
    heads: dict[str, str] = {}
    signs = {one.clause: (signs_of(*one.findings[:1]), signs_of(*one.findings)) for one in results}
    for result in (*results, *others):
        head = _head(result, [one for one in results if _may_follow(result.clause, one.clause)], signs)
        if head:
            heads[result.clause] = head
    while any(head in heads for head in heads.values()):
        heads = {clause: heads.get(head, head) for clause, head in heads.items()}
    return heads


def _may_follow(clause: str, other: str) -> bool:
    names = FOLLOWS.get(clause, FOLLOWS.get(every(clause), "")).split()
    return other != clause and (other in names or every(other) in names)


def _head(
    result: ClauseResult, others: Sequence[ClauseResult], signs: Mapping[str, Sequence[set[Sign]]]
) -> str:
    """The clause whose fault the findings of a result show, each of them; "" where one shows none."""
    if result.clause in _REST_ON_REOPENING:
        for other in others:
            if is_opened_empty(other):
                return other.clause
    findings = [finding for finding in result.findings if not finding.precondition_failed]
    if result.clause in _BY_CHANCE:
        findings = findings[:1]
    found = [
        _shown(result.clause, finding, {one.clause: signs[one.clause] for one in others})
        for finding in findings
    ]
    return found[0] if found and all(found) else ""


def _shown(clause: str, finding: Finding, others: Mapping[str, Sequence[set[Sign]]]) -> str:
    """The clause whose fault a finding shows best: its first one rather than any, and as its own."""
    seen = [signs_of(finding), signs_on_the_way(finding)]
    if every(clause) == "VALUE-*":
        # Each text is tried in each field: that a field is wrong says little.
        seen = [{sign for sign in signs if sign[0] in ("by", "kind")} for signs in seen]
    for signs in seen:
        for number in range(2):
            for other, shown in others.items():
                if signs & shown[number]:
                    return other
    return ""


def _words(key: Sign) -> str:
    kind, *values = key
    if kind == "field":
        return f"in all differences the field is {values[0]}"
    if kind == "among":
        return f"in all differences {values[0]} is among the fields"
    if kind == "rows":
        return f"the rows that are wrong are exactly those {values[0]}"
    if kind == "error":
        return f"{values[0]} raises {values[1]}"
    if kind == "by":
        method, what, *fields = values
        return f"{method} by {', '.join(in_short(fields))} alone {_did(what)}"
    if kind == "lost together":
        return f"{values[0]} at the same time loses rows"
    if kind == "together":
        return f"{values[0]} at the same time goes wrong"
    return f"{values[0]} {_did(values[1])}"


def _did(kind: str) -> str:
    return {"kept old value": "kept old values", "wrong value": "left wrong values"}.get(kind, kind)
