"""How stores are collected: a module for a named store, and a class whose tests are the clauses."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .._report.verdict import Record, Verdicts
    from .._runner.contract_class import TokenStoreContract


class TargetModule(pytest.Module):
    """Stands in for the test module that the user did not have to write."""

    contract: type[TokenStoreContract]

    def _getobj(self) -> ModuleType:
        module = ModuleType(self.name)
        vars(module)[self.contract.__name__] = self.contract
        return module


class ContractClass(pytest.Class):
    """A contract class: its tests are the clauses, under any naming rules."""

    def funcnamefilter(self, name: str) -> bool:
        """Collect the tests of clauses beside what the project collects."""
        return name.startswith("test_") or super().funcnamefilter(name)

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Collect the tests, unless there is no SDK, or somebody replaced one after the class was made."""
        from .._runner.contract_class import refuse_overridden_tests, sut_of
        from .._spec.clause_results import UsageError
        from .._spec.sdk import SDKMissing, load

        try:
            load()
            refuse_overridden_tests(self.obj)
            sut_of(self.obj)
        except (SDKMissing, TypeError, UsageError) as error:
            raise self.CollectError(str(error)) from error
        return super().collect()

    def enter(self, verdicts: Verdicts) -> None:
        """Enter the store of this class in the verdicts.

        Args:
            verdicts: The verdicts of the run.
        """
        verdicts.expect(self.nodeid, self._target, strict=self._strict)

    def describe(self, item: pytest.Item) -> None:
        """Give a test the properties that JUnit XML shows.

        Args:
            item: The test.
        """
        from .._spec.clauses import CLAUSES

        clause = self._clause_of(item)
        if clause is not None:
            item.user_properties += [
                ("tokenstore_store", self._target),
                ("tokenstore_clause", clause),
                ("tokenstore_level", CLAUSES[clause].level.value),
            ]

    def omits(self, item: pytest.Item, only: frozenset[str]) -> bool:
        """Whether a test's clause is not among those that a run was told to check.

        Args:
            item: The test.
            only: The ids of these clauses.

        Returns:
            Whether it is left out; the smoke test never is.
        """
        clause = self._clause_of(item)
        return clause is not None and clause not in only

    def starts_processes(self, item: pytest.Item) -> bool:
        """Whether a test's clause speaks of processes of their own, and applies to the store.

        Args:
            item: The test.

        Returns:
            Whether the fork server will be needed.
        """
        from .._spec.clauses import CLAUSES

        clause = self._clause_of(item)
        if clause is None or not self.obj.persistent:
            return False
        return CLAUSES[clause].group in ("PROC", "CRASH")

    def record(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Record | None:
        """What a phase of a test found out.

        Args:
            item: The test.
            call: The phase: setup, call or teardown.

        Returns:
            The record; ``None`` where the phase has nothing to say.
        """
        from .._report.verdict import Record
        from .._runner.contract_class import RESULT, SMOKE
        from .._spec.clause_results import ClauseResult, Outcome

        result = item.stash.get(RESULT, None)
        clause = self._clause_of(item)
        failed = call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception)
        if call.when != "call" and failed and clause is not None:
            reason = f"the {call.when} of its test fails: {call.excinfo.exconly() if call.excinfo else ''}"
            result = ClauseResult(clause, Outcome.ERROR, reason=reason)
        elif call.when != "call":
            return None
        cause, calls = "", tuple[str, ...]()
        if SMOKE in item.stash:
            cause, calls = item.stash[SMOKE].cause, item.stash[SMOKE].done
        return Record(self.nodeid, self._target, self._strict, result, cause, calls)

    @staticmethod
    def _clause_of(item: pytest.Item) -> str | None:
        from .._runner.contract_class import clause_of

        return clause_of(getattr(item, "originalname", item.name))

    @property
    def _target(self) -> str:
        from .._runner.contract_class import target_of

        return target_of(self.obj)

    @property
    def _strict(self) -> bool:
        return bool(self.obj.strict or self.config.getoption("tokenstore_strict"))
