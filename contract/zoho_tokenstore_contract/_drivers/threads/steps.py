"""What each step of a call does to what threads share, so that pauses that show nothing new are left out.

A step is what a thread does between two places of the store's own code. Pausing before a step and pausing
after it are the same where the step touches nothing that another thread touches meanwhile. Whatever is not
known to be harmless counts as touched or changed.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .pause_points import Place

ITEMS, FILES, OUTSIDE, ANYTHING = "[]", "a file", "outside", "?"


@dataclass(frozen=True)
class Step:
    """What a thread does from one place of a store's code to the next one.

    Attributes:
        place: Where it begins.
        reads: What it may read of what other threads see: names of attributes and globals, `ITEMS` of lists
            and the like, `FILES`, what is `OUTSIDE` of the process, or `ANYTHING`.
        changes: The same for what it changed.
        held: The locks that the thread holds at its beginning, by the path on which the store has them.
    """

    place: Place
    reads: frozenset[str]
    changes: frozenset[str]
    held: frozenset[str]


def telling(steps: Sequence[Step], others: Sequence[Step]) -> list[int]:
    """Before which of its steps a thread may be paused so that something else shows than elsewhere.

    Between two steps that meet what the others do, all places are one. Of them the last counts at which no
    lock that the thread holds keeps the others from changing what it reads, or from reading what it changes.
    Before the first such step the others go first, as in a run without a pause.

    Args:
        steps: What the thread does.
        others: What the other threads do.

    Returns:
        The numbers of the steps. Where a lock keeps all others out, one in the middle of what it guards:
        they may give up where they should wait.
    """
    does: dict[frozenset[str], tuple[frozenset[str], frozenset[str]]] = {}  # by the locks that are held
    for step in others:
        reads, changes = does.get(step.held, (frozenset(), frozenset()))
        does[step.held] = (reads | step.reads, changes | step.changes)
    chosen: set[int] = set()
    for held, (reads, changes) in does.items():
        if reads:
            chosen |= _meetings(steps, reads, changes, held)
    if not chosen:
        guarded = [number for number, step in enumerate(steps) if step.reads and step.held]
        chosen.update(guarded[len(guarded) // 2 :][:1])
    return sorted(chosen)


def _meetings(
    steps: Sequence[Step], reads: frozenset[str], changes: frozenset[str], held: frozenset[str]
) -> set[int]:
    """The places that count beside what others read and change while they hold some locks."""
    chosen: set[int] = set()
    met = False
    latest: int | None = None  # where no lock keeps these others out
    for number, step in enumerate(steps):
        if not held & step.held:
            latest = number
        if _overlap(step.reads | step.changes, changes) or _overlap(step.changes, reads):
            # Where the first such step is not guarded, it may depend on more than is seen of it.
            if latest is not None and (met or latest == number):
                chosen.add(latest)
            met, latest = True, None
    return chosen


def _overlap(some: frozenset[str], others: frozenset[str]) -> bool:
    return bool(some & others or (ANYTHING in some and others) or (ANYTHING in others and some))


def split(points: Iterable[int], changes: Sequence[int]) -> list[list[int]]:
    """Points in groups between which nothing changes.

    Args:
        points: Numbers of steps.
        changes: The numbers of those that change something.
    """
    groups = itertools.groupby(points, lambda point: bisect.bisect_left(changes, point))
    return [list(group) for _, group in groups]


def nested(steps: Sequence[Step], others: Sequence[Step]) -> tuple[list[int], list[int]]:
    """Where a thread takes a lock while it has another, of those of which the others take several, too.

    Args:
        steps: What the thread does.
        others: What the other threads do.

    Returns:
        The numbers of the steps before which it holds one already, and of those in which it takes several.
    """
    theirs = frozenset().union(*(step.held for step in others if len(step.held) > 1))
    taken = [(later.held - step.held) & theirs for step, later in itertools.pairwise(steps)]
    return (
        [number for number, locks in enumerate(taken) if locks and steps[number].held & theirs],
        [number for number, locks in enumerate(taken) if len(locks) > 1],
    )
