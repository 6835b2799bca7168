"""What was to be reached, and how far it is, as ratios of figures that were measured side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import FINDS, INSERT, UPDATE, Bare, File, InList, SQLiteFile, SQLiteMemory
from benchmarks.memory import BARE

SAVES = (UPDATE, INSERT)
REASONS = {
    "saves in": "looking for the row, reading and checking the token take 0.1 ms, a commit to this disk 0.2 "
    "ms; one that takes milliseconds would hide it",
    "`SQLiteFileStore`: ": "an index of a million rows is deeper, and not in the processor's cache: "
    "the bare statement grows more",
    "`SQLiteMemoryStore`: finding": "deeper indexes that are not in the processor's cache",
    "`SQLiteMemoryStore`: saving": "a new row goes to random places of five indexes that are not in the "
    "processor's cache, and no flush hides it",
    "`ListStore`: ": "a dictionary of a million texts is not in the processor's cache",
    "the difference": "importing the plugin takes 4 to 6 ms; the rest is what two starts differ by anyway",
    "`ListStore`, every group": "three processes import pytest (0.4 s), Hypothesis (0.9 s) and the SDK (1.6 "
    "s) on two cores; then the checks take 6 s of one, half of it for threads that stand still at each place",
    "`ListStore`, without": "the imports alone take more; the groups that are left out take 0.7 s",
    "5 ms for every call": "26,000 calls are 130 s of waiting for two processes, which do not share it "
    "evenly",
}
"""Why goals are not reached, by what their texts say, as measured for the page; the first that fits."""
BESIDE_THE_FILE = 10_000
"""The number of rows at which the SDK's `FileStore` is compared."""


@dataclass
class Ratio:
    """How many times as much one thing takes as another.

    Attributes:
        median: The middle of all ratios.
        low: A quarter of them is less.
        high: A quarter of them is more.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Ratio:
        """Of the ratios of all turns."""
        if len(ratios) == 1:
            return cls(ratios[0], ratios[0], ratios[0])
        low, median, high = statistics.quantiles(ratios, method="inclusive")
        return cls(median, low, high)

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{short(self.median)}x"
        return f"{short(self.median)}x ({short(self.low)} to {short(self.high)})"


@dataclass
class Goal:
    """A goal and what was measured.

    Attributes:
        text: What is to be reached.
        ratio: The ratio that is furthest from it.
        of: What that ratio is of.
        met: Whether it is reached; None where it was not measured.
    """

    text: str
    ratio: Ratio | None
    of: str
    met: bool | None


class Figures:
    """The cells of a run, by store, operation, number of rows and callers."""

    def __init__(self, stores: dict[str, Any]) -> None:
        self.sizes: list[int] = stores["sizes"]
        self.memory: dict[str, dict[str, int]] = stores["memory"]
        self.cells = {
            (cell["contender"], cell["operation"], cell["size"], cell["mode"]): cell
            for cell in stores["cells"]
        }

    def cell(
        self, contender: str, operation: str, size: int, mode: str = "1 thread"
    ) -> dict[str, Any] | None:
        """What was measured, if anything."""
        cell = self.cells.get((contender, operation, size, mode))
        return cell if cell and any(cell["seconds"]) else None

    def ratio(
        self, one: tuple[str, str, int], other: tuple[str, str, int], mode: str = "1 thread"
    ) -> Ratio | None:
        """How many times as long the one takes as the other, in the turns that have both."""
        cells = (self.cell(*one, mode), self.cell(*other, mode))
        if cells[0] is None or cells[1] is None:
            return None
        pairs = zip(cells[0]["seconds"], cells[1]["seconds"], strict=False)
        ratios = [mine / theirs for mine, theirs in pairs if mine and theirs]
        return Ratio.of(ratios) if ratios else None


def why_not(text: str) -> str:
    """Why a goal with this text is not reached, where that is known; else ""."""
    return next((why for what, why in REASONS.items() if what in text), "")


def goals(figures: Figures) -> Iterator[Goal]:
    """All goals of the stores."""
    store, limit, least, most = SQLiteFile.name, Bare.name, figures.sizes[0], figures.sizes[-1]
    for verb, operations, at_most in (("finds", tuple(FINDS), 3.0), ("saves", SAVES, 1.3)):
        for size in figures.sizes:
            ratios = {one: figures.ratio((store, one, size), (limit, one, size)) for one in operations}
            yield _goal(
                f"`{store}` {verb} in ≤ {at_most:g}x of the bare statement, {size:,} rows", ratios, at_most
            )
    for name in (SQLiteFile.name, SQLiteMemory.name, InList.name):
        for verb, operations in (("finding", tuple(FINDS)), ("saving", SAVES)):
            ratios = {one: figures.ratio((name, one, most), (name, one, least)) for one in operations}
            goal = _goal(
                f"`{name}`: {verb} with {most:,} rows takes < 1.5x of that with {least}", ratios, 1.5
            )
            bare = figures.ratio((limit, goal.of, most), (limit, goal.of, least))
            if name == store and bare is not None:
                goal.of += f"; the bare statement: {bare}"
            yield goal
    for verb, operations, times in (("finding", tuple(FINDS), 100.0), ("saving", SAVES, 50.0)):
        ratios = {
            one: figures.ratio((File.name, one, BESIDE_THE_FILE), (store, one, BESIDE_THE_FILE))
            for one in operations
        }
        text = f"`FileStore` takes ≥ {times:g}x as long as `{store}` in {verb}, {BESIDE_THE_FILE:,} rows"
        yield _goal(text, ratios, times, furthest=min)
    bare_data = figures.memory[BARE]["holding"]
    for case, taken in figures.memory.items():
        if case != BARE:
            ratio = taken["holding"] / bare_data
            text = f"`{case}` with {most:,} rows has ≤ 1.5x the memory of the bare data"
            yield _goal(text, {"while they are found and saved": Ratio.of([ratio])}, 1.5)


def _goal(
    text: str, ratios: dict[str, Ratio | None], bound: float, furthest: Callable[..., Any] = max
) -> Goal:
    known = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    if not known:
        return Goal(text, None, "", None)
    name = furthest(known, key=lambda one: known[one].median)
    median = known[name].median
    return Goal(text, known[name], name, median <= bound if furthest is max else median >= bound)


def short(number: float) -> str:
    """A ratio in as few digits as say something."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
