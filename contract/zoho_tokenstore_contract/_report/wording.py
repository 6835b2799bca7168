"""What all reports say of a result in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .._spec.brief import shorten
from .._spec.clauses import CLAUSES
from .._spec.outcomes import ClauseResult, Finding, Outcome
from .record import Record
from .verdict import StoreVerdict

TIMELINE = 15
"""Lines of a history that are shown: what led to the fault, not all that happened."""
CALLS = 7
"""Calls that are shown where no search made them few."""

_WHOLE = 5
"""From so many fields on, a token is a whole one, and not addressed by some of them."""

REMEDIES = {
    "FLOW-10": "wrap the store in SingleFlightStore (zoho-tokenstore copy single-flight)",
}
"""What keeps a clause that a store need not keep."""

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
    ("lost another row", "delete_token", ""): "is the id compared as whole, exact text?",
    ("lost another row", "save_token", ""): "does saving write back every other row?",
    ("left a row", "delete_tokens", ""): (
        "is there a condition in the deletion, or a cache that it does not empty?"
    ),
    ("left a row", "delete_token", ""): "is there a cache or an index that the deletion does not reach?",
    ("found nothing", "find_token", ""): (
        "does the look-up cover each way of addressing, also beside empty fields?"
    ),
    ("found nothing", "find_token_by_id", ""): "is the id that was given the one that is looked up?",
    ("threads", "", ""): "hold one lock from reading the rows to writing them",
    ("processes", "", ""): "hold a lock that other processes see from reading the rows to writing them",
    ("kills", "", ""): "write a new file beside the old one, flush it, and put it in place with os.replace",
}
"""A question or an advice where the class of fault is known.

By what went wrong, the method, and a field of the passed token where that matters.
"""

_LINE = re.compile(r"(before|after|thread \d+) +\[[=\]]*[ ]*  ?(?P<call>.+)", re.DOTALL)
_SIGNATURE = re.compile(r"user_signature=UserSignature\(('[^']*')\)")
_PAUSE = re.compile(r"\(thread (\d+) stood still at ([^,]+), (?:before .*, )?until", re.DOTALL)
_CALL = re.compile(r"\b(save_token|find_token_by_id|find_token|get_tokens|delete_tokens|delete_token)\(")


def telling(result: ClauseResult) -> Finding | None:
    """The finding by which a result is told: the first that reached what the clause speaks of."""
    reached = [finding for finding in result.findings if not finding.precondition_failed]
    with_calls = [finding for finding in reached if finding.shortest]
    return next(iter([*with_calls, *reached, *result.findings]), None)


def sentence(result: ClauseResult) -> str:
    """A result in one sentence: the call and what is wrong; the reason where there is no finding."""
    finding = telling(result)
    return result.reason if finding is None else sentence_of(finding)


def short_sentence(result: ClauseResult) -> str:
    """A result in few words, for a line of a list: the method, the way of addressing, and what is wrong."""
    finding = telling(result)
    if finding is None or finding.difference is None or not finding.difference.call:
        return sentence(result)
    difference = finding.difference
    names = ["client" if name == "client_id" else name for name in difference.by if name != "client_secret"]
    addressed = 0 < len(names) < _WHOLE
    call = f"{difference.method} by {', '.join(names)}" if addressed else difference.call
    return one_line(f"{call}: {difference.words}")


def sentence_of(finding: Finding) -> str:
    """A finding in one sentence."""
    difference = finding.difference
    if difference is not None and difference.call:
        return one_line(f"{difference.call}: {difference.words}")
    expected, seen = shorten(finding.expected, finding.seen)
    place = pause_of(finding)
    methods = " beside ".join(methods_at_once(finding)[:2])
    said = f"{methods}: " if methods else f"{finding.check.replace('_', ' ')}: "
    return one_line(f"{said}{seen.removeprefix('it ')}{place and f', while {place}'} (expected: {expected})")


def one_line(text: str) -> str:
    """A text without line breaks, and without an end that a list of everything has."""
    return " ".join(text.split())


def cut(text: str, width: int) -> str:
    """A text that fits into a width."""
    return text if len(text) <= width else text[: max(1, width - 1)].rstrip() + "…"


def pause_of(finding: Finding) -> str:
    """Where a thread stood still while the others ran; "" where none did."""
    found = next((found for line in finding.done if (found := _PAUSE.match(line))), None)
    return f"thread {found[1]} stood still at {found[2]}" if found else ""


def methods_at_once(finding: Finding) -> list[str]:
    """The methods that threads or processes called at the same time, one for each of them."""
    called: dict[str, str] = {}
    for line in finding.done:
        actor = re.match(r"(?:at once, in )?((?:thread|process) \d+)", line)
        method = _CALL.search(line)
        if actor and method:
            called.setdefault(actor[1], method[1])
    return list(called.values())


def expected_and_seen(finding: Finding) -> tuple[str, str]:
    """What was promised and what happened, each short, and seen with what differs where that is known."""
    fields = finding.difference.fields if finding.difference else ()
    expected, seen = shorten(finding.expected, finding.seen, fields=fields)
    if finding.difference is not None and finding.difference.kind:
        seen = f"{finding.difference.call}: {finding.difference.words}"
    return one_line(expected), one_line(seen)


def calls_of(finding: Finding) -> list[str]:
    """The calls that show a finding, as few and as short as they are known."""
    if finding.shortest:
        lines = [_SIGNATURE.sub(r"user_name=\1", line) for line in finding.shortest if line.strip()]
        return [shorten(line)[0].removesuffix(", seen") for line in lines if line != "store = open_store()"]
    if is_timeline(finding):
        return timeline(finding)
    lines = [one_line(shorten(line)[0]) for line in finding.done]
    lines = [line for number, line in enumerate(lines) if number + 1 == len(lines) or not _only_looks(line)]
    left_out = len(lines) - CALLS
    return lines if left_out <= 0 else [f"… {left_out + 1} calls before", *lines[1 - CALLS :]]


def is_timeline(finding: Finding) -> bool:
    """Whether its lines are calls of threads by time."""
    return any(_LINE.match(line) for line in finding.done)


def timeline(finding: Finding) -> list[str]:
    """The calls of threads by time: the last ones that can have led to the fault, each short."""
    lines = [one_line_of_thread(line) for line in finding.done]
    return (
        lines
        if len(lines) <= TIMELINE
        else [f"… {len(lines) - TIMELINE + 1} lines before", *lines[1 - TIMELINE :]]
    )


def one_line_of_thread(line: str) -> str:
    """A line of a history, with its bar, and its tokens told by whose they are."""
    return shorten(line)[0].replace("\n", " ")


def _only_looks(line: str) -> bool:
    return "get_tokens()" in line or line.endswith("open() -> opened")


def hint(result: ClauseResult) -> str:
    """What is worth looking at, where the class of fault is known; else ""."""
    finding = telling(result)
    if finding is None:
        return ""
    if difference := finding.difference:
        for field in (*difference.by, ""):
            if found := HINTS.get((difference.kind, difference.method, field)):
                return found
    group = CLAUSES[result.clause].group
    kind = {"THREAD": "threads", "PROC": "processes", "CRASH": "kills"}.get(group, "")
    lost = any(word in finding.seen for word in ("no rows", "rows", "no such row"))
    return HINTS.get((kind, "", ""), "") if lost else ""


def counts(store: StoreVerdict) -> str:
    """How many clauses have each outcome, such as ``84 kept, 3 broken (2 MUST, 1 MAY)``."""
    said = []
    for outcome in Outcome:
        results = [result for result in store.all_results if result.outcome is outcome]
        if not results:
            continue
        levels = [CLAUSES[result.clause].level.value for result in results]
        by_level = [
            f"{levels.count(level)} {level}" for level in dict.fromkeys(sorted(levels, key=_LEVELS.index))
        ]
        more = f" ({', '.join(by_level)})" if outcome is Outcome.BROKEN else ""
        said.append(f"{len(results)} {outcome.words}{more}")
    return ", ".join(said)


_LEVELS = ("MUST", "SHOULD", "MAY")


def listed(names: Sequence[str], most: int) -> str:
    """Some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:most])} and {more} more"


def category_of(record: Record) -> str:
    """What pytest counts the test of a clause as, so that its counts are those of the verdict."""
    if record.result is None:
        return "root cause" if record.cause else ""
    names = {Outcome.KEPT: "passed", Outcome.ERROR: "without a result"}
    return names.get(record.result.outcome, record.result.outcome.words)


def message(result: ClauseResult) -> str:
    """A result in full, with one sentence first: what pytest, JUnit and editors show."""
    clause = CLAUSES[result.clause]
    head = f"{clause.id} ({clause.level.value}) {result.outcome.words}: {sentence(result)}"
    return f"{head}\n\n{result.message()}"


def wrapped(text: str, width: int, indent: str = "", hang: str = "") -> Iterator[str]:
    """Break a text into lines, with every character of it.

    Args:
        text: The text; line breaks in it stay.
        width: How long a line may be, in characters.
        indent: What the first line begins with.
        hang: What the others begin with.
    """
    for paragraph in text.split("\n"):
        # Words with the space behind them: nothing inside a quoted value is swallowed or doubled.
        line, empty = indent, True
        for word in re.findall(r"\S*[^\S\n]*", paragraph):
            if not empty and len(line) + len(word.rstrip()) > width:
                yield line.rstrip(" ")
                line, empty = hang, True
            left = word
            while empty and len(line) + len(left.rstrip()) > width > len(line):
                room = width - len(line)
                yield line + left[:room]
                left = left[room:]
                line = hang
            line += left
            empty = empty and not left
        yield line.rstrip(" ")
        indent = hang
