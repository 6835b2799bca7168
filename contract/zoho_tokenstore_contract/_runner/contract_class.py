"""`TokenStoreContract`: what the author of a store subclasses to have it checked by pytest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from .._harness.store_source import StoreSource
from .._harness.store_under_test import StoreUnderTest, close_by_default
from .._harness.workspace import Effort
from .._report.wording import message
from .._spec.clause_results import ClauseResult, Outcome, UsageError
from .._spec.clause_selection import refuse_wrong_allowances
from .._spec.clauses import CLAUSES
from .._spec.junk_answers import show
from .clause_runner import StoreCheck, fails
from .smoke_check import Diagnosis

RESULT = pytest.StashKey[ClauseResult]()
SMOKE = pytest.StashKey[Diagnosis]()
CHECK = pytest.StashKey[StoreCheck]()
THOROUGH = "tokenstore-thorough"
_FLAGS = ("persistent", "thread_safe", "own_storage", "disposable", "strict", "in_location")
CALLS_MADE = "tokenstore_calls"
"""The property of a test's report that says how many calls of the store the test made."""


class TokenStoreContract:
    """Checks one store against every clause of the contract.

    Subclass it in a test module under a name that pytest collects, and define `open_store`::

        class TestRedisTokenStore(TokenStoreContract):
            def open_store(self, location):
                return RedisTokenStore(prefix=location.name)

    Attributes:
        persistent: Opening the same location again means the same rows.
        thread_safe: One store object may be used by several threads.
        own_storage: Each location has storage of its own. False for a store that cannot do that,
            such as one fixed table on a server: the kit then empties it between tests, and only
            after it found it empty at the start.
        disposable: Everything in the storage may be lost. Without it, the kit writes to no storage that
            ``get_tokens`` has not shown to be empty.
        allowed: Clause id to the reason why this store may break it. A clause that is kept after
            all, or does not exist, fails.
        strict: SHOULD clauses count as MUST.
        in_location: The location is the current directory while the store is made and used, for a
            store that keeps its files there.
        target: The name in reports; by default the class's own.
    """

    persistent: ClassVar[bool] = True
    thread_safe: ClassVar[bool] = True
    own_storage: ClassVar[bool] = True
    disposable: ClassVar[bool] = False
    allowed: ClassVar[Mapping[str, str]] = {}
    strict: ClassVar[bool] = False
    in_location: ClassVar[bool] = False
    target: ClassVar[str] = ""
    _source: ClassVar[StoreSource | None] = None

    def open_store(self, location: Path) -> Any:
        """Open the store whose storage is at a location.

        Args:
            location: A directory, empty at first; opening it again means the same storage.

        Returns:
            The store, an instance of the SDK's ``TokenStore``.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define open_store(location)")

    def close_store(self, store: Any) -> None:
        """Close a store that `open_store` made; by default with ``store.close()``, if any."""
        close_by_default(store)

    def break_storage(self, store: Any, location: Path) -> None:
        """Put the storage of an open store out of reach, for CRASH-4.

        Define it to have that clause checked: rename the location away, stop the server.

        Args:
            store: The open store.
            location: The location of its storage.
        """
        raise NotImplementedError

    def mend_storage(self, store: Any, location: Path) -> None:
        """Put the storage of an open store in reach again, after `break_storage`, for CRASH-5.

        Args:
            store: The open store.
            location: The directory that it was opened on.
        """
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_overridden_tests(cls)

    def test_smoke(self, request: pytest.FixtureRequest) -> None:
        """The store does the simplest things; where not, one root cause in plain words."""
        check = _check_of(self, request)
        if (reason := _unfit(check.sut, request.config)) is not None:
            pytest.fail(reason, pytrace=False)
        diagnosis = check.smoke()
        if diagnosis is None:
            return
        request.node.stash[SMOKE] = diagnosis
        if check.expects_cause:
            pytest.xfail(f"Root cause: {diagnosis.cause}")
        pytest.fail(diagnosis.message(), pytrace=False)


def _test_name(clause_id: str) -> str:
    """The name of the test of a clause."""
    return f"test_{clause_id.replace('-', '_')}"


def clause_of(test: str) -> str | None:
    """The clause that a test checks.

    Args:
        test: The name of the test.

    Returns:
        The clause; ``None`` where it is no test of a clause.
    """
    clause = test.removeprefix("test_").replace("_", "-")
    return clause if test.startswith("test_") and clause in CLAUSES else None


def _test_of(clause_id: str) -> Callable[[TokenStoreContract, pytest.FixtureRequest], None]:
    def test(self: TokenStoreContract, request: pytest.FixtureRequest) -> None:
        check = _check_of(self, request)
        if (reason := _unfit(check.sut, request.config)) is not None:
            result = ClauseResult(clause_id, Outcome.ERROR, reason=reason)
        else:
            before = check.sut.calls
            result = check.clause(clause_id)
            request.node.user_properties.append((CALLS_MADE, check.sut.calls - before))
        request.node.stash[RESULT] = result
        _conclude(result, check.sut)

    clause = CLAUSES[clause_id]
    test.__name__ = _test_name(clause_id)
    test.__qualname__ = f"TokenStoreContract.{test.__name__}"
    test.__doc__ = f"{clause.id} ({clause.level.value}): {clause.text}"
    return test


for _clause_id in CLAUSES:
    setattr(TokenStoreContract, _test_name(_clause_id), _test_of(_clause_id))

_TESTS = ("test_smoke", *(_test_name(clause_id) for clause_id in CLAUSES))


def refuse_overridden_tests(cls: type) -> None:
    """Refuse a contract class that replaces or removes a clause's test.

    Raises:
        TypeError: With the way to do it properly.
    """
    for name in _TESTS:
        if getattr(cls, name, None) is not TokenStoreContract.__dict__[name]:
            raise TypeError(
                f"{cls.__name__} overrides or removes {name}, which the verdict rests on. If this "
                "store may break the clause, declare it with the reason: "
                f"allowed = {{{name.removeprefix('test_').replace('_', '-')!r}: 'why'}}"
            )


def _check_of(test: TokenStoreContract, request: pytest.FixtureRequest) -> StoreCheck:
    """The check of a store, one for each class and process: the store under test remembers what it saved."""
    cls = type(test)
    config = request.config
    holder: pytest.Item | pytest.Collector = request.node.getparent(pytest.Class) or request.node
    check = holder.stash.get(CHECK, None)
    if check is None:
        sut = sut_of(cls)
        sut.strict = sut.strict or config.getoption("tokenstore_strict")
        asked = (
            config.getoption("tokenstore_report") or config.getoption("tokenstore_reproducers") is not None
        )
        check = StoreCheck(sut, _effort(config), every_script=bool(asked))
        holder.stash[CHECK] = check
    # Fixtures set attributes on the instance of this very test.
    check.sut.open = test.open_store
    check.sut.close = test.close_store
    if _defines(cls, "break_storage"):
        check.sut.break_storage = test.break_storage
    if _defines(cls, "mend_storage"):
        check.sut.mend_storage = test.mend_storage
    return check


def target_of(cls: type[TokenStoreContract]) -> str:
    """The name of a contract class's store in reports.

    Args:
        cls: The class.

    Returns:
        Its ``target``, or its own name.
    """
    return cls.target or f"{cls.__module__}:{cls.__qualname__}"


def sut_of(cls: type[TokenStoreContract]) -> StoreUnderTest:
    """The store under test that a contract class declares.

    Args:
        cls: The class.

    Returns:
        The store under test, of which nothing is opened yet.

    Raises:
        UsageError: Where `allowed` names a clause that does not exist, or gives no reason, or where something
            is declared with anything but True or False.
    """
    for name in _FLAGS:
        if not isinstance(value := getattr(cls, name), bool):
            # A text such as "no" would count as true, and a storage that must not be lost as disposable.
            raise UsageError(f"{target_of(cls)}: {name} has to be True or False, not {show(value)[:80]}")
    if not isinstance(cls.allowed, Mapping):
        raise UsageError(
            f"{target_of(cls)}: allowed has to be a dict from clause to reason, not {show(cls.allowed)[:80]}"
        )
    refuse_wrong_allowances(cls.allowed, "allowed")
    test = cls()
    return StoreUnderTest(
        target=target_of(cls),
        open=test.open_store,
        close=test.close_store,
        source=cls._source or StoreSource.of(cls, is_contract_class=True),
        persistent=cls.persistent,
        thread_safe=cls.thread_safe,
        own_storage=cls.own_storage,
        disposable=cls.disposable,
        allowed=dict(cls.allowed),
        strict=cls.strict,
        in_location=cls.in_location,
        break_storage=test.break_storage if _defines(cls, "break_storage") else None,
        mend_storage=test.mend_storage if _defines(cls, "mend_storage") else None,
    )


def _defines(cls: type[TokenStoreContract], hook: str) -> bool:
    """Whether a contract class says how: it has a hook of its own."""
    return getattr(cls, hook) is not getattr(TokenStoreContract, hook)


def _conclude(result: ClauseResult, sut: StoreUnderTest) -> None:
    """End the test as pytest knows it."""
    if fails(result, sut):
        pytest.fail(message(result), pytrace=False)
    if result.outcome is Outcome.NOT_RUN:
        pytest.skip(f"{result.clause} was not run: {result.reason}")
    if result.outcome is Outcome.NOT_APPLICABLE:
        pytest.skip(f"{result.clause} is not applicable: {result.reason}")
    if result.outcome is not Outcome.KEPT:
        pytest.xfail(message(result))


def _effort(config: pytest.Config) -> Effort:
    """How deep to look: as Hypothesis's own options say, and deterministic without them."""
    seed = config.getoption("hypothesis_seed", None)
    return Effort(
        thorough=config.getoption("hypothesis_profile", None) == THOROUGH,
        seed=None if seed in (None, "random") else int(seed),
    )


def _unfit(sut: StoreUnderTest, config: pytest.Config) -> str | None:
    """Why this run must not check the store, if so."""
    distribution = getattr(config, "workerinput", {}).get("tokenstore_dist", "no")
    if sut.own_storage or distribution in ("no", "loadscope"):
        return None
    return (
        f"{sut.target} declares own_storage = False: its one storage cannot be checked by several "
        "processes at once. Run it without -n, or with --dist loadscope."
    )
