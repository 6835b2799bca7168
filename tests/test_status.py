"""The exit status is never success without a verdict, and nothing is left behind when a run is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name != "posix", reason="signals and pipes of POSIX")]

STORES = """
import os, signal, sys, threading, time
from zoho_reference_stores import ListStore

class Says(ListStore):
    def save_token(self, token):
        super().save_token(token)
        if os.environ.get("SIGNAL"):
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
            time.sleep(30)

class Waits(ListStore):
    def save_token(self, token):
        if "PYTEST_XDIST_WORKER" in os.environ:
            open(os.environ["SIGNAL"], "w").close()
            time.sleep(25)
        super().save_token(token)

class Swallows(ListStore):
    def get_tokens(self):
        while True:
            try:
                time.sleep(100)
            except BaseException:
                pass

class Comes(ListStore):
    def get_tokens(self):
        try:
            time.sleep(100)
        except KeyboardInterrupt:
            return []

class Dies(ListStore):
    def delete_tokens(self):
        os.execv(sys.executable, [sys.executable, "-c", ""])

class ExitsWhenOpened(ListStore):
    def __init__(self):
        os._exit(0)

class ExitsInItsFirstCall(ListStore):
    def get_tokens(self):
        os._exit(0)

class ExitsLater(ListStore):
    def delete_tokens(self):
        os._exit(0)

class ExitsInAThread(ListStore):
    def delete_tokens(self):
        thread = threading.Thread(target=os._exit, args=(0,))
        thread.start()
        thread.join()
        super().delete_tokens()

class IsSilentAboutIt(ListStore):
    def delete_tokens(self):
        try:
            os._exit(0)
        except BaseException:
            super().delete_tokens()

class Leaves(ListStore):
    def delete_tokens(self):
        sys.exit(0)

class Interrupts(ListStore):
    def delete_tokens(self):
        raise KeyboardInterrupt

class InterruptsWhenOpened(ListStore):
    def __init__(self):
        raise KeyboardInterrupt

def never():
    time.sleep(100)
"""
RUN = """
import sys
from zoho_tokenstore_contract._harness.workspace import Workspace
Workspace.call_limit = 0.5
from zoho_tokenstore_contract._cli.commands import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with stores in it, and a directory of its own for temporary files."""
    (tmp_path / "stores.py").write_text(STORES)
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return tmp_path


def check(
    target: str, *options: str, stdout: object = subprocess.PIPE, **environment: str
) -> tuple[int, str]:
    """Give the command ``check`` in a process of its own: the exit status, and what it wrote."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, "check", target, "--transient", *options],
        env={**os.environ, **environment},
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=300,
    )
    return ended.returncode, (ended.stdout or "") + ended.stderr


@pytest.mark.parametrize("target", ["stores:Says", "stores:Dies"])
def test_a_reader_that_is_gone_is_no_success(target: str) -> None:
    """Whatever the store, the status is 1 where the reader of the output has gone before the verdict."""
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "w") as pipe:
        status, _ = check(target, "--only", "LIST-2", stdout=pipe)

    assert status == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_full_disk_is_no_success() -> None:
    """The status is 1, and standard error says why, where the output cannot be written."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        status, words = check("stores:Says", "--only", "LIST-2", stdout=full)

    assert status == 1
    assert "could not be written" in words


def test_closed_output_is_no_success() -> None:
    """The status is 1, and one line says why, where there is no standard output at all."""
    given = [
        sys.executable,
        "-c",
        RUN,
        "check",
        "zoho_reference_stores:ListStore",
        "--transient",
        "--only",
        "LIST",
    ]
    ended = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" >&-', *given],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=300,
    )

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["zoho-tokenstore: standard output is closed"]


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_run_that_is_ended_leaves_nothing(project: Path, sent: str) -> None:
    """The status is no success, and the directory for temporary files is empty."""
    status, _ = check("stores:Says", "--only", "LIST-1", SIGNAL=str(int(getattr(signal, sent))))

    assert status != 0
    assert [] == list((project / "tmp").glob("tokenstore-*"))


def test_a_call_that_swallows_the_interrupt_is_told() -> None:
    """The call is named, and the status is 1."""
    status, words = check("stores:Swallows")

    assert status == 1
    assert "get_tokens was interrupted after 0.5 seconds and does not come back" in words


@pytest.mark.parametrize(
    ("target", "call"), [("stores:never", "open"), ("stores:Comes", "get_tokens")], ids=["factory", "late"]
)
def test_a_first_opening_that_hangs_is_one_line(target: str, call: str) -> None:
    """The call is named, and nothing was written."""
    status, words = check(target)

    assert status == 2
    assert f"{target}: {call} had not come back after 0.5 seconds; nothing was written" in words


UNFIT = {
    "ExitsWhenOpened": "the store ends the process: os._exit(0)",
    "ExitsInItsFirstCall": "the store ends the process: os._exit(0)",
    "InterruptsWhenOpened": "KeyboardInterrupt",
}
"""Stores that cannot be checked, and what is said of them."""
BROKEN = {
    "ExitsLater": "os._exit(0)",
    "ExitsInAThread": "os._exit(0)",
    "IsSilentAboutIt": "os._exit(0)",
    "Leaves": "SystemExit",
    "Interrupts": "KeyboardInterrupt",
}
"""Stores that end the process in ``delete_tokens``, and what is said of them."""
FUNCTION = """
import stores, sys
from zoho_tokenstore_contract import UsageError, check
try:
    verdict = check(getattr(stores, sys.argv[1]), persistent=False, only=["CLEAR-1"])
except UsageError as error:
    sys.exit(f"no success: {error}")
[result] = [one for one in verdict.clauses if one.id == "CLEAR-1"]
print("CLEAR-1", result.findings)
sys.exit(not verdict.passed)
"""
SURFACES = {
    "command": (RUN, "check stores:{} --transient --only CLEAR-1"),
    "shared": (RUN, "check stores:{} --transient --only CLEAR-1 --shared-storage"),
    "pytest": (
        "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))",
        "-p no:cacheprovider --tokenstore=stores:{} --tokenstore-transient --tokenstore-only=CLEAR-1",
    ),
    "function": (FUNCTION, "{}"),
}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("store", [*UNFIT, *BROKEN])
def test_a_store_that_ends_the_process_is_told(surface: str, store: str) -> None:
    """Ending with status 0, or as Ctrl-C does, is what the store does wrong; the run goes on to its end."""
    script, words = SURFACES[surface]
    ended = subprocess.run(
        [sys.executable, "-c", script, *words.format(store).split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    told = ended.stdout + ended.stderr

    assert ended.returncode != 0
    assert (UNFIT | BROKEN)[store] in told.replace("\n  ", " ")
    assert ("no success" in told or "1 broken" in told or "CLEAR-1" in told) or store in UNFIT
    # Of what a thread raises, pytest itself has a warning.
    assert "Traceback" not in told or "PytestUnhandledThreadExceptionWarning" in told


def test_a_process_that_the_store_forks_ends_as_ever(project: Path) -> None:
    """``os._exit`` in a child of the store, such as one of `multiprocessing`, is no end of the run."""
    (project / "forks.py").write_text(
        "import os\n"
        "from zoho_reference_stores import ListStore\n"
        "class Forks(ListStore):\n"
        "    def delete_tokens(self):\n"
        "        pid = os.fork()\n"
        "        if not pid: os._exit(0)\n"
        "        os.waitpid(pid, 0)\n"
        "        super().delete_tokens()\n"
    )

    assert check("forks:Forks", "--only", "CLEAR-1")[0] == 0


def test_ctrl_c_while_the_command_is_imported_is_one_line(project: Path) -> None:
    """The status is 1, and there is no traceback, however early the interrupt comes."""
    (project / "run.py").write_text(
        "import sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.endswith('_cli.arguments'): raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "from importlib.metadata import entry_points\n"
        "[command] = entry_points(group='console_scripts', name='zoho-tokenstore')\n"
        "sys.exit(command.load()())\n"
    )
    ended = subprocess.run(
        [sys.executable, "run.py", "clauses"], capture_output=True, text=True, check=False, timeout=300
    )

    assert (1, "", "zoho-tokenstore: interrupted\n") == (ended.returncode, ended.stdout, ended.stderr)


def test_a_worker_that_dies_is_no_success() -> None:
    """A store that ends the process of pytest-xdist with status 0 gives no verdict."""
    status, words = check("stores:Dies", "--only", "CLEAR", "-n", "1")

    assert status == 1
    assert "NO VERDICT" in words


def test_a_worker_whose_master_is_ended_leaves_nothing(project: Path) -> None:
    """SIGTERM to the process that started a worker: the worker ends as well, and no file is left."""
    saving = project / "saving"
    given = [sys.executable, "-m", "zoho_tokenstore_contract", "check", "stores:Waits", "--transient"]
    with subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$0" "$@"', *given, "--only", "SAVE-1", "-n", "1"],
        env={**os.environ, "SIGNAL": str(saving)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as master:
        while not saving.exists() and master.poll() is None:
            time.sleep(0.05)
        master.terminate()
        master.communicate(timeout=300)  # the worker has the same standard error

    assert master.returncode != 0
    assert [] == list((project / "tmp").glob("tokenstore-*"))


def test_a_kit_that_fails_is_no_success(project: Path) -> None:
    """An error of the kit's own summary ends in a status that is no success."""
    (project / "run.py").write_text(
        "from zoho_tokenstore_contract._report import terminal\n"
        "def fails(*_): raise RuntimeError('the summary')\n"
        "terminal.summarize = fails\n" + RUN
    )
    ended = subprocess.run(
        [sys.executable, "run.py", "check", "stores:Says", "--transient", "--only", "LIST-2"],
        capture_output=True,
        check=False,
        timeout=300,
    )

    assert ended.returncode not in (0, 2)
    assert tempfile.gettempdir()
