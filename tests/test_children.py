"""Fresh processes open the store as the test process does, and end whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_tokenstore_contract import TokenStoreContract
from zoho_tokenstore_contract._drivers.processes.child_environments import EAST, WEST
from zoho_tokenstore_contract._drivers.processes.children import Processes
from zoho_tokenstore_contract._drivers.processes.pipe import Pipe
from zoho_tokenstore_contract._harness.store_source import StoreSource
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest, close_by_default
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._runner.contract_class import sut_of
from zoho_tokenstore_contract._spec.clause_results import NotApplicable, Violation
from zoho_tokenstore_contract._spec.tokens import Row, to_token

ROOT = Path(__file__).parent.parent


# Stores


class ThroughAContract(TokenStoreContract):
    """A contract class that needs nothing but the location."""

    __test__ = False

    def open_store(self, location: Path) -> Any:
        return RightStore(location)


class WithAFixture(TokenStoreContract):
    """A contract class whose fixtures set attributes."""

    __test__ = False
    folder: str
    server: Any

    def open_store(self, location: Path) -> Any:
        return RightStore(location / self.folder)


def without_location() -> Any:
    """A factory whose storage is where the environment says."""
    return RightStore(Path(os.environ["STORE_OF_THE_TEST"]))


def in_the_current_directory() -> Any:
    """A factory whose storage is in the current directory."""
    return RightStore(Path())


def opens_in_one_process_alone(location: Path) -> Any:
    """A factory that fails in any process but the first."""
    with (location / "taken").open("x"):
        return RightStore(location)


def dies_when_opened(location: Path) -> Any:
    """A factory that ends the process the second time."""
    if (location / "rows.json").exists():
        os._exit(3)
    return RightStore(location)


# Tasks


def count(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    pipe.send(len(store.get_tokens()))


def save(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    store.save_token(to_token(Row(**payload)))
    pipe.send("saved")


def tell_surroundings(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    mask = os.umask(0o077)
    pipe.send([os.getcwd(), os.environ.get("OF_THE_TEST"), mask, os.getppid(), payload])


def tell_zone_and_seed(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    pipe.send([time.tzname[0], os.environ.get("PYTHONHASHSEED"), sys.flags.utf8_mode, os.getppid()])


def never_answer(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    threading.Event().wait()


def fail(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    raise ZeroDivisionError("of the kit")


def open_another(store: Any, location: Path, pipe: Pipe, payload: Any) -> None:
    pipe.send(len(pipe.open(Path(payload)).get_tokens()))


def subject_of_factory(factory: Callable[[], Any]) -> StoreUnderTest:
    """The store under test of a factory without parameters."""
    return StoreUnderTest(
        target="factory",
        open=lambda _: factory(),
        close=close_by_default,
        source=StoreSource.of(factory),
    )


@contextlib.contextmanager
def bench_of(sut: StoreUnderTest) -> Iterator[Workspace]:
    with Workspace(sut, Effort()) as workspace:
        yield workspace


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody waits for is not running either.
    status = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def ends(pid: int) -> bool:
    """Whether a process is gone before long."""
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def test_a_child_opens_a_store_class_of_a_test_package() -> None:
    """What the test process stored is there, and the other way round."""
    with bench_of(sut_for(RightStore)) as workspace, Processes(workspace) as processes:
        store = workspace.open()
        store.save(Row(user_name="ann", access_token="a"))

        assert processes.start(count, store.location).ready().receive("get_tokens") == 1

        child = processes.start(save, store.location, {"user_name": "bob", "access_token": "b"})
        assert child.ready().receive("save_token") == "saved"
        assert sorted(row.user_name for row in store.rows()) == ["ann", "bob"]


def test_a_child_opens_what_a_contract_class_opens() -> None:
    """A subclass of `TokenStoreContract` is instantiated, and its ``open_store`` used."""
    with bench_of(sut_of(ThroughAContract)) as workspace, Processes(workspace) as processes:
        store = workspace.open()
        store.save(Row(user_name="ann", access_token="a"))

        assert processes.start(count, store.location).ready().receive("get_tokens") == 1


def test_attributes_that_fixtures_set_are_handed_over() -> None:
    """As far as they can be pickled."""
    sut = sut_of(WithAFixture)
    test = sut.open.__self__  # type: ignore[attr-defined]
    test.folder, test.server = "below", threading.Lock()
    sut.disposable = True  # no process looks at a new location first
    with bench_of(sut) as workspace, Processes(workspace) as processes:
        location = workspace.location()
        (location / "below").mkdir()
        sut.open(location).save_token(to_token(Row(access_token="a")))

        assert processes.start(count, location).ready().receive("get_tokens") == 1


def test_a_contract_class_that_needs_the_test_process_is_not_applicable() -> None:
    """The reason names the attribute that is missing."""
    sut = sut_of(WithAFixture)
    sut.disposable = True  # no process looks at a new location first
    with bench_of(sut) as workspace, Processes(workspace) as processes:
        child = processes.start(count, workspace.location())

        with pytest.raises(NotApplicable, match=r"open_store uses self\.folder"):
            child.ready()


def test_a_factory_without_location_is_called_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the environment of the test process as it is now."""
    sut = subject_of_factory(without_location)
    sut.own_storage = False
    with bench_of(sut) as workspace, Processes(workspace) as processes:
        place = workspace.location()
        monkeypatch.setenv("STORE_OF_THE_TEST", str(place))
        workspace.open().save(Row(access_token="a"))

        assert processes.start(count, workspace.location()).ready().receive("get_tokens") == 1


def test_a_factory_finds_its_location_as_the_current_directory() -> None:
    """Where that is what the subject promises; also for a further store."""
    sut = subject_of_factory(in_the_current_directory)
    sut.in_location = True
    with bench_of(sut) as workspace, Processes(workspace) as processes:
        store, other = workspace.open(), workspace.open()
        store.save(Row(access_token="a"))
        child = processes.start(open_another, other.location, str(store.location))

        assert child.ready().receive("get_tokens") == 1


def test_a_child_has_the_surroundings_of_the_test_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Directory, environment and umask, but not the process: it is no fork of it."""
    monkeypatch.setenv("OF_THE_TEST", "\udcff")
    before = os.umask(0o031)
    try:
        with bench_of(sut_for(RightStore)) as workspace, Processes(workspace) as processes:
            child = processes.start(tell_surroundings, workspace.location(), {"a": ["\ud800", None]}).ready()
            cwd, value, mask, parent, payload = child.receive("the task")
    finally:
        os.umask(before)

    assert (cwd, value, mask) == (os.getcwd(), "\udcff", 0o031)
    assert parent != os.getpid()
    assert payload == {"a": ["\ud800", None]}


def test_of_two_surroundings_one_has_a_python_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have their zone; the fork server serves one of them, too, and the other has a new hash seed."""
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    with bench_of(sut_for(RightStore)) as workspace, Processes(workspace) as processes:
        told = [
            processes.start(tell_zone_and_seed, workspace.location(), surroundings=one).ready().receive("it")
            for one in (None, EAST, WEST)
        ]
    plain, east, west = told

    assert east[0] == "IST"
    assert east[1:] == plain[1:]
    assert west[:3] == ["EST", "2", 0]
    assert west[3] != plain[3]


def test_what_is_defined_inside_a_function_is_not_applicable() -> None:
    """No other process can import it, and the reason says so."""

    def local(location: Path) -> Any:
        return RightStore(location)

    with bench_of(sut_for(local)) as workspace, pytest.raises(NotApplicable, match="inside a function"):
        Processes(workspace)


def test_what_cannot_be_imported_is_not_applicable() -> None:
    """The reason is what importing it raised."""
    sut = sut_for(RightStore)
    sut.source = StoreSource("no_such_module", "Store", None)
    with bench_of(sut) as workspace, Processes(workspace) as processes:
        child = processes.start(count, workspace.location())

        with pytest.raises(NotApplicable, match="No module named 'no_such_module'"):
            child.ready()


@pytest.mark.parametrize(
    ("files", "module"),
    [
        # Not on the path at all.
        ({"lone_store_file.py": "from tests.stores.right import RightStore as Store"}, "lone_store_file"),
        # The name of another module, which is on the path.
        ({"this.py": "from tests.stores.right import RightStore as Store"}, "this"),
        # In packages, with a relative import.
        (
            {
                "outer/__init__.py": "",
                "outer/inner/__init__.py": "",
                "outer/stores.py": "from tests.stores.right import RightStore as Store",
                "outer/inner/use_it.py": "from ..stores import Store",
            },
            "use_it",
        ),
    ],
    ids=["not-on-the-path", "name-taken", "packages"],
)
def test_a_module_is_found_by_its_file(tmp_path: Path, files: dict[str, str], module: str) -> None:
    """Where its name alone leads nowhere, or to another module."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    sut = sut_for(RightStore)
    sut.source = StoreSource(module, "Store", str(next(tmp_path.rglob(f"{module}.py"))))
    with bench_of(sut) as workspace, Processes(workspace) as processes:
        store = workspace.open()
        store.save(Row(access_token="a"))

        assert processes.start(count, store.location).ready().receive("get_tokens") == 1


def test_opening_that_raises_breaks_the_clause() -> None:
    """What opens here has to open there."""
    with bench_of(sut_for(opens_in_one_process_alone)) as workspace, Processes(workspace) as processes:
        child = processes.start(count, workspace.open().location)

        with pytest.raises(Violation, match=r"opens in another process; seen: raised FileExistsError"):
            child.ready()


def test_a_process_that_dies_breaks_the_clause() -> None:
    """With its status."""
    with bench_of(sut_for(dies_when_opened)) as workspace, Processes(workspace) as processes:
        child = processes.start(count, workspace.open().location)

        with pytest.raises(Violation, match="ended with status 3"):
            child.ready()


def test_a_process_that_never_answers_is_reported_and_killed() -> None:
    """With the stack of each of its threads."""
    sut = sut_for(RightStore)
    with bench_of(sut) as workspace, Processes(workspace) as processes:
        child = processes.start(never_answer, workspace.open().location).ready()
        workspace.call_limit = 0.3

        with pytest.raises(Violation, match=r"had not come back after 0\.3 seconds(.|\n)*never_answer"):
            child.receive("save_token")
        assert not is_running(child.pid)
    assert sut.hangs == ["save_token"]


def test_a_task_that_fails_is_no_fault_of_the_store() -> None:
    """The kit's own exception comes out as one."""
    with bench_of(sut_for(RightStore)) as workspace, Processes(workspace) as processes:
        child = processes.start(fail, workspace.open().location).ready()

        with pytest.raises(RuntimeError, match="ZeroDivisionError: of the kit"):
            child.receive("the task")


def test_no_process_outlives_the_check() -> None:
    """Neither one that answers nor one that was never asked."""
    with bench_of(sut_for(RightStore)) as workspace, Processes(workspace) as processes:
        location = workspace.open().location
        pids = [processes.start(never_answer, location).ready().pid, processes.start(count, location).pid]

        assert all(map(is_running, pids))

    assert not any(map(is_running, pids))


def test_a_child_that_was_killed_says_how_it_ended() -> None:
    """With the signal's number."""
    with bench_of(sut_for(RightStore)) as workspace, Processes(workspace) as processes:
        child = processes.start(never_answer, workspace.open().location).ready()

        assert child.end() == -signal.SIGKILL


SCRIPT = """
    import os
    import signal
    import sys

    from tests import test_children
    from tests.stores.catalogue import sut_for
    from tests.stores.right import RightStore
    from zoho_tokenstore_contract._harness.workspace import Workspace, Effort
    from zoho_tokenstore_contract._drivers.processes.children import Processes


    class Store(RightStore):
        pass


    if __name__ == "__main__":
        with Workspace(sut_for(Store), Effort()) as bench, Processes(bench) as processes:
            store = bench.open()
            told = processes.start(test_children.tell_surroundings, store.location).ready().receive("it")
            waits = processes.start(test_children.never_answer, store.location).ready()
            print(told[3], waits.pid, flush=True)
            if sys.argv[1] == "die":
                os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("way", ["end", "die"])
def test_nothing_outlives_the_test_process(tmp_path: Path, way: str) -> None:
    """However it ends; and a store of ``__main__`` is found by its file."""
    script = tmp_path / "main.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), way],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == (0 if way == "end" else -signal.SIGKILL), done.stderr
    assert [ends(int(pid)) for pid in done.stdout.split()] == [True, True]
