"""Reports as a run would make them, for the tests of what is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def finding(text: str = "", **changed: Any) -> dict[str, Any]:
    """One way in which a clause is broken, with a text that the store had a hand in."""
    return {
        "check": "a_known_user_updates_the_row",
        "expected": f"the row has changed{text}",
        "seen": f"two rows{text}",
        "done": ["store.open() -> opened", f"store.save_token({text or 'token'}) -> returned None"],
        "arranging": False,
        **changed,
    }


def store(
    target: str = "shop.tokens:RedisStore",
    verdict: str | None = "conforms",
    clauses: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    others: str = "kept",
    **more: Any,
) -> dict[str, Any]:
    """What a report says of one store.

    Args:
        target: Its name.
        verdict: Its verdict.
        clauses: What it says of some clauses, by their ids.
        others: The outcome of the other clauses.
        more: What else it says of the store.
    """
    told = clauses or {}
    return {
        "target": target,
        "strict": False,
        "verdict": verdict,
        **more,
        "clauses": [
            {"id": clause.id, "level": clause.level.value, "outcome": others, **told.get(clause.id, {})}
            for clause in CLAUSES.values()
        ],
    }


def violating(text: str = "", **more: Any) -> dict[str, Any]:
    """A store that has every outcome, and wherever it has a say, a text."""
    return store(
        f"shop.tokens:FileStore{text}",
        "violates",
        {
            "SAVE-4": {"outcome": "broken", "findings": [finding(text, script=SCRIPT + text), finding()]},
            "SAVE-13": {"outcome": "broken", "findings": [finding(text, precondition_failed=True)]},
            "SAVE-15": {"outcome": "allowed", "reason": f"Allowed: later{text}", "findings": [finding()]},
            "FIND-2": {"outcome": "unknown", "reason": f"it gave up{text}"},
            "FIND-3": {"outcome": "error", "reason": f"it failed{text}"},
            "PROC-1": {"outcome": "not-applicable", "reason": f"not persistent{text}"},
            "CRASH-1": {"outcome": "not-run", "reason": "no test of it was run"},
            "FLOW-10": {"outcome": "broken", "findings": [finding()]},
        },
        **{"cause": f"it keeps one token{text}", **more},
    )


def undecided(text: str = "") -> dict[str, Any]:
    """A store of which a run that was stopped knows a little."""
    return store(
        f"shop.tokens:SQLStore{text}",
        None,
        {"IFACE-1": {"outcome": "kept"}, "IFACE-2": {"outcome": "kept"}},
        others="not-run",
        reason=f"{len(CLAUSES) - 2} of {len(CLAUSES)} clauses were not run",
    )


def report(*stores: dict[str, Any]) -> dict[str, Any]:
    """A report on some stores, schema 1."""
    return {
        "schema": 1,
        "kit": "0.1.0",
        "sdk": {"distribution": "zohocrmsdk8-0", "version": "7.0.0"},
        "python": "3.11.7",
        "stores": list(stores),
    }
