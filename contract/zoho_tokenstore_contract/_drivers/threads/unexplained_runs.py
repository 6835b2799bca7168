"""Runs of programs whose answers no order of the calls explains: found, made short, told."""

from __future__ import annotations

from collections.abc import Sequence

from ..._spec.model import expectation
from ..._spec.tokens import Row
from .linearizability import check_linearizable
from .program_runner import ThreadRun, ThreadRunner
from .programs import ThreadProgram

_FREE = 2
"""Runs of each program in which its threads just run."""
_TRIES = 40
"""Shorter programs that are tried once one was found that breaks the clause."""
_ORDERS = 100
"""Orders of the calls of one program that are tried without threads."""


def unexplained(
    runner: ThreadRunner, program: ThreadProgram, most: int, *, again: bool = False
) -> ThreadRun | None:
    """A run of a program that no order explains, if one is found.

    Args:
        runner: Runs the program.
        program: The program.
        most: At how many places a thread is paused.
        again: The first thread is paused each time that it comes by, for one call of another.
    """
    for ran in runner.interleavings(program, most, leaders=1 if again else None, again=again):
        if check_linearizable(ran.history) is not None:
            return ran
    for _ in range(runner.affordable(runner.workspace.effort.times(_FREE))):
        ran = runner.run_free(program)
        if check_linearizable(ran.history) is not None:
            return ran
    return None


def unexplained_one_by_one(runner: ThreadRunner, program: ThreadProgram) -> ThreadRun | None:
    """A run of its calls one by one that is not explained: then it is no fault of threads.

    Args:
        runner: Runs the program.
        program: The program.
    """
    for order in program.one_by_one(_ORDERS):
        ran = runner.run_free(order)
        if check_linearizable(ran.history) is not None:
            return ran
    return None


def shortest_unexplained(
    runner: ThreadRunner, program: ThreadProgram, ran: ThreadRun, most: int
) -> ThreadRun:
    """The run that shows the fault with the fewest calls, of those that are tried.

    Args:
        runner: Runs the programs.
        program: A program that shows it.
        ran: The run in which it does.
        most: At how many places a thread is paused.
    """
    tries = _TRIES
    waiting = program.shorter()
    while tries and (shorter := next(waiting, None)) is not None:
        tries -= 1
        found = unexplained(runner, shorter, most)
        if found is not None and unexplained_one_by_one(runner, shorter) is None:
            ran, waiting = found, shorter.shorter()
    return ran


def fail_unexplained(ran: ThreadRun) -> None:
    """Say why no order explains a run."""
    why = check_linearizable(ran.history)
    if why is None:
        return
    stuck = ran.history[why.stuck]
    before = f"after {_numbers(why.explained)}, in this order, " if why.explained else ""
    rival = ""
    if why.rival is not None:
        first, second = sorted((why.rival + 1, why.stuck + 1))
        rival = f"; calls {first} and {second} cannot be ordered"
    ran.fail(
        "some order of these calls, each between its start and its end, explains every answer",
        f"{_lost_update(ran)}the longest order that explains its answers ends {before}where call "
        f"{why.stuck + 1} has to come next and a store {expectation(why.state, stuck.call)}{rival}",
    )


def _lost_update(ran: ThreadRun) -> str:
    """Which field of which save is nowhere in the rows, though no other call at once changed it; else ""."""
    if any(made.call.method.startswith("delete") for made in ran.at_once):
        return ""
    saves = [
        (made.thread, made.call.argument)
        for made in ran.at_once
        if made.call.method == "save_token" and not made.raised and isinstance(made.call.argument, Row)
    ]
    for thread, row in saves:
        for name, value in row.present().items():
            others = {getattr(other, name) for _, other in saves if other is not row} - {None, "", value}
            if name != "id" and not others and all(getattr(one, name) != value for one in ran.rows):
                return f"lost: the {name} that thread {thread} saved is in no row; "
    return ""


def _numbers(places: Sequence[int]) -> str:
    return ("call " if len(places) == 1 else "calls ") + ", ".join(str(place + 1) for place in places)
