"""What a run found out, for the writers of files, and what each of them says in the same words."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._spec.clause_results import ClauseResult, Outcome
from .._spec.clauses import CLAUSES, CONTRACT_VERSION
from .._spec.sdk import SDKMissing, load
from .diagnosis import Cause, causes
from .risks import risks
from .verdict import StoreVerdict, Verdicts

DISTRIBUTION = "pytest-zoho-tokenstore"


@dataclass(frozen=True)
class Report:
    """What a run found out, for the writers of files.

    Attributes:
        stores: What it knows of each store.
        kit: The kit's version.
        contract: The contract's version.
        sdk: The distribution and the version of the SDK; ``None`` where there is none.
        python: Python's version.
        date: When the run began, as ISO 8601 in UTC, to the second.
        seconds: How long it took.
        command: What was run.
    """

    stores: Sequence[StoreVerdict]
    kit: str
    contract: int
    sdk: tuple[str, str] | None
    python: str
    date: str
    seconds: float
    command: str


def report_on(verdicts: Verdicts, command: str, began: float, seconds: float) -> Report:
    """Gather what the files say.

    Args:
        verdicts: What the run found out.
        command: What was run.
        began: When, in seconds since the epoch.
        seconds: How long it took.

    Returns:
        The report.
    """
    return Report(
        stores=tuple(verdicts.stores.values()),
        kit=importlib.metadata.version(DISTRIBUTION),
        contract=CONTRACT_VERSION,
        sdk=_sdk(),
        python=platform.python_version(),
        date=dt.datetime.fromtimestamp(int(began), dt.timezone.utc).isoformat(),
        seconds=round(seconds, 1),
        command=command,
    )


def _sdk() -> tuple[str, str] | None:
    try:
        sdk = load()
    except SDKMissing:
        return None
    return sdk.distribution, sdk.version


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
    return f"{DISTRIBUTION} {report.kit}, {name}, Python {report.python}"


def made_when(report: Report) -> str:
    """When the run began, and how long it took."""
    minutes, seconds = divmod(round(report.seconds), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{report.seconds:g} s"
    return f"{report.date.replace('T', ' ').replace('+00:00', ' UTC')}, {took}"


def counts(store: StoreVerdict) -> str:
    """How many clauses have each outcome, such as ``84 kept, 3 broken (2 MUST, 1 MAY)``."""
    said = []
    for outcome in Outcome:
        results = [result for result in store.all_results if result.outcome is outcome]
        if not results:
            continue
        levels = [CLAUSES[result.clause].level.value for result in results]
        by_level = [
            f"{levels.count(level)} {level}" for level in dict.fromkeys(sorted(levels, key=_LEVELS.index))
        ]
        more = f" ({', '.join(by_level)})" if outcome is Outcome.BROKEN else ""
        said.append(f"{len(results)} {outcome.words}{more}")
    return ", ".join(said)


_LEVELS = ("MUST", "SHOULD", "MAY")
