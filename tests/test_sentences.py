"""What went wrong in one sentence: from recorded calls and from what was promised and seen, without a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoho_tokenstore_contract._harness.answer_differences import of_answer
from zoho_tokenstore_contract._harness.calls import CallRecord
from zoho_tokenstore_contract._harness.differences import of_rows
from zoho_tokenstore_contract._report.wording import sentence_of, short_sentence
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Difference, Finding, Outcome
from zoho_tokenstore_contract._spec.tokens import Row, to_token

pytestmark = pytest.mark.once

ANN = Row(id="1", user_name="ann", access_token="a")
BOB = Row(id="2", user_name="bob", access_token="b")
HERE, THERE = Path("here"), Path("there")


def call(method: str, argument: Any = ..., store: int = 1, **more: Any) -> CallRecord:
    """A recorded call."""
    return CallRecord(store, method, argument, "returned", **more)


def opened(store: int, location: Path = HERE) -> CallRecord:
    """A store that was opened on a location."""
    return CallRecord(store, "open", location=location)


def answered(expected: str, text: str, *calls: CallRecord) -> tuple[str, str]:
    """The kind of what went wrong, and the sentence."""
    difference = of_answer(calls, expected, text)
    assert difference is not None
    return difference.kind, difference.words


SAVED = call("save_token", ANN)
ASKED = call(
    "find_token", Row(user_name="ann"), returned=to_token(ANN), passed=to_token(Row(user_name="ann"))
)


@pytest.mark.parametrize(
    ("expected", "text", "kind", "words"),
    [
        ("an id unlike every other stored id", "'1' for x and for y", "gave an id twice", "twice: '1' for x"),
        (
            "an id that no deleted row had",
            "'1' for x",
            "gave an id twice",
            "an id that a deleted row had: '1'",
        ),
        (
            "the passed token carries the id of its row, '1'",
            "its id is None",
            "did not fill in the passed token",
            "did not fill in the passed token (its id is None)",
        ),
        ("the passed token carries the id of its row, '1'", "its id is '7'", "", "its id is '7'"),
        (
            "user_name comes back as 'a\\rb'",
            "from get_tokens it comes back as 'a\\nb'",
            "changed a text",
            "user_name comes back as 'a\\nb', not as 'a\\rb' (from get_tokens)",
        ),
        (
            "exactly one row of 'ann'",
            "2: Row(id='1'), Row(id='2')",
            "added a second row",
            "left 2 rows of 'ann'",
        ),
    ],
)
def test_a_fault_of_a_save_has_a_sentence(expected: str, text: str, kind: str, words: str) -> None:
    """Where its class is known, it is said in words of its own."""
    seen_kind, seen_words = answered(expected, text, SAVED)

    assert seen_kind == kind
    assert words in seen_words


def test_a_deleted_token_that_is_found_is_told_from_one_that_was_never_stored() -> None:
    """By the recorded deletions."""
    promise = "find_token(OAuthToken(user_name='ann')) returns None"
    deleted = call("delete_token", "1")

    assert answered(promise, "returned x", SAVED, deleted, ASKED)[0] == "found a deleted token"
    assert answered(promise, "returned x", SAVED, ASKED)[0] == "found what is not stored"


def test_a_passed_token_that_was_left_is_told() -> None:
    """Where the promise speaks of it, and it lacks what the returned one has."""
    promise = "find_token(x) finds y, and fills in the passed token"

    assert answered(promise, "returned y", SAVED, ASKED)[0] == "did not fill in the passed token"


def test_what_another_process_raised_is_not_told_of_the_last_recorded_call() -> None:
    """Closing the store here raised nothing."""
    closed = call("close")

    assert of_answer([opened(1), SAVED, closed], "the store opens", "it raised ValueError: x") is None


def listed(*calls: CallRecord, before: tuple[Row, ...], after: tuple[Row, ...], new: int = 0) -> Difference:
    """What differs in the rows that the last store lists."""
    difference = of_rows(calls, before, after, changed=(), gone=(), new=new, fields=("access_token",))
    assert difference is not None
    return difference


def test_a_store_that_is_opened_again_without_a_row_is_told_as_that() -> None:
    """Not as a save that loses other rows."""
    again = (opened(1), SAVED, opened(2), call("save_token", BOB, 2), call("get_tokens", store=2))
    elsewhere = (opened(1), SAVED, opened(2, THERE), call("save_token", BOB, 2), call("get_tokens"))

    assert listed(*again, before=(ANN,), after=(BOB,), new=1).kind == "lost every row"
    assert "after the store was opened again" in listed(*again, before=(ANN,), after=(BOB,), new=1).words
    assert listed(*elsewhere, before=(ANN,), after=(BOB,), new=1).kind == "lost another row"


def test_what_another_open_store_does_not_show_is_told_as_that() -> None:
    """The save went to one store, and the rows are those of another."""
    calls = (opened(1), opened(2), call("save_token", ANN, 2), call("get_tokens"))
    unseen = listed(*calls, before=(), after=(), new=1)

    assert unseen.kind == "not seen by another store"
    assert unseen.words == "another open store does not see it: 1 row fewer than expected"


@pytest.mark.parametrize(
    ("done", "text", "sentence"),
    [
        (
            (
                (
                    "in another process: save_token of x was killed by the kit (SIGKILL) "
                    "before posix.write, moment 3 of it"
                ),
                "store.open()",
            ),
            "no such row; 0 rows in all",
            "save_token, killed before posix.write: a saved row is lost; 0 rows in all (expected: all)",
        ),
        (
            ("in another process: limit -> the limit is gone",),
            "no such row; 2 rows in all",
            "save_token on a full disk: a saved row is lost; 2 rows in all (expected: all)",
        ),
        (
            ("a process opens the store, reads, and forks; both save at once, and close",),
            "no such row; 9 rows in all",
            "save_token in both processes after a fork: a saved row is lost; 9 rows in all (expected: all)",
        ),
        ((), "it sent nothing", "a check: it sent nothing (expected: all)"),
    ],
)
def test_what_was_going_on_is_told_where_no_single_call_shows_it(
    done: tuple[str, ...], text: str, sentence: str
) -> None:
    """A kill, a full disk, a fork; else the name of the check."""
    assert sentence_of(Finding("a_check", "all", text, done, False)) == sentence


def test_a_line_of_a_list_begins_with_what_matters() -> None:
    """A long call without what stands in its brackets, an exception without the SDK's prefix."""
    long = f"save_token(ann's token (access_token='{'x' * 40}'))"
    raised = Difference("save_token", ("id",) * 6, "raised SDKException", call=long)
    raised = Difference(**{**vars(raised), "words": "raised SDKException: Caused By: TOKEN_STORE - no room"})
    result = ClauseResult("SAVE-1", Outcome.BROKEN, (Finding("x", "y", "z", (), False, difference=raised),))

    assert short_sentence(result) == "save_token(ann's token): raised SDKException: no room"
