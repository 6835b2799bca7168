"""What a check can end with, and what a run knows of one clause on one store."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from typing import Any

from .clauses import CLAUSES


class Outcome(str, enum.Enum):
    """What became of one clause on one store. The values are part of the report's schema."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_REACHED = "not-reached"
    ALLOWED = "allowed"
    NOT_APPLICABLE = "not-applicable"
    NOT_RUN = "not-run"
    UNKNOWN = "unknown"
    ERROR = "error"

    @property
    def words(self) -> str:
        """The outcome as it is read."""
        return self.value.replace("-", " ")


@dataclass(frozen=True)
class Difference:
    """What differs from what the clause promises, as data: findings of several clauses are compared by it.

    Attributes:
        method: The method of the call that shows it.
        by: The fields that the passed token had, in the order of `FIELDS`; none where no token was passed.
        kind: What went wrong, in words that all findings of the kind share, such as ``kept old value``.
        fields: The fields that are wrong, where rows or tokens were compared.
        rows: What the rows that are wrong have in common and the others have not; "" where nothing is.
        call: The call in few words.
        words: What differs, in a sentence that goes on from the call.
    """

    method: str
    by: tuple[str, ...] = ()
    kind: str = ""
    fields: tuple[str, ...] = ()
    rows: str = ""
    call: str = ""
    words: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Difference:
        """The inverse of `dataclasses.asdict`, also after JSON."""
        return cls(**{**data, "by": tuple(data["by"]), "fields": tuple(data["fields"])})


class Violation(AssertionError):
    """The store broke a clause.

    Attributes:
        expected: What the clause promises of the last call or of the rows, in plain words.
        seen: What happened instead.
        done: The calls in order, each as one line with its answer.
        precondition_failed: The check could not even be set up: another fault is the cause.
        blame: The clause whose known fault stands in the way of the check; "" where none is known.
        calls: The same calls as they were recorded, each a `CallRecord`, to be made again.
        compared: How many comparisons of rows the check had passed before, where it went around known faults.
        difference: What differs, as data, where rows or an answer were compared.
    """

    def __init__(
        self,
        *,
        expected: str,
        seen: str,
        done: tuple[str, ...] = (),
        precondition_failed: bool = False,
        blame: str = "",
        calls: tuple[Any, ...] = (),
        difference: Difference | None = None,
    ) -> None:
        super().__init__(f"expected {expected}; seen: {seen}")
        self.expected = expected
        self.seen = seen
        self.done = done
        self.precondition_failed = precondition_failed
        self.blame = blame
        self.calls = calls
        self.compared = 0
        self.difference = difference


class NotApplicable(Exception):
    """The clause does not apply to this store or here; the text says why."""


class Undecided(Exception):
    """The check gave up before it knew; the text says why. Never counts as kept."""


class StoreUnavailable(Exception):
    """The factory failed or the storage must not be touched: no fault against a clause."""


ENDINGS = (Violation, NotApplicable, Undecided, StoreUnavailable)
"""How a check ends that does not pass."""


class UsageError(Exception):
    """What was asked for cannot be done; the text says why in one line."""


@dataclass(frozen=True)
class Finding:
    """One way in which a clause is broken: what was done, expected and seen.

    Attributes:
        check: The name of the check that found it.
        expected: What the clause promises of the last call or of the rows, in plain words.
        seen: What happened instead.
        done: The calls in order, each as one line with its answer.
        precondition_failed: The check could not even be set up: another fault is the cause. Reports name it
            ``arranging``.
        script: A program that needs the store and the SDK alone, and ends in an assertion that fails.
        no_script: Why there is none, in one sentence.
        shortest: The fewest calls that show it, as lines of the script, its assertion among them.
        difference: What differs, as data, where rows or an answer were compared.
    """

    check: str
    expected: str
    seen: str
    done: tuple[str, ...]
    precondition_failed: bool
    script: str = ""
    no_script: str = ""
    shortest: tuple[str, ...] = ()
    difference: Difference | None = None

    @property
    def words(self) -> str:
        """The sentence that the check's name is."""
        return self.check.replace("_", " ")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, under the names that they have in reports."""
        data = {**asdict(self), "done": list(self.done), "shortest": list(self.shortest)}
        data["arranging"] = data.pop("precondition_failed")
        if self.difference is not None:
            data["difference"] |= {"by": list(self.difference.by), "fields": list(self.difference.fields)}
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Finding:
        """The inverse of `as_dict`."""
        fields = {name: value for name, value in data.items() if name != "arranging"}
        difference = fields.get("difference")
        fields |= {
            "done": tuple(data["done"]),
            "precondition_failed": data["arranging"],
            "shortest": tuple(data.get("shortest", ())),
            "difference": difference and Difference.from_dict(difference),
        }
        return cls(**fields)


@dataclass(frozen=True)
class ClauseResult:
    """What became of one clause on one store.

    Attributes:
        clause: The clause's id.
        outcome: What became of it. `Outcome.NOT_REACHED` where no check could arrange what it needs,
            because the store breaks another clause.
        findings: Where broken, not reached or allowed, each way in which it is.
        reason: Why it is not applicable, not run, unknown, allowed or an error.
    """

    clause: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values that survive JSON and the way between test processes."""
        return {
            "clause": self.clause,
            "outcome": self.outcome.value,
            "findings": [finding.as_dict() for finding in self.findings],
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ClauseResult:
        """The inverse of `as_dict`."""
        return cls(
            clause=data["clause"],
            outcome=Outcome(data["outcome"]),
            findings=tuple(map(Finding.from_dict, data["findings"])),
            reason=data["reason"],
        )

    def message(self) -> str:
        """The failure in plain words: clause, why it matters, calls, expected and seen."""
        clause = CLAUSES[self.clause]
        lines = [f"{clause.id} ({clause.level.value}): {clause.text}", f"Why it matters: {clause.why}"]
        if clause.new:
            lines.append(f"It is new, and counts from version {clause.since} of the contract on.")
        if self.reason:
            lines.append(self.reason)
        for finding in self.findings:
            lines += ["", f"{finding.words}:"]
            if finding.precondition_failed:
                lines.append("  (This could not be checked: arranging it failed, by another clause's fault.)")
            lines += [f"  {number}. {line}" for number, line in enumerate(finding.done, 1)]
            lines += [f"  expected: {finding.expected}", f"  seen:     {finding.seen}"]
        return "\n".join(lines)
