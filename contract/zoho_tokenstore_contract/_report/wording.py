"""What all reports say of a result in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .._spec.clause_results import ClauseResult, Finding
from .._spec.clauses import CLAUSES
from .._spec.short_wording import shorten

TIMELINE = 15
"""Lines of a history that are shown: what led to the fault, not all that happened."""
CALLS = 7
"""Calls that are shown where no search made them few."""

_WHOLE = 5
"""From so many fields on, a token is a whole one, and not addressed by some of them."""

_LINE = re.compile(r"(before|after|thread \d+) +\[[=\]]*[ ]*  ?(?P<call>.+)", re.DOTALL)
_SIGNATURE = re.compile(r"user_signature=UserSignature\(('[^']*')\)")
_KILLED = re.compile(
    r"in another process: .* killed (?:by the kit \(SIGKILL\) )?(.+?)(?:, moment \d+ of it)?$", re.DOTALL
)
_SAVED = re.compile(r"-> returned None; the token's id is now ('[^']*')$")
_MIXED = re.compile(r"with other values than any save in (\w+(?:, \w+)*)$")
_NO_ORDER = re.compile(r"^the longest order that explains its answers ends .+", re.DOTALL)
_NOT_THERE = re.compile(r"^no such row")
_CAUSED = re.compile(r"(?<=SDKException: )(Caused By: )+\w+ - ")
"""How the SDK's exception begins."""
_LONG = 50
_ASIDE = re.compile(r" \((?:[^()]|\([^()]*\))*\)\)$")
"""What stands in brackets at the end of a call with a whole token."""
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
        return _CAUSED.sub("", sentence(result))
    difference = finding.difference
    if difference.kind == "changed a text":
        return one_line(f"{difference.method}: {difference.words}")
    names = in_short(difference.by)
    addressed = 0 < len(names) < _WHOLE
    whole = difference.call if len(difference.call) < _LONG else _ASIDE.sub(")", difference.call)
    call = f"{difference.method} by {', '.join(names)}" if addressed else whole
    return one_line(f"{call}: {_CAUSED.sub('', difference.words)}")


def in_short(fields: Sequence[str]) -> list[str]:
    """The fields of a token, with client id and secret as one: they come together."""
    return ["client" if name == "client_id" else name for name in fields if name != "client_secret"]


def sentence_of(finding: Finding) -> str:
    """A finding in one sentence."""
    difference = finding.difference
    if difference is not None and difference.call:
        return one_line(f"{difference.call}: {difference.words}")
    expected, seen = shorten(finding.expected, finding.seen)
    seen = _NO_ORDER.sub("no order of the calls explains it", seen)
    seen = _NOT_THERE.sub("a saved row is lost", seen)
    if mixed := _MIXED.search(finding.seen):
        seen = f"a row that no save wrote, by its {mixed[1]}"
    place = pause_of(finding)
    return one_line(f"{_situation(finding)}: {seen}{place and f', while {place}'} (expected: {expected})")


def _situation(finding: Finding) -> str:
    """What was going on, in few words, where no single call shows a finding."""
    if methods := methods_at_once(finding):
        return " beside ".join(methods[:2])
    for line in reversed(finding.done):
        if "both save at once" in line:
            return "save_token in both processes after a fork"
        if killed := _KILLED.search(line):
            return f"save_token, killed {killed[1]}"
        if "the limit is gone" in line:
            return "save_token on a full disk"
    return finding.words


def one_line(text: str) -> str:
    """A text without line breaks, and without an end that a list of everything has."""
    return " ".join(text.split())


def cut(text: str, width: int) -> str:
    """A text that fits into a width.

    Args:
        text: The text.
        width: The number of characters.

    Returns:
        The text; a longer one ends with an ellipsis.
    """
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
    """The calls of threads by time: the last ones that can have led to the fault, each short and numbered."""
    lines = [_one_line_of_thread(line, number) for number, line in enumerate(finding.done, 1)]
    return (
        lines
        if len(lines) <= TIMELINE
        else [f"… {len(lines) - TIMELINE + 1} lines before", *lines[1 - TIMELINE :]]
    )


def _one_line_of_thread(line: str, number: int) -> str:
    """A line of a history, with its number and its bar, and its tokens told by whose they are."""
    short = _SAVED.sub(r"-> None, id \1", shorten(line)[0].replace("\n", " "))
    return f"{number:2} {short}" if _LINE.match(line) else short


def _only_looks(line: str) -> bool:
    return "get_tokens()" in line or line.endswith("open() -> opened")


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
