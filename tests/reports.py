"""Reports as a run would make them, for the tests of what is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from zoho_tokenstore_contract._report.report import Report
from zoho_tokenstore_contract._report.verdict import StoreVerdict, Word
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Finding, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES

HOSTILE = (
    "</script><script>window.hostile = 1</script>"
    "<img src=x onerror='window.hostile = 2'>"
    '" onmouseover="window.hostile = 3" x="'
    "</details></td></table> | `code` ``` | [link](javascript:window.hostile=4) **bold** @everyone &lt;"
    "\n\n# heading\r\n| a | b |\n\\| \x1b[31m \x00 \u202e \ud800 ]]> -->"
)
"""A text as nobody would call a user: it means something in HTML, in Markdown, in XML or to a terminal."""

SCRIPT = "from zohocrmsdk import store\n\nassert store.get_tokens() == [], '<not empty>'\n"


def finding(text: str = "", **changed: object) -> Finding:
    """One way in which a clause is broken, with a text that the store had a hand in."""
    made = Finding(
        check="a_known_user_updates_the_row",
        expected=f"the row has changed{text}",
        seen=f"two rows{text}",
        done=("store.open() -> opened", f"store.save_token({text or 'token'}) -> returned None"),
        precondition_failed=False,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


@dataclass
class Told(StoreVerdict):
    """What a report says of one store, with a verdict that is given and not derived."""

    said: Word | None = field(default=None, kw_only=True)

    @property
    def verdict(self) -> Word | None:
        """The verdict that was given."""
        return self.said


def store(
    target: str = "shop.tokens:RedisStore",
    verdict: Word | None = "conforms",
    results: Mapping[str, ClauseResult] | None = None,
    *,
    others: Outcome = Outcome.KEPT,
    cause: str = "",
) -> StoreVerdict:
    """What a report says of one store.

    Args:
        target: Its name.
        verdict: Its verdict.
        results: What it says of some clauses, by their ids.
        others: The outcome of the other clauses.
        cause: Its root cause.
    """
    told = {clause: ClauseResult(clause, others) for clause in CLAUSES} | dict(results or {})
    return Told(target, results=told, cause=cause, said=verdict)


def violating(text: str = "") -> StoreVerdict:
    """A store that has every outcome, and wherever it has a say, a text."""
    broken, first = Outcome.BROKEN, finding(text, script=SCRIPT + text)
    results = (
        ClauseResult("SAVE-4", broken, (first, finding())),
        ClauseResult("SAVE-13", broken, (finding(text, precondition_failed=True),)),
        ClauseResult("SAVE-15", Outcome.ALLOWED, (finding(),), f"Allowed: later{text}"),
        ClauseResult("FIND-2", Outcome.UNKNOWN, reason=f"it gave up{text}"),
        ClauseResult("FIND-3", Outcome.ERROR, reason=f"it failed{text}"),
        ClauseResult("PROC-1", Outcome.NOT_APPLICABLE, reason=f"not persistent{text}"),
        ClauseResult("CRASH-1", Outcome.NOT_RUN, reason="no test of it was run"),
        ClauseResult("FLOW-10", broken, (finding(),)),
    )
    return store(
        f"shop.tokens:FileStore{text}",
        "violates",
        {result.clause: result for result in results},
        cause=f"it keeps one token{text}",
    )


def undecided(text: str = "") -> StoreVerdict:
    """A store of which a run that was stopped knows a little."""
    known = {clause: ClauseResult(clause, Outcome.KEPT) for clause in ("IFACE-1", "IFACE-2")}
    return store(f"shop.tokens:SQLStore{text}", None, known, others=Outcome.NOT_RUN)


def report(*stores: StoreVerdict) -> Report:
    """A report on some stores."""
    return Report(
        stores=stores,
        kit="0.1.0",
        contract=1,
        sdk=("zohocrmsdk8-0", "7.0.0"),
        python="3.11.7",
        date="2026-03-01T12:00:00+00:00",
        seconds=75.4,
        command="zoho-tokenstore check shop.tokens:FileStore",
    )
