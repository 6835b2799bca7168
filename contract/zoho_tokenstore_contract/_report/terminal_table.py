"""The table of a run on the terminal: groups of clauses as rows, outcomes as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._spec.clause_results import ClauseResult, Outcome
from .._spec.clauses import CLAUSES, GROUPS
from .verdict import StoreVerdict

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_LABELS = {
    Outcome.KEPT: "kept",
    Outcome.BROKEN: "broken",
    Outcome.NOT_REACHED: "n/r",
    Outcome.ALLOWED: "allowed",
    Outcome.NOT_APPLICABLE: "n/a",
    Outcome.UNKNOWN: "unknown",
    Outcome.ERROR: "error",
    Outcome.NOT_RUN: "not run",
}
_COLOURS = {
    Outcome.KEPT: {"green": True},
    Outcome.BROKEN: {"red": True},
    Outcome.NOT_REACHED: {"yellow": True},
    Outcome.ALLOWED: {"yellow": True},
    Outcome.UNKNOWN: {"yellow": True},
    Outcome.ERROR: {"red": True},
}
_ALWAYS = (Outcome.KEPT, Outcome.BROKEN, Outcome.ALLOWED, Outcome.NOT_APPLICABLE)


def write_table(terminal: TerminalReporter, stores: Sequence[StoreVerdict], width: int) -> None:
    """Write the table of each store, as many side by side as there is room for.

    Args:
        terminal: Where it is written.
        stores: What is known of each store.
        width: How many columns there are.
    """
    several = len(stores) > 1
    occurring = {result.outcome for store in stores for result in store.all_results}
    outcomes = [one for one in _LABELS if (one in _ALWAYS and not several) or one in occurring]
    widths = [len(_LABELS[outcome]) + (1 if several else 2) for outcome in outcomes]
    one = sum(widths) + 1
    label = max(map(len, GROUPS)) + 1
    about = max(map(len, GROUPS.values())) + 1
    together = max(1, min(len(stores), (width - label) // one))
    if label + about + together * one > width:
        about = 0
    numbered = list(enumerate(stores, 1))
    for start in range(0, len(numbered), together):
        block = numbered[start : start + together]
        if several:
            for number, store in block:
                terminal.line(f"[{number}] {store.target}")
            heads = "".join(f"[{number}]".rjust(one) for number, _ in block)
            terminal.line(" " * (label + about) + heads)
        heads = " " + "".join(
            _LABELS[outcome].rjust(wide) for outcome, wide in zip(outcomes, widths, strict=True)
        )
        terminal.line(" " * (label + about) + heads * len(block))
        columns = list(zip(outcomes, widths, strict=True))
        shown = [store for _, store in block]
        for group, words in GROUPS.items():
            _write_row(terminal, group.ljust(label) + words.ljust(about)[:about], group, shown, columns)
        _write_row(terminal, "all".ljust(label + about), None, shown, columns)
        terminal.line("")


def _write_row(
    terminal: TerminalReporter,
    label: str,
    group: str | None,
    stores: Sequence[StoreVerdict],
    columns: Sequence[tuple[Outcome, int]],
) -> None:
    terminal.write(label, bold=group is None)
    for store in stores:
        terminal.write(" ")
        counted = [result.outcome for result in store.all_results if _is_in(result, group)]
        for outcome, width in columns:
            number = counted.count(outcome)
            colour = _COLOURS.get(outcome, {}) if number else {}
            terminal.write((str(number) if number else "-").rjust(width), **colour)
    terminal.line("")


def _is_in(result: ClauseResult, group: str | None) -> bool:
    return group is None or CLAUSES[result.clause].group == group
