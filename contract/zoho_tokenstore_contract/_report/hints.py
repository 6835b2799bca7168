"""What is worth looking at, where the class of a fault is known."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import chain

from .._spec.clause_results import ClauseResult, Finding
from .._spec.clauses import CLAUSES
from .._spec.short_wording import several
from .diagnosis import Cause
from .finding_signature import is_opened_empty, takes_names_for_one
from .shortest_program import program_of
from .wording import methods_at_once, telling

REMEDIES = {
    "FLOW-10": "wrap the store in SingleFlightStore (zoho-tokenstore copy single-flight ./single_flight.py)",
}
"""What keeps a clause that a store need not keep."""

IN_MEMORY = (
    "does it keep its tokens in memory on purpose? declare that: --transient, or persistent = False in a "
    "contract class"
)

IDS = (
    "does saving look whether a row has the id, or had it? a number of rows, or the greatest id of those "
    "that are left, comes again after a deletion"
)
NAMES = "is the user name compared as whole, exact text, wherever a row is looked for?"
LEFT_OUT = "it takes {needed} to show this: does the look-up leave such a row out?"
BROUGHT = "is the id that a token brings kept as whole, exact text, and never read as a number?"
_CACHE = "is there a cache or an index that the deletion does not reach?"

HINTS = {
    ("changed another row", "save_token", "id"): (
        "does the id outrank the user name? look the row up by user name first"
    ),
    ("changed another row", "save_token", ""): (
        "which key led to that row? compare each key as whole, exact text, the user name first"
    ),
    ("kept old value", "save_token", ""): "does the update leave these fields out?",
    ("added a second row", "save_token", ""): (
        "does saving look for the row that the token addresses before it inserts?"
    ),
    ("lost another row", "delete_token", ""): (
        "is a row removed by its id alone, compared as whole, exact text?"
    ),
    ("lost another row", "save_token", ""): "does saving write back every other row?",
    ("lost every row", "open", ""): IN_MEMORY,
    ("left a row", "delete_tokens", ""): (
        "is there a condition in the deletion, or a cache that it does not empty?"
    ),
    ("left a row", "delete_token", ""): _CACHE,
    ("found a deleted token", "", ""): _CACHE,
    ("found what is not stored", "find_token_by_id", ""): "is the id compared, as whole, exact text?",
    ("found what is not stored", "", ""): (
        "is there an index that keeps what an update replaced, or a condition that lets another row through?"
    ),
    ("not seen by another store", "", ""): (
        "does a store answer from a cache or an index of its own, or write back what it once read?"
    ),
    ("gave an id twice", "", ""): IDS,
    ("did not fill in the passed token", "find_token", ""): (
        "set each field that the passed token lacks on that very token: the SDK reads it, and not what is "
        "returned"
    ),
    ("did not fill in the passed token", "save_token", ""): "set the row's id on the passed token",
    ("changed a text", "", ""): (
        "is a text converted, trimmed or cut on its way into the storage or out of it?"
    ),
    ("found nothing", "find_token", ""): (
        "does the look-up cover each way of addressing, also beside empty fields?"
    ),
    ("found nothing", "find_token_by_id", ""): "is the id that was given the one that is looked up?",
}
"""A question or an advice where the class of fault is known.

By what went wrong, the method ("" for any), and a field of the passed token where that matters.
"""

BY_CLAUSE = {
    "CRASH-3": (
        "the kit damaged the file while the store was closed: is a file that cannot be read taken for an "
        "empty one?"
    ),
    "PROC-2": (
        "does a child use what its parent had (a connection, a lock, a thread, a random generator)? make it "
        "anew where os.getpid() has changed"
    ),
}
"""A question where all faults of a clause have one cause."""

THREADS = "hold one lock in {methods}, from reading the rows to writing them"
PROCESSES = (
    "is there a lock that other processes see, and does one save hold it all the way from reading the rows "
    "to writing them? given back in between, it lets others in"
)
REPLACED = (
    "does one save hold its lock all the way from reading the rows to writing them, and is it on a file "
    "beside {file}? each save puts another {file} there, which nobody has locked"
)
IN_PLACE = (
    "{file} is written in place, and half a file is left when that ends early: write a new file beside it, "
    "flush it, and put it in place with os.replace"
)
FLUSHED = "is the new file whole and flushed before it takes the place of {file}, and its name its own?"
ONE_TRANSACTION = (
    "does one save take more than one transaction, commit before its last statement, or leave one open where "
    "it is interrupted?"
)
_RELEASE = "release each lock, and end each transaction, in a finally block"
INTERRUPTED = {
    "nothing stays locked": _RELEASE,
    "the call comes back": _RELEASE,
    "comes out of the call as it is": (
        "catch the errors of the storage alone, not every Exception: a time limit's belongs to the caller"
    ),
}
"""What helps where an exception from outside did more than end a call, by what was promised."""
_TEXTS = re.compile(r"comes back as (.+), not as (.+?)(?: \(from .+\))?$", re.DOTALL)
_ALIKE = 0.5
"""How much of two texts is the same, at least, where one may come of the other."""
_REPLACES = re.compile(r"\(a save puts a new (?P<file>.+) in the place of the old one\)")
_IN_PLACE = re.compile(r"\(a save writes (?P<file>.+) in place\)")
_DATABASE = re.compile(r"\((?P<file>.+) is an SQLite database\)")


def hint(result: ClauseResult, cause: Cause | None = None) -> str:
    """What is worth looking at.

    Args:
        result: A broken clause.
        cause: What it is told under, with the clauses that follow from it.

    Returns:
        A question or an advice; "" where the class of fault is not known.
    """
    finding = telling(result)
    if finding is None:
        return ""
    if is_opened_empty(result):
        return IN_MEMORY
    if result.clause in BY_CLAUSE:
        return BY_CLAUSE[result.clause]
    told_with = cause.all if cause and result is cause.first else (result,)
    if told := _of_programs([finding, *chain.from_iterable(one.findings for one in told_with)]):
        return told
    if (difference := finding.difference) and not _is_another_text(difference.words):
        for field in (*difference.by, ""):
            for method in (difference.method, ""):
                if found := HINTS.get((difference.kind, method, field)):
                    return found
    if result.clause == "CRASH-6":
        for promise, advice in INTERRUPTED.items():
            if promise in finding.expected:
                return advice
    groups = {CLAUSES[one.clause].group for one in (cause.all if cause else (result,))}
    written = finding.done[-1] if finding.done else ""
    methods = " and ".join(dict.fromkeys(methods_at_once(finding)[:2]))
    return _of_faults(CLAUSES[result.clause].group, groups, written, methods)


def _of_programs(findings: Sequence[Finding]) -> str:
    """What is worth looking at by the shortest programs of a cause, the telling one first; else ""."""
    first, *others = map(program_of, findings)
    if first is None:
        return ""
    if first.changes_an_id:
        return BROUGHT
    if first.gives_an_id_twice:
        return IDS
    if first.takes_users_for_one:
        return NAMES if any(map(takes_names_for_one, findings)) else ""
    if first.look_up == "found nothing":
        needed = sorted(set.intersection(*(one.beside_the_keys for one in (first, *others) if one)))
        return LEFT_OUT.format(needed=several(map(_needed, needed))) if needed else ""
    return ""


def _is_another_text(words: str) -> bool:
    """Whether a text came back as one that has little to do with it: it was not converted then."""
    texts = _TEXTS.search(words)
    return texts is not None and SequenceMatcher(None, texts[1], texts[2]).ratio() < _ALIKE


def _needed(field: tuple[str, str]) -> str:
    name, value = field
    number = value.strip("'")
    past = name == "expires_in" and number.isdecimal() and int(number) < time.time() * 1000
    return f"{name}={value}{' (in the past)' if past else ''}"


def _of_faults(group: str, groups: set[str], written: str, methods: str) -> str:
    """What helps against faults of threads, processes and interruptions.

    Args:
        group: The group of the clause.
        groups: Those of all clauses that it is told with.
        written: How files are written, in the words of `how_files_are_written`.
        methods: What was called at the same time.
    """
    if group == "CRASH":
        for pattern, advice in ((_IN_PLACE, IN_PLACE), (_REPLACES, FLUSHED), (_DATABASE, ONE_TRANSACTION)):
            if found := pattern.fullmatch(written):
                return advice.format(file=found["file"])
    if group == "PROC" and (found := _REPLACES.fullmatch(written)):
        return REPLACED.format(file=found["file"])
    if group == "THREAD":
        return PROCESSES if "PROC" in groups else THREADS.format(methods=methods or "each method")
    return PROCESSES if group == "PROC" else ""
