"""The report as a page: one file, which asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from string import Template

from ..._spec.clause_results import Outcome
from ..._spec.clauses import CLAUSES, GROUPS, Level
from ..diagnosis import Cause
from ..report import (
    NO_STORE,
    TITLE,
    Report,
    by_clause,
    causes_of,
    counted,
    counts,
    made_when,
    made_with,
    not_weighing,
    risks_of,
    share,
    weighing,
)
from ..verdict import WORDS, StoreVerdict
from .clause import clause_rows, name_of, outcome_of, sign
from .markup import Markup, element, empty, joined
from .packed import Packed

_FEW = 3
"""Of more stores, each is a line above the matrix, and the outcomes are signs alone."""

_SHAPES = {
    "kept": "M3 8.5 6.5 12 13 4.5",
    "broken": "M4 4l8 8M12 4l-8 8",
    "not-reached": "M2.5 8h4M9.5 4.5v7M13 4.5v7",
    "allowed": "M5.5 5.5l5 5M10.5 5.5l-5 5M8 1.5a6.5 6.5 0 1 0 .01 0",
    "not-applicable": "M4 8h8",
    "not-run": "M8 3.5a4.5 4.5 0 1 0 .01 0",
    "unknown": "M5 5.8C5 2 11 2 11 5.6 11 8 8 7.8 8 10.3M8 12.8v.7",
    "error": "M8 2 14.5 13.5H1.5ZM8 6.5v3M8 11.2v.5",
}
_VERDICTS = {"conforms": "kept", "violates": "broken", None: "unknown"}
_FINE = (Outcome.KEPT, Outcome.NOT_APPLICABLE, Outcome.NOT_RUN)


def page(report: Report) -> str:
    """The report as an HTML page that works from a file, without scripts too.

    It has a row for each clause and a column for each store. Its policy for content lets no script
    run but its own, whatever a store is called or answers.

    Args:
        report: What the run found out.

    Returns:
        The document.
    """
    stores = report.stores
    style, script = _read("page.css").replace("--stores: 1", f"--stores: {len(stores)}"), _read("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    names = ", ".join(f"{store.target} {WORDS[store.verdict]}" for store in stores)
    return Template(_read("page.html")).substitute(
        policy=joined(policy),
        title=joined(f"{TITLE}: {names}" if names else TITLE),
        style=style,
        script=script,
        body=_body(report),
    )


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _body(report: Report) -> Markup:
    stores, packed = report.stores, Packed()
    causes = [causes_of(store) for store in stores]
    return joined(
        element("a", "To the clauses", href="#clauses", class_="skip"),
        _signs(),
        element(
            "header",
            element("h1", TITLE),
            element("p", f"{made_when(report)}. {made_with(report)}.", class_="quiet"),
            element("p", element("code", report.command), class_="quiet"),
        ),
        element(
            "main",
            element("h2", "Verdict", class_="unseen"),
            _verdicts(stores, causes),
            element("h2", "Clauses", id="clauses", tabindex="-1"),
            *([_filter(stores), _matrix(stores, causes, packed)] if stores else []),
        ),
        packed.markup(),
    )


def _signs() -> Markup:
    """The shapes of the outcomes, once, for every place that shows one."""
    return element(
        "svg",
        *(
            element("symbol", empty("path", d=shape), id=f"sign-{name}", viewBox="0 0 16 16")
            for name, shape in _SHAPES.items()
        ),
        class_="unseen",
        aria_hidden="true",
    )


# verdicts


def _verdicts(stores: Sequence[StoreVerdict], causes: Sequence[Sequence[Cause]]) -> Markup:
    if not stores:
        return element("p", f"{WORDS[None]}. {NO_STORE}")
    if len(stores) > _FEW:
        return element("ol", *map(_line, stores, causes), class_="stores")
    numbers = range(1, len(stores) + 1) if len(stores) > 1 else [0]
    return element("div", *map(_card, stores, causes, numbers))


def _verdict(store: StoreVerdict, name: str) -> Markup:
    kind = _VERDICTS[store.verdict]
    return element(name, sign(kind), " ", WORDS[store.verdict], class_=f"verdict {kind}")


def _line(store: StoreVerdict, causes: Sequence[Cause]) -> Markup:
    """A store of many: its verdict, its counts and its worst risk."""
    found = risks_of(causes)
    told: list[str] = [
        _verdict(store, "b"),
        " ",
        name_of(store.target),
        " ",
        element("span", counts(store), class_="quiet"),
    ]
    if found:
        words, clauses = found[0]
        told += [element("span", f"{words}: ", *_links(clauses[:4]), class_="worst")]
    return element("li", *told, *_undecided(store))


def _card(store: StoreVerdict, causes: Sequence[Cause], number: int) -> Markup:
    told = [
        _verdict(store, "p"),
        element(
            "h3",
            *([element("span", f"{number} ", class_="number")] if number else []),
            name_of(store.target),
        ),
        element("p", counts(store), ". SHOULD counts as MUST." if store.strict else "."),
        _bar(store),
        *_undecided(store),
    ]
    if found := risks_of(causes):
        told.append(element("h4", "What its users risk, worst first"))
        told.append(
            element(
                "ul",
                *(element("li", f"{words}: ", *_links(clauses)) for words, clauses in found),
                class_="risks",
            )
        )
    if shared := [cause for cause in causes if cause.words or cause.following]:
        told.append(element("h4", "Clauses that fail for one reason"))
        told.append(element("ul", *map(_cause, shared), class_="risks"))
    return element("section", *told, class_="card")


def _cause(cause: Cause) -> Markup:
    told = [element("bdi", cause.said), ": ", *_links(result.clause for result in cause.results)]
    if cause.following:
        told += ["; from this follow ", *_links(result.clause for result in cause.following)]
    return element("li", *told)


def _undecided(store: StoreVerdict) -> Iterator[Markup]:
    if store.verdict is None:
        yield element("p", element("b", "No verdict: "), element("bdi", store.reason_undecided))
    if store.cause:
        yield element("p", element("b", "Root cause: "), element("bdi", store.cause))


def _links(clauses: Iterable[str]) -> Iterator[str]:
    for number, clause in enumerate(clauses):
        if number:
            yield ", "
        yield element("a", clause, href=f"#{clause}")


def _bar(store: StoreVerdict) -> Markup:
    """The outcomes as lengths of a bar; the words beside it say the same."""
    light = len(not_weighing(store))
    parts, left = [], 0
    for outcome, number in counted(store.all_results).items():
        # What fails no run is not red.
        own = number - light if outcome is Outcome.BROKEN else number
        for kind, length in ((outcome.value, own), ("allowed", number - own)):
            if length:
                parts.append(empty("rect", x=f"{left}", width=f"{length}", height="1", class_=kind))
            left += length
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {max(left, 1)} 1",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


# the filter


def _filter(stores: Sequence[StoreVerdict]) -> Markup:
    """What narrows the clauses down, with how many there are; shown by the script, which makes it work."""
    having = {
        outcome: {
            result.clause for store in stores for result in store.all_results if result.outcome is outcome
        }
        for outcome in Outcome
    }
    outcomes = [
        _switch("outcome", outcome.value, joined(outcome_of(outcome), _count(len(clauses))))
        for outcome, clauses in having.items()
        if clauses
    ]
    every = [CLAUSES[result.clause] for result in stores[0].all_results]
    levels = [
        _switch(
            "level", level.value, joined(level.value, _count(sum(clause.level is level for clause in every)))
        )
        for level in Level
    ]
    return element(
        "form",
        element(
            "p",
            element("label", "Search", for_="search"),
            empty("input", type="search", id="search", autocomplete="off", spellcheck="false"),
            class_="search",
        ),
        element("fieldset", element("legend", "Outcome"), element("div", *outcomes, class_="buttons")),
        element("fieldset", element("legend", "Level"), element("div", *levels, class_="buttons")),
        element(
            "p",
            element("button", "Open all", type="button", id="open"),
            element("button", "Close all", type="button", id="close"),
            element("button", "Show all clauses", type="reset"),
            element("output", "", id="shown", for_="search"),
            class_="buttons actions",
        ),
        hidden=True,
        role="search",
        aria_label="Clauses",
    )


def _count(number: int) -> Markup:
    return element("span", f" {number}", class_="count")


def _switch(kind: str, value: str, content: str) -> Markup:
    return element("button", content, type="button", data_filter=kind, data_value=value, aria_pressed="false")


# the matrix


def _matrix(stores: Sequence[StoreVerdict], causes: Sequence[Sequence[Cause]], packed: Packed) -> Markup:
    several = len(stores) > 1
    heads = [
        element(
            "th",
            *([element("span", f"{number} ", class_="number")] if several else []),
            element("span", name_of(store.target), class_="full") if several else "Outcome",
            scope="col",
            title=store.target,
        )
        for number, store in enumerate(stores, 1)
    ]
    columns = [store.all_results for store in stores]
    rows = list(zip(*columns, strict=True))
    first = [row for row in rows if any(result.outcome not in _FINE for result in row)]
    failing = {result.clause for store in stores for result in weighing(store)}
    first.sort(key=lambda row: row[0].clause not in failing)
    told_under = [by_clause(found) for found in causes]
    bodies = []
    if first:
        nothing = [(0, 0)] * len(stores)
        about = "what fails the run first" if failing else "and need not be"
        bodies.append(_group("not-kept", "Not kept", about, nothing))
        bodies += [clause_rows(row, stores, told_under, packed, group="not-kept") for row in first]
    for group, about in GROUPS.items():
        own = [row for row in rows if CLAUSES[row[0].clause].group == group]
        rest = [row for row in own if row not in first]
        figures = [share(results) for results in zip(*own, strict=True)]
        bodies.append(_group(group, group, about, figures, folded=len(rest)))
        bodies += [clause_rows(row, stores, told_under, packed, group=group) for row in rest]
    size = "one" if not several else "few" if len(stores) <= _FEW else "many"
    table = element(
        "table",
        element(
            "caption",
            "What became of each clause on every store: not kept first, then by groups",
            class_="unseen",
        ),
        element("colgroup", empty("col"), *(empty("col", class_="store") for _ in stores)),
        element("thead", element("tr", element("th", "Clause", scope="col"), *heads)),
        *bodies,
        class_=size,
    )
    if size == "many":
        # It may be wider than the screen, and is then moved with the keyboard too.
        return element("div", table, class_="matrix many", tabindex="0", role="region", aria_label="Clauses")
    return table


def _group(
    key: str, name: str, about: str, figures: Sequence[tuple[int, int]], *, folded: int = -1
) -> Markup:
    """A group's row; `folded` says how many clauses a script may fold under it, -1 for none."""
    cells = []
    for kept, applying in figures:
        figure = element("span", f"{kept}/{applying}", class_="less" if kept < applying else False)
        cells.append(element("td", figure if applying else ""))
    title = element(
        "h3", element("span", name, class_="toggle-group"), element("span", f" {about}", class_="quiet")
    )
    return element(
        "tbody",
        element("tr", element("th", title, scope="rowgroup", id=key), *cells),
        class_="group",
        data_group=key,
        data_folded=f"{folded}" if folded >= 0 else False,
    )
