"""The page of figures, ``docs/benchmarks.md``, from what the commands kept beside it as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.contenders import CONTENDERS, OPERATIONS, Bare
from benchmarks.goals import Figures, goals, why_not
from benchmarks.memory import BARE
from tests.records import compact
from zoho_tokenstore_contract._spec.sdk import load

DOCS = Path(__file__).parent.parent / "docs"
NAME = "benchmarks"


def machine() -> dict[str, Any]:
    """What the figures were made on."""
    sdk = load()
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores; {_system()}",
        "versions": {
            "Python": platform.python_version(),
            "SQLite": sqlite3.sqlite_version,
            sdk.distribution: sdk.version,
            **{
                name: importlib.metadata.version(name)
                for name in ("mysql-connector-python", "pytest", "hypothesis")
                if any(importlib.metadata.distributions(name=name))
            },
        },
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return model[1] if model else platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
    return f"{name}, {platform.system()} {platform.release()}"


def write(docs: Path, **made: Any) -> Path:
    """Keep what a command made, and write the page of all that is kept.

    Args:
        docs: The directory of the page. Plots go into a directory beside it, the figures as JSON into
            ``data/benchmarks`` beside the directory.
        made: The figures of one command, by its name: ``stores``, ``kit`` or ``commits``.

    Returns:
        The page.
    """
    folder = docs / NAME
    data = docs.parent / "data" / NAME
    for directory in (folder, data):
        directory.mkdir(parents=True, exist_ok=True)
    for name, figures in made.items():
        (data / f"{name}.json").write_text(compact(figures) + "\n", encoding="utf-8")
    parts = ["# Benchmarks\n\nFigures of one machine: read the ratios, not the times.\n"]
    for name, part in (("stores", _stores), ("kit", _kit), ("commits", _commits)):
        kept = data / f"{name}.json"
        if kept.exists():
            parts += part(json.loads(kept.read_text("utf-8")), folder)
    page = docs / f"{NAME}.md"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def _made_with(made: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return f"Made with `{made['command']}` on {made['machine']}; {versions}.\n"


# The stores


def _stores(made: dict[str, Any], folder: Path) -> Iterator[str]:
    figures = Figures(made)
    plots.draw(figures, folder)
    sizes = figures.sizes
    yield "## The reference stores\n"
    yield _made_with(made)
    yield (
        "All stores hold the same tokens and are measured in turns of some milliseconds, the small ones and "
        f"the large ones, in {made['rounds']} rounds. Ratios are of one turn: the middle of all turns stands "
        "first, and half of them lie between the two that follow. The limit is bare SQLite: one `SELECT` by "
        "an index, or one `UPDATE`, `INSERT` or `DELETE` that is flushed to the disk, on the same table with "
        "the same pragmas. Before each round the system reads all files, so that they are in its memory. "
        "`FileStore` flushes nothing: what it saved last is lost with the power, and the rest with a kill at "
        "the wrong moment.\n"
    )
    yield "### Goals\n"
    yield from _table(
        ("goal", "ratio", "furthest in", "met", "why not"),
        (
            (
                goal.text,
                str(goal.ratio or "not measured"),
                goal.of,
                {True: "yes", False: "**no**", None: ""}[goal.met],
                why_not(goal.text) if goal.met is False else "",
            )
            for goal in goals(figures)
        ),
    )
    yield f"![The time of one call by the number of rows]({NAME}/cost.svg)\n"
    yield f"![SQLiteFileStore beside the bare statement]({NAME}/ratio.svg)\n"
    for mode in ("1 thread", *sorted({key[3] for key in figures.cells} - {"1 thread"}, reverse=True)):
        yield f"### Time of one call, {mode}\n"
        if mode != "1 thread":
            yield "From the first start to the last end, divided by all calls.\n"
        for operation in OPERATIONS:
            rows = [_row(figures, kind.name, operation, mode) for kind in CONTENDERS]
            if any("".join(row[1:]) for row in rows):
                yield from _table((f"{operation}, rows:", *(f"{size:,}" for size in sizes)), rows)
    yield "### Memory\n"
    yield (
        f"The most that a process has, with {sizes[-1]:,} rows, beyond what it has before: while they are "
        "there, found and saved, and until `get_tokens` has listed them all, when the caller has as many "
        "tokens. The bare data is a list of lists of the same texts.\n"
    )
    bare = figures.memory[BARE]
    yield from _table(
        ("", "there", "", "listed", ""),
        (
            (
                case,
                f"{taken['holding'] / 2**20:,.0f} MiB",
                f"{taken['holding'] / bare['holding']:.2f}x",
                f"{taken['listing'] / 2**20:,.0f} MiB",
                f"{taken['listing'] / bare['listing']:.2f}x",
            )
            for case, taken in figures.memory.items()
        ),
    )


def _row(figures: Figures, name: str, operation: str, mode: str) -> tuple[str, ...]:
    def text(size: int) -> str:
        cell = figures.cell(name, operation, size, mode)
        if cell is None:
            return str(figures.cells.get((name, operation, size, mode), {}).get("stopped", ""))
        told = duration(statistics.median(present(cell["seconds"])))
        ratio = figures.ratio((name, operation, size), (Bare.name, operation, size), mode)
        if ratio is not None and name != Bare.name:
            told += f", {ratio}"
        if cell["wrong"]:
            told += f"; {cell['wrong'] / cell['calls']:.0%} fail"
        return told

    return (name, *(text(size) for size in figures.sizes))


# The kit


def _kit(made: dict[str, Any], folder: Path) -> Iterator[str]:
    yield "## The kit\n"
    yield _made_with(made)
    yield from _table(
        ("", "median", "least to most", "goal", "met", "why not"),
        (
            (
                one["what"],
                one["median"],
                one["spread"],
                one["goal"],
                one["met"],
                why_not(one["what"]) if one["met"] == "**no**" else "",
            )
            for one in made["figures"]
        ),
    )


def _commits(made: dict[str, Any], folder: Path) -> Iterator[str]:
    yield f"## The kit beside commit {made['commit']}\n"
    yield _made_with(made)
    yield "\n".join(made["table"]) + "\n"
    yield f"{made['why']}\n"


# Words


def _table(head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> Iterator[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def present(seconds: Sequence[float | None]) -> list[float]:
    """The rounds that were measured."""
    return [one for one in seconds if one is not None]


def duration(seconds: float) -> str:
    """A time with its unit, in three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
