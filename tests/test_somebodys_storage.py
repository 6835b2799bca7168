"""Ways to reach somebody's tokens: whatever the store does wrong, the row of another program survives."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stores.catalogue import sut_for
from tests.stores.right import RightStore
from zoho_tokenstore_contract._cli.commands import main
from zoho_tokenstore_contract._drivers.processes.children import Processes, list_rows
from zoho_tokenstore_contract._drivers.storage_faults import files_in
from zoho_tokenstore_contract._harness.store_handle import StoreHandle
from zoho_tokenstore_contract._harness.store_under_test import StoreUnderTest
from zoho_tokenstore_contract._harness.workspace import Effort, Workspace
from zoho_tokenstore_contract._reproduce.guarded_store import looked_at
from zoho_tokenstore_contract._reproduce.minimize import CALLS
from zoho_tokenstore_contract._runner.clause_runner import check_clause
from zoho_tokenstore_contract._runner.smoke_check import diagnose, first_look
from zoho_tokenstore_contract._spec.clause_results import Outcome, StoreUnavailable
from zoho_tokenstore_contract._spec.tokens import Row, to_token

CLAUSES = ("SAVE-1", "DEL-1", "CLEAR-1", "CLEAR-2", "VALUE-9", "THREAD-1")
_NAMES = ("id", "client_id", "client_secret", "refresh_token", "grant_token", "redirect_url", "api_domain")


def add_row(place: Path) -> None:
    """Another program saves its row."""
    store = RightStore(place)
    with store.changing() as state:
        store.insert(
            state,
            {**dict.fromkeys(_NAMES), "user_name": "somebody", "access_token": "theirs", "expires_in": "1"},
        )


def names(place: Path) -> list[str | None]:
    """The users of all stored rows."""
    return [row["user_name"] for row in RightStore(place).read()["rows"]]


def at(place: Path, base: type[RightStore] = RightStore) -> type[RightStore]:
    """A store class that ignores its location, and keeps its rows in one place."""

    class Fixed(base):  # type: ignore[misc, valid-type]
        """Keeps its rows in one place."""

        def __init__(self, location: Path) -> None:
            super().__init__(place)

    return Fixed


class RaisesWhenFull(RightStore):
    """Its ``get_tokens`` raises as soon as there are rows."""

    def get_tokens(self) -> Any:
        if self.read()["rows"]:
            raise KeyError("rows")
        return []


class AnswersATuple(RightStore):
    """Its ``get_tokens`` answers with a tuple."""

    def get_tokens(self) -> Any:
        return tuple(super().get_tokens())


class Hangs(RightStore):
    """Its ``get_tokens`` never comes back."""

    def get_tokens(self) -> Any:
        threading.Event().wait()


def sut_of(store: Any, **declared: Any) -> StoreUnderTest:
    """The store under test, whose storage must not be lost."""
    return sut_for(store, disposable=False, **declared)


def run_check(sut: StoreUnderTest, check: Callable[[StoreHandle], object]) -> None:
    """Run something like a check on a new store."""
    with Workspace(sut, Effort()) as workspace:
        check(workspace.open())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The storage of another program."""
    (tmp_path / "theirs").mkdir()
    return tmp_path / "theirs"


@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
@pytest.mark.parametrize(
    "base", [RightStore, RaisesWhenFull, AnswersATuple, Hangs], ids=["lists", "raises", "tuple", "hangs"]
)
def test_a_row_that_is_there_first_survives(
    place: Path, monkeypatch: pytest.MonkeyPatch, base: type[RightStore], shared: bool
) -> None:
    """The run stops before it writes, says so, and runs no further clause."""
    monkeypatch.setattr(Workspace, "call_limit", 0.5)
    add_row(place)
    before = (place / "rows.json").read_bytes()
    sut = sut_of(at(place, base), own_storage=not shared)

    found = diagnose(sut)
    outcomes = {check_clause(clause, sut, Effort()).outcome for clause in CLAUSES}

    assert found is not None
    assert "nothing was written" in found.cause
    assert {Outcome.ERROR} == outcomes
    assert before == (place / "rows.json").read_bytes()


def test_a_clause_that_is_run_alone_writes_nothing_either(place: Path) -> None:
    """Without the smoke check before it, each clause stops before it writes."""
    add_row(place)
    for clause in CLAUSES:
        result = check_clause(clause, sut_of(at(place)), Effort())

        assert Outcome.ERROR is result.outcome
    assert ["somebody"] == names(place)


def test_an_ignored_location_is_the_one_root_cause(place: Path) -> None:
    """An empty database for all locations is named once, and the kit takes its own rows away."""
    sut = sut_of(at(place))

    assert first_look(sut) is None
    found = diagnose(sut)

    assert found is not None
    assert "two locations share one storage" in found.cause
    assert "own_storage = False" in found.cause
    assert [] == names(place)


def test_a_row_that_arrives_in_a_database_for_all_locations_survives(place: Path) -> None:
    """An ignored location that was empty at first: the next location shows the row, and the run stops."""
    sut = sut_of(at(place))
    assert first_look(sut) is None
    add_row(place)

    results = [check_clause(clause, sut, Effort()) for clause in CLAUSES]

    assert {Outcome.ERROR} == {result.outcome for result in results}
    assert ["somebody"] == names(place)


@pytest.mark.parametrize("method", ["delete_token", "delete_tokens", "save_token"])
def test_a_row_that_arrives_in_a_shared_storage_survives(place: Path, method: str) -> None:
    """The storage is looked at before each call that may reach another program's row."""
    arguments: dict[str, tuple[Any, ...]] = {
        "delete_token": ("1",),
        "save_token": (to_token(Row(id="1", access_token="ours")),),
    }

    def check(store: StoreHandle) -> None:
        add_row(place)
        store.call(method, *arguments.get(method, ()))

    with pytest.raises(StoreUnavailable, match="another program uses it"):
        run_check(sut_of(at(place), own_storage=False), check)

    assert ["somebody"] == names(place)


def test_a_row_that_arrives_during_the_last_call_survives_the_end_of_a_check(place: Path) -> None:
    """What the kit removes at the end of a check is looked at before, and the run stops."""
    with pytest.raises(StoreUnavailable, match="another program uses it"):
        run_check(sut_of(at(place), own_storage=False), lambda _: add_row(place))

    assert ["somebody"] == names(place)


def test_a_run_after_one_that_was_killed_writes_nothing(place: Path) -> None:
    """Rows that a killed run left beside somebody's are not taken for the kit's own."""
    first = sut_of(at(place), own_storage=False)
    workspace = Workspace(first, Effort())

    workspace.open().save(Row(user_name="ours", access_token="a"))  # and is killed here
    add_row(place)

    found = diagnose(sut_of(at(place), own_storage=False))

    assert found is not None
    assert "already holds 2 token(s)" in found.cause
    assert ["ours", "somebody"] == names(place)


def test_two_runs_at_once_delete_nobodys_row(place: Path) -> None:
    """The second run refuses the rows of the first one, and somebody's row survives both."""
    first, second = (sut_of(at(place), own_storage=False) for _ in range(2))
    found = []

    def check(store: StoreHandle) -> None:
        store.save(Row(user_name="ours", access_token="a"))
        found.append(diagnose(second))
        add_row(place)

    with pytest.raises(StoreUnavailable, match="another program uses it"):
        run_check(first, check)

    assert [None] != found
    assert ["ours", "somebody"] == names(place)


ROOT = Path(__file__).parents[1]
THEIRS: list[Path] = []


class TheirsInOtherProcesses(RightStore):
    """A module global that only the test process sets says where the rows are."""

    def __init__(self, location: Path) -> None:
        super().__init__(location if THEIRS else Path(location).parent.parent / "theirs-of-the-module")


def test_another_process_that_opens_another_storage_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that does not have the globals of the test process is asked to list before it is used."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(f"{__name__}.THEIRS", [tmp_path])
    theirs = tmp_path / "theirs-of-the-module"
    theirs.mkdir()
    add_row(theirs)
    sut = sut_of(TheirsInOtherProcesses)

    with Workspace(sut, Effort()) as workspace, Processes(workspace) as processes:
        location = workspace.open().location
        with pytest.raises(StoreUnavailable, match="in another process"):
            processes.start(list_rows, location)

    assert ["somebody"] == names(theirs)


class TheirsInAnotherHome(RightStore):
    """Keeps its rows where a file in the user's home says, and without one where another program does."""

    def __init__(self, location: Path) -> None:
        configured = (Path.home() / ".tokens").exists()
        super().__init__(location if configured else Path(os.environ["TOKENS_LIE_IN"]))


def test_a_process_with_another_home_that_opens_another_storage_writes_nothing(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is started in other surroundings is asked to list before it is used, too."""
    (tmp_path / ".tokens").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TOKENS_LIE_IN", str(place))
    add_row(place)

    result = check_clause("PERSIST-5", sut_of(TheirsInAnotherHome), Effort())

    assert Outcome.ERROR is result.outcome
    assert "in another process" in result.reason
    assert ["somebody"] == names(place)


@pytest.mark.parametrize("body", ["None", "()", "Tuple()", "Async()"])
def test_the_command_writes_nothing_and_says_it_on_one_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    """A factory or a method with an answer of the wrong kind is the one message, before any warning."""
    (tmp_path / "wrong.py").write_text(
        "from zoho_reference_stores import ListStore\n"
        "class Tuple(ListStore):\n    def get_tokens(self): return tuple(super().get_tokens())\n"
        "class Async(ListStore):\n    async def get_tokens(self): return []\n"
        f"def store(): return {body}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    assert main(["check", "wrong:store", "--transient"]) == 2
    out, err = capsys.readouterr()

    assert out == ""
    assert "nothing was written" in err
    assert len(err.splitlines()) < 5


class ShowsAnEmptyCache(RightStore):
    """Lists what it has read, and reads when it is changed: first it shows nothing of what is stored."""

    seen: Any = None

    def get_tokens(self) -> Any:
        """List the rows as they were after the latest change; none before one."""
        return [] if type(self).seen is None else super().get_tokens()

    def save_token(self, token: Any) -> Any:
        """Save, and read all rows."""
        type(self).seen = True
        return super().save_token(token)


@pytest.mark.parametrize("clause", ["DEL-1", "CLEAR-1", "SAVE-3"])
def test_a_row_that_an_empty_cache_hides_at_first_survives(
    place: Path, monkeypatch: pytest.MonkeyPatch, clause: str
) -> None:
    """What turns up after the first save, on this location or the next, stops the run before it deletes."""
    monkeypatch.setattr(ShowsAnEmptyCache, "seen", None)
    add_row(place)
    sut = sut_of(at(place, ShowsAnEmptyCache))

    result = check_clause(clause, sut, Effort())

    assert Outcome.ERROR is result.outcome
    assert "did not show before" in result.reason or "two locations share one storage" in result.reason
    assert "somebody" in names(place)


class HidesForAWhile(RightStore):
    """Lists nothing for some calls, as a cache that is read again later."""

    left = 0

    def get_tokens(self) -> Any:
        """List the rows once the cache has ended."""
        type(self).left -= 1
        return [] if self.left >= 0 else super().get_tokens()


@pytest.mark.parametrize("clause", ["DEL-1", "CLEAR-1"])
@pytest.mark.parametrize("lists", range(2, 12))
def test_a_row_that_is_hidden_for_a_while_survives(
    place: Path, monkeypatch: pytest.MonkeyPatch, clause: str, lists: int
) -> None:
    """A list that misses what was just saved proves nothing: the row turns up before anything is deleted."""
    monkeypatch.setattr(HidesForAWhile, "left", lists)
    add_row(place)

    check_clause(clause, sut_of(at(place, HidesForAWhile)), Effort())

    assert "somebody" in names(place)


LINKS: dict[str, Callable[[Path, Path], object]] = {
    "symbolic": lambda theirs, here: (here / "app.json").symlink_to(theirs),
    "hard": lambda theirs, here: (here / "app.json").hardlink_to(theirs),
    "directory": lambda theirs, here: (here / "app").symlink_to(theirs.parent),
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("clause", ["CRASH-3", "CLEAR-3", "CRASH-2"])
def test_a_file_that_a_store_links_into_its_location_survives(
    place: Path, monkeypatch: pytest.MonkeyPatch, link: str, clause: str
) -> None:
    """The kit damages no file that has a name elsewhere, also where that is the largest."""
    monkeypatch.setenv("TMPDIR", str(place.parent))  # a hard link stays in its file system
    monkeypatch.setattr("tempfile.tempdir", None)
    theirs = place / "app.json"
    theirs.write_text("somebody's data\n" * 10_000)

    class Links(RightStore):
        def __init__(self, location: Path) -> None:
            super().__init__(location)
            if not list(location.glob("app*")):
                LINKS[link](theirs, location)

    check_clause(clause, sut_of(Links), Effort(), search=CALLS)

    assert "somebody's data\n" * 10_000 == theirs.read_text()
    assert ["app.json"] == [path.name for path in place.iterdir()]


@pytest.mark.parametrize("clause", ["CRASH-3", "CLEAR-3", "PROC-1", "SECRET-1"])
def test_a_directory_that_a_store_puts_in_the_place_of_its_location_survives(
    place: Path, clause: str
) -> None:
    """Neither is it emptied, nor is a file in it damaged, nor one put there."""
    (place / "app.json").write_text("somebody's data\n" * 10_000)

    class Replaces(RightStore):
        def __init__(self, location: Path) -> None:
            if not location.is_symlink():
                location.rmdir()
                location.symlink_to(place)
            super().__init__(location)

    check_clause(clause, sut_of(Replaces, own_storage=False), Effort(), search=CALLS)

    assert "somebody's data\n" * 10_000 == (place / "app.json").read_text()
    assert {"app.json"} <= {path.name for path in place.iterdir()} <= {"app.json", "rows.json", "lock"}
    assert [] == names(place)


@pytest.mark.parametrize("way", ["environment", "class"])
def test_a_row_in_a_storage_that_the_location_does_not_name_survives(
    place: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Wherever a store takes its place from: the storage that it opens is looked at."""
    add_row(place)
    monkeypatch.setenv("TOKENS_LIE_IN", str(place))

    class Elsewhere(RightStore):
        home = place

        def __init__(self, location: Path) -> None:
            super().__init__(Path(os.environ["TOKENS_LIE_IN"]) if way == "environment" else self.home)

    results = [check_clause(clause, sut_of(Elsewhere), Effort(), search=CALLS) for clause in CLAUSES]

    assert {Outcome.ERROR} == {result.outcome for result in results}
    assert ["somebody"] == names(place)


def test_a_row_that_arrives_while_a_script_is_tried_survives(place: Path) -> None:
    """The calls of a script are preceded by the same look as those of a check."""
    with Workspace(sut_of(at(place), own_storage=False), Effort()) as workspace:
        store = looked_at(workspace.open())
        store.save_token(to_token(Row(user_name="ours", access_token="a")))
        add_row(place)
        with pytest.raises(StoreUnavailable, match="another program uses it"):
            store.delete_tokens()

    assert ["ours", "somebody"] == names(place)


def test_a_script_writes_nothing_to_a_storage_that_is_not_empty(tmp_path: Path, place: Path) -> None:
    """Run later and elsewhere, a script looks before it writes, as the kit does."""
    (tmp_path / "keeping.py").write_text(
        "import os\n"
        "from pathlib import Path\n"
        "from tests.stores.right import RightStore\n"
        "class Keeping(RightStore):\n"
        "    def __init__(self, location):\n"
        "        super().__init__(Path(os.environ.get('TOKENS_LIE_IN', location)))\n"
        "    def delete_tokens(self): pass\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        sut = sut_of(importlib.import_module("keeping").Keeping)
        result = check_clause("CLEAR-1", sut, Effort(), search=CALLS)
    (tmp_path / "script.py").write_text(result.findings[0].script)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *sys.path)))}

    shown = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    add_row(place)
    refused = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**environment, "TOKENS_LIE_IN": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "AssertionError" in shown.stderr
    assert "nothing was written" in refused.stderr
    assert ["somebody"] == names(place)


def test_a_copied_store_overwrites_nothing_behind_a_link(tmp_path: Path) -> None:
    """A link that leads nowhere is taken for a file, and what it would lead to is not made."""
    (tmp_path / "my_store.py").symlink_to(tmp_path / "theirs.py")

    assert main(["copy", "sqlite", str(tmp_path / "my_store.py")]) == 2
    assert not (tmp_path / "theirs.py").exists()


def test_a_file_that_is_gone_by_now_is_none_of_the_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database removes its log at any moment: between two looks, too."""
    kept = tmp_path / "tokens.db"
    kept.write_text("", encoding="utf-8")
    monkeypatch.setattr(Path, "rglob", lambda *_: iter([tmp_path / "tokens.db-wal", kept]))

    assert files_in(tmp_path) == [kept]
