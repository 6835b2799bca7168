"""The report as Markdown, for a pull request or a README."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from .html.markup import legible
from .view import (
    BROKEN,
    KEPT,
    NO_STORE,
    NOT_APPLICABLE,
    NOT_RUN,
    TITLE,
    WORDS,
    about,
    about_group,
    by_group,
    check_words,
    counted,
    label,
    made_with,
    share,
    sums,
)

_ROOM = 60_000
"""A comment on GitHub holds 65,536 characters, and what is longer is refused whole."""

_NAMED = 5
"""Of more broken clauses, a cell of the table has their number instead of their ids."""


def markdown(report: dict[str, Any]) -> str:
    """The report as GitHub's Markdown: verdicts, a table by clause groups, what is not kept and why.

    Whatever a store may have had a hand in stands in code, where neither markup nor a mention works.

    Args:
        report: The JSON value, schema 1.

    Returns:
        Text that a comment on GitHub has room for.
    """
    stores = report["stores"]
    parts = [_verdict(store) for store in stores] or [f"**{TITLE}: {WORDS[None]}.** {NO_STORE}"]
    if stores:
        parts.append(_table(stores))
    several = len(stores) > 1
    parts += [line for store in stores for line in _undecided(store, several=several)]
    parts += _blocks(stores, _ROOM - sum(len(part) for part in parts))
    parts.append(f"<sub>{_escaped(made_with(report))}</sub>")
    return "\n\n".join(parts) + "\n"


def _verdict(store: dict[str, Any]) -> str:
    lines = [
        f"**{TITLE}: {WORDS[store['verdict']]}** {_code(store['target'])}: {sums(store['clauses'])}"
        + (" (SHOULD counts as MUST)" if store["strict"] else "")
    ]
    lines += [f"{word}: {_code(store[key])}" for key, word in _SAID.items() if store.get(key)]
    return "  \n".join(lines)


_SAID = {"reason": "No verdict because", "cause": "Root cause"}


def _table(stores: list[dict[str, Any]]) -> str:
    grouped = [by_group(store) for store in stores]
    names = list(dict.fromkeys(group for groups in grouped for group in groups))
    heads = [_head(store["target"]) for store in stores] if len(stores) > 1 else ["clauses kept"]
    rows = [["group", *heads], ["---"] * (len(stores) + 1)]
    for name in names:
        title = f"{name}: {_escaped(about_group(name))}" if about_group(name) else _escaped(name)
        rows.append([title, *(_cell(groups.get(name, [])) for groups in grouped)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _head(target: str) -> str:
    """A text as code in a cell, which a pipe would end, in code too; parsers differ on how to escape it."""
    line = _line(target)
    if not set("|\\`") & set(line):
        return _code(line)
    return f"<code>{''.join(char if char.isalnum() else f'&#{ord(char)};' for char in line)}</code>"


def _cell(clauses: list[dict[str, Any]]) -> str:
    counts = counted(clauses)
    kept, applying = share(clauses)
    if not applying:
        return label(NOT_APPLICABLE)
    if counts.get(NOT_RUN) == applying:
        return label(NOT_RUN)
    others = []
    for outcome, number in counts.items():
        if outcome in (KEPT, NOT_APPLICABLE):
            continue
        ids = [clause["id"] for clause in clauses if clause["outcome"] == outcome]
        which = ", ".join(ids) if number <= _NAMED and outcome != NOT_RUN else str(number)
        others.append(f"**{label(outcome)}: {which}**" if outcome == BROKEN else f"{label(outcome)}: {which}")
    return "; ".join([f"{kept}/{applying}", *others])


def _undecided(store: dict[str, Any], *, several: bool) -> Iterator[str]:
    """A line for each reason, with the clauses that have it."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for clause in store["clauses"]:
        if clause["outcome"] not in (KEPT, BROKEN, NOT_RUN) and clause.get("reason"):
            reasons.setdefault((clause["outcome"], clause["reason"]), []).append(clause["id"])
    for (outcome, reason), ids in reasons.items():
        of = f" ({_code(store['target'])})" if several else ""
        yield f"{label(outcome).capitalize()}{of}: {', '.join(ids)}: {_code(reason)}"


def _blocks(stores: list[dict[str, Any]], room: int) -> Iterator[str]:
    """What is known of each clause that is not kept, as far as there is room."""
    several = len(stores) > 1
    found = [
        (clause, store if several else None)
        for store in stores
        for clause in store["clauses"]
        if clause.get("findings")
    ]
    short = sum(len(_block(*one)) for one in found) > room
    left_out = []
    for clause, store in found:
        block = _block(clause, store, short=short)
        if len(block) > room:
            left_out.append(clause["id"])
        else:
            room -= len(block)
            yield block
    if short:
        others = f" Nothing here of {', '.join(dict.fromkeys(left_out))}." if left_out else ""
        yield f"Of each clause, only the first failure is shown here: a comment has no room for more.{others}"


def _block(clause: dict[str, Any], store: dict[str, Any] | None, *, short: bool = False) -> str:
    text, why, _ = about(clause)
    of = f"<code>{html.escape(_line(store['target']))}</code>: " if store else ""
    head = f"<b>{html.escape(clause['id'])}</b> ({clause['level']}) {label(clause['outcome'])}"
    lines = ["<details>", f"<summary>{of}{head}: {_prose(text)}</summary>"]
    if why:
        lines += ["", f"Why it matters: {_escaped(why)}"]
    for finding in clause["findings"][: 1 if short else None]:
        calls = [f"{number}. {legible(call)}" for number, call in enumerate(finding["done"], 1)]
        calls += [f"expected: {legible(finding['expected'])}", f"seen:     {legible(finding['seen'])}"]
        lines += ["", f"{_escaped(check_words(finding))}:"]
        if finding["arranging"]:
            lines += ["", "(This clause could not be checked: arranging it failed.)"]
        lines += ["", _fenced("\n".join(calls), "text")]
        if finding.get("script"):
            lines += ["", "To see it again:", "", _fenced(legible(finding["script"]), "python")]
    return "\n".join([*lines, "", "</details>"])


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
