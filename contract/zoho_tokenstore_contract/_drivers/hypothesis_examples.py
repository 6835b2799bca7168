"""Hypothesis as the kit drives it: the same examples in every run, whatever the user's project sets.

Check modules alone import this one, so that Hypothesis is not loaded before it is needed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from unittest import mock

import hypothesis
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from .._harness.store_limits import going_around
from .._harness.workspace import Workspace
from .._spec.clause_results import NotApplicable, StoreUnavailable, Undecided, Violation

Example = TypeVar("Example")

EXAMPLES_TO_SHRINK = 150
"""How many more examples are tried for a simpler one after the first that broke the clause."""
LEAST_EXAMPLES = 5
"""How many examples a slow store is given, at least."""


def explore(
    workspace: Workspace,
    examples: int,
    strategy: hypothesis.strategies.SearchStrategy[Example],
    run: Callable[[Example], None],
) -> None:
    """Run a check on many examples; each begins with nothing open and no calls recorded.

    Args:
        workspace: Its effort decides how many examples there are and what they start from.
        examples: How many there are in a default run.
        strategy: What the examples are drawn from. Strategies of free text write a cache beside
            the user's tests: draw from pools instead.
        run: The check; it opens its stores itself.

    Raises:
        Violation: That of the simplest example found which breaks the clause.
    """
    search = _Search(workspace)

    @_settings(workspace, examples)
    @hypothesis.given(strategy)
    def test(example: Example) -> None:
        with search.example(), going_around():
            run(example)

    search.over(_seeded(workspace, test))


def explore_machine(
    workspace: Workspace, examples: int, steps: int, machine: type[RuleBasedStateMachine]
) -> None:
    """Run a state machine many times; each begins with nothing open and no calls recorded.

    Args:
        workspace: Its effort decides how many runs there are and what they start from.
        examples: How many runs there are by default.
        steps: How many rules one run takes at most.
        machine: The machine; made without arguments, it opens its stores itself.

    Raises:
        Violation: That of the simplest run found which breaks the clause.
    """
    search = _Search(workspace)

    class Driven(machine):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self._example = search.example()
            self._example.__enter__()
            try:
                super().__init__()
            except BaseException:
                self._example.__exit__(*sys.exc_info())
                raise

        def teardown(self) -> None:
            # Called on the way out, whether or not a rule raised.
            try:
                super().teardown()
            finally:
                with contextlib.suppress(Exception):
                    self._example.__exit__(*sys.exc_info())

    Driven.__name__ = Driven.__qualname__ = machine.__name__
    driven = _seeded(workspace, Driven)
    search.over(
        lambda: run_state_machine_as_test(
            driven, settings=hypothesis.settings(_settings(workspace, examples), stateful_step_count=steps)
        )
    )


class _Enough(KeyboardInterrupt):
    """Ends a search: this is the kind of exception at which Hypothesis stops at once."""


class _Search:
    """What was found so far.

    Hypothesis raises what the simplest example raises when it is tried once more; a store that
    answers differently then is no less broken. So the latest violation is kept here: once there is
    one, Hypothesis tries nothing but simpler examples.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.latest: Violation | None = None
        self.stopped: Exception | None = None
        self.left = EXAMPLES_TO_SHRINK

    @contextlib.contextmanager
    def example(self) -> Iterator[None]:
        if self.stopped is not None or self.left <= 0:
            raise _Enough
        if self.latest is not None:
            self.left -= 1
        self.workspace.fresh_examples()
        try:
            yield
        except Violation as violation:
            self.latest = violation
            raise
        except (NotApplicable, StoreUnavailable, Undecided) as reason:
            self.stopped = reason
            raise

    def over(self, test: Callable[[], None]) -> None:
        """Run to the end and raise what was found."""
        try:
            with _without_constants_of_the_project():
                test()
        except (_Enough, Exception):
            if self.latest is None and self.stopped is None:
                raise
        found = self.stopped or self.latest
        if found is not None:
            raise found.with_traceback(None)


def _settings(workspace: Workspace, examples: int) -> hypothesis.settings:
    """Every setting that there is, so that no profile of the user's project has a say."""
    return hypothesis.settings(
        max_examples=workspace.sut.pace.affordable(workspace.effort.times(examples), LEAST_EXAMPLES),
        derandomize=workspace.effort.seed is None,
        database=None,
        verbosity=hypothesis.Verbosity.quiet,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        stateful_step_count=50,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        deadline=None,
        print_blob=False,
        backend="hypothesis",
    )


def _seeded(workspace: Workspace, test: Any) -> Any:
    return test if workspace.effort.seed is None else hypothesis.seed(workspace.effort.seed)(test)


@contextlib.contextmanager
def _without_constants_of_the_project() -> Iterator[None]:
    """Keep what Hypothesis draws independent of which modules happen to be loaded.

    By default it mixes constants from the source of the user's modules into what it draws, and
    keeps a list of them in ``.hypothesis``. There is no setting for this; older releases do not.
    """
    providers = sys.modules.get("hypothesis.internal.conjecture.providers")
    provider = getattr(providers, "HypothesisProvider", None)
    if hasattr(provider, "_maybe_draw_constant"):
        with mock.patch.object(provider, "_maybe_draw_constant", _no_constant):
            yield
    else:
        yield


def _no_constant(*_: object, **__: object) -> None:
    """In place of the method of Hypothesis that draws one of them now and then."""
