"""`zoho-tokenstore check` shares the work between processes by itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.counting import SOURCE
from zoho_tokenstore_contract._cli.worker_processes import LONGEST, TOGETHER
from zoho_tokenstore_contract._drivers.processes.fork_server import CAN_FORK
from zoho_tokenstore_contract._drivers.processes.forked_process import ForkedProcess
from zoho_tokenstore_contract._spec.clauses import CLAUSES

pytestmark = pytest.mark.skipif(
    not CAN_FORK or sys.platform == "darwin", reason="nothing is shared where no process is forked"
)

STORES = (
    SOURCE
    + """
import os
import pathlib
import signal
import sys
HERE = pathlib.Path.cwd()
ROWS = ListStore()


class Counted(Counting):
    def __init__(self):
        super().__init__()
        with (HERE / f"process.{os.getpid()}").open("a") as file:
            file.write(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2] + "\\n")


class Loose(Counted):
    def find_token_by_id(self, id):
        return None


class Ends(ListStore):
    def delete_tokens(self):
        os.kill(os.getpid(), signal.SIGKILL)


class EndsWell(ListStore):
    def save_token(self, token):
        os.execv(sys.executable, [sys.executable, "-c", ""])


def one_for_all():
    return ROWS


def waits():
    if "::test_FIND_1 " in os.environ.get("PYTEST_CURRENT_TEST", ""):
        (HERE / "waits").write_text(str(os.getpid()))
        os.read(os.open(HERE / "line", os.O_RDONLY), 1)
    return ListStore()
"""
)
CHECK = "import sys; from zoho_tokenstore_contract._cli.commands import main; sys.exit(main({}))"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with stores, which is the current one; locations lie in it, too."""
    (tmp_path / "stores.py").write_text(STORES)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def two_processors() -> Iterator[None]:
    """The command sees two processors, as far as this machine has them."""
    had = os.sched_getaffinity(0)
    if len(had) < 2:
        pytest.skip("one processor shares nothing")
    os.sched_setaffinity(0, set(sorted(had)[:2]))
    yield
    os.sched_setaffinity(0, had)


def arguments(store: str, *more: str) -> list[str]:
    """The words of the command."""
    return ["check", f"stores:{store}", "--transient", "--only", "IFACE,SAVE,FIND,BYID,LIST,CLEAR", *more]


def shared(words: list[str]) -> subprocess.CompletedProcess[str]:
    """The command as somebody gives it."""
    return subprocess.run(
        [sys.executable, "-m", "zoho_tokenstore_contract", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def alone(words: list[str]) -> subprocess.CompletedProcess[str]:
    """The same inside another program, which shares nothing."""
    return subprocess.run(
        [sys.executable, "-c", CHECK.format(words)], capture_output=True, text=True, check=False
    )


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What was printed, without seconds."""
    return re.sub(r"\d+\.\d+ ?s\b", "T", done.stdout + done.stderr)


@pytest.mark.usefixtures("two_processors")
@pytest.mark.parametrize("store", ["Counted", "Loose", "one_for_all"])
def test_the_output_is_that_of_one_process(project: Path, store: str) -> None:
    """Also where clauses are broken, and where two locations turn out to share a storage."""
    one, several = alone(arguments(store)), shared(arguments(store))

    assert told(one) == told(several)
    assert one.returncode == several.returncode


@pytest.mark.usefixtures("two_processors")
def test_two_processes_share_the_work(project: Path) -> None:
    """Two processes open a store that has its own storage, beside the one that collects."""
    shared(arguments("Counted"))

    assert len(list(project.glob("process.*"))) == 3


@pytest.mark.usefixtures("two_processors")
def test_what_takes_longest_is_begun_first(project: Path) -> None:
    """Where one process goes through the clauses in their order, the other begins with the longest."""
    shared(["check", "stores:Counted", "--transient", "--only", "IFACE,SAVE,MODEL,FIND"])

    written = [place.read_text() for place in project.glob("process.*")]
    made = [re.findall(r"^test_[A-Z].*?(?= )", text, re.MULTILINE) for text in written]
    assert sorted(tests[0] for tests in made if tests) == ["test_IFACE_1", "test_MODEL_1"]


def test_what_takes_longest_is_a_test_of_a_clause() -> None:
    """A clause that has another id is begun in its turn."""
    assert {f"test_{clause.replace('-', '_')}" for clause in CLAUSES} >= {*LONGEST, *TOGETHER}


@pytest.mark.usefixtures("two_processors")
def test_a_worker_that_ends_ends_the_run(project: Path) -> None:
    """The test that it ran is named, and there is no verdict."""
    done = shared(arguments("Ends"))

    assert done.returncode == 1
    assert re.search(r"the process that ran test_\w+ ended with status -9", done.stdout)
    assert "CONFORMS" not in done.stdout


@pytest.mark.usefixtures("two_processors", "project")
def test_a_store_that_ends_the_process_in_a_short_run_is_no_success() -> None:
    """Also where it ends with status 0, and a few clauses alone were asked for."""
    done = shared(["check", "stores:EndsWell", "--transient", "--only", "LIST-1"])

    assert done.returncode == 1
    assert "ended with status 0" in done.stdout


@pytest.mark.usefixtures("two_processors")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, -signal.SIGTERM)], ids=["Ctrl-C", "SIGTERM"]
)
def test_nothing_outlives_an_interrupted_run(project: Path, number: int, status: int) -> None:
    """Neither workers nor their files; the exit status is that of a run in one process."""
    os.mkfifo(project / "line")
    with subprocess.Popen(
        [sys.executable, "-m", "zoho_tokenstore_contract", *arguments("waits")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            line = os.open(project / "line", os.O_WRONLY)  # waits until a worker waits
            os.kill(process.pid, number)
            output, _ = process.communicate(timeout=60)
            os.close(line)
        finally:
            process.kill()

    assert process.returncode == status, output
    assert list((project / "tmp").glob("tokenstore-*")) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "waits").read_text()), 0)


def test_a_table_tells_what_each_clause_took(project: Path) -> None:
    """With --durations: checks, calls and seconds, and their sums."""
    done = shared(arguments("Counted", "--durations"))
    rows = re.findall(r"^([A-Z]+-\d+|all) +(\d+) +([\d,]+) +(\d+\.\d\d)$", done.stdout, re.MULTILINE)
    calls = [int(count.replace(",", "")) for _, _, count, _ in rows]
    seconds = [float(one) for *_, one in rows[:-1]]

    assert rows[-1][0] == "all"
    assert len(rows) == 1 + 48
    assert calls[-1] == sum(calls[:-1]) > 0
    assert seconds == sorted(seconds, reverse=True)


def test_a_forked_process_says_how_it_ended() -> None:
    """With its status, or with the number of the signal that ended it."""
    assert ForkedProcess(lambda: None).wait() == 0
    assert ForkedProcess(lambda: os._exit(3)).wait() == 3
    stays = ForkedProcess(signal.pause)

    assert stays.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        stays.wait(0)
    stays.kill()
    assert stays.wait() == -signal.SIGKILL
