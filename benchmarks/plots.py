"""The plots of the page, as SVG."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.contenders import CONTENDERS, DELETE, FINDS, INSERT, UPDATE, Bare, SQLiteFile
from benchmarks.goals import SAVES, Figures, Ratio

_PANELS = ("find by user name", "find by refresh token", "find by id", UPDATE, INSERT, DELETE)
_MARKS = "os^vDX"

# The same figures give the same file, and text stays text.
mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9})


def draw(figures: Figures, folder: Path) -> None:
    """Draw all plots.

    Args:
        figures: What was measured.
        folder: Where ``cost.svg`` and ``ratio.svg`` go.
    """
    for name, drawing in (("cost.svg", _cost(figures)), ("ratio.svg", _ratio(figures))):
        text = io.StringIO()
        drawing.savefig(text, format="svg", metadata={"Date": None})
        (folder / name).write_text(_compact(text.getvalue()), encoding="utf-8")


def _compact(svg: str) -> str:
    """A drawing with a line for each axis, curve and text, where matplotlib writes one for each point."""
    text = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    text = re.sub(r">\s+<", "><", re.sub(r"\n(?=[^<\s])", " ", text))
    return re.sub(r'(?=<g id="(?:axes|matplotlib|[xy]tick|LineCollection|legend|text))', "\n", text)


def _cost(figures: Figures) -> Figure:
    drawing = Figure(figsize=(10, 6), layout="constrained")
    panels = drawing.subplots(2, 3, sharex=True)
    for panel, operation in zip(panels.flat, _PANELS, strict=True):
        for kind, mark in zip(CONTENDERS, _MARKS, strict=True):
            known = [
                (size, Ratio.of([1e6 * one for one in cell["seconds"] if one]))
                for size in figures.sizes
                if (cell := figures.cell(kind.name, operation, size)) is not None
            ]
            if not known:
                continue
            sizes, times = zip(*known, strict=True)
            spread = [[one.median - one.low for one in times], [one.high - one.median for one in times]]
            middle = [one.median for one in times]
            style = "--" if kind is Bare else "-"
            panel.errorbar(sizes, middle, spread, label=kind.name, marker=mark, markersize=4, linestyle=style)
        panel.set(title=operation, xscale="log", yscale="log")
        panel.grid(visible=True, alpha=0.3)
    for panel in panels[-1]:
        panel.set_xlabel("rows")
    drawing.supylabel("µs for one call")
    drawing.legend(
        *panels.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(CONTENDERS)
    )
    return drawing


def _ratio(figures: Figures) -> Figure:
    drawing = Figure(figsize=(10, 4), layout="constrained")
    panels: Any = drawing.subplots(1, 2, sharex=True)
    for panel, operations, bound in zip(panels, (tuple(FINDS), (*SAVES, DELETE)), (3.0, 1.3), strict=True):
        for operation in operations:
            known = [
                (size, ratio)
                for size in figures.sizes
                if (ratio := figures.ratio((SQLiteFile.name, operation, size), (Bare.name, operation, size)))
            ]
            if not known:
                continue
            spread = [
                [ratio.median - ratio.low for _, ratio in known],
                [ratio.high - ratio.median for _, ratio in known],
            ]
            panel.errorbar(
                [size for size, _ in known],
                [ratio.median for _, ratio in known],
                spread,
                label=operation,
                marker="o",
                markersize=4,
            )
        panel.axhline(bound, color="black", linestyle=":", label="goal")
        panel.set(xscale="log", ylim=(0, None), xlabel="rows", ylabel="times the bare statement")
        panel.grid(visible=True, alpha=0.3)
        panel.legend()
    return drawing
