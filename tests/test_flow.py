"""How the kit drives the SDK: what it leaves behind, and what a failure tells."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from tests.stores.single_flight import SingleFlightStore
from zoho_tokenstore_contract._drivers.zoho.app import oauth_token
from zoho_tokenstore_contract._drivers.zoho.sdk_abilities import abilities
from zoho_tokenstore_contract._drivers.zoho.sdk_session import Flow
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome, Violation
from zoho_tokenstore_contract._spec.tokens import Row


class CannotSave(RightStore):
    """Raises whatever is saved."""

    def save_token(self, token: Any) -> None:
        raise OSError("the disk is on fire")


class LeavesForZoho(RightStore):
    """Gives every token the address of the real Zoho."""

    def fill(self, token: Any, row: Any) -> None:
        super().fill(token, row)
        token.set_api_domain("https://www.zohoapis.com")


class WaitsForever(RightStore):
    """Never finds anything by id in another thread than the first."""

    def find_token_by_id(self, id: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            threading.Event().wait(30)
        return super().find_token_by_id(id)


class ListsNoNames(RightStore):
    """Gives out tokens without their user."""

    def new_token(self, row: Any) -> Any:
        return super().new_token(row | {"user_name": None})


class GivesNoIds(RightStore):
    """Gives out tokens without their id."""

    def new_token(self, row: Any) -> Any:
        return super().new_token(row | {"id": None})


def flow_over(store: type[RightStore]) -> tuple[Workspace, Flow]:
    workspace = Workspace(sut_for(store), Effort())
    return workspace, Flow(workspace)


def state() -> dict[str, Any]:
    """Everything outside of its own objects that driving the SDK touches."""
    logger = logging.getLogger("SDKLogger")
    return {
        "initializer": (Initializer.initializer, getattr(Initializer.LOCAL, "init", None)),
        "logger": (logger.level, list(logger.handlers), logger.disabled, logger.propagate),
        "environment": {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy", "NETRC")},
        "files": sorted(Path.cwd().iterdir()),
        "threads": threading.active_count(),
    }


def test_the_sdk_is_left_as_it_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its global state, its logger, the environment, the directory and the threads; nothing is printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "example.com")
    monkeypatch.setattr(Initializer, "initializer", object())
    abilities()
    before = state()

    workspace, flow = flow_over(CannotSave)
    with workspace, flow:
        flow.start(flow.code_of("ann"))

    assert before == state()
    assert ("", "") == capfd.readouterr()


def test_proxies_and_netrc_are_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user's environment changes nothing."""
    (tmp_path / ".netrc").write_text("default login nobody password nothing\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert Outcome.KEPT == check_clause("FLOW-1", sut_for(RightStore), Effort()).outcome


def test_a_failure_tells_what_save_token_raised_though_the_sdk_swallows_it() -> None:
    """And the calls in order: what the application did, the store's part, and Zoho's."""
    workspace, flow = flow_over(CannotSave)
    with workspace, pytest.raises(Violation) as caught, flow:  # noqa: PT012
        flow.start(flow.code_of("ann"))
        flow.store.expect([], new=1)

    assert "save_token had raised OSError: the disk is on fire, which the SDK swallows" in caught.value.seen
    told = [line.split("(")[0].split(" /")[0] for line in caught.value.done]
    assert [
        "store.open",
        "Initializer.initialize",
        "store.find_token",
        "Zoho: POST",
        "Zoho: GET",
        "Zoho: GET",
        "store.save_token",
        "store.get_tokens",
    ] == told


def test_the_sdk_never_leaves_the_machine() -> None:
    """A store that answers with a real data centre breaks the clause, before anything is sent there."""
    workspace, flow = flow_over(LeavesForZoho)
    with workspace, pytest.raises(Violation, match=r"the SDK would leave this Zoho"), flow:  # noqa: PT012
        row = flow.store.holding(flow.signed_in("ann"))[0]
        flow.start(row.only("id"))

    assert [] == flow.zoho.requests


def test_a_thread_that_does_not_come_back_is_told_with_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check ends all the same."""
    monkeypatch.setattr(Workspace, "call_limit", 0.3)
    workspace, flow = flow_over(WaitsForever)
    with workspace, pytest.raises(Violation) as caught, flow:  # noqa: PT012
        row = flow.store.holding(flow.signed_in("ann"))[0]
        flow.start(row.only("id"))
        flow.together(lambda *_: flow.switch(oauth_token(Row(id=row.id))), ["one", "two"])

    assert "2 had not come back" in caught.value.seen
    assert "in find_token_by_id:" in caught.value.seen
    assert "threading.Event().wait(30)" in caught.value.seen


def test_a_store_with_single_flight_keeps_the_clause() -> None:
    """One thread renews, the others wait in the store and get what it saved."""
    result = check_clause("FLOW-10", sut_for(SingleFlightStore), Effort(), search=CALLS)

    assert Outcome.KEPT == result.outcome, result.message()


def test_the_installed_sdk_can_do_all_that_the_clauses_speak_of() -> None:
    """Release 7.0.0 does: what a release cannot do is found out by trying it."""
    if abilities().revoke_raised != "returned True":
        pytest.skip(f"this release cannot revoke: {abilities().revoke_raised}")

    assert (True, True, True, True) == (
        abilities().names_users,
        abilities().saves_unnamed,
        abilities().switches_centres,
        abilities().revokes,
    )


@pytest.mark.parametrize("store", [ListsNoNames, GivesNoIds])
@pytest.mark.parametrize("clause", ["FLOW-2", "FLOW-3", "FLOW-7", "FLOW-10"])
def test_a_row_without_what_an_application_starts_with_is_the_stores_fault(
    clause: str, store: type[RightStore]
) -> None:
    """Not the kit's, although the SDK makes no token of it."""
    result = check_clause(clause, sut_for(store), Effort(), search=CALLS)

    assert result.outcome in (Outcome.BROKEN, Outcome.NOT_REACHED), result.reason
