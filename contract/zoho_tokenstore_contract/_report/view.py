"""What every form of the report says in the same words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .._spec.clauses import CLAUSES, GROUPS
from .._spec.outcomes import Outcome
from .verdict import CONFORMS, VIOLATES

TITLE = "TokenStore contract"
NO_STORE = "No store was checked."
WORDS = {CONFORMS: "CONFORMS", VIOLATES: "VIOLATES", None: "NO VERDICT"}
KEPT, BROKEN, ALLOWED = Outcome.KEPT.value, Outcome.BROKEN.value, Outcome.ALLOWED.value
NOT_APPLICABLE, NOT_RUN = Outcome.NOT_APPLICABLE.value, Outcome.NOT_RUN.value


def label(outcome: str) -> str:
    """An outcome as it is read."""
    return outcome.replace("-", " ")


def counted(clauses: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many clauses have each outcome that occurs, in one order everywhere."""
    counts = Counter(clause["outcome"] for clause in clauses)
    return {outcome.value: counts[outcome.value] for outcome in Outcome if counts[outcome.value]}


def sums(clauses: Iterable[dict[str, Any]]) -> str:
    """Such as ``84 kept, 3 broken``."""
    return ", ".join(f"{number} {label(outcome)}" for outcome, number in counted(clauses).items())


def share(clauses: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """How many clauses are kept, of how many that apply."""
    counts = counted(clauses)
    return counts.get(KEPT, 0), sum(counts.values()) - counts.get(NOT_APPLICABLE, 0)


def group_of(clause: dict[str, Any]) -> str:
    """The group of a clause: ``SAVE`` of ``SAVE-4``."""
    group: str = clause["id"].rpartition("-")[0]
    return group


def by_group(store: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The clauses of a store by their groups, in the order of the report."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for clause in store["clauses"]:
        groups.setdefault(group_of(clause), []).append(clause)
    return groups


def about_group(group: str) -> str:
    """What a group speaks of; "" where this release of the kit does not know it."""
    return GROUPS.get(group, "")


def about(clause: dict[str, Any]) -> tuple[str, str, str]:
    """Text, why it matters and source of a clause; "" where this release of the kit does not know it."""
    known = CLAUSES.get(clause["id"])
    return (known.text, known.why, known.source) if known else ("", "", "")


def check_words(finding: dict[str, Any]) -> str:
    """The sentence that a check's name is."""
    words: str = finding["check"].replace("_", " ")
    return words


def made_with(report: dict[str, Any]) -> str:
    """The releases that the report speaks of."""
    sdk = report["sdk"]
    name = f"{sdk['distribution']} {sdk['version']}" if sdk else "no Zoho CRM SDK"
    return f"pytest-zoho-tokenstore {report['kit']}, {name}, Python {report['python']}"
