"""The report as a badge."""

from __future__ import annotations

from collections.abc import Sequence

from .._spec.clauses import CLAUSES, Level
from .html.markup import element, empty
from .report import TITLE, Report, share
from .verdict import CONFORMS, VIOLATES, WORDS, StoreVerdict

_GREEN, _RED, _GREY, _DARK = "#2b6f3e", "#b3261e", "#646464", "#3d3d3d"
_HEIGHT, _PADDING = 20, 7
_NARROW, _WIDE = frozenset(" /:ijlftr1"), frozenset("mwMWOTCS")


def badge(report: Report) -> str:
    """The report as an SVG image of 20 pixels' height, for a README.

    One store has the number of MUST and SHOULD clauses that it keeps, of those that apply to it. Of
    several, the badge has how many conform. It is green where all conform, red where one violates,
    and else grey and without a figure.

    Args:
        report: What the run found out.

    Returns:
        An XML document.
    """
    figure, colour = _figure(report.stores)
    each = [f"{store.target} {WORDS[store.verdict]}" for store in report.stores]
    left, right = _width(TITLE), _width(figure)
    name = f"{TITLE}: {figure}"
    return (
        element(
            "svg",
            # What a pointer that rests on it shows, and a screen reader says.
            element("title", "; ".join([name, *each])),
            empty("rect", width=f"{left}", height=f"{_HEIGHT}", fill=_DARK),
            empty("rect", x=f"{left}", width=f"{right}", height=f"{_HEIGHT}", fill=colour),
            element(
                "g",
                _text(TITLE, 0, left),
                _text(figure, left, right),
                fill="#fff",
                font_family="Verdana,DejaVu Sans,Geneva,sans-serif",
                font_size="11",
            ),
            xmlns="http://www.w3.org/2000/svg",
            width=f"{left + right}",
            height=f"{_HEIGHT}",
            viewBox=f"0 0 {left + right} {_HEIGHT}",
            role="img",
            aria_label=name,
        )
        + "\n"
    )


def _figure(stores: Sequence[StoreVerdict]) -> tuple[str, str]:
    verdicts = [store.verdict for store in stores]
    if VIOLATES in verdicts:
        colour = _RED
    elif stores and set(verdicts) == {CONFORMS}:
        colour = _GREEN
    else:
        return "no verdict", _GREY
    if len(stores) > 1:
        return f"{verdicts.count(CONFORMS)}/{len(stores)} stores", colour
    scored = [result for result in stores[0].all_results if CLAUSES[result.clause].level is not Level.MAY]
    kept, applying = share(scored)
    return f"{kept}/{applying}", colour


def _width(text: str) -> int:
    return 2 * _PADDING + _length(text)


def _length(text: str) -> int:
    """About how wide a text is in Verdana of 11 pixels; `textLength` makes it exact in any font."""
    return round(sum(4.5 if char in _NARROW else 8 if char in _WIDE else 6.8 for char in text))


def _text(text: str, left: int, width: int) -> str:
    return element(
        "text",
        text,
        x=f"{left + width / 2:g}",
        y="14",
        text_anchor="middle",
        textLength=f"{_length(text)}",
    )
