"""The verdict on a store as public, typed values. The JSON report and the function `check` give the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .._spec.clause_results import ClauseResult, Finding, Outcome
from .._spec.clauses import CLAUSES, Level
from .verdict import WORDS, StoreVerdict, Word
from .wording import sentence


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
