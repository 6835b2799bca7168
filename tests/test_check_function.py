"""The function `check`: what it returns, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest

from tests.counting import Counting
from zoho_reference_stores import ListStore, SQLiteFileStore
from zoho_tokenstore_contract import (
    ClauseVerdict,
    Level,
    Outcome,
    TokenStoreContract,
    UsageError,
    Verdict,
    check,
)
from zoho_tokenstore_contract._spec.clauses import CLAUSES
from zoho_tokenstore_contract._spec.sdk import load

FEW = ["SAVE-1", "DEL-1", "PROC-2", "SECRET-2", "FLOW-1"]
"""Clauses that change what belongs to the process: other processes, output and logging, the SDK."""


class KeepsDeleted(Counting):
    """Deletes nothing by id."""

    def delete_token(self, id: Any) -> None:
        """Do nothing."""


class Talks(ListStore):
    """Prints what it does, in characters that a terminal may not have, and keeps what it prints to."""

    out: TextIO

    def get_tokens(self) -> Any:
        """Print, and list."""
        Talks.out = sys.stdout
        Talks.out.write("chatter \ud800\n")
        return super().get_tokens()


class Ends(ListStore):
    """Ends the program instead of saving."""

    def save_token(self, token: Any) -> None:
        """Raise what `sys.exit` raises."""
        sys.exit(3)


class AContract(TokenStoreContract):
    """A contract class, not collected under this name."""

    persistent = False

    def open_store(self, location: Path) -> ListStore:
        """Open a store in memory."""
        return ListStore()


class Maker:
    """Makes stores by a method."""

    def make(self, location: Path) -> SQLiteFileStore:
        """Open a store in a file."""
        return SQLiteFileStore(location / "tokens.db")


def in_a_file(location: Path) -> SQLiteFileStore:
    """Open a store in a file."""
    return SQLiteFileStore(location / "tokens.db")


@pytest.fixture(scope="module")
def violating() -> Verdict:
    """The verdict on a store that violates the contract."""
    return check(KeepsDeleted, persistent=False)


def run_python(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python in a directory."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )


def test_a_store_that_keeps_all_conforms(capfd: pytest.CaptureFixture[str]) -> None:
    """The verdict has every clause in the order of the contract, and nothing is printed."""
    verdict = check(ListStore, persistent=False)

    assert (verdict.word, verdict.passed, verdict.reason, verdict.cause) == ("conforms", True, "", "")
    assert verdict.target == "zoho_reference_stores.list_store:ListStore"
    assert [clause.id for clause in verdict.clauses] == list(CLAUSES)
    assert verdict.counts.total() == len(CLAUSES)
    assert str(verdict).startswith(f"{verdict.target}: CONFORMS: {verdict.counts[Outcome.KEPT]} kept")
    assert capfd.readouterr() == ("", "")


def test_a_store_that_breaks_a_clause_violates_the_contract(violating: Verdict) -> None:
    """The clause says in one sentence and in full what is wrong, with calls and a script that show it."""
    clause = violating.clause("DEL-1")

    assert (violating.word, violating.passed) == ("violates", False)
    assert clause in violating.broken
    assert (clause.level, clause.outcome) == (Level.MUST, Outcome.BROKEN)
    assert clause.summary.startswith("delete_token(")
    assert str(clause) == f"DEL-1 (MUST) broken: {clause.summary}"
    assert CLAUSES["DEL-1"].text in clause.message
    assert clause.findings[0].done
    assert "delete_token" in clause.findings[0].script


@pytest.mark.once
def test_the_command_reports_the_same(violating: Verdict, tmp_path: Path) -> None:
    """The JSON report of ``zoho-tokenstore check`` on the store has the verdict as plain values."""
    done = run_python(
        Path(__file__).parent.parent,
        *("-m", "zoho_tokenstore_contract", "check", f"{__name__}:KeepsDeleted", "--transient"),
        *("--report", str(tmp_path / "report.json")),
    )
    (reported,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["stores"]

    assert done.returncode == 1
    found, told = comparable(violating.as_dict()), comparable(reported)
    differing = [
        pair for pair in zip(found.pop("clauses"), told.pop("clauses"), strict=True) if pair[0] != pair[1]
    ]
    assert differing == []
    assert found == told


def comparable(store: dict[str, Any]) -> Any:
    """The entry of a store without what differs in every run.

    Ports, the threads of the SDK, and the marks of ISO-1: the process, and how often it was asked there.
    """
    for clause in store["clauses"]:
        if clause["id"].startswith("FLOW-") and "findings" in clause:
            clause["findings"] = [finding["check"] for finding in clause["findings"]]
    told = re.sub(r"(127\.0\.0\.1:)[0-9]+", r"\1…", json.dumps(store))
    return json.loads(re.sub(r"\.[0-9]{3,}\.[0-9]+\b", "….…", told))


def test_some_clauses_alone_give_a_partial_verdict() -> None:
    """The verdict has no word and says why; it passes where what was asked for is kept."""
    verdict = check(ListStore, persistent=False, only="SAVE-1,del_1")

    assert (verdict.word, verdict.passed) == (None, True)
    assert verdict.reason.startswith("partial: 2 of ")
    assert verdict.counts == {Outcome.KEPT: 2, Outcome.NOT_RUN: len(CLAUSES) - 2}
    assert "reason" in verdict.as_dict()


@pytest.mark.parametrize(
    ("allowed", "outcome", "passed"),
    [
        pytest.param({"DEL-1": "it is a log"}, Outcome.ALLOWED, True, id="broken"),
        pytest.param({"DEL-1": "it is a log", "SAVE-1": "so be it"}, Outcome.ALLOWED, False, id="kept"),
    ],
)
def test_an_allowed_clause_may_be_broken(allowed: dict[str, str], outcome: Outcome, passed: bool) -> None:
    """An allowed clause that is kept after all is an error, as in every run."""
    verdict = check(KeepsDeleted, persistent=False, only=["DEL-1", "SAVE-1"], allowed=allowed)

    assert verdict.clause("DEL-1").outcome is outcome
    assert (verdict.clause("SAVE-1").outcome is Outcome.ERROR) == ("SAVE-1" in allowed)
    assert verdict.passed == passed


def test_the_simplest_calls_come_first() -> None:
    """Where they fail the verdict has the one cause, and nothing passes; a store cannot end the program."""
    verdict = check(Ends, persistent=False, only=["DEL-4"])

    assert verdict.cause == "`save_token` raises SystemExit: 3"
    assert not verdict.passed


def test_every_clause_is_told_as_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    """What the store prints is dropped; what the caller prints meanwhile is not."""
    told: list[ClauseVerdict] = []

    def tell(clause: ClauseVerdict) -> None:
        told.append(clause)
        sys.stdout.write(f"{clause.id}\n")

    verdict = check(Talks, persistent=False, only=["LIST"], progress=tell)

    Talks.out.write("later\n")

    assert told == [clause for clause in verdict.clauses if clause.outcome is not Outcome.NOT_RUN]
    assert capsys.readouterr().out.split() == [clause.id for clause in told]


def test_somebodys_storage_is_refused(tmp_path: Path) -> None:
    """A storage that holds a row is not written to, and the message says so."""
    path = tmp_path / "tokens.db"
    with SQLiteFileStore(path) as store:
        store.save_token(load().OAuthToken(access_token="1000.theirs", find_user=False))
    before = path.read_bytes()

    with pytest.raises(UsageError, match=r"holds 1 token.*nothing was written"):
        check(lambda: SQLiteFileStore(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("factory", "options", "says"),
    [
        pytest.param(None, {}, "is not callable", id="nothing"),
        pytest.param(ListStore(), {}, "is not callable", id="a store"),
        pytest.param(object, {}, "is not a TokenStore", id="another class"),
        pytest.param(ListStore, {"allowed": {"DEL-77": "why"}}, "no clause 'DEL-77'", id="no such clause"),
        pytest.param(ListStore, {"allowed": {"DEL-1": " "}}, "DEL-1 needs the reason", id="no reason"),
        pytest.param(
            ListStore, {"only": ["DELL"]}, "only: there is no clause or group 'DELL'", id="no group"
        ),
        pytest.param(AContract, {"disposable": True}, "declares itself", id="declared twice"),
        pytest.param(ListStore, {"only": 5}, "only = 5 names no clauses", id="only a number"),
        pytest.param(ListStore, {"only": [5]}, r"only = \[5\] names no clauses", id="only of numbers"),
        pytest.param(ListStore, {"allowed": ["DEL-1"]}, "allowed = .* is no dict", id="allowed as a list"),
        pytest.param(ListStore, {"progress": 3}, "progress = 3 is not callable", id="progress"),
        pytest.param(ListStore, {"target": 3}, "target = 3 is no text", id="target"),
        pytest.param(ListStore, {"disposable": "no"}, "disposable has to be True or False", id="a text"),
    ],
)
def test_wrong_arguments_are_refused(factory: Any, options: dict[str, Any], says: str) -> None:
    """The message says what is wrong, before any clause is checked."""
    with pytest.raises(UsageError, match=says):
        check(factory, **options)


def test_a_contract_class_will_do() -> None:
    """A contract class declares its store itself; a name that is passed counts."""
    verdict = check(AContract, only=["SAVE-1", "PERSIST-1"])

    assert verdict.target == f"{__name__}:AContract"
    assert check(AContract, only=["SAVE-1"], target="tokens").target == "tokens"
    assert verdict.clause("SAVE-1").outcome is Outcome.KEPT
    assert verdict.clause("PERSIST-1").outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("factory", "outcome"),
    [
        pytest.param(in_a_file, Outcome.KEPT, id="at the top of a module"),
        pytest.param(lambda location: SQLiteFileStore(location / "t"), Outcome.NOT_APPLICABLE, id="lambda"),
        pytest.param(Maker().make, Outcome.NOT_APPLICABLE, id="method"),
    ],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no clause about processes applies here")
def test_other_processes_import_the_factory(factory: Callable[..., Any], outcome: Outcome) -> None:
    """What no other process can import is not applicable, and never counts as kept."""
    assert check(factory, only=["PROC-2"]).clause("PROC-2").outcome is outcome


def state() -> dict[str, Any]:
    """What a check has to leave as it was."""
    sdk = load()
    loggers = {name: logging.getLogger(name) for name in ("", "SDKLogger", "hypothesis")}
    return {
        "sdk": (sdk.Initializer.initializer, getattr(sdk.Initializer.LOCAL, "init", None)),
        "logging": {
            name: (one.level, one.disabled, list(one.handlers), list(one.filters))
            for name, one in loggers.items()
        },
        "records": (logging.getLogRecordFactory(), logging.root.manager.disable),
        "streams": (sys.stdout, sys.stderr, sys.gettrace(), sys.getprofile(), sys.excepthook),
        "signals": [signal.getsignal(one) for one in signal.valid_signals() if one < signal.NSIG],
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "files": sorted(path.name for path in Path().iterdir()),
        "path": list(sys.path),
        "threads": sorted(thread.name for thread in threading.enumerate() if thread.is_alive()),
    }


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After two checks in a row the process is as before, and both verdicts are the same."""
    monkeypatch.chdir(tmp_path)
    check(ListStore, persistent=False, only=FEW)  # what is imported stays
    initializer, modules, before = object(), dict(sys.modules), state()
    monkeypatch.setattr(load().Initializer, "initializer", initializer)
    before = state()
    verdicts = [check(in_a_file, only=FEW) for _ in range(2)]

    assert verdicts[0] == verdicts[1]
    assert verdicts[0].counts[Outcome.KEPT] == len(FEW)
    assert state() == before
    assert {name: sys.modules.get(name) for name in modules} == modules
    assert {name.partition(".")[0] for name in set(sys.modules) - set(modules)} <= sys.stdlib_module_names


def test_a_thread_finds_out_the_same() -> None:
    """Outside the main thread, as notebooks and servers call it, nothing is missing."""
    found: list[Verdict] = []
    thread = threading.Thread(target=lambda: found.append(check(in_a_file, only=[*FEW, "CRASH-6"])))
    thread.start()
    thread.join()

    assert found[0].counts[Outcome.KEPT] == len(FEW) + 1


SCRIPT = """
from zoho_reference_stores import SQLiteFileStore
from zoho_tokenstore_contract import check

def store():
    return SQLiteFileStore("tokens.db")

print(check(store, only=["PROC-2"]).clause("PROC-2"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no clause about processes applies here")
def test_a_script_is_not_run_again_by_its_own_check(tmp_path: Path) -> None:
    """Processes that import a script end its check at once, and the verdict says what to write."""
    (tmp_path / "script.py").write_text(SCRIPT)
    done = run_python(tmp_path, "script.py")
    (said,) = done.stdout.splitlines()

    assert said.startswith("PROC-2 (MUST) not applicable: ")
    assert "put `if __name__ == '__main__':` around it" in said
    (tmp_path / "script.py").write_text(SCRIPT.replace("\nprint", "\nif __name__ == '__main__': print"))
    assert run_python(tmp_path, "script.py").stdout == "PROC-2 (MUST) kept\n"


def test_importing_the_names_loads_little(tmp_path: Path) -> None:
    """Neither the package nor its plugin loads the SDK or Hypothesis; `check` is there all the same."""
    code = (
        "import sys, zoho_tokenstore_contract as kit, zoho_tokenstore_contract.plugin\n"
        "assert not {'zohocrmsdk', 'hypothesis'} & set(sys.modules)\n"
        "assert all(getattr(kit, name) for name in kit.__all__)\n"
        "assert 'zohocrmsdk' not in sys.modules\n"
    )

    assert run_python(tmp_path, "-c", code).returncode == 0
