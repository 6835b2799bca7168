"""From the results of a run to a verdict for each store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from .._spec.clause_results import ClauseResult, Outcome
from .._spec.clauses import CLAUSES
from .result_records import Record

Word = Literal["conforms", "violates"]
CONFORMS: Final = "conforms"
VIOLATES: Final = "violates"
WORDS = {VIOLATES: "VIOLATES", None: "NO VERDICT", CONFORMS: "CONFORMS"}
"""The verdicts as they are read, worst first."""


@dataclass
class StoreVerdict:
    """What a run knows of one store.

    Attributes:
        target: The store's name.
        strict: SHOULD counts as MUST.
        results: The result of each clause that was checked, by its id.
        cause: The root cause that the smoke check found, else "".
        cause_calls: The calls that showed it.
        only: The clauses that the run was told to check; none for the whole contract.
        ended: What the store called to end the process as a success, outside its methods; else "".
    """

    target: str
    strict: bool = False
    results: dict[str, ClauseResult] = field(default_factory=dict)
    cause: str = ""
    cause_calls: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    ended: str = ""

    def result(self, clause: str) -> ClauseResult:
        """The result of a clause; `Outcome.NOT_RUN` where no test of it ran to its end."""
        return self.results.get(clause) or ClauseResult(
            clause, Outcome.NOT_RUN, reason="no test of it was run"
        )

    @property
    def all_results(self) -> list[ClauseResult]:
        """The result of every clause of the contract, in its order."""
        return [self.result(clause) for clause in CLAUSES]

    @property
    def counts(self) -> Counter[Outcome]:
        """How many clauses have each outcome."""
        return Counter(result.outcome for result in self.all_results)

    def weighs(self, result: ClauseResult) -> bool:
        """Whether a broken clause makes the store violate the contract."""
        return CLAUSES[result.clause].weighs(strict=self.strict)

    @property
    def _scored(self) -> Counter[Outcome]:
        """The counts that the verdict rests on: without clauses that are new."""
        return Counter(result.outcome for result in self._weighed)

    @property
    def _weighed(self) -> list[ClauseResult]:
        return [result for result in self.all_results if not CLAUSES[result.clause].new]

    @property
    def keeps_what_was_asked(self) -> bool:
        """Whether it conforms, or, in a run that was told which clauses to check, keeps those."""
        if not self.only or self.verdict is not None:
            return self.verdict == CONFORMS
        if self.ended:
            return False
        asked = [result for result in self._weighed if result.clause in self.only]
        fine = (Outcome.KEPT, Outcome.ALLOWED, Outcome.NOT_APPLICABLE)
        return not any(
            result.outcome not in fine
            and (result.outcome in (Outcome.NOT_RUN, Outcome.ERROR, Outcome.UNKNOWN) or self.weighs(result))
            for result in asked
        )

    @property
    def verdict(self) -> Word | None:
        """``conforms`` or ``violates``; ``None`` where a part of the contract was not checked."""
        counts = self._scored
        if counts[Outcome.NOT_RUN]:
            return None
        if any(result.outcome is Outcome.BROKEN and self.weighs(result) for result in self.all_results):
            return VIOLATES
        return None if self._undecided or self.ended else CONFORMS

    @property
    def reason_undecided(self) -> str:
        """Why there is no verdict."""
        if self.ended:
            return f"the store calls {self.ended} outside its methods, which ends the process as a success"
        counts = self._scored
        if self.only and counts[Outcome.NOT_RUN]:
            run = counts.total() - counts[Outcome.NOT_RUN]
            return f"partial: {run} of {counts.total()} clauses were run, as the option asks"
        if counts[Outcome.NOT_RUN]:
            return f"{counts[Outcome.NOT_RUN]} of {counts.total()} clauses were not run"
        clauses = "1 clause" if self._undecided == 1 else f"{self._undecided} clauses"
        return f"{clauses} could not be decided"

    @property
    def _undecided(self) -> int:
        return sum(
            result.outcome in (Outcome.ERROR, Outcome.UNKNOWN)
            or (result.outcome is Outcome.NOT_REACHED and self.weighs(result))
            for result in self.all_results
            if not CLAUSES[result.clause].new
        )


@dataclass
class Verdicts:
    """What a run knows of all its stores.

    Attributes:
        stores: By the node id of their contract classes.
        only: The clauses that the run was told to check; none for the whole contract.
    """

    stores: dict[str, StoreVerdict] = field(default_factory=dict)
    only: frozenset[str] = frozenset()

    @property
    def began(self) -> bool:
        """Whether anything was found out of any store."""
        return any(store.results or store.cause for store in self.stores.values())

    @property
    def names(self) -> str:
        """The stores, for one line."""
        targets = list(dict.fromkeys(store.target for store in self.stores.values()))
        return ", ".join(targets[:3]) + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")

    def expect(self, key: str, target: str, *, strict: bool) -> StoreVerdict:
        """Enter a store, whether or not any test of it will run.

        Args:
            key: What tells the store from every other of the run.
            target: Its name in the report.
            strict: SHOULD clauses count as MUST.

        Returns:
            The verdict on it, which is filled in later.
        """
        return self.stores.setdefault(key, StoreVerdict(target, strict, only=self.only))

    def put_in_order(self, named: Sequence[str]) -> None:
        """Order the stores as a reader expects, and not as parallel processes happened to report them.

        Args:
            named: What `--tokenstore` named: these stores come first, in this order, and then those
                of test modules by their node ids.
        """
        order = {target: number for number, target in enumerate(dict.fromkeys(named))}
        self.stores = dict(
            sorted(
                self.stores.items(),
                key=lambda item: (order.get(item[0].partition("::")[0], len(order)), item[0]),
            )
        )

    def add(self, record: Record) -> None:
        """Take in what one test found out."""
        store = self.expect(record.key, record.target, strict=record.strict)
        if record.cause:
            store.cause = record.cause
            store.cause_calls = record.cause_calls
        if record.result is not None:
            store.results[record.result.clause] = record.result
