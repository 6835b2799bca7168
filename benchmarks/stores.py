"""How fast the reference stores are, beside the SDK's own and bare SQLite.

Run it from the project's root, with what the dependency group ``benchmarks`` names::

    python -m benchmarks.stores

It fills every store with every number of rows, measures all of them in turn, round after round, and
writes the figures, the plots and the page ``docs/benchmarks.md``. Ratios of one round are compared, not
times of one run with times of another. (`pyperf` and `pytest-benchmark` were weighed: they measure one
thing to its end and then the next, so that what else the machine does falls on one of them.)
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import math
import random
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import memory, page
from benchmarks.contenders import (
    CONTENDERS,
    DELETE,
    FINDS,
    INSERT,
    LIST,
    OPERATIONS,
    UPDATE,
    Contender,
    Handle,
    Row,
    Server,
    SQLiteFile,
    row,
)
from benchmarks.measuring import Timing, Workers, alone, in_threads
from tests import published

SIZES = (10, 1_000, 10_000, 100_000, 1_000_000)
ROUNDS = 6
THREADS, PROCESSES = 8, 4
TOGETHER = ("find by user name", UPDATE, INSERT, DELETE)
"""What is also measured in several threads and processes."""

LIMIT = 3.0
"""Seconds that a call may take; a store that needs more is stopped there. Listing may take ten times that."""
SLICE = {LIST: 0.05, UPDATE: 0.15, INSERT: 0.15, DELETE: 0.15} | dict.fromkeys(FINDS, 0.04)
"""Seconds of calls of one store in one round, in turns with the others."""
TURNS = 8
SLOW, SLOWER = (0.25, 3), (2.0, 1)
"""Calls that take so many seconds are made in so many rounds alone."""
MOST = 2000


@dataclass
class Cell:
    """One figure: what one store needs for one thing with so many rows.

    Attributes:
        contender: The store.
        operation: One of `OPERATIONS`.
        size: The number of rows.
        mode: ``1 thread``, or how many callers there are at once.
        seconds: For each turn, the seconds for one call; None where it was left out.
        calls: How many calls there were in all.
        wrong: How many of them raised or were not answered rightly.
        stopped: Why it was not measured, if so.
    """

    contender: str
    operation: str
    size: int
    mode: str
    seconds: list[float | None] = field(default_factory=list)
    calls: int = 0
    wrong: int = 0
    stopped: str = ""

    def add(self, turn: int, timing: Timing) -> None:
        """Take in what one turn measured."""
        self.seconds += [None] * (turn - len(self.seconds))
        self.seconds.append(float(f"{timing.seconds / timing.calls:.4g}"))
        self.calls += timing.calls
        self.wrong += timing.wrong


@dataclass
class Entrant:
    """A contender that is filled and open.

    Attributes:
        contender: The contender.
        handles: It, opened for several threads.
        costs: About how many seconds one call takes, for what is measured.
    """

    contender: Contender
    handles: list[Handle]
    costs: dict[str, float]

    def calls(self, operation: str, seconds: float, least: int = 1, most: int = MOST) -> int:
        """How many calls fill so many seconds."""
        return max(least, min(most, int(seconds / self.costs[operation])))


class Benchmark:
    """The stores, and what was measured of them."""

    def __init__(self, base: Path, sizes: Sequence[int], rounds: int) -> None:
        self.base, self.sizes, self.rounds = base, sizes, rounds
        self.cells: dict[tuple[str, str, int, str], Cell] = {}
        self.entrants: list[Entrant] = []
        self._chance = random.Random(1)
        self._new = itertools.count(max(sizes))
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Tell how far it is."""
        print(f"{time.monotonic() - self._began:5.0f} s  {text}", flush=True)

    def cell(self, contender: Contender, operation: str, mode: str) -> Cell:
        """The cell for a figure, made where there is none."""
        key = (contender.name, operation, contender.size, mode)
        return self.cells.setdefault(key, Cell(*key))

    # Filling

    def fill(self, kinds: Sequence[type[Contender]]) -> None:
        """Fill and open every contender, and try what each call costs."""
        for kind in kinds:
            before: list[Entrant] = []
            for size in self.sizes:
                contender = kind(self.base, size)
                allowed = [one for one in OPERATIONS if _expected(before, one, size) <= _limit(one)]
                if not {INSERT, DELETE} <= set(allowed):  # one makes what the other needs
                    allowed = [one for one in allowed if one not in (INSERT, DELETE)]
                if set(allowed) <= {LIST}:
                    self.say(f"{kind.name} is stopped before {size:,} rows")
                    allowed = []
                for operation in {*OPERATIONS} - {*allowed}:
                    self.cell(contender, operation, "1 thread").stopped = f"> {_limit(operation):.0f} s"
                if not allowed:
                    continue
                self.say(f"{kind.name}: {size:,} rows")
                contender.fill(map(row, range(size)))
                entrant = Entrant(contender, contender.open(THREADS), {})
                entrant.costs = {operation: self._tried(entrant, operation) for operation in allowed}
                before.append(entrant)
                self.entrants.append(entrant)
        # Neighbours are compared.
        self.entrants.sort(key=lambda one: one.contender.size)
        # What is stored is no garbage; without this, looking for some would fall on whoever is measured.
        gc.collect()
        gc.freeze()

    def _tried(self, entrant: Entrant, operation: str) -> float:
        entrant.costs |= {INSERT: math.inf, DELETE: math.inf, operation: math.inf}
        seconds = self._alone(entrant, operation)[operation].seconds
        if seconds > 0.5:
            return seconds
        seconds = min(self._alone(entrant, operation)[operation].seconds for _ in range(3))
        if seconds > 0.02:
            return seconds
        entrant.costs |= {INSERT: seconds, DELETE: seconds, operation: seconds}
        timing = self._alone(entrant, operation, 0.02)[operation]
        return timing.seconds / timing.calls

    # One thread

    def run_alone(self) -> None:
        """Measure everything in one thread."""
        for number in range(self.rounds):
            for operation in OPERATIONS:
                if operation == DELETE:
                    continue  # what is inserted is deleted, and both are measured
                for turn in range(TURNS):
                    for entrant in self._in_turn(turn):
                        if operation in entrant.costs and turn < _turns(entrant, operation, number):
                            made = self._alone(entrant, operation, SLICE[operation] / TURNS)
                            for done, timing in made.items():
                                self.cell(entrant.contender, done, "1 thread").add(
                                    number * TURNS + turn, timing
                                )
                self.say(f"round {number + 1} of {self.rounds}: {operation}: {self._told(operation)}")

    def _in_turn(self, turn: int) -> list[Entrant]:
        """All of them, another one first each time."""
        first = turn * len(self.entrants) // TURNS
        return self.entrants[first:] + self.entrants[:first]

    def _alone(self, entrant: Entrant, operation: str, seconds: float = 0.0) -> dict[str, Timing]:
        handle, size = entrant.handles[0], entrant.contender.size
        calls = entrant.calls(operation, seconds)
        if operation not in (INSERT, DELETE):
            calls = 1 if operation == LIST else calls
            return {operation: alone(handle, operation, self._rows(operation, size, calls), size)}
        made = {INSERT: Timing(0, 0, 0), DELETE: Timing(0, 0, 0)}
        while made[INSERT].calls < calls:
            some = min(calls, max(1, size // 2))  # few beside what is there
            inserted = alone(handle, INSERT, self._rows(INSERT, size, some), size)
            gone = [(id,) for id in inserted.inserted[0]]
            for done, timing in ((INSERT, inserted), (DELETE, alone(handle, DELETE, gone, size))):
                made[done].seconds += timing.seconds
                made[done].calls += timing.calls
                made[done].wrong += timing.wrong
        return made

    def _rows(self, operation: str, size: int, calls: int) -> list[Row]:
        if operation == INSERT:
            return [row(number) for number in itertools.islice(self._new, calls)]
        # Rows with odd numbers are saved, and so no longer found by the access token that they began with.
        odd = operation == UPDATE
        return [row(self._chance.randrange(odd, size, 2)) for _ in range(calls)]

    def _told(self, operation: str) -> str:
        largest = [one for one in self.cells.values() if one.operation == operation and one.seconds]
        largest = [one for one in largest if one.size == max(other.size for other in largest)]
        return ", ".join(
            f"{one.contender} {page.duration(statistics.median(page.present(one.seconds)))}"
            for one in largest
        )

    # Several at once

    def run_together(self, workers: Workers) -> None:
        """Measure some things in several threads and in several processes."""
        for number, operation in itertools.product(range(max(1, self.rounds // 2)), TOGETHER):
            if operation == DELETE:
                continue
            for entrant in self.entrants:
                if entrant.costs.get(operation, math.inf) * THREADS <= _limit(operation):
                    self._in_threads(number, entrant, operation)
                    if entrant.contender.shared:
                        self._in_processes(number, entrant, operation, workers)
            self.say(f"round {number + 1}: {operation} in {THREADS} threads and {len(workers)} processes")

    def _in_threads(self, number: int, entrant: Entrant, operation: str) -> None:
        size, handles = entrant.contender.size, entrant.handles
        timing = in_threads(handles, operation, self._shares(entrant, operation, len(handles)), size)
        self.cell(entrant.contender, operation, f"{THREADS} threads").add(number, timing)
        if operation == INSERT:
            gone = [[(id,) for id in ids] for ids in timing.inserted]
            timing = in_threads(handles, DELETE, gone, size)
            self.cell(entrant.contender, DELETE, f"{THREADS} threads").add(number, timing)
        entrant.contender.restore()

    def _in_processes(self, number: int, entrant: Entrant, operation: str, workers: Workers) -> None:
        mode = f"{len(workers)} processes"
        timing = workers.run(entrant.contender, operation, self._shares(entrant, operation, len(workers)))
        self.cell(entrant.contender, operation, mode).add(number, timing)
        if operation == INSERT:
            timing = workers.run(
                entrant.contender, DELETE, [[(id,) for id in ids] for ids in timing.inserted]
            )
            self.cell(entrant.contender, DELETE, mode).add(number, timing)
        entrant.contender.restore()

    def verify(self) -> None:
        """Say so where the rows are no longer those that were filled in."""
        for entrant in self.entrants:
            if entrant.costs.get(LIST, math.inf) < 1 and self._alone(entrant, LIST)[LIST].wrong:
                self.say(f"{entrant.contender.name} lost or gained rows of {entrant.contender.size:,}")

    def _shares(self, entrant: Entrant, operation: str, callers: int) -> list[list[Row]]:
        # Enough for several turns of each thread.
        each = entrant.calls(operation, 2 * SLICE[operation], callers, 2 * MOST) // callers
        return [self._rows(operation, entrant.contender.size, each) for _ in range(callers)]


def _expected(before: Sequence[Entrant], operation: str, size: int) -> float:
    """How many seconds a call may take with more rows, after those with fewer."""
    known = [(one.contender.size, one.costs[operation]) for one in before[-2:] if operation in one.costs]
    if len(known) < min(2, len(before)):
        return math.inf  # stopped before
    if len(known) < 2:
        return 0
    (fewer, less), (more, now) = known
    return now + max(0, (now - less) / (more - fewer)) * (size - more)


def _limit(operation: str) -> float:
    return LIMIT * 10 if operation == LIST else LIMIT


def _turns(entrant: Entrant, operation: str, round_number: int) -> float:
    """In how many turns of a round a store is measured."""
    cost = entrant.costs[operation]
    for seconds, rounds in (SLOWER, SLOW):
        if cost > seconds and round_number >= rounds:
            return 0
    return max(1.0 if cost > SLOW[0] else 3.0, SLICE[operation] / cost)


@contextlib.contextmanager
def _contenders(made: dict[str, Any]) -> Iterator[list[type[Contender]]]:
    """Those that can run here; the server runs meanwhile."""
    if reason := published.unserved():
        print(f"without {Server.name}: {reason}", flush=True)
        yield [kind for kind in CONTENDERS if kind is not Server]
    else:
        with published.serving(durable=True) as server:
            made["versions"]["MariaDB"] = server.version
            yield list(CONTENDERS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stores", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=SIZES,
        metavar="ROWS",
        help="numbers of rows, from 10 (%(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured (%(default)s)")
    parser.add_argument(
        "--directory",
        type=Path,
        help="where the stores' files are, on a disk (the directory for temporary files)",
    )
    parser.add_argument(
        "--docs", type=Path, default=page.DOCS, help="where the page and its plots are written (%(default)s)"
    )
    options = parser.parse_args(arguments)
    sizes = sorted(set(options.sizes))
    if sizes[0] < 10 or options.rounds < 1:
        parser.error("at least 10 rows, and one round")
    made: dict[str, Any] = {
        "command": shlex.join(["python", "-m", "benchmarks.stores", *(arguments or sys.argv[1:])]),
        **page.machine(),
        "sizes": sizes,
        "rounds": options.rounds,
    }
    if options.directory is not None:
        tempfile.tempdir = str(options.directory.resolve())
    with (
        tempfile.TemporaryDirectory(prefix="tokenstore-") as base,
        _contenders(made) as kinds,
        Workers(PROCESSES) as workers,
    ):
        benchmark = Benchmark(Path(base), sizes, options.rounds)
        benchmark.fill(kinds)
        benchmark.run_alone()
        benchmark.run_together(workers)
        benchmark.verify()
        file = SQLiteFile(Path(base), sizes[-1]).place / "tokens.db"
        made["memory"] = {}
        for case in memory.CASES:
            made["memory"][case] = memory.measured(case, sizes[-1], file)
            benchmark.say(f"memory: {case}: {made['memory'][case]['holding'] / 2**20:,.0f} MiB")
    made["cells"] = [vars(one) for one in benchmark.cells.values()]
    print(page.write(options.docs, stores=made))


if __name__ == "__main__":
    main()
