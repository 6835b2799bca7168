"""A clause of the page: its row, and what opens below it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..._spec.clause_results import ClauseResult, Finding, Outcome
from ..._spec.clauses import CLAUSES, SOURCES, Level
from ..._spec.short_wording import shorten
from ..diagnosis import Cause
from ..hints import REMEDIES, hint
from ..verdict import StoreVerdict
from ..wording import cut, expected_and_seen, pause_of, sentence, telling
from .markup import Markup, code_block, element, empty
from .packed import Packed
from .timeline import timeline_picture

_CALLS = 12
"""Calls of a finding that a page has room for: of more, the last ones."""
_LINE = 120
"""Characters of what was expected that a page on many stores has room for."""
_FEW = 3
"""Of more stores, a page has room for one finding of each clause, and for no scripts."""


def sign(name: str) -> Markup:
    """The sign of an outcome; the word beside it says the same."""
    return element("svg", empty("use", href=f"#sign-{name}"), class_="sign", aria_hidden="true")


def outcome_of(outcome: Outcome, **attributes: str | bool) -> Markup:
    """An outcome with its sign and its word."""
    return element(
        "span",
        sign(outcome.value),
        " ",
        element("span", outcome.words, class_="word"),
        class_=f"outcome {outcome.value}",
        **attributes,
    )


def name_of(target: str) -> Markup:
    """A store's name, with places where the line may break."""
    parts = re.split(r"(?<=[.:/_])", target)
    breaks = [piece for part in parts for piece in (part, empty("wbr"))][:-1]
    return element("bdi", *breaks, class_="name")


def clause_rows(
    results: Sequence[ClauseResult],
    stores: Sequence[StoreVerdict],
    causes: Sequence[Mapping[str, Cause]],
    packed: Packed,
    *,
    group: str,
) -> Markup:
    """The rows of a clause.

    Args:
        results: What became of it on each store.
        stores: The stores, in the same order.
        causes: Of each store, what it is told under, by the clause.
        packed: Where long parts go.
        group: Under which heading it stands.

    Returns:
        A body of the table, with the clause's id as its own.
    """
    clause = CLAUSES[results[0].clause]
    wrong = ""
    if len(results) == 1 and results[0].findings:
        wrong = REMEDIES.get(clause.id) or sentence(results[0])
    row = element(
        "tr",
        element(
            "th",
            element(
                "span",
                element("span", clause.id, class_="id"),
                " ",
                element("span", clause.level.value, class_=f"level {clause.level.value}"),
                " ",
                element(
                    "span",
                    *_prose(clause.text),
                    element("bdi", wrong, class_="wrong") if wrong else "",
                    class_="text",
                ),
                class_="toggle",
            ),
            scope="row",
        ),
        *(_cell(result.outcome) for result in results),
    )
    told = [
        _told(result, store, by_clause.get(clause.id), packed, stores=len(stores))
        for result, store, by_clause in zip(results, stores, causes, strict=True)
        if result.outcome not in (Outcome.KEPT, Outcome.NOT_RUN)
    ]
    facts = [
        *_fact("Why it matters", *_prose(clause.why)),
        *_fact("Where it comes from", "; ".join(SOURCES.get(mark, mark) for mark in clause.source.split())),
        *_fact("Read it", element("code", f"zoho-tokenstore clauses {clause.id}")),
    ]
    detail = element(
        "tr",
        element(
            "td",
            element(
                "details",
                element("summary", f"More about {clause.id}", class_="fold"),
                *told,
                element("dl", *facts),
            ),
            colspan=f"{len(stores) + 1}",
        ),
        class_="detail",
        id=f"{clause.id}-detail",
    )
    return element(
        "tbody",
        row,
        detail,
        class_="clause",
        id=clause.id,
        data_group=group,
        data_level=clause.level.value,
        data_outcomes=" ".join(dict.fromkeys(result.outcome.value for result in results)),
    )


def _cell(outcome: Outcome) -> Markup:
    """An outcome in the matrix; a pointer that rests on one that is not kept is told the word."""
    # Short, for there are many of them.
    return element(
        "td",
        element("svg", empty("use", href=f"#sign-{outcome.value}")),
        element("span", outcome.words, class_="word"),
        class_=f"outcome {outcome.value}",
        title=outcome is not Outcome.KEPT and outcome.words,
    )


def _fact(term: str, *words: str) -> list[Markup]:
    return [element("dt", term), element("dd", *words)] if any(words) else []


def _prose(text: str) -> list[str]:
    """A text of the contract; what stands between backticks is code."""
    return [element("code", part) if number % 2 else part for number, part in enumerate(text.split("`"))]


def _told(
    result: ClauseResult, store: StoreVerdict, cause: Cause | None, packed: Packed, *, stores: int
) -> Markup:
    """What one store did with a clause that it does not keep: in a sentence, in few calls, in all."""
    whole = stores <= _FEW
    whose = [" ", name_of(store.target)] if stores > 1 else []
    content = [
        element("p", outcome_of(result.outcome), *whose)
        if whole
        else element("h4", store.target, f": {result.outcome.words}")
    ]
    if result.reason:
        content.append(element("p", element("bdi", result.reason)))
    finding = telling(result)
    if result.outcome is Outcome.NOT_REACHED and not whole:
        content.append(element("p", "What its checks arrange fails already."))
    elif finding is not None:
        content += _program(result, finding, cause, packed, whole=whole)
        if whole:
            content.append(_finding(finding, packed))
        if whole and len(result.findings) > 1:
            content.append(packed.findings([_texts(one) for one in result.findings if one is not finding]))
    return element("section", *content, class_="told")


def _program(
    result: ClauseResult, finding: Finding, cause: Cause | None, packed: Packed, *, whole: bool
) -> list[Markup]:
    said = sentence(result) if whole else cut(sentence(result), _LINE * 3 // 2)
    made = [element("p", element("bdi", said), class_="sentence")]
    follows = cause is not None and result in cause.following
    if not (whole or follows):
        made.append(element("p", "Expected: ", element("bdi", cut(expected_and_seen(finding)[0], _LINE))))
    if finding.shortest and (whole or (CLAUSES[result.clause].level is Level.MUST and not follows)):
        text, label = "\n".join(finding.shortest), "The fewest calls that show it"
        made.append(code_block(label, text) if whole else packed.code(text, label))
    picture = timeline_picture(finding.done, pause_of(finding))
    if picture is not None:
        made.append(picture)
    if cause is not None and follows:
        first = cause.first.clause
        made.append(
            element("p", element("b", "It follows from "), element("a", first, href=f"#{first}"), ".")
        )
    elif advice := REMEDIES.get(result.clause) or hint(result, cause):
        made.append(element("p", element("b", "Hint: "), advice))
    if finding.script and whole:
        made.append(
            element(
                "details",
                element("summary", "A script that shows it"),
                packed.code(finding.script, "Script"),
                class_="script",
            )
        )
    return made


def _texts(finding: Finding) -> list[str]:
    """What is told of a finding, for `Packed.findings`."""
    remark = "This clause could not be checked: arranging it failed." if finding.precondition_failed else ""
    left_out = max(len(finding.done) - _CALLS, 0)
    before = f", the last {_CALLS} of {len(finding.done)}" if left_out else ""
    calls = [shorten(call)[0] for call in finding.done[left_out:]]
    return [finding.words, remark, *expected_and_seen(finding), f"The recorded calls{before}", *calls]


def _finding(finding: Finding, packed: Packed) -> Markup:
    words, remark, expected, seen, heading, *calls = _texts(finding)
    return element(
        "section",
        element("h4", words),
        element("p", remark) if remark else "",
        element("dl", *_fact("Expected", expected), *_fact("Seen", seen), class_="seen"),
        element("details", element("summary", heading), packed.listed(calls), class_="calls")
        if calls
        else "",
        class_="finding",
    )
