"""Short programs of calls that threads make at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..._harness.store_limits import active
from ..._spec.model import Call
from ..._spec.tokens import Row


@dataclass(frozen=True)
class IdOf:
    """The id that a row got which was saved before the threads."""

    row: Row


@dataclass(frozen=True)
class ThreadProgram:
    """What threads do at once.

    Attributes:
        before: The tokens that are saved first, one after another.
        threads: The calls of each thread.
    """

    before: tuple[Row, ...]
    threads: tuple[tuple[Call, ...], ...]

    @property
    def size(self) -> int:
        """How many calls it makes."""
        return len(self.before) + sum(map(len, self.threads))

    def shorter(self) -> Iterator[ThreadProgram]:
        """This program without one of its threads, calls, or rows that are saved first."""
        for place, thread in enumerate(self.threads):
            for rest in ((), *(thread[:call] + thread[call + 1 :] for call in range(len(thread)))):
                yield from self._of_threads(
                    self.before, (*self.threads[:place], rest, *self.threads[place + 1 :])
                )
        for row in self.before:
            yield from self._of_threads(
                tuple(other for other in self.before if other != row),
                tuple(
                    tuple(step for step in thread if step.argument != IdOf(row)) for thread in self.threads
                ),
            )

    @staticmethod
    def _of_threads(
        before: tuple[Row, ...], threads: tuple[tuple[Call, ...], ...]
    ) -> Iterator[ThreadProgram]:
        kept = tuple(thread for thread in threads if thread)
        if len(kept) > 1:
            yield ThreadProgram(before, kept)

    def one_by_one(self, most: int) -> Iterator[ThreadProgram]:
        """The orders of its calls, each as the program of a single thread; `most` of them at most."""
        turns = [number for number, thread in enumerate(self.threads) for _ in thread]
        for order in itertools.islice(dict.fromkeys(itertools.permutations(turns)), most):
            ahead = [iter(thread) for thread in self.threads]
            yield ThreadProgram(self.before, (tuple(next(ahead[number]) for number in order),))


def kind_of(step: Call, program: ThreadProgram) -> tuple[object, ...]:
    """What a call of a program is like, apart from its values.

    Args:
        step: The call.
        program: The program.

    Returns:
        The same for calls that are alike.
    """
    argument = step.argument
    if isinstance(argument, Row):
        stored = argument.user_name is not None and any(
            row.user_name == argument.user_name for row in program.before
        )
        return step.method, tuple(argument.present()), stored
    return step.method, argument


def calls_of(thread: Iterable[Call], ids: dict[Row, Any]) -> list[Call]:
    """The calls of a thread with the ids that the rows got.

    Args:
        thread: The calls of a program's thread.
        ids: The ids of the rows that were saved before.

    Returns:
        The calls to make; of a store that gives no ids, without those that need one.
    """
    return [
        Call(step.method, ids[step.argument.row] if isinstance(step.argument, IdOf) else step.argument)
        for step in thread
        if active().gives_ids or not isinstance(step.argument, IdOf)
    ]


def rows_of_program(program: ThreadProgram) -> list[Row]:
    """The tokens that the threads of a program save or look for."""
    steps = itertools.chain.from_iterable(program.threads)
    return [step.argument for step in steps if isinstance(step.argument, Row)]
