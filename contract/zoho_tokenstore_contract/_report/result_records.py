"""What one test found out, as it travels from the process that ran it to the one that reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._spec.clause_results import ClauseResult


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
