"""A concurrent history as a picture: a lane for each thread, a bar for each call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..._spec.short_wording import shorten
from ..wording import cut
from .markup import Markup, element, empty

_LINE = re.compile(r"(before|after|thread \d+)( +)\[(=*)(\]?)(.*)", re.DOTALL)
_NAME = 8
"""How wide a history's first column is."""
_LABEL, _WIDTH, _LANE, _BAR = 72, 760, 30, 20
_LETTER = 6.6
"""How wide a letter of a bar's text is, about."""
_TITLE = 120
"""Characters of a call that a pointer is shown."""
_MOST = 24
"""Calls that are drawn, the last ones."""


@dataclass(frozen=True)
class _Bar:
    number: int
    actor: str
    start: int
    end: int
    call: str


def timeline_picture(done: Sequence[str], pause: str = "") -> Markup | None:
    """Draw the calls of threads over time.

    Args:
        done: The lines of a finding.
        pause: Where a thread stood still, for the text below; see `pause_of`.

    Returns:
        The picture; ``None`` where the lines are no history of threads.
    """
    bars = [bar for number, line in enumerate(done, 1) if (bar := _bar(number, line)) is not None][-_MOST:]
    lanes = list(dict.fromkeys(sorted((bar.actor for bar in bars), key=_order)))
    if not any(lane.startswith("thread") for lane in lanes):
        return None
    first, last = min(bar.start for bar in bars), max(bar.end for bar in bars)
    scale = (_WIDTH - _LABEL) / max(last - first, 1)
    height = _LANE * len(lanes)
    drawn = [_lane(lane, number) for number, lane in enumerate(lanes)]
    drawn += [_call(bar, lanes.index(bar.actor), first, scale) for bar in bars]
    picture = element(
        "svg",
        *drawn,
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_label=f"{len(bars)} calls of {len(lanes)} actors over time",
        class_="timeline",
    )
    note = element("figcaption", pause) if pause else ""
    return element("figure", picture, note)


def _bar(number: int, line: str) -> _Bar | None:
    found = _LINE.match(line)
    if found is None:
        return None
    actor, space, inside, closed, rest = found.groups()
    start = len(actor) + len(space) - max(_NAME, len(actor)) - 1
    length = len(inside) + 1 if closed else len(inside) + 2
    return _Bar(number, actor, start, start + length, shorten(rest.strip())[0])


def _order(actor: str) -> tuple[int, int]:
    rank = {"before": 0, "after": 2}.get(actor, 1)
    return rank, int(actor.split()[1]) if rank == 1 else 0


def _lane(name: str, number: int) -> Markup:
    middle = _LANE * number + _LANE / 2
    return element(
        "g",
        empty("line", x1=f"{_LABEL}", x2=f"{_WIDTH}", y1=f"{middle:g}", y2=f"{middle:g}", class_="lane"),
        element("text", name, x="0", y=f"{middle + 4:g}", class_="actor"),
    )


def _call(bar: _Bar, lane: int, first: int, scale: float) -> Markup:
    left, width = _LABEL + (bar.start - first) * scale, max((bar.end - bar.start) * scale - 2, 3)
    top = _LANE * lane + (_LANE - _BAR) / 2
    room = int((width - 6) / _LETTER)
    text = cut(f"{bar.number} {bar.call.partition('(')[0]}", room) if room > 3 else f"{bar.number}"
    raised = " raised" if "-> raised" in bar.call else ""
    return element(
        "g",
        element("title", cut(f"{bar.number} {bar.call}", _TITLE)),
        empty(
            "rect",
            x=f"{left:.1f}",
            y=f"{top:g}",
            width=f"{width:.1f}",
            height=f"{_BAR}",
            rx="3",
            class_=f"call{raised}",
        ),
        element("text", text, x=f"{left + 4:.1f}", y=f"{top + 14:g}"),
    )
