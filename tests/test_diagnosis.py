"""What broken clauses have in common, and how rows and risks are told: as values, without a run."""

from __future__ import annotations

import pytest

from zoho_tokenstore_contract._harness.differences import shared_by
from zoho_tokenstore_contract._report.diagnosis import causes
from zoho_tokenstore_contract._report.hints import hint
from zoho_tokenstore_contract._report.risks import RISKS, risk_of, risks
from zoho_tokenstore_contract._report.wording import timeline
from zoho_tokenstore_contract._spec.clause_results import ClauseResult, Difference, Finding, Outcome
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.short_wording import brief_token, shorten
from zoho_tokenstore_contract._spec.tokens import Row

pytestmark = pytest.mark.once

ANN = Row(
    user_name="ann@example.com:77",
    client_id="1000.CLIENT",
    client_secret="client-secret",
    refresh_token="1000.ann.refresh",
    access_token="1000.ann.access",
)


def broken(clause: str, *differences: Difference | None) -> ClauseResult:
    """A broken clause with a finding for each difference."""
    findings = (Finding("x", "y", "z", (), False, difference=one) for one in differences)
    return ClauseResult(clause, Outcome.BROKEN, tuple(findings))


def kept_old(field: str, method: str = "save_token") -> Difference:
    """A field that kept its old value."""
    return Difference(method, ("user_name",), "kept old value", (field,))


def test_clauses_with_the_same_field_are_one_cause() -> None:
    """It names the field, and the clause to begin with."""
    results = [
        broken("SAVE-4", kept_old("api_domain")),
        broken("FIND-5", Difference("find_token", ("id",), "found nothing")),
        broken("PROC-1", kept_old("api_domain", "delete_token")),
    ]
    first, alone = causes(results)

    assert (first.words, [one.clause for one in first.results]) == (
        "in all differences the field is api_domain",
        ["SAVE-4", "PROC-1"],
    )
    assert (alone.words, alone.first.clause) == ("", "FIND-5")


def test_a_cause_is_never_guessed() -> None:
    """A clause whose findings differ among themselves shares nothing with another."""
    mixed = broken("SAVE-13", kept_old("api_domain"), Difference("find_token", (), "found nothing"))

    assert [one.words for one in causes([mixed, broken("SAVE-4", kept_old("api_domain"))])] == ["", ""]
    assert [one.words for one in causes([broken("SAVE-4", None), broken("SAVE-6", None)])] == ["", ""]


def test_rows_that_are_wrong_are_described_by_what_no_other_has() -> None:
    """Nothing is said where a right row has it, too."""
    nobody = [Row(id="2", access_token="a"), Row(id="3", access_token="b")]

    assert shared_by(nobody, [ANN]) == "without a user_name"
    assert shared_by(nobody, [ANN, Row(id="4", access_token="c")]) == ""
    assert shared_by(nobody[:1], [ANN]) == ""


def test_a_token_is_told_by_whose_it_is() -> None:
    """With the fields that are not its user's."""
    assert brief_token(ANN) == "ann's token"
    assert (
        brief_token(ANN.but(access_token="1000.bob.access")) == "ann's token (access_token='1000.bob.access')"
    )
    assert brief_token(Row(id="1")) == "OAuthToken(id='1')"


def test_messages_show_the_fields_in_which_two_rows_differ() -> None:
    """Whatever looks the same stays away."""
    other = "the row is Row(user_name='ann@example.com:77', a='1', b='2', c='3', api_domain='y')"
    one = other.replace("'y'", "'x'")

    assert shorten(one, other) == (
        "the row is ann's row (api_domain='x', no id)",
        "the row is ann's row (api_domain='y', no id)",
    )


@pytest.mark.parametrize("text", ["Row(", "Row(a='1'", "OAuthToken(a=f(1))", "Row(a='1' b)"])
def test_a_text_that_is_no_row_stays(text: str) -> None:
    """Nothing is lost where a message only looks like one."""
    assert shorten(text) == (text,)


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_has_a_risk(clause: str) -> None:
    """By its number or by its group."""
    group = clause.partition("-")[0]
    named = {one for clauses in RISKS.values() for one in clauses.split()}

    assert named & {clause, f"{group}-*"}


def test_risks_are_told_worst_first() -> None:
    """Each with its clauses."""
    told = risks(["FIND-1", "SAVE-11", "FIND-8"])

    assert told[0] == ("sends one user's calls with another user's token", ["SAVE-11", "FIND-8"])
    assert [clauses for _, clauses in told[1:]] == [["FIND-1"]]
    assert risk_of("SECRET-1") < risk_of("FIND-1")


def told(clause: str, *findings: Finding) -> ClauseResult:
    """A broken clause with its findings."""
    return ClauseResult(clause, Outcome.BROKEN, findings)


def seen(check: str, text: str, *done: str, **more: object) -> Finding:
    """A finding of a check, with what was seen and the calls."""
    return Finding(check, "y", text, done, False, **more)  # type: ignore[arg-type]


BY_ID = Difference("find_token", ("id",), "found nothing", call="find_token(OAuthToken(id='1'))")
NO_ROWS = Difference("open", (), "lost every row", call="open()", words="2 rows are gone")
REVOKED = seen(
    "revoke_sends_the_refresh_token",
    "it sent nothing",
    "store.save_token(OAuthToken(user_name='ann')) -> returned None; the token's id is now '4'",
    "store.find_token(OAuthToken(id='4')) -> returned None",
)
AT_ONCE = (
    "thread 1 [==]    save_token(x) -> returned None",
    "thread 2  []     save_token(y) -> returned None",
)


def folded(*results: ClauseResult) -> list[tuple[str, list[str]]]:
    """Each cause by the clause to begin with, and what follows from it."""
    return [(one.first.clause, [each.clause for each in one.following]) for one in causes(results)]


def test_a_clause_whose_calls_show_the_fault_of_another_follows_from_it() -> None:
    """The same look-up that finds nothing: what a token was looked for by had been saved."""
    assert folded(broken("FIND-5", BY_ID), told("FLOW-8", REVOKED)) == [("FIND-5", ["FLOW-8"])]
    by_name = Difference("find_token", ("user_name",), "found nothing")
    assert folded(broken("FIND-1", by_name), told("FLOW-8", REVOKED)) == [("FIND-1", []), ("FLOW-8", [])]


def test_a_clause_follows_only_where_each_finding_shows_the_fault() -> None:
    """And where the table names the other clause as its cause."""
    other = Finding("x", "y", "z", (), False, difference=Difference("get_tokens", (), "found nothing"))
    mixed = told("MODEL-1", seen("x", "z", difference=BY_ID), other)

    assert folded(broken("FIND-5", BY_ID), mixed) == [("FIND-5", []), ("MODEL-1", [])]
    assert [one.following for one in causes([broken("FIND-5", BY_ID), broken("BYID-1", BY_ID)])] == [()]


def test_what_rests_on_opening_again_follows_where_no_row_is_left() -> None:
    """Its checks look for rows, and there are none; its own risk is none then."""
    results = (
        broken("PERSIST-1", NO_ROWS),
        told("PERSIST-3", seen("x", "z")),
        told("PROC-1", seen("x", "no rows")),
        told("FLOW-2", seen("x", "one token request")),
        broken("SAVE-22", NO_ROWS),
        told("DEL-2", seen("x", "z")),
    )
    first, other = causes(results)

    assert [one.clause for one in first.following] == ["PERSIST-3", "PROC-1", "FLOW-2", "SAVE-22"]
    assert first.at_risk == ["PERSIST-1"]
    assert other.first.clause == "DEL-2"
    assert "--transient" in hint(first.first, first)


def test_saves_at_the_same_time_are_one_cause() -> None:
    """In threads, in processes, and in calls of the SDK from threads."""
    threads = told("THREAD-2", seen("threads_save", "no such row; 1 rows in all", *AT_ONCE))
    processes = told(
        "PROC-1",
        seen(
            "x",
            "no such row; 3 rows in all",
            "at once, in process 1: save_token(x) -> returned None",
            "at once, in process 2: save_token(y) -> returned None",
        ),
    )
    users = told("FLOW-6", seen("every_thread_works_for_its_own_user", "it carried 'x'"))
    [cause] = causes([threads, processes, users])

    assert [one.clause for one in cause.following] == ["PROC-1", "FLOW-6"]
    assert hint(threads, cause).startswith("is there a lock that other processes see")
    assert hint(threads) == "hold one lock in save_token, from reading the rows to writing them"


def test_a_clause_that_need_not_be_kept_is_told_under_its_cause_alone() -> None:
    """It makes no cause of its own."""
    twice = Difference("save_token", ("user_name",) * 5, "gave an id twice")
    [cause] = causes([broken("SAVE-2", twice)], [broken("DEL-5", twice), broken("SAVE-9", BY_ID)])

    assert [one.clause for one in cause.following] == ["DEL-5"]


def test_the_clause_that_the_fewest_calls_show_is_begun_with() -> None:
    """But first one that speaks of what went wrong."""
    old = kept_old("api_domain")
    long, short = (
        told(clause, seen("x", "z", shortest=("call",) * number, difference=old))
        for clause, number in (("SAVE-4", 5), ("SAVE-6", 2))
    )
    gone = Difference("find_token", ("user_name",), "found a deleted token")
    met, spoken = broken("SAVE-3", gone), broken("DEL-4", gone)

    assert [[one.clause for one in cause.results] for cause in causes([long, short])] == [
        ["SAVE-6", "SAVE-4"]
    ]
    assert causes([met, spoken])[0].first.clause == "DEL-4"


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("nothing stays locked after exceptions in delete_token", "in a finally block"),
        ("the exception comes out of the call as it is", "catch the errors of the storage alone"),
    ],
)
def test_a_hint_is_given_where_an_exception_from_outside_did_more(expected: str, words: str) -> None:
    """By what the store did with it."""
    finding = Finding("x", expected, "it raised KeyError", ("a call",), False)

    assert words in hint(told("CRASH-6", finding))


@pytest.mark.parametrize(
    ("clause", "written", "words"),
    [
        ("CRASH-2", "(a save writes tokens.csv in place)", "tokens.csv is written in place"),
        ("CRASH-1", "(a save puts a new t.json in the place of the old one)", "whole and flushed"),
        ("CRASH-1", "(tokens.db is an SQLite database)", "more than one transaction"),
        (
            "CRASH-3",
            "(a save writes tokens.csv in place)",
            "is a file that cannot be read taken for an empty",
        ),
        ("PROC-2", "(a save writes tokens.csv in place)", "does a child use what its parent had"),
        (
            "PROC-1",
            "(a save puts a new t.json in the place of the old one)",
            "all the way from reading the rows to writing them, and is it on a file beside t.json?",
        ),
        ("PROC-1", "(a save writes tokens.csv in place)", "is there a lock that other processes see"),
    ],
)
def test_a_hint_is_given_by_how_files_are_written(clause: str, written: str, words: str) -> None:
    """As the kit saw it."""
    assert words in hint(told(clause, seen("x", "no such row; 0 rows in all", "a call", written)))


def test_rows_that_differ_in_one_field_show_it() -> None:
    """Where a sequence of calls leaves other rows than it should."""
    row = "Row(id='2', user_name='%', refresh_token='t', access_token='a', expires_in='1'"
    finding = Finding("any", f"after save_token(x): {row}, grant_token='g')", f"{row})", (), False)

    assert folded(broken("SAVE-13", kept_old("grant_token")), told("MODEL-1", finding)) == [
        ("SAVE-13", ["MODEL-1"])
    ]


def test_a_program_that_shows_an_id_twice_has_the_hint_on_ids() -> None:
    """Whatever the clause compared first."""
    shortest = (
        "store.save_token(x)",
        "seen = [token.get_id() for x in y]",
        "assert len(set(seen)) == len(seen)",
    )

    assert "whether a row has the id" in hint(told("VALUE-1", seen("x", "z", shortest=shortest)))


def program(*lines: str, **more: object) -> Finding:
    """A finding with a shortest program."""
    return seen("x", "z", shortest=("store = open_store()", *lines), **more)


ANN_AND_BOB = (
    "store.save_token(OAuthToken(user_signature=UserSignature('ann'), grant_token='a'))",
    "store.save_token(OAuthToken(user_signature=UserSignature('bob'), grant_token='b'))",
    "seen = len(store.get_tokens())",
    "assert seen == 2, seen",
)
BY_REFRESH = "store.find_token(OAuthToken(client_id='c', client_secret='s', refresh_token='r'))"
IDS = ("seen = [token.get_id() for token in store.get_tokens()]", "assert len(set(seen)) == len(seen), seen")


def test_users_that_are_taken_for_one_are_one_cause() -> None:
    """By the programs of saves and of look-ups, whatever each clause compared first."""
    looked = program(
        ANN_AND_BOB[0],
        "answer = store.find_token(OAuthToken(user_signature=UserSignature('bob')))",
        "assert answer is None, answer",
    )
    texts = told("VALUE-1", program(*ANN_AND_BOB, difference=Difference("save_token", (), "stored no row")))
    [cause] = causes([told("SAVE-5", program(*ANN_AND_BOB)), told("FIND-8", looked), texts])

    assert cause.words == "the store takes users whose names differ for one"
    assert [one.clause for one in cause.all] == ["SAVE-5", "FIND-8", "VALUE-1"]
    assert "user name compared as whole" in hint(cause.first, cause)


def test_a_look_up_that_finds_a_wrong_row_is_one_cause() -> None:
    """Whether it should have found another one or none."""
    none = program(f"answer = {BY_REFRESH}", "assert answer is None, answer")
    other = program(f"answer = {BY_REFRESH}", "seen = answer.get_id()", "assert seen == token.get_id(), seen")
    [cause] = causes([told("FIND-6", none), told("MODEL-1", other)])

    assert [one.clause for one in cause.all] == ["FIND-6", "MODEL-1"]


def test_an_id_that_is_given_twice_is_one_cause() -> None:
    """Also where a field was compared first."""
    saves = (ANN_AND_BOB[0], ANN_AND_BOB[1], *IDS)
    field = told("VALUE-2", program(*saves, difference=Difference("save_token", (), "changed a text")))
    [cause] = causes([told("SAVE-3", program(*saves)), field])

    assert (cause.first.clause, [one.clause for one in cause.following]) == ("SAVE-3", ["VALUE-2"])


def test_an_id_that_was_brought_has_another_hint() -> None:
    """The store did not choose it."""
    saves = ("store.save_token(OAuthToken(id='7'))", "store.save_token(OAuthToken(id='007'))", *IDS)

    assert "the id that a token brings" in hint(told("SAVE-3", program(*saves)))


def test_a_hint_names_what_a_look_up_leaves_out() -> None:
    """What each shortest program needs beside the keys."""
    lines = (
        "store.save_token(new_token(user_name='ann', expires_in='1600000000000'))",
        "answer = store.find_token(OAuthToken(user_signature=UserSignature('ann')))",
        "assert isinstance(answer, OAuthToken), answer",
    )

    assert "it takes expires_in='1600000000000' (in the past)" in hint(told("FIND-1", program(*lines)))


def test_a_deletion_that_loses_rows_is_the_cause_of_others() -> None:
    """By the lists of rows before and after it."""
    lost = Difference("delete_token", (), "lost another row")
    done = (
        "store.get_tokens() -> returned 3 tokens, with the ids '1', '2', '3'",
        "store.delete_token('2') -> returned None",
        "store.get_tokens() -> returned [OAuthToken(id='1', user_name='ann')]",
    )

    assert folded(broken("DEL-1", lost), told("DEL-4", seen("x", "z", *done))) == [("DEL-1", ["DEL-4"])]
    assert folded(broken("DEL-1", lost), told("DEL-4", seen("x", "z", *done[1:]))) == [
        ("DEL-1", []),
        ("DEL-4", []),
    ]


def test_a_text_that_has_nothing_of_the_saved_one_was_not_converted() -> None:
    """It has no hint."""
    cut, other = (
        Difference(
            "save_token", (), "changed a text", words=f"client_id comes back as {got}, not as 'abcdef'"
        )
        for got in ("'abcd'", "'x'")
    )

    assert "trimmed or cut" in hint(broken("VALUE-1", cut))
    assert hint(broken("VALUE-1", other)) == ""


def test_the_calls_of_a_history_are_numbered() -> None:
    """As the sentence that speaks of them counts them."""
    assert [line[:12] for line in timeline(seen("x", "calls 1 and 2 cannot be ordered", *AT_ONCE))] == [
        " 1 thread 1 ",
        " 2 thread 2 ",
    ]


def test_a_field_that_one_of_two_short_rows_has_shows_it() -> None:
    """With few fields, too."""
    row = "Row(id='1', user_name='ann', grant_token='g'"
    finding = Finding("any", f"after save_token(x): {row}, access_token='t')", f"{row})", (), False)

    assert folded(broken("SAVE-4", kept_old("access_token")), told("MODEL-1", finding)) == [
        ("SAVE-4", ["MODEL-1"])
    ]
