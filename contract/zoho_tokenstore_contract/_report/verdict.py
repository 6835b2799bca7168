"""From the records of a run to a verdict for each store; and the verdict as public, typed values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from .._spec.clause_results import ClauseResult, Finding, Outcome
from .._spec.clauses import CLAUSES, Level
from .wording import sentence

Word = Literal["conforms", "violates"]
CONFORMS: Final = "conforms"
VIOLATES: Final = "violates"
WORDS = {VIOLATES: "VIOLATES", None: "NO VERDICT", CONFORMS: "CONFORMS"}
"""The verdicts as they are read, worst first."""


@dataclass(frozen=True)
class Record:
    """What one test of a contract class found out.

    Attributes:
        key: The node id of the contract class.
        target: The store's name.
        strict: SHOULD counts as MUST for it.
        result: What became of the clause of the test; ``None`` for the smoke test.
        cause: The root cause that the smoke test found, else "".
        cause_calls: The calls that showed it.
    """

    key: str
    target: str
    strict: bool
    result: ClauseResult | None = None
    cause: str = ""
    cause_calls: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, which pass from one process to another."""
        result = None if self.result is None else self.result.as_dict()
        return {**vars(self), "result": result, "cause_calls": list(self.cause_calls)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Record:
        """The inverse of `as_dict`."""
        result = data["result"] and ClauseResult.from_dict(data["result"])
        return cls(**{**data, "result": result, "cause_calls": tuple(data["cause_calls"])})


def category_of(record: Record) -> str:
    """What pytest counts the test of a clause as, so that its counts are those of the verdict."""
    if record.result is None:
        return "root cause" if record.cause else ""
    names = {Outcome.KEPT: "passed", Outcome.ERROR: "without a result"}
    return names.get(record.result.outcome, record.result.outcome.words)


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
            for result in self._weighed
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


@dataclass(frozen=True)
class ClauseVerdict:
    """What became of one clause.

    Attributes:
        id: The clause, such as ``SAVE-4``.
        level: MUST, SHOULD or MAY.
        outcome: What became of it.
        reason: Why it is not applicable, not run, unknown, allowed or an error; else "".
        findings: Where it is broken, not reached or allowed, each way in which it is.
    """

    id: str
    level: Level
    outcome: Outcome
    reason: str = ""
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, result: ClauseResult) -> ClauseVerdict:
        """The public form of a result.

        Args:
            result: What became of the clause.

        Returns:
            The same, with the level of the clause.
        """
        level = CLAUSES[result.clause].level
        return cls(result.clause, level, result.outcome, result.reason, result.findings)

    @property
    def summary(self) -> str:
        """What is wrong, or the reason, in one sentence; "" where the clause is kept."""
        return sentence(self._result)

    @property
    def message(self) -> str:
        """The clause, why it matters, and for each finding the calls, what was expected and what was seen."""
        return self._result.message()

    @property
    def _result(self) -> ClauseResult:
        return ClauseResult(self.id, self.outcome, self.findings, self.reason)

    def as_dict(self) -> dict[str, Any]:
        """What the JSON report says of the clause.

        Returns:
            ``id``, ``level``, ``outcome``, and where they apply ``reason`` and ``findings``, as plain values.
        """
        made: dict[str, Any] = {"id": self.id, "level": self.level.value, "outcome": self.outcome.value}
        if self.reason:
            made["reason"] = self.reason
        if self.findings:
            made["findings"] = [finding.as_dict() for finding in self.findings]
        return made

    def __str__(self) -> str:
        head = f"{self.id} ({self.level.value}) {self.outcome.words}"
        return f"{head}: {self.summary}" if self.summary else head


@dataclass(frozen=True)
class Verdict:
    """What a check found out of one store.

    Attributes:
        target: The store's name.
        strict: SHOULD counted as MUST.
        word: ``"conforms"`` or ``"violates"``; ``None`` where a part of the contract was not checked, or
            could not be decided.
        reason: Why there is no word; else "".
        cause: The one cause behind many broken clauses, where the simplest calls already fail; else "".
        passed: The store was checked against what was asked for, and keeps what it must keep of it: where the
            command ends with status 0.
        clauses: Every clause of the contract, in its order.
    """

    target: str
    strict: bool
    word: Word | None
    reason: str
    cause: str
    passed: bool
    clauses: tuple[ClauseVerdict, ...] = field(repr=False)

    @classmethod
    def of(cls, store: StoreVerdict) -> Verdict:
        """The public form of what a run knows of a store.

        Args:
            store: What it knows.

        Returns:
            The same, which no longer changes.
        """
        return cls(
            target=store.target,
            strict=store.strict,
            word=store.verdict,
            reason=store.reason_undecided if store.verdict is None else "",
            cause=store.cause,
            passed=store.keeps_what_was_asked,
            clauses=tuple(map(ClauseVerdict.of, store.all_results)),
        )

    @property
    def counts(self) -> Counter[Outcome]:
        """How many clauses have each outcome."""
        return Counter(clause.outcome for clause in self.clauses)

    @property
    def broken(self) -> tuple[ClauseVerdict, ...]:
        """The clauses that are broken, of every level."""
        return tuple(clause for clause in self.clauses if clause.outcome is Outcome.BROKEN)

    def clause(self, id: str) -> ClauseVerdict:
        """What became of a clause.

        Args:
            id: The clause, such as ``SAVE-4``.

        Returns:
            What became of it.

        Raises:
            KeyError: There is no such clause.
        """
        for clause in self.clauses:
            if clause.id == id:
                return clause
        raise KeyError(id)

    def as_dict(self) -> dict[str, Any]:
        """What the JSON report says of the store: plain values, for `json.dumps`.

        Returns:
            ``target``, ``strict``, ``verdict``, ``reason`` where that is ``None``, ``cause`` where there is
            one, and ``clauses``.
        """
        made: dict[str, Any] = {"target": self.target, "strict": self.strict, "verdict": self.word}
        if self.word is None:
            made["reason"] = self.reason
        if self.cause:
            made["cause"] = self.cause
        made["clauses"] = [clause.as_dict() for clause in self.clauses]
        return made

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        counted = ", ".join(f"{self.counts[one]} {one.words}" for one in Outcome if self.counts[one])
        return f"{self.target}: {WORDS[self.word]}{reason}: {counted}"
