"""Renders the record of the published stores as Markdown."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from tests import programs
from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS, SOURCES, Clause, Level

WORDS = {"kept": "kept", "broken": "broken", "not-applicable": "n/a", "not-reached": "not reached"}
LONGEST, CALL = 600, 240

INTRODUCTION = """\
# The stores that ship in the Zoho CRM Python SDK

What this kit finds in `FileStore` and `DBStore` of {releases}: unchanged, as installed
by pip. This page is made by `python -m tests.published`; a test compares it with a fresh run. The text of
`DBStore` in 2.0.0 and 3.0.0 is that of 1.0.0, in 5.0.0 that of 6.0.0: of such, one release is run.

{conditions}

- **kept**: every check of the clause passes.
- **broken**: the link leads to the shortest program that shows it, and to what came back.
- **broken**\\*: the same, but only with a text that is `""`. That such a text counts as absent is the
  choice of this contract; no text of the SDK says so.
- **not reached**: the clause's checks ended before they could ask, because of what another clause
  speaks of, such as a save that fails. Nothing here says that the store keeps or breaks it.
- **n/a**: the clause does not apply to such a store; [the contract](contract.md) says to which it does.

Releases share a column where the store's source text and every outcome are the same.

## The verdict
"""

PROGRAMS = """\
## What is broken

Each program below follows these lines, uses the SDK alone, and ends in an assertion that fails or in
the exception that is named:

```python
{beginning}```

The table for `DBStore` is the one of the SDK's README, new and empty for each program. What a clause
is drawn from stands behind its level:

{sources}
"""


@dataclass
class Column:
    """Releases of one store with the same text and the same outcomes."""

    store: str
    entries: list[dict[str, Any]]

    @property
    def clauses(self) -> dict[str, dict[str, Any]]:
        """What is recorded of the newest of the releases."""
        recorded: dict[str, dict[str, Any]] = self.entries[-1]["clauses"]
        return recorded

    @property
    def releases(self) -> str:
        """As ``1.0.0 to 3.0.0``."""
        first, last = self.entries[0]["release"], self.entries[-1]["release"]
        return str(first) if first == last else f"{first} to {last}"

    @property
    def name(self) -> str:
        """As ``DBStore 1.0.0 to 3.0.0``."""
        return f"{self.store} {self.releases}"

    def outcome(self, clause: str) -> str:
        """The word for what became of a clause."""
        return WORDS.get(self.clauses.get(clause, {}).get("outcome", ""), "?")

    def only_empty(self, clause: str) -> bool:
        """Whether a clause is broken only where `""` is taken for more than absent."""
        names = self.clauses.get(clause, {}).get("programs", ())
        return bool(names) and all(programs.rests_on_empty(clause, name) for name in names)


def page(record: dict[str, Any]) -> str:
    """The page.

    Args:
        record: What ``data/published-stores.json`` holds.
    """
    entries = record["stores"]
    columns = _columns(entries)
    sources = "\n".join(f"- {mark}: {source}" for mark, source in SOURCES.items())
    parts = [
        INTRODUCTION.format(releases=_releases(entries), conditions=_conditions(entries)),
        _table(columns),
        "## In numbers\n",
        _sums(entries),
        PROGRAMS.format(beginning=programs.BEGINNING, sources=sources),
        *(section for clause in CLAUSES.values() if (section := _section(clause, columns))),
        _not_reached(columns),
    ]
    return "\n".join(parts)


def _columns(entries: list[dict[str, Any]]) -> list[Column]:
    def same(entry: dict[str, Any]) -> Any:
        outcomes = tuple((clause, one["outcome"]) for clause, one in entry["clauses"].items())
        return entry["store"], entry["text"], outcomes

    return [Column(key[0], list(group)) for key, group in itertools.groupby(entries, same)]


def _releases(entries: list[dict[str, Any]]) -> str:
    names = [
        f"{entry['distribution']} {entry['release']}" for entry in entries if entry["store"] == "FileStore"
    ]
    return (
        " to ".join(f"`{name}`" for name in dict.fromkeys((names[0], names[-1]))) if names else "no release"
    )


def _conditions(entries: list[dict[str, Any]]) -> str:
    pythons = ", ".join(sorted({entry["python"] for entry in entries}))
    servers = sorted(
        {f"{e['server']}, mysql-connector-python {e['connector']}" for e in entries if "server" in e}
    )
    served = f", `DBStore` on {'; '.join(servers)}, utf8mb4 with utf8mb4_general_ci" if servers else ""
    return f"Measured with Python {pythons}{served}."


def _table(columns: list[Column]) -> str:
    lines = [
        "| clause | level | " + " | ".join(column.name for column in columns) + " |",
        "| --- | --- |" + " --- |" * len(columns),
    ]
    for clause in CLAUSES.values():
        cells = []
        for column in columns:
            word = column.outcome(clause.id)
            star = r"\*" if column.only_empty(clause.id) else ""
            cells.append(f"[**broken**](#{clause.id.lower()}){star}" if word == "broken" else word)
        lines.append(f"| [{clause.id}]({_link(clause)}) | {clause.level.value} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _sums(entries: list[dict[str, Any]]) -> str:
    heads = [f"{level.value} {word}" for level in Level for word in WORDS.values()]
    lines = ["| store and release | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for entry in entries:
        column = Column(entry["store"], [entry])
        cells = []
        for level in Level:
            clauses = [clause.id for clause in CLAUSES.values() if clause.level is level]
            for word in WORDS.values():
                found = [clause for clause in clauses if column.outcome(clause) == word]
                only_empty = sum(column.only_empty(clause) for clause in found)
                cells.append(f"{len(found)} ({only_empty}\\*)" if only_empty else str(len(found)))
        lines.append(f"| {column.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _section(clause: Clause, columns: list[Column]) -> str:
    broken = [column for column in columns if column.outcome(clause.id) == "broken"]
    if not broken:
        return ""
    lines = [
        f"### {clause.id}",
        "",
        f"**{clause.level.value}** · {GROUPS[clause.group]} · from {clause.source}",
        "",
        f"> {clause.text}",
        "",
    ]
    for program in programs.of(clause.id):
        ends: dict[str, list[str]] = {}
        for column in broken:
            end = column.clauses[clause.id].get("programs", {}).get(program.__name__)
            if end is not None:
                ends.setdefault(end, []).append(column.name)
        if ends:
            lines += ["```python", programs.source_of(program), "```", ""]
            lines += [f"- {', '.join(names)}: {_code(end)}" for end, names in ends.items()]
            lines.append("")
    # Newest first, so that each way of breaking it is told as the newest release does.
    told: dict[tuple[str, str], list[Column]] = {}
    for column in reversed(broken):
        if check := column.clauses[clause.id].get("check"):
            told.setdefault((column.store, check), []).insert(0, column)
    for alike in reversed(told.values()):
        lines += _told(alike, clause)
    return "\n".join(lines)


def _told(columns: list[Column], clause: Clause) -> list[str]:
    """What the kit saw, in the newest of the releases that break a clause alike."""
    one = columns[-1].clauses[clause.id]
    names = ", ".join(
        f"{column.name} ({of['broken']} of {of['runs']} runs)" if "runs" in of else column.name
        for column in columns
        for of in [column.clauses[clause.id]]
    )
    lines = [f"{names}: {one['check'].replace('_', ' ')}.", ""]
    if calls := one.get("calls"):
        lines += [*(f"{number}. {_code(call, CALL)}" for number, call in enumerate(calls, 1)), ""]
    return [*lines, f"- expected: {_cut(one['expected'])}", f"- seen: {_cut(one['seen'])}", ""]


def _not_reached(columns: list[Column]) -> str:
    """What stopped the checks, and which clauses they are of."""
    lines = []
    for column in columns:
        stopped: dict[str, list[str]] = {}
        for id, one in column.clauses.items():
            if column.outcome(id) == "not reached":
                stopped.setdefault(one["seen"], []).append(id)
        if stopped:
            lines += ["", f"{column.name}:", ""]
            lines += [f"- {', '.join(ids)}: {_cut(seen)}" for seen, ids in stopped.items()]
    return "\n".join(["## What was not reached", *lines]) + "\n"


def _link(clause: Clause) -> str:
    return f"contract.md#{clause.id.lower()}"


def _code(text: str, limit: int = LONGEST) -> str:
    """As code, on one line."""
    text = _cut(text, limit)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _cut(text: str, limit: int = LONGEST) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit // 2]} … {text[-limit // 3 :]}"
