"""The verdict as the JSON value that every report is made from, and on the terminal."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._clauses import CLAUSES, CONTRACT_VERSION
from ._outcomes import ClauseResult, Outcome
from ._sdk import SDKMissing, load
from ._verdict import CONFORMS, StoreVerdict, Verdicts

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

SCHEMA = 1
DISTRIBUTION = "pytest-zoho-tokenstore"
_LABELS = {
    Outcome.KEPT: "kept",
    Outcome.BROKEN: "broken",
    Outcome.NOT_REACHED: "not reached",
    Outcome.ALLOWED: "allowed",
    Outcome.NOT_APPLICABLE: "not applicable",
    Outcome.UNKNOWN: "unknown",
    Outcome.ERROR: "error",
    Outcome.NOT_RUN: "not run",
}


def as_json(verdicts: Verdicts) -> dict[str, Any]:
    """The report as plain values: schema 1, which is public.

    Args:
        verdicts: What the run found out.

    Returns:
        ``schema``, ``kit``, ``contract`` (its version), ``sdk`` (``distribution`` and ``version``, or
        ``null``), ``python`` and ``stores``: for each its ``target``, ``strict``, ``verdict``
        (``conforms``, ``violates`` or ``null``), ``reason`` where that is ``null``, ``cause`` where
        the smoke check found one, and ``clauses``, each with ``id``, ``level``, ``outcome``, and where
        they apply ``reason`` and ``findings``.
    """
    return {
        "schema": SCHEMA,
        "kit": importlib.metadata.version(DISTRIBUTION),
        "contract": CONTRACT_VERSION,
        "sdk": _sdk(),
        "python": platform.python_version(),
        "stores": [_store(store) for store in verdicts.stores.values()],
    }


def summarize(terminal: TerminalReporter, verdicts: Verdicts, report: Path | None) -> None:
    """Print each store's verdict, its root cause if one was found, and every broken clause."""
    terminal.section("TokenStore contract")
    for store in verdicts.stores.values():
        _summarize_store(terminal, store)
    if report is not None:
        terminal.line(f"report: {report}")


def _sdk() -> dict[str, str] | None:
    try:
        sdk = load()
    except SDKMissing:
        return None
    return {"distribution": sdk.distribution, "version": sdk.version}


def _store(store: StoreVerdict) -> dict[str, Any]:
    made: dict[str, Any] = {"target": store.target, "strict": store.strict, "verdict": store.verdict}
    if store.verdict is None:
        made["reason"] = store.why_none
    if store.cause:
        made["cause"] = store.cause
    made["clauses"] = [_clause(result) for result in store.all_results]
    return made


def _clause(result: ClauseResult) -> dict[str, Any]:
    data = result.as_dict()
    made = {"id": result.clause, "level": CLAUSES[result.clause].level.value, "outcome": data["outcome"]}
    if result.reason:
        made["reason"] = result.reason
    if result.findings:
        made["findings"] = data["findings"]
    return made


def _summarize_store(terminal: TerminalReporter, store: StoreVerdict) -> None:
    counts = store.counts
    sums = ", ".join(f"{counts[outcome]} {label}" for outcome, label in _LABELS.items() if counts[outcome])
    verdict = store.verdict
    colour = {CONFORMS: {"green": True}, None: {"yellow": True}}.get(verdict, {"red": True})
    words = f"NO VERDICT ({store.why_none})" if verdict is None else verdict.upper()
    terminal.write_line(f"{store.target}: {words}", bold=True, **colour)
    terminal.line(f"  {sums}")
    if store.cause:
        terminal.write_line(f"  Root cause: {store.cause}", bold=True)
    unshown = False
    undecided: dict[tuple[Outcome, str], list[str]] = {}
    for result in store.all_results:
        clause = CLAUSES[result.clause]
        if result.outcome is Outcome.BROKEN:
            terminal.line(f"  {clause.level.value:6} {clause.id:8} broken: {clause.text}")
            if not store.weighs(result):
                # The test of such a clause does not fail, so nothing else shows what was seen.
                terminal.line(f"         expected: {result.findings[0].expected}")
                terminal.line(f"         seen:     {result.findings[0].seen}")
                unshown = True
        elif result.outcome not in (Outcome.KEPT, Outcome.NOT_RUN):
            undecided.setdefault((result.outcome, result.reason), []).append(clause.id)
    for (outcome, reason), clauses in undecided.items():
        terminal.line(f"  {_LABELS[outcome]}: {', '.join(clauses)}: {reason}")
    if unshown:
        terminal.line("  (The calls behind clauses that do not fail the run: add -rx.)")
