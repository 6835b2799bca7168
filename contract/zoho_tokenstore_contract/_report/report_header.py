"""What every file of the report says in the same words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .._spec.clause_results import ClauseResult, Outcome
from .._spec.clauses import CLAUSES, Clause
from .diagnosis import Cause, causes
from .json_report import Report
from .risks import risks
from .verdict import StoreVerdict

TITLE = "TokenStore contract"
NO_STORE = "No store was checked."


def counted(results: Iterable[ClauseResult]) -> dict[Outcome, int]:
    """How many clauses have each outcome that occurs, in one order everywhere."""
    counts = Counter(result.outcome for result in results)
    return {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}


def share(results: Iterable[ClauseResult]) -> tuple[int, int]:
    """How many clauses are kept, of how many that apply."""
    counts = counted(results)
    return counts.get(Outcome.KEPT, 0), sum(counts.values()) - counts.get(Outcome.NOT_APPLICABLE, 0)


def by_group(store: StoreVerdict) -> dict[str, list[ClauseResult]]:
    """The results of a store by the clauses' groups, in the order of the contract."""
    groups: dict[str, list[ClauseResult]] = {}
    for result in store.all_results:
        groups.setdefault(clause_of(result).group, []).append(result)
    return groups


def clause_of(result: ClauseResult) -> Clause:
    """The clause that a result speaks of."""
    return CLAUSES[result.clause]


def weighing(store: StoreVerdict) -> list[ClauseResult]:
    """The broken clauses that make a store violate the contract."""
    return [
        result for result in store.all_results if result.outcome is Outcome.BROKEN and store.weighs(result)
    ]


def not_weighing(store: StoreVerdict) -> list[ClauseResult]:
    """The broken clauses that do not."""
    return [
        result
        for result in store.all_results
        if result.outcome is Outcome.BROKEN and not store.weighs(result)
    ]


def by_clause(found: Iterable[Cause]) -> dict[str, Cause]:
    """What each broken clause is told under, from what `causes_of` found."""
    return {one.clause: cause for cause in found for one in cause.all}


def causes_of(store: StoreVerdict) -> list[Cause]:
    """Why a store violates the contract: its broken clauses by what they share and what follows from what."""
    return causes(weighing(store), not_weighing(store))


def risks_of(found: Iterable[Cause]) -> list[tuple[str, list[str]]]:
    """What a store's users risk by what `causes_of` found: worst first, each with its clauses."""
    at_risk = {clause for cause in found for clause in cause.at_risk}
    return risks(clause for clause in CLAUSES if clause in at_risk)


def made_with(report: Report) -> str:
    """The releases that the report speaks of."""
    name = f"{report.sdk[0]} {report.sdk[1]}" if report.sdk else "no Zoho CRM SDK"
    return f"pytest-zoho-tokenstore {report.kit}, {name}, Python {report.python}"


def made_when(report: Report) -> str:
    """When the run began, and how long it took."""
    minutes, seconds = divmod(round(report.seconds), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{report.seconds:g} s"
    return f"{report.date.replace('T', ' ').replace('+00:00', ' UTC')}, {took}"
