"""The check of one store: the simplest calls first, then clause by clause. Every way to run the kit uses it.

The tests of a contract class, and with them the plugin and the command, ask a `StoreCheck` one clause at a
time; the function `check` asks it all of them. So they answer alike.
"""

from __future__ import annotations

from .._harness.store_under_test import StoreUnderTest
from .._harness.workspace import Effort
from .._reproduce.minimize import CALLS
from .._spec.clause_results import ClauseResult, Outcome
from .._spec.clauses import CLAUSES
from .clause_runner import check_clause
from .smoke_check import Diagnosis, diagnose

SHOWN = 5
"""For how many broken clauses of a store the shortest program is searched where nobody asked for scripts."""


class StoreCheck:
    """Checks one store. It is kept for the whole check, for the store under test remembers what it saved.

    Attributes:
        sut: The store under test.
    """

    def __init__(self, sut: StoreUnderTest, effort: Effort, *, every_script: bool) -> None:
        """Prepares to check a store; nothing is opened yet.

        Args:
            sut: The store under test.
            effort: How deep to look.
            every_script: Write a script for each broken clause, as reports show it; else for a few.
        """
        self.sut = sut
        self._effort = effort
        self._every_script = every_script
        self._searches = 0

    def smoke(self) -> Diagnosis | None:
        """Make the simplest calls.

        Returns:
            ``None`` where they work, else the one root cause.
        """
        return diagnose(self.sut)

    @property
    def expects_cause(self) -> bool:
        """Whether a root cause may follow from what the store is allowed to break: the clauses will say."""
        return bool(self.sut.allowed) and not self.sut.refusal

    def clause(self, clause_id: str) -> ClauseResult:
        """Run every check of a clause.

        Args:
            clause_id: The clause.

        Returns:
            What became of the clause; `Outcome.NOT_RUN` where the storage must not be touched.
        """
        if self.sut.refusal:
            # What met the reason has told it; a run says it once.
            return ClauseResult(clause_id, Outcome.NOT_RUN, reason=self.sut.refusal)
        search = self._search(CLAUSES[clause_id].weighs(strict=self.sut.strict))
        result = check_clause(clause_id, self.sut, self._effort, scripts=search > 0, search=search)
        self._searches += any(finding.script or finding.no_script for finding in result.findings)
        return result

    def _search(self, weighs: bool) -> int:
        """How many calls the search for the shortest program of a broken clause may cost.

        Reports and scripts tell of each clause, the terminal of a few.
        """
        if self._every_script:
            return CALLS
        return CALLS // 3 if weighs and self._searches < SHOWN else 0
