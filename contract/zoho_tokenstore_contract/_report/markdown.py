"""The report as Markdown, for a pull request or a README."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from .._spec.clause_results import ClauseResult, Finding, Outcome
from .._spec.clauses import CLAUSES, GROUPS
from .diagnosis import Cause
from .html.markup import legible
from .report import (
    NO_STORE,
    TITLE,
    Report,
    causes_of,
    counted,
    counts,
    made_when,
    made_with,
    risks_of,
    share,
)
from .verdict import WORDS, StoreVerdict
from .wording import expected_and_seen, sentence

_ROOM = 60_000
"""A comment on GitHub holds 65,536 characters, and what is longer is refused whole."""

_NAMED = 5
"""Of more broken clauses, a cell of the table has their number instead of their ids."""


def markdown(report: Report) -> str:
    """The report as GitHub's Markdown: verdicts, risks, a table by clause groups, what is not kept and why.

    Whatever a store may have had a hand in stands in code, where neither markup nor a mention works.

    Args:
        report: What the run found out.

    Returns:
        Text that a comment on GitHub has room for.
    """
    stores = report.stores
    parts = [_verdict(store) for store in stores] or [f"**{TITLE}: {WORDS[None]}.** {NO_STORE}"]
    found = [causes_of(store) for store in stores]
    parts += [part for causes in found for part in (_risks(causes), _differences(causes)) if part]
    if stores:
        parts.append(_table(stores))
    several = len(stores) > 1
    parts += [line for store in stores for line in _undecided(store, several=several)]
    parts += _blocks(stores, _ROOM - sum(len(part) for part in parts))
    parts.append(
        f"<sub>{_escaped(made_with(report))}. {_escaped(made_when(report))}. {_code(report.command)}</sub>"
    )
    return "\n\n".join(parts) + "\n"


def _verdict(store: StoreVerdict) -> str:
    lines = [
        f"**{TITLE}: {WORDS[store.verdict]}** {_code(store.target)}: {counts(store)}"
        + (" (SHOULD counts as MUST)" if store.strict else "")
    ]
    if store.verdict is None:
        lines.append(f"No verdict because: {_code(store.reason_undecided)}")
    if store.cause:
        lines.append(f"Root cause: {_code(store.cause)}")
    return "  \n".join(lines)


def _risks(causes: Sequence[Cause]) -> str:
    """What the users of a store risk, worst first."""
    return "\n".join(f"- {words}: {', '.join(clauses)}" for words, clauses in risks_of(causes))


def _differences(causes: Sequence[Cause]) -> str:
    """What the broken clauses share, and what follows from them, where some do."""
    lines = []
    for cause in causes:
        if cause.words or cause.following:
            ids = ", ".join(result.clause for result in cause.results)
            following = ", ".join(result.clause for result in cause.following)
            line = f"- {ids}: {_code(cause.said)}"
            lines.append(line + (f"; from this follow {following}" if following else ""))
    return "\n".join(lines)


def _table(stores: Sequence[StoreVerdict]) -> str:
    heads = [_head(store.target) for store in stores] if len(stores) > 1 else ["clauses kept"]
    rows = [["group", *heads], ["---"] * (len(stores) + 1)]
    for name, about in GROUPS.items():
        rows.append([f"{name}: {_escaped(about)}", *(_cell(_of_group(store, name)) for store in stores)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _of_group(store: StoreVerdict, group: str) -> list[ClauseResult]:
    return [result for result in store.all_results if CLAUSES[result.clause].group == group]


def _head(target: str) -> str:
    """A text as code in a cell, which a pipe would end, in code too; parsers differ on how to escape it."""
    line = _line(target)
    if not set("|\\`") & set(line):
        return _code(line)
    return f"<code>{''.join(char if char.isalnum() else f'&#{ord(char)};' for char in line)}</code>"


def _cell(results: Sequence[ClauseResult]) -> str:
    outcomes = counted(results)
    kept, applying = share(results)
    if not applying:
        return Outcome.NOT_APPLICABLE.words
    if outcomes.get(Outcome.NOT_RUN) == applying:
        return Outcome.NOT_RUN.words
    others = []
    for outcome, number in outcomes.items():
        if outcome in (Outcome.KEPT, Outcome.NOT_APPLICABLE):
            continue
        ids = [result.clause for result in results if result.outcome is outcome]
        which = ", ".join(ids) if number <= _NAMED and outcome is not Outcome.NOT_RUN else str(number)
        told = f"{outcome.words}: {which}"
        others.append(f"**{told}**" if outcome is Outcome.BROKEN else told)
    return "; ".join([f"{kept}/{applying}", *others])


def _undecided(store: StoreVerdict, *, several: bool) -> Iterator[str]:
    """A line for each reason, with the clauses that have it."""
    reasons: dict[tuple[Outcome, str], list[str]] = {}
    for result in store.all_results:
        if result.outcome not in (Outcome.KEPT, Outcome.BROKEN, Outcome.NOT_RUN) and result.reason:
            reasons.setdefault((result.outcome, result.reason), []).append(result.clause)
    for (outcome, reason), ids in reasons.items():
        of = f" ({_code(store.target)})" if several else ""
        yield f"{outcome.words.capitalize()}{of}: {', '.join(ids)}: {_code(reason)}"


def _blocks(stores: Sequence[StoreVerdict], room: int) -> Iterator[str]:
    """What is known of each clause that is not kept, as far as there is room."""
    several = len(stores) > 1
    found = [
        (result, store if several else None)
        for store in stores
        for result in store.all_results
        if result.findings
    ]
    short = sum(len(_block(*one)) for one in found) > room
    left_out = []
    for result, store in found:
        block = _block(result, store, short=short)
        if len(block) > room:
            left_out.append(result.clause)
        else:
            room -= len(block)
            yield block
    if short:
        others = f" Nothing here of {', '.join(dict.fromkeys(left_out))}." if left_out else ""
        yield f"Of each clause, only the first failure is shown here: a comment has no room for more.{others}"


def _block(result: ClauseResult, store: StoreVerdict | None, *, short: bool = False) -> str:
    clause = CLAUSES[result.clause]
    of = f"<code>{html.escape(_line(store.target))}</code>: " if store else ""
    head = f"<b>{clause.id}</b> ({clause.level.value}) {result.outcome.words}"
    lines = [
        "<details>",
        f"<summary>{of}{head}: {_prose(clause.text)}</summary>",
        "",
        _code(sentence(result)),
        "",
        f"Why it matters: {_escaped(clause.why)}",
    ]
    for finding in result.findings[: 1 if short else None]:
        lines += _finding(finding)
    return "\n".join([*lines, "", "</details>"])


def _finding(finding: Finding) -> Iterator[str]:
    expected, seen = expected_and_seen(finding)
    calls = [f"expected: {legible(expected)}", f"seen:     {legible(seen)}", ""]
    calls += [f"{number}. {legible(call)}" for number, call in enumerate(finding.done, 1)]
    yield from ("", f"{_escaped(finding.words)}:")
    if finding.precondition_failed:
        yield from ("", "(This clause could not be checked: arranging it failed.)")
    yield from ("", _fenced("\n".join(calls), "text"))
    if finding.script:
        yield from ("", "To see it again:", "", _fenced(legible(finding.script), "python"))


def _prose(text: str) -> str:
    """A text of the contract in HTML; what stands between backticks is code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _line(text: str) -> str:
    return " ".join(legible(text).split())


def _code(text: str) -> str:
    """A text as code in a line, whatever it holds."""
    line = _line(text)
    fence = "`" * (_longest_run(line) + 1)
    space = " " if not line or "`" in (line[0], line[-1]) else ""
    return f"{fence}{space}{line}{space}{fence}"


def _fenced(text: str, language: str) -> str:
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _escaped(text: str) -> str:
    # An underscore inside a word is one.
    return re.sub(r"([\\`*\[\]<>~&|]|\b_|_\b)", r"\\\1", _line(text))
