"""The report as a page: one file, which asks for nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from string import Template
from typing import Any

from ..._spec.clauses import SOURCES, Level
from ..._spec.outcomes import Outcome
from ..view import (
    BROKEN,
    KEPT,
    NO_STORE,
    NOT_RUN,
    TITLE,
    WORDS,
    about,
    about_group,
    by_group,
    check_words,
    counted,
    group_of,
    label,
    made_with,
    share,
    sums,
)
from .markup import Markup, element, empty, joined

_FEW = 3
"""Of more stores, the columns have numbers, and the outcomes signs alone."""

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


def page(report: dict[str, Any]) -> str:
    """The report as an HTML page that works from a file, without scripts too.

    It has a row for each clause and a column for each store. Its policy for content lets no script
    run but its own, whatever a store is called or answers.

    Args:
        report: The JSON value, schema 1.

    Returns:
        The document.
    """
    stores = report["stores"]
    style, script = _read("page.css").replace("--stores: 1", f"--stores: {len(stores)}"), _read("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    names = ", ".join(f"{store['target']} {WORDS[store['verdict']]}" for store in stores)
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


def _body(report: dict[str, Any]) -> Markup:
    stores = report["stores"]
    return joined(
        element("a", "To the clauses", href="#clauses", class_="skip"),
        _signs(),
        element("header", element("h1", TITLE), element("p", made_with(report), class_="quiet")),
        element(
            "main",
            element("h2", "Verdict", class_="unseen"),
            element("div", *(_card(store, number, stores) for number, store in enumerate(stores, 1)))
            if stores
            else element("p", f"{WORDS[None]}. {NO_STORE}"),
            *([element("h2", "Clauses", id="clauses", tabindex="-1")]),
            *([_filter(stores), _matrix(stores)] if stores else []),
        ),
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


def _sign(name: str) -> Markup:
    return element("svg", empty("use", href=f"#sign-{name}"), class_="sign", aria_hidden="true")


def _outcome(outcome: str, **attributes: str | bool) -> Markup:
    return element(
        "span",
        _sign(outcome),
        " ",
        element("span", label(outcome), class_="word"),
        class_=f"outcome {outcome}",
        **attributes,
    )


def _name(target: str) -> Markup:
    """A store's name, with places where the line may break."""
    parts = re.split(r"(?<=[.:/_])", target)
    breaks = [piece for part in parts for piece in (part, empty("wbr"))][:-1]
    return element("bdi", *breaks, class_="name")


def _number(number: int, stores: list[dict[str, Any]]) -> list[Markup]:
    """What a column of many, or on a narrow screen, is headed by."""
    return [element("span", f"{number} ", class_="number")] if len(stores) > 1 else []


def _card(store: dict[str, Any], number: int, stores: list[dict[str, Any]]) -> Markup:
    verdict, clauses = store["verdict"], store["clauses"]
    told = [
        element("p", _sign(_VERDICTS[verdict]), " ", WORDS[verdict], class_=f"verdict {_VERDICTS[verdict]}"),
        element("h3", *_number(number, stores), _name(store["target"])),
        element("p", sums(clauses), ". SHOULD counts as MUST." if store["strict"] else "."),
        _bar(clauses),
    ]
    for key, words in (("reason", "No verdict: "), ("cause", "Root cause: ")):
        if store.get(key):
            told.append(element("p", element("b", words), element("bdi", store[key])))
    broken = [clause for clause in clauses if clause["outcome"] == BROKEN]
    if broken:
        links = [
            joined(
                element("a", clause["id"], href=f"#{clause['id']}"),
                "" if clause["level"] == Level.MUST.value else f" ({clause['level']})",
            )
            for clause in broken
        ]
        told.append(element("p", element("b", "Broken: "), *_separated(links)))
    return element("section", *told, class_="card")


def _separated(pieces: Iterable[Markup]) -> Iterator[str]:
    for number, piece in enumerate(pieces):
        yield from (", ", piece) if number else (piece,)


def _bar(clauses: list[dict[str, Any]]) -> Markup:
    """The outcomes as lengths of a bar; the words beside it say the same."""
    parts, left = [], 0
    for outcome, number in counted(clauses).items():
        parts.append(empty("rect", x=f"{left}", width=f"{number}", height="1", class_=outcome))
        left += number
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {max(left, 1)} 1",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


def _filter(stores: list[dict[str, Any]]) -> Markup:
    """What narrows the clauses down; shown by the script, which makes it work."""
    occurring = {clause["outcome"] for store in stores for clause in store["clauses"]}
    outcomes = [
        _switch("outcome", outcome.value, _outcome(outcome.value))
        for outcome in Outcome
        if outcome.value in occurring
    ]
    levels = [_switch("level", level.value, level.value) for level in Level]
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


def _switch(kind: str, value: str, content: str) -> Markup:
    return element("button", content, type="button", data_filter=kind, data_value=value, aria_pressed="false")


def _matrix(stores: list[dict[str, Any]]) -> Markup:
    grouped = [by_group(store) for store in stores]
    several = len(stores) > 1
    heads = [
        element(
            "th",
            *_number(number, stores),
            element("span", _name(store["target"]), class_="full") if several else "Outcome",
            scope="col",
            title=store["target"],
        )
        for number, store in enumerate(stores, 1)
    ]
    bodies = []
    for group in dict.fromkeys(group for groups in grouped for group in groups):
        bodies.append(_group(group, [groups.get(group, []) for groups in grouped]))
        ids = dict.fromkeys(clause["id"] for groups in grouped for clause in groups.get(group, []))
        for clause_id in ids:
            found = [
                next((clause for clause in groups.get(group, []) if clause["id"] == clause_id), None)
                for groups in grouped
            ]
            bodies.append(_clause(found, stores))
    size = "one" if not several else "few" if len(stores) <= _FEW else "many"
    table = element(
        "table",
        element("caption", "Clauses by groups, and what became of each on every store", class_="unseen"),
        element("colgroup", empty("col"), *(empty("col", class_="store") for _ in stores)),
        element("thead", element("tr", element("th", "Clause", scope="col"), *heads)),
        *bodies,
        class_=size,
    )
    if size == "many":
        # It may be wider than the screen, and is then moved with the keyboard too.
        return element("div", table, class_="matrix many", tabindex="0", role="region", aria_label="Clauses")
    return table


def _group(group: str, columns: list[list[dict[str, Any]]]) -> Markup:
    cells = []
    for clauses in columns:
        kept, applying = share(clauses)
        figure = element("span", f"{kept}/{applying}", class_="less" if kept < applying else False)
        cells.append(element("td", figure if applying else ""))
    return element(
        "tbody",
        element(
            "tr",
            element(
                "th",
                element("h3", group, element("span", f" {about_group(group)}", class_="quiet")),
                scope="rowgroup",
                id=group,
            ),
            *cells,
        ),
        class_="group",
        data_group=group,
    )


def _clause(found: list[dict[str, Any] | None], stores: list[dict[str, Any]]) -> Markup:
    results = [clause for clause in found if clause is not None]
    clause_id, level = results[0]["id"], results[0]["level"]
    text, why, source = about(results[0])
    row = element(
        "tr",
        element(
            "th",
            element(
                "span",
                element("span", clause_id, class_="id"),
                " ",
                element("span", level, class_=f"level {level}"),
                " ",
                element("span", *_prose(text), class_="text"),
                class_="toggle",
            ),
            scope="row",
        ),
        *(
            element("td", _outcome(clause["outcome"], title=label(clause["outcome"])) if clause else "")
            for clause in found
        ),
    )
    facts = [
        *_fact("Why it matters", *_prose(why)),
        *_fact("Where it comes from", "; ".join(SOURCES.get(mark, mark) for mark in source.split())),
    ]
    told = [
        _told(clause, store, several=len(stores) > 1)
        for clause, store in zip(found, stores, strict=True)
        if clause is not None and clause["outcome"] not in (KEPT, NOT_RUN)
    ]
    detail = element(
        "tr",
        element(
            "td",
            element(
                "details",
                element("summary", f"More about {clause_id}", class_="fold"),
                element("dl", *facts),
                *told,
            ),
            colspan=f"{len(stores) + 1}",
        ),
        class_="detail",
        id=f"{clause_id}-detail",
    )
    return element(
        "tbody",
        row,
        detail,
        class_="clause",
        id=clause_id,
        data_group=group_of(results[0]),
        data_level=level,
        data_outcomes=" ".join(dict.fromkeys(clause["outcome"] for clause in results)),
    )


def _fact(term: str, *words: str) -> list[Markup]:
    return [element("dt", term), element("dd", *words)] if any(words) else []


def _prose(text: str) -> list[str]:
    """A text of the contract; what stands between backticks is code."""
    return [element("code", part) if number % 2 else part for number, part in enumerate(text.split("`"))]


def _told(clause: dict[str, Any], store: dict[str, Any], *, several: bool) -> Markup:
    """What one store did with a clause that it does not keep."""
    content = [
        element("p", _outcome(clause["outcome"]), *([" ", _name(store["target"])] if several else [])),
    ]
    if clause.get("reason"):
        content.append(element("p", element("bdi", clause["reason"])))
    content += [_finding(finding) for finding in clause.get("findings", ())]
    return element("section", *content, class_="told")


def _finding(finding: dict[str, Any]) -> Markup:
    content = [element("h4", check_words(finding))]
    if finding["arranging"]:
        content.append(element("p", "This clause could not be checked: arranging it failed."))
    if finding["done"]:
        content.append(element("ol", *(element("li", element("code", call)) for call in finding["done"])))
    content.append(
        element("dl", *_fact("Expected", finding["expected"]), *_fact("Seen", finding["seen"]), class_="seen")
    )
    if finding.get("script"):
        content.append(
            element(
                "details",
                element("summary", "A script that shows it"),
                element(
                    "pre",
                    element("code", finding["script"]),
                    tabindex="0",
                    role="region",
                    aria_label="Script",
                ),
                class_="script",
            )
        )
    return element("section", *content, class_="finding")
