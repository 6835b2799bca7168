"""Writes the pages of ``docs/`` that are made from the code: ``python -m tests.pages``."""

from __future__ import annotations

from pathlib import Path

from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS, SOURCES, Clause

DOCS = Path(__file__).parent.parent / "docs"


INTRODUCTION = """\
# The TokenStore contract

{number} clauses, each a promise that a conforming store keeps. Their ids are public: an id never
changes its meaning and is never used again. This page is made from the registry in the code by
`python -m tests.pages`.

- **MUST**: breaking it makes the SDK lose a token, duplicate a user, hand one user's token to
  another, revoke or delete the wrong one, or crash. It fails the run.
- **SHOULD**: the sources ask for it, or safety does, and the SDK still works without. It is
  reported, and fails the run under `--tokenstore-strict`.
- **MAY**: what users need and no published store does. It is reported and never fails a run.

A token's *key* is the first of these that is present: the user name; the access token, if client id
and client secret are both absent; the grant token, if both are present; the refresh token, if both
are present. A field is *absent* when it is `None`; that an empty text counts as absent too is asked by
VALUE-10 alone, but for FIND-7 (an empty user name or key finds nothing) and SAVE-1 (empty texts never make
two tokens one). A token *addresses* the row that its key matches; if its key matches none, or it has no key,
the row that has its id. Unless a clause says otherwise, a token that it speaks of has no id, or the id of
the row in question, and the stored rows may have more fields than the clause names. To *fail cleanly* is
to raise `SDKException` and leave the stored rows exactly as they were. Rows that a clause does not speak of
stay as they were.

A clause comes from one or more of these:

{sources}
"""


def _sources(clause: Clause) -> str:
    """Where a clause comes from, spelled out."""
    return "; ".join(SOURCES[mark] for mark in clause.source.split())


def contract_page() -> str:
    """The contract as Markdown: a heading, and so an anchor, for each group and clause."""
    sources = "\n".join(f"- {source}" for source in SOURCES.values())
    lines = [INTRODUCTION.format(number=len(CLAUSES), sources=sources).rstrip()]
    for group, title in GROUPS.items():
        # A method keeps its name as it is written in code.
        lines += ["", f"## {group}", "", f"`{title}`." if "_" in title else f"{title[0].upper()}{title[1:]}."]
        for clause in CLAUSES.values():
            if clause.group == group:
                lines += [
                    "",
                    f"### {clause.id}",
                    "",
                    f"**{clause.level.value}** · from {_sources(clause)}",
                    "",
                    clause.text,
                    "",
                    f"*Why it matters:* {clause.why}",
                ]
    return "\n".join(lines) + "\n"


PAGES = {"contract.md": contract_page}

if __name__ == "__main__":
    for name, render in PAGES.items():
        (DOCS / name).write_text(render(), encoding="utf-8")
