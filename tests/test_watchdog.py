"""A call that never comes back ends as a violation, and the run goes on."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._spec.clause_results import Outcome


class Hangs(RightStore):
    """Waits for ever when it lists."""

    def get_tokens(self) -> Any:
        threading.Event().wait()


class IsInterrupted(RightStore):
    """Somebody presses Ctrl-C while it lists."""

    def get_tokens(self) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        return super().get_tokens()


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["raised", "ignored"])
def handler(request: pytest.FixtureRequest) -> Any:
    """What becomes of an interrupt: a shell has what it starts with ``&`` ignore it."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, before)


def test_a_call_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch, handler: Any) -> None:
    """Whatever becomes of an interrupt; and that stays as it was."""
    monkeypatch.setattr(Workspace, "call_limit", 0.5)

    result = check_clause("LIST-1", sut_for(Hangs), Effort())

    assert result.outcome in (Outcome.BROKEN, Outcome.NOT_REACHED)
    assert "get_tokens had not come back after 0.5 seconds" in result.message()
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interrupt_of_the_user_stays_what_it_was(handler: Any) -> None:
    """It ends the run, or is ignored where the shell said so."""
    if handler is signal.SIG_IGN:
        assert check_clause("LIST-1", sut_for(IsInterrupted), Effort()).outcome is Outcome.KEPT
        return
    with pytest.raises(KeyboardInterrupt):
        check_clause("LIST-1", sut_for(IsInterrupted), Effort())
