"""What broken clauses have in common, and how rows and risks are told: as values, without a run."""

from __future__ import annotations

import pytest

from zoho_tokenstore_contract._harness.differences import shared_by
from zoho_tokenstore_contract._report.diagnosis import causes
from zoho_tokenstore_contract._report.risks import RISKS, risk_of, risks
from zoho_tokenstore_contract._spec.brief import brief_token, shorten
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.outcomes import ClauseResult, Difference, Finding, Outcome
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
        broken("MODEL-1", kept_old("api_domain", "delete_token")),
    ]
    first, alone = causes(results)

    assert (first.words, [one.clause for one in first.results]) == (
        "in all differences the field is api_domain",
        ["SAVE-4", "MODEL-1"],
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
