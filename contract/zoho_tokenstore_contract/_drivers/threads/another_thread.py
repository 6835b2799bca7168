"""A call in another thread than the one that made the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..._harness.store_limits import active
from ..._harness.workspace import Workspace
from ..._spec.clause_results import Violation
from .program_runner import format_stacks
from .rendezvous import Scheduler, Stuck

Result = TypeVar("Result")


def in_another_thread(workspace: Workspace, act: Callable[[], Result]) -> Result:
    """Do something in a thread of its own, and pass on what it returns or raises.

    Of a store that is known not to work in other threads, it is done in this one.

    Args:
        workspace: The workspace of the check.
        act: What to do.

    Returns:
        What it returns.
    """
    if not active().in_threads:
        return act()
    returned: list[Result] = []
    raised: list[BaseException] = []

    def step() -> None:
        try:
            returned.append(act())
        except BaseException as error:
            raised.append(error)

    try:
        Scheduler(workspace.call_limit).run_free([[step]])
    except Stuck as stuck:
        for opened in list(workspace.opened):
            workspace.abandon(opened)
        workspace.sut.hangs.append(workspace.calls[-1].method if workspace.calls else "a call")
        workspace.fail("the call comes back, in another thread too", f"{stuck}; {format_stacks(stuck)}")
    if raised and isinstance(raised[0], Violation):
        raise Violation(
            expected=f"{raised[0].expected}, also in another thread than the one that made the store",
            seen=raised[0].seen,
            done=raised[0].done,
        )
    if raised:
        raise raised[0]
    return returned[0]
