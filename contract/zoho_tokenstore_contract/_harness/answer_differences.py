"""What differs where an answer, or what came of a call, is not as promised: as data and in one sentence."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

from .._spec.clause_results import Difference
from .._spec.short_wording import brief_value, owner, shorten
from .._spec.tokens import FIELDS, is_token, to_row
from .calls import CallRecord
from .differences import CHANGING, brief_call, passed_fields, store_frame

_ANSWERS = ("returned ", "raised ", "its ", "it's ", "no longer ", "None")
_PROMISES_AN_ID = re.compile(r"\bids? (of its own|of a deleted row|unlike|that no deleted row)")
_AN_ID = re.compile(r"(^|\bid is |\bthe id |\bid=)'[^']")
_FILLS = re.compile(r"the passed token (itself is filled in|carries|gets|with)\b")
_LEFT = re.compile(r"its \w+ is (?:None|'')|is .+", re.DOTALL)
_ONE_ROW = re.compile(r"exactly one row of (.+)")
_SEVERAL = re.compile(r"(\d+): ")
_COMES_BACK = re.compile(r"(\w+)(?: of .+)? comes back as (.+?)(?:, or save_token .+)?$", re.DOTALL)
_CAME_BACK = re.compile(r"(?:from (\w+) it (?:comes back as|is) |\w+ came back as )(.+)", re.DOTALL)


def of_answer(calls: Sequence[CallRecord], expected: str, seen: str) -> Difference | None:
    """What differs where the last call's answer, or what came of it, is not as expected.

    Args:
        calls: The recorded calls.
        expected: What the clause promises, in plain words.
        seen: What happened instead.

    Returns:
        The difference; ``None`` where others than the store's caller took part: threads, processes, the SDK.
    """
    if not calls or any(record.note for record in calls):
        return None
    record, told = calls[-1], shorten(expected, seen)
    words = told[1].removeprefix("it ").removeprefix(f"{record.method} ")
    answered = words.startswith(_ANSWERS)
    if record.method == "get_tokens" and words.startswith("its "):
        answered = False  # of what was saved before
    if words.startswith("raised ") and record.raised is None:
        return None  # not the recorded call: another process
    if not answered:
        changing = [one for one in calls if one.method in CHANGING]
        if record.method in ("get_tokens", "open", "close") and not changing:
            return None
        record = changing[-1] if record.method in ("get_tokens", "open", "close") else record
    kind, words = _sentence(told[0], words, answered=answered)
    if not kind:
        kind = _kind_of_answer(record, calls, expected, words)
        if kind.startswith("found ") and not answered:
            words = words if words.startswith("found ") else f"returned {told[1]}"
    if expected.startswith("the other store "):
        kind, words = "not seen by another store", f"another open store {words}"
    words += _whose_row(record, calls)
    if record.raised is not None and (place := store_frame(record.raised)):
        words += f" (at {place})"
    return Difference(
        record.method, passed_fields(record), kind, _named_in(expected), call=brief_call(record), words=words
    )


def _sentence(expected: str, seen: str, *, answered: bool) -> tuple[str, str]:
    """The kind of what went wrong, and the words for it, from what was promised and seen."""
    if seen.startswith("raised "):
        return "raised " + seen.split()[1].rstrip(":"), seen
    if _PROMISES_AN_ID.search(expected) and _AN_ID.search(seen):
        whose = " that a deleted row had" if "deleted row" in expected else " twice"
        return "gave an id twice", f"gave an id{whose}: {seen.removeprefix('the new row has the id ')}"
    if _FILLS.match(expected) and (left := _LEFT.match(seen)):
        how = re.sub(r"^is ", "it is ", left[0])
        return "did not fill in the passed token", f"did not fill in the passed token ({how})"
    if (of := _ONE_ROW.match(expected)) and (found := _SEVERAL.match(seen)):
        return "added a second row", f"left {found[1]} rows of {of[1]}, not one"
    if wanted := _COMES_BACK.match(expected):
        got = _CAME_BACK.match(seen)
        way, value = (got[1] or "", got[2]) if got else ("", seen)
        where = f" (from {way})" if way else ""
        return "changed a text", f"{wanted[1]} comes back as {value}, not as {wanted[2]}{where}"
    return "", seen if answered else f"{seen} (expected: {expected})"


def _kind_of_answer(record: CallRecord, calls: Sequence[CallRecord], expected: str, words: str) -> str:
    """What went wrong where no words of the promise tell it; "" where that is not known."""
    if record.method == "save_token" and "under an unused id" in expected:
        given = [one.id_after for one in calls[:-1] if one.id_after is not None]
        return "gave an id twice" if record.id_after in given else ""
    if record.method == "delete_token" and "which removes nothing" in expected and record.raised is None:
        return "lost another row"
    if not record.method.startswith("find"):
        return ""
    if words.startswith("returned None"):
        return "found nothing"
    if not is_token(record.returned):
        return ""
    if "returns None" in expected or "is not found" in expected:
        gone = any(
            one.method == "delete_tokens" or (one.method == "delete_token" and one.argument == _id(record))
            for one in calls
        )
        return "found a deleted token" if gone else "found what is not stored"
    if "fills in the passed token" in expected and _is_left(record):
        return "did not fill in the passed token"
    return ""


def _id(record: CallRecord) -> object:
    with contextlib.suppress(Exception):  # what a getter of the store's token raises
        return to_row(record.returned).id
    return None


def _is_left(record: CallRecord) -> bool:
    """Whether the passed token lacks a field that the returned one has."""
    with contextlib.suppress(Exception):
        found, passed = to_row(record.returned).plain(), to_row(record.passed).plain()
        return any(getattr(passed, name) is None and getattr(found, name) is not None for name in FIELDS)
    return False


def _whose_row(record: CallRecord, calls: Sequence[CallRecord]) -> str:
    """Whose row a lookup found, where an earlier answer shows it and the token's own name does not say so."""
    if not record.method.startswith("find") or not is_token(record.returned):
        return ""
    with contextlib.suppress(Exception):  # what a getter of the store's token raises
        found = to_row(record.returned)
        for earlier in calls:
            rows = earlier.returned if isinstance(earlier.returned, list) else []
            for row in (to_row(one) for one in rows if is_token(one)):
                if row.id == found.id and row.user_name != found.user_name:
                    return f"; the row with the id {brief_value(row.id)} is {owner(row)}'s"
    return ""


def _named_in(expected: str) -> tuple[str, ...]:
    """The field that a promise names, outside the rows and tokens that it shows."""
    promise = re.split(r"\b(?:Row|OAuthToken)\(", expected)[0]
    named = [name for name in FIELDS if name != "id" and re.search(rf"\b{name}\b", promise)]
    return tuple(named) if len(named) == 1 else ()
