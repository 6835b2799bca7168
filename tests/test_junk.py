"""Whatever a store answers, the kit says what the store does, and never fails itself."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.junk import ANSWERS, METHODS, junk_store
from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_tokenstore_contract._cli.commands import main
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._runner.smoke_check import diagnose, first_look
from zoho_tokenstore_contract._spec.clauses import CLAUSES, GROUPS
from zoho_tokenstore_contract._spec.junk_answers import Junk, tame

ITSELF = "the kit itself"
_SLOW = ("THREAD", "PROC", "CRASH", "FLOW", "MODEL", "PERSIST", "SECRET", "VALUE")
QUICK = [clause.id for clause in CLAUSES.values() if clause.group not in _SLOW]


def examples(number: int) -> settings:
    """The same examples in every run, however long each takes."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[*HealthCheck],
    )


ANSWER = st.sampled_from(sorted(ANSWERS))
SOME = st.lists(st.sampled_from(METHODS), min_size=1, unique=True)


@examples(150)
@given(ANSWER, SOME, st.integers(0, 5), st.sampled_from(QUICK))
def test_no_answer_makes_the_kit_fail(answer: str, methods: list[str], after: int, clause: str) -> None:
    """Junk from any method, from some call on, is told as what the store does."""
    _judge(answer, methods, after, clause)


@pytest.mark.long
@pytest.mark.parametrize("group", GROUPS)
@examples(40)
@given(ANSWER, SOME, st.integers(0, 15), st.data())
def test_no_answer_makes_the_kit_fail_in_any_group(
    group: str, answer: str, methods: list[str], after: int, data: st.DataObject
) -> None:
    """The same in threads, processes and the SDK's flows, and where scripts are searched for."""
    clauses = [clause.id for clause in CLAUSES.values() if clause.group == group]

    _judge(
        answer,
        methods,
        after,
        data.draw(st.sampled_from(clauses)),
        search=data.draw(st.sampled_from((0, CALLS))),
    )


def _judge(answer: str, methods: list[str], after: int, clause: str, *, search: int = 0) -> None:
    store = junk_store(methods, ANSWERS[answer], after)

    result = check_clause(clause, sut_for(store), Effort(), search=search)
    told = json.dumps(result.as_dict()) + result.message()

    assert ITSELF not in told


@examples(100)
@given(ANSWER, SOME, st.integers(0, 5), st.booleans())
def test_no_answer_makes_the_smoke_check_fail(
    answer: str, methods: list[str], after: int, disposable: bool
) -> None:
    """The first look and the smoke check end with one cause in words, or find none."""
    sut = sut_for(junk_store(methods, ANSWERS[answer], after), disposable=disposable)

    causes = [found.message() for found in (first_look(sut), diagnose(sut)) if found is not None]

    assert ITSELF not in "".join(causes)


store: Any = None
"""What the command is told to check."""


def _with_junk(answer: str, where: str) -> Any:
    if where == "factory":
        return lambda _location: ANSWERS[answer](None)
    if where == "attributes":
        return type("JunkStore", (RightStore,), dict.fromkeys(METHODS, property(ANSWERS[answer])))
    names = {"close": "close", "constructor": "__init__"}
    return type("JunkStore", (RightStore,), {names[where]: ANSWERS[answer]} if where in names else {})


@examples(40)
@given(ANSWER, st.sampled_from(["factory", "close", "constructor", "attributes", "hook"]))
def test_the_command_tells_junk_without_a_traceback(answer: str, where: str) -> None:
    """Junk from the factory, from ``close`` or a hook, or as an attribute, is told without a traceback."""
    out = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        patch.setattr(Workspace, "call_limit", 5)
        patch.setitem(globals(), "store", _with_junk(answer, where))
        if where == "hook":
            patch.setitem(globals(), "break_storage", ANSWERS[answer])
        status = main(["check", f"{__name__}:store", "--only", "LIST-2,BYID-2,CRASH-4"])
    told = out.getvalue()

    assert ITSELF not in told
    assert "Traceback" not in told
    assert "INTERNALERROR" not in told
    assert status in (1, 2) or "partial" in told


def test_what_is_usual_stays_as_it_is() -> None:
    """Only what cannot be looked at is replaced, in a list each item for itself."""
    usual = [None, "a", 7, b"b", ["c"], {"d": 1}, object()]

    assert tame(usual) is usual
    assert isinstance(tame(10**5000), Junk)
    assert ["a", "Junk"] == [
        value if value == "a" else type(value).__name__ for value in tame(["a", 10**5000])
    ]
