"""A run ends with the status that tells the verdict, whatever a store does between calls and at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name != "posix", reason="signals and forks of POSIX")]

STORES = """
import atexit, multiprocessing, os, signal, sys, threading, time
from os import _exit
from zoho_reference_stores import ListStore

class Bad(ListStore):
    def delete_tokens(self):
        pass

def between(event, _):
    if event == "shutil.rmtree" and "outside" in os.environ:
        thread = threading.Thread(target=os._exit, args=(0,))
        thread.start()
        thread.join()

sys.addaudithook(between)

class Outside(ListStore):
    def __init__(self):
        super().__init__()
        os.environ["outside"] = "1"

class AtExit(Bad):
    def __init__(self):
        super().__init__()
        atexit.register(_exit, 0)

def ends_late():
    threading.main_thread().join()
    os._exit(0)

class LateThread(Bad):
    def __init__(self):
        super().__init__()
        threading.Thread(target=ends_late).start()

left = []

class LeavesAThread(ListStore):
    def __init__(self):
        super().__init__()
        if not left:
            left.append(threading.Thread(target=threading.Event().wait, name="left"))
            left[0].start()

class LeavesAProcess(ListStore):
    def __init__(self):
        super().__init__()
        if not left:
            left.append(multiprocessing.get_context("fork").Process(target=time.sleep, args=(100,)))
            left[0].start()

class ForksAndReturns(ListStore):
    def save_token(self, token):
        super().save_token(token)
        os.fork()

class ForksAndRaises(ListStore):
    def save_token(self, token):
        super().save_token(token)
        if not os.fork():
            raise ValueError("from the fork")

class Resets(ListStore):
    def save_token(self, token):
        super().save_token(token)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def find_token(self, token):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

class Meta(type(ListStore)):
    @property
    def __signature__(cls):
        raise RuntimeError("no signature")

class NoSignature(ListStore, metaclass=Meta):
    pass

class NoAttribute(ListStore):
    def __getattr__(self, name):
        raise RuntimeError("no attribute")

class FillsAMiss(ListStore):
    def find_token(self, token):
        found = super().find_token(token)
        if found is None:
            token.set_api_domain("https://filled.example.com")
        return found

"""
SET_UP = """
import sys
from zoho_tokenstore_contract._cli import worker_processes
from zoho_tokenstore_contract._harness import run_end
from zoho_tokenstore_contract._harness.workspace import Workspace
from zoho_tokenstore_contract._runner import targets
run_end._NOTICE = run_end._PATIENCE = worker_processes._GRACE = 0.5
"""
COMMAND = SET_UP + "from zoho_tokenstore_contract._cli.commands import main\nsys.exit(main())\n"
PYTEST = SET_UP + "import pytest\nsys.exit(pytest.console_main())\n"
FUNCTION = """
import stores, sys
from zoho_tokenstore_contract import check
verdict = check(getattr(stores, sys.argv[1]), persistent=False, only=["CLEAR-1"])
print(verdict, [clause.findings for clause in verdict.clauses])
sys.exit(not verdict.passed)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with stores in it, and a directory of its own for temporary files."""
    (tmp_path / "stores.py").write_text(STORES)
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(100)\n")
    (tmp_path / "odd.py").write_text(
        "def __getattr__(name):\n    raise RuntimeError('nothing of that name')\n"
    )
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return tmp_path


def run(script: str, *arguments: str) -> tuple[int, str]:
    """Run a script in a process of its own: the exit status, and what it wrote."""
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return ended.returncode, ended.stdout + ended.stderr


def check(store: str, *options: str) -> tuple[int, str]:
    """Give the command ``check``."""
    return run(COMMAND, "check", f"stores:{store}", "--transient", *options)


def run_pytest(store: str, clause: str) -> tuple[int, str]:
    """Check one clause with pytest."""
    options = ["--tokenstore-transient", f"--tokenstore-only={clause}", "-p", "no:cacheprovider"]
    return run(PYTEST, f"--tokenstore=stores:{store}", *options)


SURFACES = {
    "command": lambda store: check(store, "--only", "CLEAR-1"),
    "shared": lambda store: check(store, "--only", "CLEAR-1", "--shared-storage"),
    "pytest": lambda store: run_pytest(store, "CLEAR-1"),
    "function": lambda store: run(FUNCTION, store),
}


@pytest.mark.parametrize("surface", ["shared", "pytest", "function"])
def test_a_success_that_the_store_ends_with_between_calls_is_told(surface: str) -> None:
    """A thread of the store that ends the process between two calls gets no verdict, and no success."""
    status, told = SURFACES[surface]("Outside")

    assert status == 1
    assert "NO VERDICT (the store calls os._exit(0) outside its methods" in told.replace("\n  ", " ")


def test_a_worker_that_the_store_ends_between_calls_is_told() -> None:
    """Where processes share the work, the run names the one that has ended, and is no success."""
    status, told = SURFACES["command"]("Outside")

    assert status == 1
    assert "ended with status 0" in told


@pytest.mark.parametrize("surface", ["command", "pytest"])
@pytest.mark.parametrize("store", ["AtExit", "LateThread"])
def test_a_store_that_ends_the_process_after_the_verdict_changes_no_status(surface: str, store: str) -> None:
    """What a store does at exit, or in a thread that outlives the run, leaves the status as it is."""
    status, told = SURFACES[surface](store)

    assert status == 1
    assert "CLEAR-1" in told


@pytest.mark.parametrize("surface", ["command", "pytest"])
@pytest.mark.parametrize(
    ("store", "what"), [("LeavesAThread", "the thread 'left'"), ("LeavesAProcess", "the process ")]
)
def test_what_a_store_leaves_running_is_named(surface: str, store: str, what: str) -> None:
    """The run says what it waits for, and ends with the status of its verdict."""
    status, told = SURFACES[surface](store)

    assert status == 0
    assert f"the run is over, and waits for {what}" in told


@pytest.mark.parametrize("surface", ["command", "pytest", "function"])
@pytest.mark.parametrize("store", ["ForksAndReturns", "ForksAndRaises"])
def test_a_forked_process_that_comes_back_is_ended(surface: str, store: str) -> None:
    """The one run goes on to its end, and the call that came back twice is told."""
    status, told = SURFACES[surface](store)

    assert status == 1
    assert "INTERNALERROR" not in told
    assert "save_token came back in a forked process, too" in told.replace("\n  ", " ")
    assert told.count("CLEAR-1 (MUST)") <= 2


def test_a_module_that_sleeps_as_it_is_imported_is_one_line() -> None:
    """Importing it is interrupted after the limit of a call, and nothing was written."""
    script = COMMAND.replace("sys.exit", "Workspace.call_limit = 0.5\nsys.exit")

    status, told = run(script, "check", "slow:store")

    assert status == 2
    assert "importing slow had not come back after 0.5 seconds; nothing was written" in told
    assert "Traceback" not in told


def test_a_module_that_takes_long_to_import_is_named_before_the_limit() -> None:
    """A line says what takes long."""
    script = COMMAND.replace("sys.exit", "Workspace.call_limit, targets._NOTICE = 2, 0.1\nsys.exit")

    _, told = run(script, "check", "slow:store")

    assert "tokenstore: importing slow has taken more than 0.1 s" in told


@pytest.mark.parametrize(
    ("target", "says"),
    [("stores:NoSignature", "no signature"), ("odd:Store", "nothing of that name")],
    ids=["class", "module"],
)
def test_a_store_that_raises_when_it_is_looked_at_is_one_line(target: str, says: str) -> None:
    """What a module or a class raises instead of an attribute is the one message."""
    status, told = run(COMMAND, "check", target)

    assert status == 2
    assert told.strip() == f"zoho-tokenstore: {target} cannot be opened: RuntimeError: {says}"


def test_a_store_without_a_usable_attribute_gets_a_verdict() -> None:
    """What a store raises for an attribute that it does not have, such as ``close``, is told as its own."""
    status, told = check("NoAttribute", "--only", "SAVE-1")

    assert status in (0, 1)
    assert "Traceback" not in told
    assert "the kit itself failed" not in told


def test_a_store_that_resets_a_signal_leaves_nothing(project: Path) -> None:
    """Where a store has reset SIGTERM, the files of a run that is ended are removed nonetheless."""
    status, _ = check("Resets", "--only", "FIND-1")

    assert status != 0
    assert [] == list((project / "tmp").glob("tokenstore-*"))


@pytest.mark.parametrize(("options", "expected"), [((), 0), (("--strict",), 1)], ids=["plain", "strict"])
def test_a_broken_should_clause_that_was_named_counts_with_strict_alone(
    options: tuple[str, ...], expected: int
) -> None:
    """As in a whole run, a SHOULD clause fails nothing without the option; it is told either way."""
    status, told = check("FillsAMiss", "--only", "FIND-12", *options)

    assert expected == status
    assert "FIND-12" in told


def test_the_help_and_the_readme_say_what_status_a_partial_run_has() -> None:
    """Both name the SHOULD clauses, and the option that makes them count."""
    _, told = run(COMMAND, "check", "--help")
    readme = (Path(__file__).parents[1] / "README.md").read_text()

    for text in (told, readme):
        words = " ".join(text.replace("`", "").split())
        assert "keeps those of the named clauses that it must keep" in words
        assert "--strict" in words
